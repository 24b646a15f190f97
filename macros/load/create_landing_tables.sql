{#
    The landing tables, made from the contract alone: the columns that the sources' YAML lists, with
    the types it gives. They exist before the first load, so a build on an empty warehouse works. The
    loader's own columns come to a table that was made by an earlier version of it, and a feed's to one that
    was made by an earlier contract.
#}

{% macro create_landing_tables() %}
    {#-
        Creates whatever landing and loader tables a build needs and are missing, and whatever column of the
        loader's; has the landing tables follow their contracts, as a load does, where no person is needed.
        dbt runs it before every build.
    -#}
    {% if execute %}
        {% set feeds, asked, changes = cti.selected_feeds(), [], [] %}
        {% for source in graph.sources.values() if source.source_name == 'loader' or source.unique_id in feeds %}
            {% do cti.refuse_unwritten(source) %}
            {% do asked.append(source) %}
        {% endfor %}
        {% for source in asked %}
            {% set there = adapter.get_relation(source.database, source.schema, source.identifier) %}
            {% for statement in landing_ddl(source, there is not none) %}
                {% do run_query(statement) %}
            {% endfor %}
            {% if there and source.source_name != 'loader' %}
                {% set tables = {'landing': there} %}
                {% set found = run_query(landing_columns(tables)).rows %}
                {% set todo = landing_changes(tables, source, found) %}
                {% do changes.extend([] if todo.cure or todo.renamed else todo.follow) %}
            {% endif %}
        {% endfor %}
        {#-
            Looking for a relation begins a transaction that dbt would roll back after this hook, and in which
            Redshift would widen no column.
        -#}
        {% do adapter.commit() %}
        {% for statement in changes %}
            {% do log(statement, info=true) %}
            {% do run_query(statement) %}
        {% endfor %}
    {% endif %}
{% endmacro %}


{% macro selected_feeds() %}
    {#-
        The feeds that something which dbt runs reads, or something that this reads, by dbt's unique ids. A unit
        test reads a model, and needs what that reads.
    -#}
    {% set read, feeds = [], [] %}
    {% for kind in (('nodes', 'unit_tests') if execute else ()) %}
        {% for node in graph[kind].values() if node.unique_id in selected_resources %}
            {% for name in node.depends_on.get('nodes', []) %}
                {% do read.append(name) %}
                {% do read.extend(graph.nodes[name].depends_on.get('nodes', []) if name in graph.nodes else []) %}
            {% endfor %}
        {% endfor %}
    {% endfor %}
    {% for source in (graph.sources.values() if execute else []) if 'feed' in source.config.meta and source.unique_id in read %}
        {% do feeds.append(source.unique_id) %}
    {% endfor %}
    {{ return(feeds) }}
{% endmacro %}


{% macro refuse_unwritten(source) %}
    {#- Refuses a feed with a column that the landing table would not keep as text, before it is created so. -#}
    {% for name, data_type in cti.text_columns(source).items() if 'feed' in source.config.meta %}
        {% if not modules.re.match('(?i)\\s*(varchar|character varying)\\s*[(]\\s*[0-9]+\\s*[)]\\s*$', data_type or '') %}
            {{ exceptions.raise_compiler_error(
                source.original_file_path ~ ': source table ' ~ source.source_name ~ '.' ~ source.name ~ ', column '
                ~ name ~ ': write data_type: varchar(n); the landing table keeps text.'
            ) }}
        {% endif %}
    {% endfor %}
{% endmacro %}


{% macro is_landing_table(source) %}
    {#- Whether a source table is the loader's to create: a feed's, or one of its own. -#}
    {{ return(source.source_name == 'loader' or 'feed' in source.config.meta) }}
{% endmacro %}


{% macro landing_ddl(source, exists=false) %}
    {#-
        The statements that create a source table and its schema, or that add the loader's own columns
        to one that exists and lacks them.
        source: a node of dbt's graph. A feed's table gets _load_id, _loaded_at and, where the contract
        keeps it, _record, listed or not.
    -#}
    {% set relation = api.Relation.create(
        database=source.database, schema=source.schema, identifier=source.identifier
    ) %}
    {% set feed = source.config.meta.get('feed') %}
    {% set own = {'_load_id': 'bigint', '_loaded_at': 'timestamp'} if feed else {} %}
    {% if feed and feed.record_number %}
        {% do own.update({'_record': 'bigint'}) %}
    {% endif %}
    {% set columns, of_source = [], cti.text_columns(source) %}
    {% for name, data_type in of_source.items() %}
        {% do columns.append(quoted(name) ~ ' ' ~ data_type) %}
    {% endfor %}
    {% if not feed %}
        {% do own.update(of_source) %}
    {% endif %}
    {% if exists %}
        {{ return(cti.add_columns(relation, own)) }}
    {% endif %}
    {% for name, type in own.items() if feed %}
        {#- A contract may keep the record's number for a while. #}
        {% do columns.append(name ~ ' ' ~ type ~ (' not null' if name != '_record' else '')) %}
    {% endfor %}
    {% set order = '_load_id' if feed else source.columns | first %}
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


{% macro add_columns(relation, columns) %}
    {#-
        The statements that add columns which a table lacks. columns: types by name. A load of the time when
        all files of a load shared its id is its own batch then, and its files are as old as the load; so
        is one that an earlier version made beside this one.
    -#}
    {% set found, statements = [], [] %}
    {% for column in adapter.get_columns_in_relation(relation) %}
        {% do found.append(column.name | lower) %}
    {% endfor %}
    {% for name, type in columns.items() if name not in found %}
        {% do statements.append('alter table ' ~ relation.include(database=false) ~ ' add column ' ~ name ~ ' ' ~ type) %}
    {% endfor %}
    {% if 'batch_id' in columns %}
        {% set earlier = ' where batch_id is null or file_time is null' %}
        {% if statements or run_query('select 1 from ' ~ relation ~ earlier ~ ' limit 1').rows %}
            {% do statements.append(
                'update ' ~ relation ~ ' set batch_id = coalesce(batch_id, load_id),'
                ~ ' file_time = coalesce(file_time, loaded_at)' ~ earlier
            ) %}
        {% endif %}
    {% endif %}
    {{ return(statements) }}
{% endmacro %}
