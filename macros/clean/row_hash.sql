{% macro row_hash(columns) %}
    {#- A hash of text columns, the same on both engines: it settles ties where nothing else is left. -#}
    {% if columns is string or columns is not sequence or not columns %}
        {% do cti.refuse_argument('row_hash', 'columns', columns, 'a list of names of columns') %}
    {% endif %}
    {%- set values = [] -%}
    {%- for column in columns -%}
        {%- set column = cti.column_argument('row_hash', column) -%}
        {#- With | escaped, 'a|', 'b' and 'a', '|b' stay two things; no escaped text is '!n', so NULL is
            none either. -#}
        {%- set escaped = "replace(replace(" ~ column ~ ", '!', '!e'), '|', '!p')" -%}
        {%- do values.append("coalesce(" ~ escaped ~ ", '!n')") -%}
    {%- endfor -%}
    {{ return("md5(" ~ values | join(" || '|' || ") ~ ")") }}
{% endmacro %}
