{#
    What the cleaning macros have in common when they are given something they cannot work with: they
    stop the run by name, before any SQL is sent.
#}

{% macro refuse_argument(macro, argument, value, wanted) %}
    {%- set shown = 'nothing' if value is undefined or value is none else "'" ~ value ~ "'" -%}
    {{ exceptions.raise_compiler_error(macro ~ ': ' ~ argument ~ ' must be ' ~ wanted ~ ', got ' ~ shown) }}
{% endmacro %}


{% macro column_argument(macro, value) %}
    {#- An expression would do too; a number, a list or an undefined variable would not. -#}
    {% if value is not string or not value | trim %}
        {% do cti.refuse_argument(macro, 'column', value, 'the name of a column') %}
    {% endif %}
    {{ return(value | trim) }}
{% endmacro %}


{% macro text_argument(macro, column, cleaned) %}
    {#- The text that a cast starts from: the column cleaned here, or as it is if it has been already. -#}
    {% if cleaned is not boolean %}
        {% do cti.refuse_argument(macro, 'cleaned', cleaned, 'true or false (the form of a date is in the contract)') %}
    {% endif %}
    {%- set column = cti.column_argument(macro, column) -%}
    {{ return(column if cleaned else cti.clean_text(column)) }}
{% endmacro %}
