{#
    What a staging model reads: a landing table as its contract reads it, and of each record the file that it
    came in, by the ledger. Records of a replay have the file that they were rejected in.
#}

{% macro landed(source_name, table_name) %}
    {#-
        A feed's landing table with the columns _file and _file_time beside _load_id, and with _record, the
        record's number in its file, which is NULL unless the contract says record_number: true. _file is
        NULL too where files share a load id, as those did that an early version of the loader brought
        together. Values are as the casts read them, whatever the contract says of their form: NULL for one of
        null_values, true and false, numbers with a decimal point and nothing around them, ISO 8601. A value that
        the contract does not read is one that no cast takes.
    -#}
    {%- set landing, ledger = source(source_name, table_name), source('loader', '_loaded_files') -%}
    {#- By name: a table that has numbers keeps the column when the contract wants them no more. -#}
    {%- set prepared, selected, reads = [], [], [] -%}
    {%- if execute -%}
        {#- There is no graph in a unit test: its rows are read as they are, whatever the contract says. -#}
        {%- for node in graph.get('sources', {}).values() if node.relation_name == landing | string -%}
            {%- for name in cti.text_columns(node) -%}
                {%- set raw = 'landing.' ~ quoted(name) -%}
                {%- set text = cti.prepared_by_contract(node, name, raw) -%}
                {%- set read = cti.read_by_contract(node, name, raw) -%}
                {%- do prepared.append(raw if text == raw else text ~ ' as ' ~ quoted(name)) -%}
                {%- do selected.append(raw if read == raw else read ~ ' as ' ~ quoted(name)) -%}
                {%- do reads.extend([name] if read != raw else []) -%}
            {%- endfor -%}
            {%- set has_numbers = node.config.meta.get('feed', {}).get('record_number') -%}
            {%- for name in ['_load_id', '_loaded_at'] + (['_record'] if has_numbers else []) -%}
                {%- do prepared.append('landing.' ~ name) -%}
                {%- do selected.append('landing.' ~ name) -%}
            {%- endfor -%}
        {%- endfor -%}
    {%- endif -%}
    {%- set table = landing -%}
    {%- if reads -%}
        {#- Functions in a subquery, which DuckDB works out once for equal values; a CASE outside. -#}
        {%- set table = '(select ' ~ prepared | join(', ') ~ ' from ' ~ landing ~ ' as landing)' -%}
    {%- else -%}
        {%- set selected = prepared -%}
    {%- endif -%}
    {%- if 'landing._record' not in selected -%}
        {%- set selected = (selected or ['landing.*']) + ['cast(null as bigint) as _record'] -%}
    {%- endif -%}
    (
        select
            {{ selected | join(',\n            ') }},
            files._file,
            files._file_time
        from {{ table }} as landing
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
    {{ return(cti.read_by_contract(node, name, cti.prepared_by_contract(node, name, text))) }}
{% endmacro %}


{% macro prepared_by_contract(node, name, text) %}
    {#- What is done to a column before a CASE looks at it. -#}
    {%- set markers, kind = cti.null_values(node, name), cti.contract_type(node, name) -%}
    {%- if markers -%}
        {%- set text = adapter.dispatch('without_null_values', 'cti')(text, markers) -%}
    {%- endif -%}
    {%- set is_number = kind.startswith('decimal') or kind in ('integer', 'float') -%}
    {%- set signs = cti.signs(node, name, kind) if is_number else {} -%}
    {%- if cti.read_by_contract(node, name, text) == text -%}
        {{ return('translate(' ~ text ~ ", ',.', '.,')" if signs.decimal == ',' else text) }}
    {%- elif is_number -%}
        {{ return(cti.with_plain_signs(cti.strip(text), signs)) }}
    {%- endif -%}
    {{ return('lower(' ~ cti.strip(text) ~ ')') }}
{% endmacro %}


{% macro read_by_contract(node, name, text) %}
    {#- The rest, of a text that is prepared; the text as it is where the casts read it so. -#}
    {%- set kind = cti.contract_type(node, name) -%}
    {%- if kind in ('date', 'timestamp') -%}
        {%- set format = cti.contract_word(node, name, 'format', none) -%}
        {%- set cut = kind == 'timestamp' and cti.contract_word(node, name, 'excess_fraction', 'error') == 'cut' -%}
        {%- if format is not none -%}
            {%- set pivot_year = cti.contract_word(node, name, 'pivot_year', 1969) -%}
            {{ return(cti.iso_moment(text, kind, [format] if format is string else format, pivot_year, cut)) }}
        {%- elif cut -%}
            {{ return(cti.cut_fraction(text)) }}
        {%- endif -%}
    {%- elif kind == 'boolean' -%}
        {%- set true_values = cti.contract_word(node, name, 'true_values', none) -%}
        {%- set false_values = cti.contract_word(node, name, 'false_values', none) -%}
        {%- if true_values is not none or false_values is not none -%}
            {{ return(cti.plain_boolean(text, true_values, false_values)) }}
        {%- endif -%}
    {%- elif kind.startswith('decimal') or kind in ('integer', 'float') -%}
        {{ return(cti.plain_number(text, cti.signs(node, name, kind))) }}
    {%- endif -%}
    {{ return(text) }}
{% endmacro %}


{% macro contract_type(node, name) %}
    {%- set own = (node.columns.get(name) or {}).get('config', {}).get('meta', {}) -%}
    {{ return(own.get('type', 'text') | string | trim | lower) }}
{% endmacro %}


{% macro signs(node, name, kind) %}
    {#- What the contract says of a column of numbers: the characters in them, and whether nothing else is there. -#}
    {{ return({
        'decimal': cti.contract_word(node, name, 'decimal_char', '.') if kind != 'integer' else '.',
        'group': cti.contract_word(node, name, 'group_char', '') if kind != 'float' else '',
        'bare': cti.contract_word(node, name, 'bare_number', true),
    }) }}
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


{% macro with_plain_signs(text, signs) %}
    {#-
        A number with signs that are ASCII, so that no other is part of an expression: a point, a low line for the
        group character and, where it is not bare, blanks and # for units. What is no number by its signs gets a
        comma or a low line, of which no cast makes a number: 1.5 is 1,5 where commas are decimal.
    -#}
    {%- set plain = {'.': ',', '_': ','} -%}
    {%- if not signs.bare -%}
        {%- do plain.update({'#': '?', '\u00a0': ' ', '\u202f': ' '}) -%}
        {%- for unit in '$\u20ac\u00a3\u00a5\u20b9\u20a9\u20bd\u20ba\u20b4%' -%}
            {%- do plain.update({unit: '#'}) -%}
        {%- endfor -%}
    {%- endif -%}
    {%- do plain.update({signs.decimal: '.'}) -%}
    {%- do plain.update({signs.group: '_'} if signs.group else {}) -%}
    {%- set written = text_literal(plain.keys() | join) ~ ', ' ~ text_literal(plain.values() | join) -%}
    {%- if signs.bare -%}
        {{ return('translate(' ~ text ~ ', ' ~ written ~ ')') }}
    {%- endif -%}
    {%- set codes = (
        'usd|eur|gbp|jpy|cny|chf|aud|cad|nzd|hkd|sgd|sek|nok|dkk|pln|czk|huf|ron|inr|brl|mxn|zar|krw|try|rub|uah'
    ) -%}
    {{ return(
        adapter.dispatch('replace_all', 'cti')('translate(lower(' ~ text ~ '), ' ~ written ~ ')', codes, '#')
    ) }}
{% endmacro %}


{% macro default__replace_all(text, pattern, by) %}
    {{ return("regexp_replace(" ~ text ~ ", '" ~ pattern ~ "', '" ~ by ~ "')") }}
{% endmacro %}


{% macro duckdb__replace_all(text, pattern, by) %}
    {{ return("regexp_replace(" ~ text ~ ", '" ~ pattern ~ "', '" ~ by ~ "', 'g')") }}
{% endmacro %}


{% macro plain_number(text, signs) %}
    {#- A text with plain signs as the casts take it: without groups and what stands around the number. -#}
    {%- set number = text if signs.bare else cti.bare_number(text, signs.group in (' ', '\u00a0', '\u202f')) -%}
    {%- if not signs.group -%}
        {{ return(number) }}
    {%- endif -%}
    {{ return(
        "case when " ~ number ~ " ~ '^[+-]?[0-9]{1,3}(_[0-9]{3})+([.][0-9]*)?$' then replace(" ~ number
        ~ ", '_', '') else " ~ number ~ ' end'
    ) }}
{% endmacro %}


{% macro bare_number(text, has_blank_groups) %}
    {#- loader/contract/text.py says the same in Python. -#}
    {%- set blank = '[ _]*' if has_blank_groups else ' *' -%}
    {%- set number = '[0-9.,]([0-9.,_]*[0-9.,])?(e[+-]?[0-9]+)?' -%}
    {%- set pattern = (
        '(([+-]~)?(#~)?|#~[+-]~)N(~#)?|(#~)?N((~#)?~-|~-~#)|(#~)?[(]~(#~)?N(~#)?~[)](~#)?'
    ) | replace('~', blank) | replace('N', number) -%}
    {%- set blanks = ' _' if has_blank_groups else ' ' -%}
    {%- set sign = "case when " ~ text ~ " ~ '(^[^0-9.,]*[-(]|-[#" ~ blanks ~ "]*$)' then '-' else '' end" -%}
    {%- set around = "'#()+-" ~ blanks ~ "'" -%}
    {%- set number = sign ~ ' || ltrim(rtrim(' ~ text ~ ', ' ~ around ~ '), ' ~ around ~ ')' -%}
    {{ return("case when " ~ text ~ " ~ '^(" ~ pattern ~ ")$' then " ~ number ~ ' else ' ~ text ~ ' end') }}
{% endmacro %}


{% macro plain_boolean(text, true_values, false_values) %}
    {#- A stripped text in lower case by words of one's own; what is none of them is a sentence that no cast takes. -#}
    {%- set cases = [] -%}
    {%- for said, words in [
        ('true', true_values or ['true', 't', 'yes', 'y', '1']),
        ('false', false_values or ['false', 'f', 'no', 'n', '0']),
    ] -%}
        {#- The engine's lower case, which the text has too. -#}
        {%- set words = 'lower(' ~ text_literals(words | map('trim') | list) | join('), lower(') ~ ')' -%}
        {%- do cases.append('when ' ~ text ~ ' in (' ~ words ~ ") then '" ~ said ~ "'") -%}
    {%- endfor -%}
    {%- set sentence = "'not in true_values or false_values: ' || " ~ text -%}
    {{ return('case ' ~ cases | join(' ') ~ ' when ' ~ text ~ " <> '' then " ~ sentence ~ ' end') }}
{% endmacro %}


{% macro cut_fraction(text) %}
    {#- ISO 8601 in lower case with at most six digits of fraction, which begin at the 21st character. -#}
    {{ return(
        'case when ' ~ text ~ " ~ '^[0-9-]{10}[t ][0-9:]{8}[.][0-9]{7,9}([^0-9]|$)' then left(" ~ text
        ~ ', 26) || ltrim(substring(' ~ text ~ ", 27, 3), '0123456789') || substring(" ~ text ~ ', 30, 65535) else '
        ~ text ~ ' end'
    ) }}
{% endmacro %}
