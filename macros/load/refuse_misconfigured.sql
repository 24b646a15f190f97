{#
    What is refused before anything is loaded or built. The loader asks for it on every connection, and
    dbt before every build, so that both say the same.
#}

{% macro refuse_misconfigured(feeds=none) %}
    {#-
        Refuses a warehouse that forgets, two owners of one table, and records that no test counts. feeds: which
        feeds are to be counted, by dbt's unique ids; in a build those that it reads.
    -#}
    {% do cti.refuse_in_memory() %}
    {% do cti.refuse_shared_tables() %}
    {% do cti.refuse_uncounted(cti.selected_feeds() if feeds is none else feeds) %}
{% endmacro %}


{% macro refuse_in_memory() %}
    {#- Refuses a DuckDB target without a file: what a load commits to memory is gone when it ends. -#}
    {% if execute and target.type == 'duckdb' and (target.path or ':memory:').startswith(':memory:') %}
        {{ exceptions.raise_compiler_error(
            'target ' ~ target.name ~ ' of the profile has no file, so DuckDB would keep nothing of a load.'
            ~ ' Give it one, as in `path: cti.duckdb`.'
        ) }}
    {% endif %}
{% endmacro %}


{% macro refuse_shared_tables() %}
    {#- Refuses a landing table or one of the loader's own that something else in the project is, too. -#}
    {% if execute %}
        {% set landing = {} %}
        {% for source in graph.sources.values() | sort(attribute='unique_id') if is_landing_table(source) %}
            {% do cti.refuse_if_taken(landing, source, 'source table ' ~ source.source_name ~ '.' ~ source.name) %}
            {% do landing.update({table_key(source): source}) %}
        {% endfor %}
        {% for node in graph.nodes.values() if node.resource_type in ('model', 'seed', 'snapshot') %}
            {% if node.config.materialized != 'ephemeral' %}
                {% do cti.refuse_if_taken(landing, node, node.resource_type ~ ' ' ~ node.name) %}
            {% endif %}
        {% endfor %}
    {% endif %}
{% endmacro %}


{% macro table_key(node) %}
    {#- The table of a source table or model, as both engines tell tables apart: not by case. -#}
    {{ return((node.database ~ '.' ~ node.schema ~ '.' ~ (node.identifier or node.alias)) | lower) }}
{% endmacro %}


{% macro refuse_if_taken(landing, node, name) %}
    {#- landing: nodes by table_key. name: what the node is called. -#}
    {% set other = landing.get(table_key(node)) %}
    {% if other %}
        {{ exceptions.raise_compiler_error(
            node.original_file_path ~ ': ' ~ name ~ ' is the table ' ~ node.schema ~ '.'
            ~ (node.identifier or node.alias) ~ ', and so is source table ' ~ other.source_name ~ '.'
            ~ other.name ~ ' (' ~ other.original_file_path ~ '). Each would change the records of the other;'
            ~ (
                ' give one of them another `identifier` or `schema`.' if node.resource_type == 'source'
                else ' give one of them another name or schema.'
            )
        ) }}
    {% endif %}
{% endmacro %}
