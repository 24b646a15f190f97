{% macro typed(source_name, table_name, case='lower') %}
    {#-
        A whole staging select: every column of a feed under its own name, cast by the type that its contract gives
        it, and _load_id, _loaded_at, _record, _file and _file_time. case: of texts, as in clean_text; _extra, where
        the feed keeps that, is JSON, and stays as it is. In a unit test, which knows no contract, all columns as they
        are given.
    -#}
    {%- set landing, columns = source(source_name, table_name) | string, [] -%}
    {%- for node in graph.get('sources', {}).values() if execute and node.relation_name == landing -%}
        {%- set keeps = node.config.meta.get('feed', {}).get('columns', {}).get('extra') == 'keep' -%}
        {%- for name in cti.text_columns(node) -%}
            {%- set kind, column = cti.contract_type(node, name), quoted(name) -%}
            {%- if keeps and name == '_extra' -%}
                {%- set value = column -%}
            {%- elif kind.startswith('decimal') -%}
                {%- set precision, scale = modules.re.findall('[0-9]+', kind) | map('int') -%}
                {%- set value = cti.clean_decimal(column, precision, scale) -%}
            {%- elif kind == 'text' -%}
                {%- set value = cti.clean_text(column, case=case) -%}
            {%- elif kind in ('date', 'timestamp') -%}
                {#- What has a form is NULL or clean once landed has read it. -#}
                {%- set has_form = cti.contract_word(node, name, 'format', none) is not none -%}
                {%- set value = cti['clean_' ~ kind](column, cleaned=has_form) -%}
            {%- else -%}
                {%- set value = cti['clean_' ~ kind](column) -%}
            {%- endif -%}
            {%- do columns.append(value | trim ~ ' as ' ~ column) -%}
        {%- endfor -%}
    {%- endfor -%}
    {%- do columns.extend(['_load_id', '_loaded_at', '_record', '_file', '_file_time'] if columns else ['*']) -%}
    select
        {{ columns | join(',\n        ') }}
    from {{ cti.landed(source_name, table_name) }}
{%- endmacro %}
