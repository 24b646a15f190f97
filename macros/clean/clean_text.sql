{% macro clean_text(column, case='lower', invisible='keep') %}
    {#-
        The cleaned text of a raw column: stripped, lowercased unless case is 'keep', NULL where nothing is
        left. invisible: 'remove' takes out what without_invisible lists.
    -#}
    {%- set column = cti.column_argument('clean_text', column) -%}
    {% if case not in ('lower', 'keep') %}
        {% do cti.refuse_argument('clean_text', 'case', case, "'lower' or 'keep'") %}
    {% endif %}
    {% if invisible not in ('keep', 'remove') %}
        {% do cti.refuse_argument('clean_text', 'invisible', invisible, "'keep' or 'remove'") %}
    {% endif %}
    {%- set stripped = cti.strip(cti.without_invisible(column) if invisible == 'remove' else column) -%}
    {{ return("nullif(" ~ ('lower(' ~ stripped ~ ')' if case == 'lower' else stripped) ~ ", '')") }}
{% endmacro %}
