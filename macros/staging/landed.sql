{#
    What a staging model reads: a landing table, and of each record the file that it came in, by the
    ledger. Records of a replay have the file that they were rejected in.
#}

{% macro landed(source_name, table_name) %}
    {#-
        A feed's landing table with the columns _file and _file_time beside _load_id, and with _record, the
        record's number in its file, which is NULL unless the contract says record_number: true. _file is
        NULL too where files share a load id, as those did that an early version of the loader brought
        together.
    -#}
    {%- set landing, ledger = source(source_name, table_name), source('loader', '_loaded_files') -%}
    {#- By name: a table that has numbers keeps the column when the contract wants them no more. -#}
    {%- set selected = [] -%}
    {%- if execute -%}
        {#- There is no graph in a unit test. -#}
        {%- for node in graph.get('sources', {}).values() if node.relation_name == landing | string -%}
            {%- for name in node.columns if name not in ('_load_id', '_loaded_at', '_record') -%}
                {%- do selected.append('landing.' ~ quoted(name)) -%}
            {%- endfor -%}
            {%- do selected.extend(['landing._load_id', 'landing._loaded_at']) -%}
            {%- if node.config.meta.get('feed', {}).get('record_number') -%}
                {%- do selected.append('landing._record') -%}
            {%- endif -%}
        {%- endfor -%}
    {%- endif -%}
    {%- if 'landing._record' not in selected -%}
        {%- set selected = (selected or ['landing.*']) + ['cast(null as bigint) as _record'] -%}
    {%- endif -%}
    (
        select
            {{ selected | join(',\n            ') }},
            files._file,
            files._file_time
        from {{ landing }} as landing
        left join (
            select
                load_id as _file_load_id,
                case when count(*) = 1 then max(uri) end as _file,
                max(file_time) as _file_time
            from {{ ledger }}
            group by load_id
        ) as files on landing._load_id = files._file_load_id
    ) as {{ adapter.quote(table_name) }}
{%- endmacro %}
