{#
    The quarantine: refused records, with the reason and the whole raw text. Each macro returns one
    statement.
#}

{% macro quarantine_staged(tables, stage, columns, load_id, loaded_at) %}
    {#- Moves staged refused records to the quarantine. columns: those that are staged. -#}
    {%- set statement -%}
insert into {{ tables.quarantine }} (load_id, feed, {{ columns | join(', ') }}, rejected_at)
select
    {{ load_id }}, {{ text_literal(tables.feed) }}, {{ columns | join(', ') }},
    cast({{ text_literal(loaded_at) }} as timestamp)
from {{ quoted(stage) }}
    {%- endset -%}
    {{ return(statement) }}
{% endmacro %}


{% macro count_rejected(tables, load_id) %}
    {{ return(
        'select count(*) as records from ' ~ tables.quarantine ~ ' where part = 1 and load_id = ' ~ load_id
    ) }}
{% endmacro %}


{% macro quarantined(tables, load_id, uri) %}
    {#-
        Refused records of the loads that stand in the landing table and not replayed, a row a part.
        load_id, uri: of one load or file; none for all.
    -#}
    {%- set statement -%}
select
    rejected.load_id, rejected.uri, rejected.etag, rejected.record, rejected.part, rejected.line,
    rejected.column_name, rejected.rule, rejected.value, rejected.message, rejected.header,
    rejected.raw_encoding, rejected.raw_text, rejected.contract
from {{ tables.quarantine }} as rejected
inner join {{ tables.ledger }} as ledger
    on rejected.load_id = ledger.load_id and rejected.feed = ledger.feed and rejected.uri = ledger.uri
where
    ledger.status = 'loaded'
    and rejected.replayed_by is null
    and rejected.feed = {{ text_literal(tables.feed) }}
{%- if load_id is not none %}
    and rejected.load_id = {{ load_id }}
{%- endif %}
{%- if uri is not none %}
    and rejected.uri = {{ text_literal(uri) }}
{%- endif %}
order by rejected.load_id, rejected.uri, rejected.record, rejected.part
    {%- endset -%}
    {{ return(statement) }}
{% endmacro %}


{% macro mark_replayed(tables, load_id, rejected_by, uri, records) %}
    {#- Marks records of one file that load rejected_by refused as taken by load load_id. -#}
    {{ return(
        'update ' ~ tables.quarantine ~ ' set replayed_by = ' ~ load_id
        ~ ' where replayed_by is null and feed = ' ~ text_literal(tables.feed)
        ~ ' and load_id = ' ~ rejected_by ~ ' and uri = ' ~ text_literal(uri)
        ~ ' and record in (' ~ records | join(', ') ~ ')'
    ) }}
{% endmacro %}


{% macro count_replayed(tables, load_id, rejected_by, uri) %}
    {#- How many records of one file that load rejected_by refused load load_id has taken. -#}
    {{ return(
        'select count(*) as records from ' ~ tables.quarantine ~ ' where part = 1'
        ~ ' and replayed_by = ' ~ load_id
        ~ ' and load_id = ' ~ rejected_by ~ ' and uri = ' ~ text_literal(uri)
    ) }}
{% endmacro %}
