{#
    The ledger: which file versions were loaded, by which load. Each macro returns one statement.
    tables: the relations landing, ledger and quarantine, and the name of the feed.
#}

{% macro lock_ledger(tables) %}
    {#- Keeps other loaders out until the transaction ends; none on an engine with a single writer. -#}
    {{ return(adapter.dispatch('lock_ledger')(tables)) }}
{% endmacro %}


{% macro default__lock_ledger(tables) %}
    {{ return(none) }}
{% endmacro %}


{% macro redshift__lock_ledger(tables) %}
    {{ return('lock ' ~ tables.ledger.include(database=false)) }}
{% endmacro %}


{% macro next_load_id(tables) %}
    {{ return('select coalesce(max(load_id), 0) + 1 as load_id from ' ~ tables.ledger) }}
{% endmacro %}


{% macro file_versions(tables) %}
    {#-
        The file versions of a feed that are in its landing table or were rolled back. Replays, which have
        no bytes, are left out.
    -#}
    {%- set statement -%}
select
    load_id, uri, etag, version, bytes, records_read, records_loaded, records_rejected, status
from {{ tables.ledger }}
where
    (status = 'loaded' or (status = 'rolled back' and bytes > 0))
    and feed = {{ text_literal(tables.feed) }}
    {%- endset -%}
    {{ return(statement) }}
{% endmacro %}


{% macro record_files(tables, loaded_at, files) %}
    {#- Writes a load's files into the ledger. files: rows with the ledger's other columns. -#}
    {%- set rows = [] -%}
    {%- for file in files -%}
        {%- do rows.append('(' ~ [
            file.load_id, text_literal(tables.feed), text_literal(file.uri), text_literal(file.etag),
            text_literal(file.version), file.bytes, file.records_read, file.records_loaded,
            file.records_rejected, text_literal(file.status),
            'cast(' ~ text_literal(loaded_at) ~ ' as timestamp)'
        ] | join(', ') ~ ')') -%}
    {%- endfor -%}
    {%- set statement -%}
insert into {{ tables.ledger }} (
    load_id, feed, uri, etag, version, bytes, records_read, records_loaded, records_rejected,
    status, loaded_at
)
values
{{ rows | join(',\n') }}
    {%- endset -%}
    {{ return(statement) }}
{% endmacro %}


{% macro mark_replaced(tables) %}
    {{ return(
        "update " ~ tables.ledger ~ " set status = 'replaced'"
        ~ " where status in ('loaded', 'replayed') and feed = " ~ text_literal(tables.feed)
    ) }}
{% endmacro %}


{% macro empty_landing(tables) %}
    {#- DELETE, since TRUNCATE would commit on Redshift. -#}
    {{ return('delete from ' ~ tables.landing) }}
{% endmacro %}


{% macro count_load(tables, load_id) %}
    {{ return('select count(*) as records from ' ~ tables.landing ~ ' where _load_id = ' ~ load_id) }}
{% endmacro %}


{% macro history(tables) %}
    {{ return(
        'select load_id, feed, uri, records_read, records_loaded, records_rejected, status, loaded_at'
        ~ ' from ' ~ tables.ledger ~ ' order by load_id, uri'
    ) }}
{% endmacro %}


{% macro mart_size(marts) %}
    {#- One row: how many rows marts have, and how many more raw records these stand for. -#}
    {%- set statement -%}
select coalesce(sum(mart_rows), 0) as mart_rows, coalesce(sum(raw_records - mart_rows), 0) as duplicates
from (
{%- for mart in marts %}
    {%- if not loop.first %}
    union all
    {%- endif %}
    select count(*) as mart_rows, sum(occurrences) as raw_records from {{ mart }}
{%- endfor %}
) as sizes
    {%- endset -%}
    {{ return(statement) }}
{% endmacro %}
