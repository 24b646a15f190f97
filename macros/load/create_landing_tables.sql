{#
    The landing tables, made from the contract alone: the columns that the sources' YAML lists, with
    the types it gives. They exist before the first load, so a build on an empty warehouse works.
#}

{% macro create_landing_tables() %}
    {#- Creates whatever landing and loader tables are missing; dbt runs it before every build. -#}
    {% if execute %}
        {% for source in graph.sources.values() if is_landing_table(source) %}
            {% if adapter.get_relation(source.database, source.schema, source.identifier) is none %}
                {% for statement in landing_ddl(source) %}
                    {% do run_query(statement) %}
                {% endfor %}
            {% endif %}
        {% endfor %}
        {#- Looking for a relation begins a transaction that dbt would roll back after this hook. -#}
        {% do adapter.commit() %}
    {% endif %}
{% endmacro %}


{% macro is_landing_table(source) %}
    {#- Whether a source table is the loader's to create: a feed's, or one of its own. -#}
    {{ return(source.source_name == 'loader' or 'feed' in source.config.meta) }}
{% endmacro %}


{% macro landing_ddl(source) %}
    {#-
        The statements that create a source table and its schema unless they exist.
        source: a node of dbt's graph. A feed's table gets _load_id and _loaded_at, listed or not.
    -#}
    {% set columns = [] %}
    {% for column in source.columns.values() if column.name not in ('_load_id', '_loaded_at') %}
        {% do columns.append(quoted(column.name) ~ ' ' ~ column.data_type) %}
    {% endfor %}
    {% if 'feed' in source.config.meta %}
        {% do columns.extend(['_load_id bigint not null', '_loaded_at timestamp not null']) %}
    {% endif %}
    {% set relation = api.Relation.create(
        database=source.database, schema=source.schema, identifier=source.identifier
    ) %}
    {% set order = '_load_id' if 'feed' in source.config.meta else 'load_id' %}
    {{ return([
        'create schema if not exists ' ~ relation.without_identifier().include(database=false),
        adapter.dispatch('create_table')(relation, columns, order)
    ]) }}
{% endmacro %}


{% macro default__create_table(relation, columns, order) %}
    {{ return('create table if not exists ' ~ relation ~ ' (\n    ' ~ columns | join(',\n    ') ~ '\n)') }}
{% endmacro %}


{% macro redshift__create_table(relation, columns, order) %}
    {#- Spread evenly, for COPY and full scans; sorted by load, since readers ask for new loads. -#}
    {{ return(
        default__create_table(relation, columns, order) ~ ' diststyle even sortkey (' ~ order ~ ')'
    ) }}
{% endmacro %}
