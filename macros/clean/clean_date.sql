{% macro clean_date(column, format=none, cleaned=false) %}
    {#- A column of dates as date: ISO 8601, or a format of YYYY, MM and DD such as 'DD/MM/YYYY'. -#}
    {%- set text = cti.text_argument('clean_date', column, cleaned) -%}
    {%- set tokens = ['YYYY', 'MM', 'DD'] -%}
    {%- set format = 'YYYY-MM-DD' if format is none else format -%}
    {%- set read = cti.date_format('clean_date', format, tokens, tokens) -%}
    {%- set iso = text if format == 'YYYY-MM-DD' else cti.iso_date(text, read.at) -%}
    cast(
        {{ cti.only_if(text, read.pattern, iso, 'a date as ' ~ format) }} as date
    )
{%- endmacro %}
