{#
    A longer text for a column of a mart. Redshift widens no column in a transaction, and a build is one; so dbt
    puts a new column in the place of the old one. It cannot do that with every column.
#}

{% macro redshift__alter_column_type(relation, column_name, new_column_type) %}
    {#- Refuses what dbt would begin and Redshift refuse, or what would lose a constraint. -#}
    {% for node in graph.nodes.values() if node.relation_name == relation | string %}
        {% set sort, dist = node.config.get('sort') or [], node.config.get('dist') %}
        {% set of_rows = [dist] + ([sort] if sort is string else sort) %}
        {% if column_name in of_rows or cti.never_null(node, column_name) %}
            {{ exceptions.raise_compiler_error(
                relation ~ ': the column ' ~ column_name ~ ' is to be ' ~ new_column_type ~ '. It is a key by which rows'
                ~ ' are distributed or sorted, or it may not be NULL, so Redshift puts no longer one in its place. Have'
                ~ ' the table made anew: dbt build --full-refresh --select ' ~ node.name
            ) }}
        {% endif %}
    {% endfor %}
    {% do default__alter_column_type(relation, column_name, new_column_type) %}
{% endmacro %}
