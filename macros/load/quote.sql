{#
    The one place where names and text become SQL. Everything the loader sends to the warehouse
    goes through these two; tests/e2e feeds them hostile names and values.
#}

{% macro quoted(name) %}
    {#- A quoted identifier; a quote inside it is doubled. -#}
    {{ return('"' ~ name | replace('"', '""') ~ '"') }}
{% endmacro %}


{% macro text_literal(value) %}
    {#- A text literal, or null. -#}
    {{ return('null' if value is none else adapter.dispatch('text_literal')(value | string)) }}
{% endmacro %}


{% macro default__text_literal(value) %}
    {{ return("'" ~ value | replace("'", "''") ~ "'") }}
{% endmacro %}


{% macro redshift__text_literal(value) %}
    {#- Redshift reads a backslash in an ordinary literal as an escape. -#}
    {{ return("'" ~ value | replace("\\", "\\\\") | replace("'", "''") ~ "'") }}
{% endmacro %}
