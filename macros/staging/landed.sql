{#
    What a staging model reads: a landing table as its contract reads it, and of each record the file that it
    came in, by the ledger. Records of a replay have the file that they were rejected in.
#}

{% macro landed(source_name, table_name) %}
    {#-
        A feed's landing table with the columns _file and _file_time beside _load_id, and with _record, the
        record's number in its file, which is NULL unless the contract says record_number: true. _file is
        NULL too where files share a load id, as those did that an early version of the loader brought
        together. A value that is one of the contract's null_values is NULL; numbers have a decimal point and no
        groups, whatever signs the contract names; dates of several forms are ISO 8601.
    -#}
    {%- set landing, ledger = source(source_name, table_name), source('loader', '_loaded_files') -%}
    {#- By name: a table that has numbers keeps the column when the contract wants them no more. -#}
    {%- set selected = [] -%}
    {%- if execute -%}
        {#- There is no graph in a unit test: its rows are read as they are, whatever the contract says. -#}
        {%- for node in graph.get('sources', {}).values() if node.relation_name == landing | string -%}
            {%- for name in node.columns if name not in ('_load_id', '_loaded_at', '_record') -%}
                {%- set raw = 'landing.' ~ quoted(name) -%}
                {%- set text = cti.by_contract(node, name, raw) -%}
                {%- do selected.append(raw if text == raw else text ~ ' as ' ~ quoted(name)) -%}
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


{% macro by_contract(node, name, text) %}
    {#- A raw column as staging reads it. node: the source table's. text: the column in SQL. -#}
    {%- set markers = cti.null_values(node, name) -%}
    {%- if markers -%}
        {%- set text = adapter.dispatch('without_null_values', 'cti')(text, markers) -%}
    {%- endif -%}
    {%- set kind = cti.contract_word(node, name, 'type', '') | string | trim | lower -%}
    {%- set whole, decimal = kind == 'integer', kind.startswith('decimal') -%}
    {%- set decimal_char = cti.contract_word(node, name, 'decimal_char', '.') if decimal or kind == 'float' else '.' -%}
    {%- set group_char = cti.contract_word(node, name, 'group_char', '') if whole or decimal else '' -%}
    {%- set format = cti.contract_word(node, name, 'format', none) -%}
    {%- if format is not none and format is not string -%}
        {{ return(cti.iso_moment(text, kind, format)) }}
    {%- endif -%}
    {{ return(cti.plain_number(text, decimal_char, group_char)) }}
{% endmacro %}


{% macro contract_word(node, name, word, default) %}
    {#- What a word of the contract says for a column, by itself or by its feed. -#}
    {%- set own = (node.columns.get(name) or {}).get('config', {}).get('meta', {}).get(word) -%}
    {{ return(node.config.meta.get('feed', {}).get(word, default) if own is none else own) }}
{% endmacro %}


{% macro tested_by_contract(column_name) %}
    {#- The same for a generic test of a raw column. -#}
    {%- for source in model.depends_on.nodes if source in graph.get('sources', {}) -%}
        {{ return(cti.by_contract(graph.sources[source], column_name.strip('"'), column_name)) }}
    {%- endfor -%}
    {{ return(column_name) }}
{% endmacro %}


{% macro null_values(node, name) %}
    {#- What a column's contract takes for NULL, its own words or else the feed's, stripped. -#}
    {%- set markers = cti.contract_word(node, name, 'null_values', []) -%}
    {%- if markers is string or markers | reject('string') | list -%}
        {% do cti.refuse_argument(node.source_name ~ '.' ~ node.name, 'null_values', markers, 'a list of texts') %}
    {%- endif -%}
    {{ return(markers | map('trim') | list) }}
{% endmacro %}


{% macro default__without_null_values(text, markers) %}
    {{ return(
        'case when ' ~ cti.strip(text) ~ ' in (' ~ text_literals(markers) | join(', ') ~ ') then null else '
        ~ text ~ ' end'
    ) }}
{% endmacro %}


{% macro duckdb__without_null_values(text, markers) %}
    {#- In a third of the time that the CASE takes: a function is worked out once for equal values. -#}
    {%- set words = [] -%}
    {%- for marker in markers -%}
        {%- do words.append(modules.re.escape(marker)) -%}
    {%- endfor -%}
    {%- set blanks = cti.duckdb__blank() ~ '*' -%}
    {%- set pattern = text_literal('^' ~ blanks ~ '(?:' ~ words | join('|') ~ ')' ~ blanks ~ '$') -%}
    {{ return('nullif(regexp_replace(' ~ text ~ ', ' ~ pattern ~ ", ''), '')") }}
{% endmacro %}


{% macro plain_number(text, decimal_char, group_char) %}
    {#-
        A text of a number with a decimal point and without groups, for the casts. What is no number by these
        signs gets a comma or a low line, of which no cast makes a number: 1.5 is 1,5 where commas are decimal.
        The signs become ASCII before an expression looks at them.
    -#}
    {%- if not group_char -%}
        {{ return('translate(' ~ text ~ ", ',.', '.,')" if decimal_char == ',' else text) }}
    {%- endif -%}
    {%- set signs = {decimal_char: '.', group_char: '_'} -%}
    {%- set signs = dict({'.': ',', '_': ','}, **signs) -%}
    {%- set signed = (
        'translate(' ~ cti.strip(text) ~ ', ' ~ text_literal(signs.keys() | join) ~ ', '
        ~ text_literal(signs.values() | join) ~ ')'
    ) -%}
    {{ return(
        "case when " ~ signed ~ " ~ '^[+-]?[0-9]{1,3}(_[0-9]{3})+([.][0-9]*)?$' then replace(" ~ signed
        ~ ", '_', '') else " ~ signed ~ ' end'
    ) }}
{% endmacro %}


{% macro iso_moment(text, kind, formats) %}
    {#- A text of a date or a timestamp in one of several forms as ISO 8601; any other text as it is. -#}
    {%- set required = ['YYYY', 'MM', 'DD'] + (['HH24', 'MI'] if kind == 'timestamp' else []) -%}
    {%- set tokens = required + (['SS'] if kind == 'timestamp' else []) -%}
    {#- A T between date and time is a small one in what date_format reads. -#}
    {%- set stripped, branches = 'lower(' ~ cti.strip(text) ~ ')', [] -%}
    {%- for format in formats -%}
        {%- set read = cti.date_format('landed', format, tokens, required) -%}
        {%- set time = " || ' ' || " ~ cti.iso_time(stripped, read.at) if kind == 'timestamp' else '' -%}
        {%- do branches.append(
            'when ' ~ stripped ~ " ~ '^" ~ read.pattern ~ "$' then " ~ cti.iso_date(stripped, read.at) ~ time
        ) -%}
    {%- endfor -%}
    {{ return('case ' ~ branches | join(' ') ~ ' else ' ~ text ~ ' end') }}
{% endmacro %}
