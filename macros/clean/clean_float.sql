{% macro clean_float(column, cleaned=false) %}
    {#- A column of numbers as double precision, with exponents or without. What is infinite is an error. -#}
    {%- set text = cti.text_argument('clean_float', column, cleaned) -%}
    {%- set pattern = '[+-]?([0-9]+([.][0-9]*)?|[.][0-9]+)(e[+-]?[0-9]{1,3})?' -%}
    {#- A nought with a minus would be another text than one without. -#}
    cast(
        {{ cti.only_if(text, pattern, "replace(" ~ text ~ ", '+', '')", 'a number') }} as double precision
    ) + cast(0 as double precision)
{%- endmacro %}
