{% macro clean_integer(column, cleaned=false) %}
    {#- A column of whole numbers as bigint. -#}
    {%- set text = cti.text_argument('clean_integer', column, cleaned) -%}
    {#- Whether Redshift casts '+5' is not documented, so the sign that says nothing goes. -#}
    {%- set digits = "replace(" ~ text ~ ", '+', '')" -%}
    cast(
        {{ cti.only_if(text, '[+-]?[0-9]+', digits, 'an integer') }} as bigint
    )
{%- endmacro %}
