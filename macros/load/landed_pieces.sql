{#
    The records of a landing table in pieces, for who judges them again. tables: the relations landing, ledger
    and quarantine, and the name of the feed.
#}

{% macro landed_pieces(tables, records) %}
    {#-
        The query for spans of loads, each of about so many records or of one load: first_load, last_load and
        records.
    -#}
    {%- set statement -%}
with loads as (
    select _load_id as load_id, count(*) as records
    from {{ tables.landing }}
    group by _load_id
),
numbered as (
    select
        load_id,
        records,
        floor(
            (sum(records) over (order by load_id rows between unbounded preceding and current row) - 1) / {{ records }}
        ) as piece
    from loads
)
select min(load_id) as first_load, max(load_id) as last_load, cast(sum(records) as bigint) as records
from numbered
group by piece
order by first_load
    {%- endset -%}
    {{ return(statement) }}
{% endmacro %}


{% macro landed_piece(tables, names, there, span, low='', high='') %}
    {#-
        The query for these columns of the records of a span of loads, NULL if they are not there. low, high:
        only those whose hash is not below the one and below the other.
    -#}
    {%- set columns, hashes = [], [] -%}
    {%- for name in names -%}
        {%- set column = quoted(name) if name | lower in there else 'cast(null as varchar(1))' -%}
        {%- do columns.append(column ~ ' as ' ~ quoted(name)) -%}
        {%- do hashes.append('coalesce(md5(' ~ column ~ "), '')") -%}
    {%- endfor -%}
    {%- set hash = 'left(md5(' ~ hashes | join(' || ') ~ '), 4)' -%}
    {%- set statement -%}
select {{ columns | join(', ') }}
from {{ tables.landing }}
where
    _load_id between {{ span[0] }} and {{ span[1] }}
{%- if high %}
    and {{ hash }} >= {{ text_literal(low) }} and {{ hash }} < {{ text_literal(high) }}
{%- endif %}
    {%- endset -%}
    {{ return(statement) }}
{% endmacro %}
