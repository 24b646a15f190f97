{#
    Formats are read here and rearranged with substring, so that no engine's own to_date, each with
    formats and mercies of its own, has a say.
#}

{% macro date_format(macro, format, tokens, required) %}
    {#- The format as {pattern: …, at: {token: the position of its first character}}. -#}
    {% if format is not string or not format %}
        {% do cti.refuse_argument(macro, 'format', format, 'a text such as ' ~ required | join) %}
    {% endif %}
    {%- set separators = '-/.: T' -%}
    {%- set digits = {'YYYY': 4, 'MM': 2, 'DD': 2, 'HH24': 2, 'MI': 2, 'SS': 2} -%}
    {#- Hours and the like are held to their range: '24:00' is a time to some engines. -#}
    {%- set patterns = {'HH24': '([01][0-9]|2[0-3])', 'MI': '[0-5][0-9]', 'SS': '[0-5][0-9]'} -%}
    {%- set read = namespace(rest=format, position=1, pattern='') -%}
    {%- set at = {} -%}
    {#- At most one step per character; a step that finds nothing it knows stops the run. -#}
    {%- for _ in range(format | length) if read.rest -%}
        {%- set token = tokens | select('in', [read.rest[:4], read.rest[:2]]) | first -%}
        {%- if token and token not in at -%}
            {%- do at.update({token: read.position}) -%}
            {%- set read.pattern = read.pattern ~ patterns.get(token, '[0-9]{' ~ digits[token] ~ '}') -%}
            {%- set read.position = read.position + digits[token] -%}
            {%- set read.rest = read.rest[token | length:] -%}
        {%- elif not token and read.rest[0] in separators -%}
            {#- Cleaned text is lowercased, a T between date and time too. -#}
            {%- set read.pattern = read.pattern ~ '[' ~ read.rest[0] | lower ~ ']' -%}
            {%- set read.position = read.position + 1 -%}
            {%- set read.rest = read.rest[1:] -%}
        {%- else -%}
            {% do cti.refuse_argument(
                macro, 'format', format,
                "made of " ~ tokens | join(' ') ~ ", each once, with separators from '" ~ separators
                ~ "' (it is not from '" ~ read.rest ~ "' on)"
            ) %}
        {%- endif -%}
    {%- endfor -%}
    {%- for token in required if token not in at -%}
        {% do cti.refuse_argument(macro, 'format', format, 'one with ' ~ token) %}
    {%- endfor -%}
    {{ return({'pattern': read.pattern, 'at': at}) }}
{% endmacro %}


{% macro iso_date(text, at) %}
    {%- set parts = [] -%}
    {%- for token, length in [('YYYY', 4), ('MM', 2), ('DD', 2)] -%}
        {%- do parts.append('substring(' ~ text ~ ', ' ~ at[token] ~ ', ' ~ length ~ ')') -%}
    {%- endfor -%}
    {{ return(parts | join(" || '-' || ")) }}
{% endmacro %}


{% macro iso_time(text, at) %}
    {%- set parts = [] -%}
    {%- for token in ['HH24', 'MI', 'SS'] if token in at -%}
        {%- do parts.append('substring(' ~ text ~ ', ' ~ at[token] ~ ', 2)') -%}
    {%- endfor -%}
    {{ return(parts | join(" || ':' || ")) }}
{% endmacro %}
