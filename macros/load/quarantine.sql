{#
    The quarantine: refused records, with the reason and the whole raw text. Each macro returns one
    statement.
#}

{% macro quarantine_staged(quarantine, stage, columns, load_id, feed, rejected_at) %}
    {#- Moves staged refused records to the quarantine. columns: those that are staged. -#}
    {%- set statement -%}
insert into {{ quarantine }} (load_id, feed, {{ columns | join(', ') }}, rejected_at)
select
    {{ load_id }}, {{ text_literal(feed) }}, {{ columns | join(', ') }},
    cast({{ text_literal(rejected_at) }} as timestamp)
from {{ quoted(stage) }}
    {%- endset -%}
    {{ return(statement) }}
{% endmacro %}


{% macro count_rejected(quarantine, load_id) %}
    {{ return(
        'select count(*) as records from ' ~ quarantine ~ ' where part = 1 and load_id = ' ~ load_id
    ) }}
{% endmacro %}


{% macro quarantined(quarantine, ledger, feed, load_id, uri, replayed) %}
    {#-
        Refused records of the loads whose records stand in the landing table, a row a part.
        load_id, uri: of one load or file; none for all. replayed: also those that a later load took.
    -#}
    {%- set statement -%}
select
    rejected.load_id, rejected.uri, rejected.etag, rejected.record, rejected.part, rejected.line,
    rejected.column_name, rejected.rule, rejected.value, rejected.message, rejected.header,
    rejected.raw_encoding, rejected.raw_text, rejected.contract, rejected.replayed_by
from {{ quarantine }} as rejected
inner join {{ ledger }} as ledger
    on rejected.load_id = ledger.load_id and rejected.feed = ledger.feed and rejected.uri = ledger.uri
where
    ledger.status = 'loaded'
    and rejected.feed = {{ text_literal(feed) }}
{%- if load_id is not none %}
    and rejected.load_id = {{ load_id }}
{%- endif %}
{%- if uri is not none %}
    and rejected.uri = {{ text_literal(uri) }}
{%- endif %}
{%- if not replayed %}
    and rejected.replayed_by is null
{%- endif %}
order by rejected.load_id, rejected.uri, rejected.record, rejected.part
    {%- endset -%}
    {{ return(statement) }}
{% endmacro %}


{% macro mark_replayed(quarantine, feed, load_id, rejected_by, uri, records) %}
    {#- Marks records of one file that load rejected_by refused as taken by load load_id. -#}
    {{ return(
        'update ' ~ quarantine ~ ' set replayed_by = ' ~ load_id
        ~ ' where replayed_by is null and ' ~ quarantined_records(feed, rejected_by, uri, records)
    ) }}
{% endmacro %}


{% macro count_replayed(quarantine, feed, rejected_by, uri, records, replayed_by) %}
    {#- How many of some records a load has taken, or none has where replayed_by is none. -#}
    {{ return(
        'select count(*) as records from ' ~ quarantine ~ ' where part = 1 and replayed_by '
        ~ ('is null' if replayed_by is none else '= ' ~ replayed_by)
        ~ ' and ' ~ quarantined_records(feed, rejected_by, uri, records)
    ) }}
{% endmacro %}


{% macro quarantined_records(feed, rejected_by, uri, records) %}
    {{ return(
        'feed = ' ~ text_literal(feed) ~ ' and load_id = ' ~ rejected_by
        ~ ' and uri = ' ~ text_literal(uri) ~ ' and record in (' ~ records | join(', ') ~ ')'
    ) }}
{% endmacro %}
