{% macro clean_boolean(column, cleaned=false) %}
    {#- A column of yes and no as boolean. By way of a number: a cast of text to boolean differs
        between the engines, and a number's cast fails on what is neither. -#}
    {%- set text = cti.text_argument('clean_boolean', column, cleaned) -%}
    cast(
        case
            when {{ text }} in ('true', 't', 'yes', 'y', '1') then '1'
            when {{ text }} in ('false', 'f', 'no', 'n', '0') then '0'
            else 'not a boolean: ' || {{ text }}
        end as integer
    ) = 1
{%- endmacro %}
