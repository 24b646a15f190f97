{#
    The one place where names and text become SQL. Everything the loader sends to the warehouse
    goes through these; tests/e2e feeds them hostile names and values.
#}

{% macro quoted(name) %}
    {#- A quoted identifier; a quote inside it is doubled. -#}
    {{ return('"' ~ name | replace('"', '""') ~ '"') }}
{% endmacro %}


{% macro text_literal(value) %}
    {#- A text literal, or null. -#}
    {{ return('null' if value is none else adapter.dispatch('text_literal')(value | string)) }}
{% endmacro %}


{% macro text_literals(values) %}
    {#-
        text_literal of each value, in a tenth of the time: many are quoted as one and then cut. No text
        that a warehouse holds has a NUL character.
    -#}
    {%- set cut, literals = text_literal(values | join('\0'))[1:-1].split('\0'), [] -%}
    {%- for value in values -%}
        {%- do literals.append('null' if value is none else "'" ~ cut[loop.index0] ~ "'") -%}
    {%- endfor -%}
    {{ return(literals) }}
{% endmacro %}


{% macro default__text_literal(value) %}
    {{ return("'" ~ value | replace("'", "''") ~ "'") }}
{% endmacro %}


{% macro redshift__text_literal(value) %}
    {#- Redshift reads a backslash in an ordinary literal as an escape. -#}
    {{ return("'" ~ value | replace("\\", "\\\\") | replace("'", "''") ~ "'") }}
{% endmacro %}
