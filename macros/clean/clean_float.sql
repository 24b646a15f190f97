{% macro clean_float(column, cleaned=false) %}
    {#- A column of numbers as double precision, with exponents or without. What is infinite is an error. -#}
    {%- set text = cti.text_argument('clean_float', column, cleaned) -%}
    {%- set pattern = '[+-]?([0-9]+([.][0-9]*)?|[.][0-9]+)(e[+-]?[0-9]{1,3})?' -%}
    {%- set number -%}
    cast(
        {{ cti.only_if(text, pattern, "replace(" ~ text ~ ", '+', '')", 'a number') }} as double precision
    )
    {%- endset -%}
    {#- A nought with a minus would be another text than one without. -#}
    {{ number }} + cast({{ adapter.dispatch('nought', 'cti')(number, text) }} as double precision)
{%- endmacro %}


{% macro default__nought(number, text) %}
    {{ return('0') }}
{% endmacro %}


{% macro duckdb__nought(number, text) %}
    {#- The one engine whose cast makes infinity of what is too large. -#}
    {{ return('case when isinf(' ~ number ~ ") then 'not a number: ' || " ~ text ~ " else '0' end") }}
{% endmacro %}
