{% macro clean_text(column, case='lower') %}
    {#-
        The cleaned text of a raw column: stripped, lowercased unless case is 'keep', NULL where nothing is
        left.
    -#}
    {%- set column = cti.column_argument('clean_text', column) -%}
    {% if case not in ('lower', 'keep') %}
        {% do cti.refuse_argument('clean_text', 'case', case, "'lower' or 'keep'") %}
    {% endif %}
    {%- set stripped = cti.strip(column) -%}
    {{ return("nullif(" ~ ('lower(' ~ stripped ~ ')' if case == 'lower' else stripped) ~ ", '')") }}
{% endmacro %}
