{% macro clean_date(column, cleaned=false) %}
    {#- A column of dates in ISO 8601, as landed() gives them whatever their form in the files, as date. -#}
    {%- set text = cti.text_argument('clean_date', column, cleaned) -%}
    cast(
        {{ cti.only_if(text, '[0-9]{4}-[0-9]{2}-[0-9]{2}', text, 'a date as YYYY-MM-DD') }} as date
    )
{%- endmacro %}
