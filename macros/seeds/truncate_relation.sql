{#
    dbt empties a seed's table with TRUNCATE before it fills it again. On Redshift TRUNCATE commits, so
    for a moment everybody sees an empty table; a mart built in that moment keeps what it then got.
#}

{% macro redshift__truncate_relation(relation) %}
    {#- Two runs at once would conflict, as both delete the same rows. #}
    {% do cti.take_turns() %}
    {% call statement('truncate_relation') -%}
        delete from {{ relation }}
    {%- endcall %}
{% endmacro %}
