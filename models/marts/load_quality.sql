{{ config(materialized='view') }}

{#- Every rule by which the loader refuses a record; a test fails if it has one that is missing here. -#}
{%- set rules = [
    'too_few_fields', 'too_many_fields', 'stray_quote', 'text_after_quote', 'unterminated_quote',
    'nul_byte', 'not_utf8', 'record_too_large', 'bare_carriage_return', 'max_bytes', 'required',
    'integer', 'decimal', 'boolean', 'date', 'timestamp', 'accepted_values', 'pattern', 'minimum',
    'maximum'
] -%}

with loads as (

    select
        feed,
        load_id,
        cast(sum(records_read) as bigint) as records_read,
        cast(sum(records_loaded) as bigint) as records_loaded,
        cast(sum(records_rejected) as bigint) as records_rejected,
        max(loaded_at) as loaded_at,
        count(*) as files
    from {{ source('loader', '_loaded_files') }}
    -- Of a load that was taken back, neither the good records nor the refused ones are there.
    where status <> 'rolled back'
    group by feed, load_id

),

rejected as (

    select
        feed,
        load_id,
        {% for rule in rules %}
        count(case when rule = '{{ rule }}' then 1 end) as rejected_{{ rule }},
        {% endfor %}
        count(replayed_by) as records_replayed
    from {{ source('loader', '_rejected_records') }}
    -- A long record has several parts.
    where part = 1
    group by feed, load_id

),

final as (

    select
        loads.feed,
        loads.load_id,
        loads.loaded_at,
        loads.files,
        loads.records_read,
        loads.records_loaded,
        loads.records_rejected,
        {% for rule in rules %}
        coalesce(rejected.rejected_{{ rule }}, 0) as rejected_{{ rule }},
        {% endfor %}
        coalesce(rejected.records_replayed, 0) as records_replayed
    from loads
    left join rejected on loads.feed = rejected.feed and loads.load_id = rejected.load_id

)

select * from final
