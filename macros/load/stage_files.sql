{#
    Puts accepted records where one INSERT can take them: on DuckDB a view over the files, on
    Redshift a temporary table that COPY fills.
#}

{% macro stage_files(tables, group) %}
    {#-
        The statements that make group.stage hold the records of a group of files as text and, unless the
        group is one file, the file's number within the batch as _number. tables: those of the feed, of
        which group.table is the one they are for. group: a CopyGroup of loader/warehouse/copy_source.py.
    -#}
    {{ return(adapter.dispatch('stage_files')(tables, group)) }}
{% endmacro %}


{% macro default__stage_files(tables, group) %}
    {{ exceptions.raise_compiler_error('stage_files: no loading is written for ' ~ target.type) }}
{% endmacro %}


{% macro duckdb__stage_files(tables, group) %}
    {%- set paths = [] -%}
    {%- for path in group.paths -%}{%- do paths.append(text_literal(path)) -%}{%- endfor -%}
    {#- By place, not by name: the header was matched by name when the file was validated. -#}
    {%- set places = [] -%}
    {%- for _ in group.columns -%}
        {%- do places.append("'x" ~ loop.index0 ~ "': 'VARCHAR'") -%}
    {%- endfor -%}
    {%- set selected = [] -%}
    {%- for name in group.names -%}
        {%- set value = 'x' ~ group.columns.index(name) if name in group.columns else 'null::varchar' -%}
        {%- do selected.append(value ~ ' as ' ~ quoted(name)) -%}
    {%- endfor -%}
    {%- if group.numbers -%}
        {%- do selected.append('([' ~ group.numbers | join(', ') ~ '])[file_index::bigint + 1] as _number') -%}
    {%- else -%}
        {%- do selected.append('x' ~ group.columns.index('_number') ~ '::bigint as _number') -%}
    {%- endif -%}
    {%- set statement -%}
create or replace temp view {{ quoted(group.stage) }} as
select {{ selected | join(', ') }}
from read_csv(
    [{{ paths | join(', ') }}],
    auto_detect = false, header = true, strict_mode = true,
    compression = {{ text_literal(group.compression) }},
    new_line = '\n',
    delim = {{ text_literal(group.delimiter) }},
    quote = {{ text_literal(group.quote) }}, escape = {{ text_literal(group.quote) }},
    {#- By default the buffer is 16 times the longest line, for every core. #}
    max_line_size = {{ group.max_record_bytes * 2 }}, buffer_size = {{ group.max_record_bytes * 8 }},
    parallel = {{ group.parallel | lower }},
    columns = { {{- places | join(', ') -}} }
)
    {%- endset -%}
    {#-
        Without an order to preserve, all cores write rows at once, in less memory; no reader needs
        the order. Without a limit DuckDB would keep in memory what it has written; with more than 8
        threads, each with its buffers, the limit would be too low. Wide rows have room for fewer, and each
        column of a table that is written has two blocks of its own. All three settings end with the
        loader's connection, so dbt build has the profile's own. A lower limit of the profile's stays.
    -#}
    {%- set columns = group.columns | length -%}
    {%- set most, limit = [1, [8, 1600 // columns] | min] | max, [512, columns * 2 // 3] | max -%}
    {%- set query -%}
select
    least(current_setting('threads'), {{ most }}) as threads,
    {#- try(): a limit in a unit that the function does not know is a higher one. #}
    coalesce(try(parse_formatted_bytes(current_setting('memory_limit'))) > {{ limit }} * 1000000, true) as more
    {%- endset -%}
    {%- set profile = run_query(query).rows[0] -%}
    {{ return(
        ['set preserve_insertion_order = false', 'set threads = ' ~ profile['threads']]
        + (["set memory_limit = '" ~ limit ~ "MB'"] if profile['more'] else [])
        + [statement]
    ) }}
{% endmacro %}


{% macro redshift__stage_files(tables, group) %}
    {%- set names, copied, settings = [], [], copy_settings() -%}
    {%- for name in group.names -%}{%- do names.append(quoted(name)) -%}{%- endfor -%}
    {%- for name in group.columns -%}{%- do copied.append(quoted(name)) -%}{%- endfor -%}
    {#-
        The temporary table has the landing columns' own types: COPY refuses what does not fit them
        and says where it is. Nothing is cleaned, cut or skipped here: raw stays raw. An empty field is
        NULL, quoted or not, and nothing else is: the default NULL AS '\N' would also take the text \N
        for NULL.
    -#}
    {%- set copy -%}
copy {{ quoted(group.stage) }} ({{ copied | join(', ') }})
from {{ text_literal(group.manifest) }}
iam_role {{ 'default' if settings.role == 'default' else text_literal(settings.role) }}
manifest
format as csv
delimiter {{ text_literal(group.delimiter) }}
quote as {{ text_literal(group.quote) }}
{%- if group.compression != 'none' %}
{{ group.compression }}
{%- endif %}
ignoreheader 1
encoding utf8
emptyasnull
null as ''
maxerror 0
compupdate off
statupdate off
{%- if settings.region %}
region {{ text_literal(settings.region) }}
{%- endif %}
    {%- endset -%}
    {{ return([
        'create temp table ' ~ quoted(group.stage) ~ ' as select ' ~ names | join(', ')
        ~ ('' if group.numbers else ', cast(0 as bigint) as _number')
        ~ ' from ' ~ tables[group.table] ~ ' where false',
        copy
    ]) }}
{% endmacro %}


{% macro copy_settings() %}
    {#-
        reads: whether the engine copies local files or objects in S3; then also role, region
        (empty: the cluster's own), work_location, and as_is_bytes, from which size on a clean object is
        copied as it is, by a COPY of its own. Override it to take them from elsewhere.
    -#}
    {{ return(adapter.dispatch('copy_settings')()) }}
{% endmacro %}


{% macro default__copy_settings() %}
    {{ return({'reads': 'files', 'work_location': ''}) }}
{% endmacro %}


{% macro redshift__copy_settings() %}
    {{ return({
        'reads': 's3',
        'role': env_var('CTI_COPY_ROLE', 'default'),
        'region': env_var('CTI_COPY_REGION', ''),
        'work_location': env_var('CTI_WORK_LOCATION', ''),
        'as_is_bytes': env_var('CTI_COPY_AS_IS_BYTES', '67108864') | int
    }) }}
{% endmacro %}


{% macro staged_counts(stage) %}
    {#- Queries that say how many records were staged, by what they ask; none if it costs a read. -#}
    {{ return(adapter.dispatch('staged_counts')(stage)) }}
{% endmacro %}


{% macro default__staged_counts(stage) %}
    {{ return({}) }}
{% endmacro %}


{% macro redshift__staged_counts(stage) %}
    {{ return({
        'COPY reports': 'select pg_last_copy_count() as records',
        'staged': 'select count(*) as records from ' ~ quoted(stage)
    }) }}
{% endmacro %}


{% macro copy_errors() %}
    {#-
        What to say of a COPY that failed: as whom and where it read, and a query for the problem that the
        warehouse has logged of this session's last COPY; an empty text and none if it logs none.
    -#}
    {{ return(adapter.dispatch('copy_errors')()) }}
{% endmacro %}


{% macro default__copy_errors() %}
    {{ return(('', none)) }}
{% endmacro %}


{% macro redshift__copy_errors() %}
    {%- set settings = copy_settings() -%}
    {%- set query -%}
select
    trim(file_name) || ', line ' || cast(line_number as varchar)
    || case when trim(column_name) <> '' then ', column ' || trim(column_name) else '' end
    || ': COPY refused it: ' || trim(error_message) || ' (code ' || cast(error_code as varchar) || ')' as problem
from sys_load_error_detail
where session_id = pg_backend_pid()
order by query_id desc, line_number
limit 1
    {%- endset -%}
    {{ return((
        ' COPY read as ' ~ settings.role ~ ' (CTI_COPY_ROLE), region ' ~ (settings.region or 'of the cluster')
        ~ ' (CTI_COPY_REGION).',
        query
    )) }}
{% endmacro %}


{% macro insert_staged(tables, group, load_id, loaded_at, clear=none) %}
    {#-
        The statement that lands the staged records of a group of files.
        load_id: the batch's first, to which the number of a file within the batch is added.
        clear: a condition; records for which it is not true get -1, which is nobody's load id.
    -#}
    {%- set names, own_id = [], load_id ~ ' + ' ~ number_within(group) -%}
    {%- for name in group.names -%}{%- do names.append(quoted(name)) -%}{%- endfor -%}
    {%- set statement -%}
insert into {{ tables.landing }} ({{ names | join(', ') }}, _load_id, _loaded_at)
select
    {{ names | join(', ') }}, {{ own_id if clear is none else 'case when ' ~ clear ~ ' then ' ~ own_id ~ ' else -1 end' }},
    cast({{ text_literal(loaded_at) }} as timestamp)
from {{ quoted(group.stage) }}
    {%- endset -%}
    {{ return(statement) }}
{% endmacro %}


{% macro land_screened(tables, group, load_id, loaded_at, clear) %}
    {#-
        Two statements for an engine that reads local files: one lands a staged file and screens it, the
        other has one row, of what was landed of it: records, value_bytes, and how many records are unclear.
        group: of one file. clear: the screen's condition.
    -#}
    {%- set sizes = [] -%}
    {%- for name in group.names -%}
        {%- do sizes.append('coalesce(sum(strlen(' ~ quoted(name) ~ ')), 0)') -%}
    {%- endfor -%}
    {%- set count -%}
select
    count(*) as records,
    list_sum([{{ sizes | join(', ') }}]) as value_bytes,
    count(*) filter (where _load_id = -1) as unclear
from {{ tables.landing }}
where _load_id in (-1, {{ load_id }} + {{ number_within(group) }})
    {%- endset -%}
    {{ return([insert_staged(tables, group, load_id, loaded_at, clear), count]) }}
{% endmacro %}


{% macro number_within(group) %}
    {#- A file's number within its batch, in SQL: that of the only file, or the stage's own column. -#}
    {{ return(group.numbers[0] if group.numbers | length == 1 else '_number') }}
{% endmacro %}
