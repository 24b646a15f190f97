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


{% macro quarantined(tables, batch_id, uri, first, beyond) %}
    {#-
        Rejected records, not yet replayed, of loads that stand and whose text is there; one row for each
        part of a record, in no order: Redshift would sort rows of 155 KB as declared, which may be too
        wide for it. batch_id, uri: only those of one batch or file. first, beyond: a row of
        quarantine_pieces, from which on, and the next, if there is one.
    -#}
    {%- set statement -%}
select
    rejected.load_id, ledger.batch_id, rejected.uri, rejected.etag,
    cast(ledger.file_time as varchar(32)) as file_time,
    rejected.record, rejected.part, rejected.line, rejected.column_name, rejected.rule, rejected.value,
    rejected.message, rejected.header, rejected.raw_encoding, rejected.raw_text, rejected.contract
{{ cti.in_quarantine(tables, batch_id, uri) }}
    and {{ cti.from_record(first) }}
{%- if beyond %}
    and not {{ cti.from_record(beyond) }}
{%- endif %}
    {%- endset -%}
    {{ return(statement) }}
{% endmacro %}


{% macro quarantine_pieces(tables, batch_id, uri) %}
    {#-
        The first record of each piece of the quarantine, in order: load_id, uri, record. A piece is as much
        as there is room for, sixteen million characters. Arguments as for quarantined.
    -#}
    {%- set statement -%}
{#- Added up first: Redshift may refuse to sort rows as wide as these. #}
with sizes as (
    select
        rejected.load_id, rejected.uri, rejected.record,
        sum(
            500
            {%- for column in ['raw_text', 'header', 'message', 'value'] %} + coalesce(length(rejected.{{ column }}), 0)
            {%- endfor %}
        ) as size
    {{ cti.in_quarantine(tables, batch_id, uri) }}
    group by rejected.load_id, rejected.uri, rejected.record
),
pieces as (
    select
        load_id, uri, record,
        floor(sum(size) over (
            order by load_id, uri, record rows between unbounded preceding and current row
        ) / 16000000.0) as piece
    from sizes
),
numbered as (
    select *, row_number() over (partition by piece order by load_id, uri, record) as place
    from pieces
)
select load_id, uri, record from numbered where place = 1 order by load_id, uri, record
    {%- endset -%}
    {{ return(statement) }}
{% endmacro %}


{% macro in_quarantine(tables, batch_id, uri) %}
    {#- What quarantined and quarantine_pieces select from. -#}
    {%- set source -%}
from {{ tables.quarantine }} as rejected
inner join {{ tables.ledger }} as ledger
    on rejected.load_id = ledger.load_id and rejected.feed = ledger.feed and rejected.uri = ledger.uri
where
    ledger.status in ('loaded', 'archived')
    and rejected.replayed_by is null
    {#- Archiving has emptied the others. #}
    and rejected.raw_encoding is not null
    and rejected.feed = {{ text_literal(tables.feed) }}
{%- if batch_id is not none %}
    and ledger.batch_id = {{ batch_id }}
{%- endif %}
{%- if uri is not none %}
    and rejected.uri = {{ text_literal(uri) }}
{%- endif %}
    {%- endset -%}
    {{ return(source) }}
{% endmacro %}


{% macro from_record(first) %}
    {#- A condition for the records of the quarantine from one on. first: load_id, uri and record. -#}
    {{ return(
        '(rejected.load_id > ' ~ first.load_id ~ ' or (rejected.load_id = ' ~ first.load_id
        ~ ' and (rejected.uri > ' ~ text_literal(first.uri) ~ ' or (rejected.uri = '
        ~ text_literal(first.uri) ~ ' and rejected.record >= ' ~ first.record ~ '))))'
    ) }}
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
