{% macro clean_text(column) %}
    {#- The cleaned text of a raw column: stripped, lowercased, NULL where nothing is left. -#}
    {%- set column = cti.column_argument('clean_text', column) -%}
    {{ return("nullif(lower(" ~ cti.strip(column) ~ "), '')") }}
{% endmacro %}
