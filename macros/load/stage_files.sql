{#
    Puts accepted records where one INSERT can take them: on DuckDB a view over the files, on
    Redshift a temporary table that COPY fills.
#}

{% macro stage_files(stage, columns, group) %}
    {#-
        The statements that make `stage` hold the records of a group of files as text.
        columns: the contract's column names. group: paths, and the files' columns from left to
        right (none for one that is not loaded), delimiter and quote; see the loader's warehouse.py.
    -#}
    {{ return(adapter.dispatch('stage_files')(stage, columns, group)) }}
{% endmacro %}


{% macro default__stage_files(stage, columns, group) %}
    {{ exceptions.raise_compiler_error("stage_files: no loading is written for " ~ target.type) }}
{% endmacro %}


{% macro duckdb__stage_files(stage, columns, group) %}
    {%- set paths = [] -%}
    {%- for path in group.paths -%}{%- do paths.append(text_literal(path)) -%}{%- endfor -%}
    {#- Columns are read by place: the header was matched by name when the file was validated. -#}
    {%- set places = [] -%}
    {%- for _ in group.columns -%}{%- do places.append("'x" ~ loop.index0 ~ "': 'VARCHAR'") -%}{%- endfor -%}
    {%- set selected = [] -%}
    {%- for column in columns -%}
        {%- set place = group.columns.index(column) if column in group.columns else none -%}
        {%- do selected.append(
            ('null::varchar' if place is none else 'x' ~ place) ~ ' as ' ~ quoted(column)
        ) -%}
    {%- endfor -%}
    {%- set statement -%}
create or replace temp view {{ quoted(stage) }} as
select {{ selected | join(', ') }}
from read_csv(
    [{{ paths | join(', ') }}],
    auto_detect = false, header = true, strict_mode = true,
    delim = {{ text_literal(group.delimiter) }},
    quote = {{ text_literal(group.quote) }}, escape = {{ text_literal(group.quote) }},
    max_line_size = {{ group.max_record_bytes * 2 }},
    columns = { {{- places | join(', ') -}} }
)
    {%- endset -%}
    {{ return([statement]) }}
{% endmacro %}


{% macro insert_staged(landing, stage, columns, load_id, loaded_at) %}
    {#- The statement that lands staged records under a load id. -#}
    {%- set names = [] -%}
    {%- for column in columns -%}{%- do names.append(quoted(column)) -%}{%- endfor -%}
    {%- set statement -%}
insert into {{ landing }} ({{ names | join(', ') }}, _load_id, _loaded_at)
select {{ names | join(', ') }}, {{ load_id }}, cast({{ text_literal(loaded_at) }} as timestamp)
from {{ quoted(stage) }}
    {%- endset -%}
    {{ return(statement) }}
{% endmacro %}
