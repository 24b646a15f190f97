{#
    The quarantine: rejected records, with the reason and the whole raw text. Each macro returns one
    statement, or a list of them. tables: the relations landing, ledger and quarantine, and the name of the feed.
#}

{% macro quarantine_staged(tables, group, load_id, loaded_at) %}
    {#- The statement that moves staged rejected records to the quarantine; load_id as in insert_staged. -#}
    {%- set statement -%}
insert into {{ tables.quarantine }} (load_id, feed, {{ group.names | join(', ') }}, rejected_at)
select
    {{ load_id }} + {{ number_within(group) }}, {{ text_literal(tables.feed) }}, {{ group.names | join(', ') }},
    cast({{ text_literal(loaded_at) }} as timestamp)
from {{ quoted(group.stage) }}
    {%- endset -%}
    {{ return(statement) }}
{% endmacro %}


{% macro quarantined(tables, batch_id, uri) %}
    {#-
        Rejected records, not yet replayed, of loads that are in the landing table; one row for each
        part of a record, in no order: Redshift would sort rows of 155 KB as declared, which may be too
        wide for it. batch_id, uri: only those of one batch or file.
    -#}
    {%- set statement -%}
select
    rejected.load_id, ledger.batch_id, rejected.uri, rejected.etag,
    cast(ledger.file_time as varchar(32)) as file_time,
    rejected.record, rejected.part, rejected.line, rejected.column_name, rejected.rule, rejected.value,
    rejected.message, rejected.header, rejected.raw_encoding, rejected.raw_text, rejected.contract
from {{ tables.quarantine }} as rejected
inner join {{ tables.ledger }} as ledger
    on rejected.load_id = ledger.load_id and rejected.feed = ledger.feed and rejected.uri = ledger.uri
where
    ledger.status = 'loaded'
    and rejected.replayed_by is null
    and rejected.feed = {{ text_literal(tables.feed) }}
{%- if batch_id is not none %}
    and ledger.batch_id = {{ batch_id }}
{%- endif %}
{%- if uri is not none %}
    and rejected.uri = {{ text_literal(uri) }}
{%- endif %}
    {%- endset -%}
    {{ return(statement) }}
{% endmacro %}


{% macro mark_replayed(tables, load_id, rejected_by, uri, records) %}
    {#-
        Marks records of one file, rejected by load rejected_by, as replayed by load load_id. Some at a time:
        an IN list of as many numbers is far below what either engine takes as one statement.
    -#}
    {% set statements = [] %}
    {% for some in records | batch(5000) %}
        {% do statements.append(
            'update ' ~ tables.quarantine ~ ' set replayed_by = ' ~ load_id
            ~ ' where replayed_by is null and feed = ' ~ text_literal(tables.feed)
            ~ ' and load_id = ' ~ rejected_by ~ ' and uri = ' ~ text_literal(uri)
            ~ ' and record in (' ~ some | join(', ') ~ ')'
        ) %}
    {% endfor %}
    {{ return(statements) }}
{% endmacro %}


{% macro count_replayed(tables, load_id, rejected_by, uri) %}
    {#- How many records of one file, rejected by load rejected_by, load load_id has replayed. -#}
    {{ return(
        'select count(*) as records from ' ~ tables.quarantine ~ ' where part = 1'
        ~ ' and replayed_by = ' ~ load_id
        ~ ' and load_id = ' ~ rejected_by ~ ' and uri = ' ~ text_literal(uri)
    ) }}
{% endmacro %}
