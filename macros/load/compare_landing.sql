{#
    The landing table beside the contract, before a load. tables: the relations landing, ledger and
    quarantine, and the name of the feed.
#}

{% macro landing_columns(tables) %}
    {#- The query for the columns of a landing table as they are. -#}
    {%- set table = tables.landing -%}
    {%- set statement -%}
select column_name, data_type, character_maximum_length, is_nullable
from information_schema.columns
where
    table_catalog = {{ text_literal(table.database) }}
    and lower(table_schema) = {{ text_literal(table.schema | lower) }}
    and lower(table_name) = {{ text_literal(table.identifier | lower) }}
order by ordinal_position
    {%- endset -%}
    {{ return(statement) }}
{% endmacro %}


{% macro landing_changes(tables, source, found) %}
    {#-
        The statements that make a landing table what the contract says; none if it is that. Columns that
        the contract does not name may stay as long as they can be left empty. source: the node of the
        source table. found: rows of landing_columns.
    -#}
    {% set table, changes, left = tables.landing.include(database=false), [], {} %}
    {% for column in found if column.column_name not in ('_load_id', '_loaded_at', '_record') %}
        {% do left.update({column.column_name | lower: column}) %}
    {% endfor %}
    {% for column in source.columns.values() if column.name not in ('_load_id', '_loaded_at', '_record') %}
        {% set there = left.pop(column.name | lower, none) %}
        {% if there is none %}
            {% do changes.append('alter table ' ~ table ~ ' add column ' ~ quoted(column.name) ~ ' ' ~ column.data_type) %}
        {% else %}
            {% set max_bytes = modules.re.sub('[^0-9]', '', column.data_type) | int %}
            {% do changes.extend(adapter.dispatch('column_changes')(table, there, max_bytes)) %}
        {% endif %}
    {% endfor %}
    {% for column in left.values() if column.is_nullable == 'NO' %}
        {% do changes.extend(adapter.dispatch('allow_null')(table, column)) %}
    {% endfor %}
    {{ return(changes) }}
{% endmacro %}


{% macro default__column_changes(table, found, max_bytes) %}
    {#- DuckDB's text has no length. -#}
    {% set changes = [] %}
    {% if found.data_type != 'VARCHAR' %}
        {% do changes.append('alter table ' ~ table ~ ' alter column ' ~ quoted(found.column_name) ~ ' type varchar') %}
    {% endif %}
    {% if found.is_nullable == 'NO' %}
        {% do changes.extend(default__allow_null(table, found)) %}
    {% endif %}
    {{ return(changes) }}
{% endmacro %}


{% macro redshift__column_changes(table, found, max_bytes) %}
    {#- AWS, "ALTER TABLE": only the size of VARCHAR can be altered, and NOT NULL stays. -#}
    {% if found.data_type != 'character varying' or found.is_nullable == 'NO' %}
        {{ return(new_column(table, found.column_name, 'varchar(' ~ max_bytes ~ ')')) }}
    {% elif found.character_maximum_length < max_bytes %}
        {{ return([
            'alter table ' ~ table ~ ' alter column ' ~ quoted(found.column_name) ~ ' type varchar(' ~ max_bytes ~ ')'
        ]) }}
    {% endif %}
    {{ return([]) }}
{% endmacro %}


{% macro default__allow_null(table, found) %}
    {{ return(['alter table ' ~ table ~ ' alter column ' ~ quoted(found.column_name) ~ ' drop not null']) }}
{% endmacro %}


{% macro redshift__allow_null(table, found) %}
    {% set length = '(' ~ found.character_maximum_length ~ ')' if found.character_maximum_length else '' %}
    {{ return(new_column(table, found.column_name, found.data_type ~ length)) }}
{% endmacro %}


{% macro new_column(table, name, data_type) %}
    {#- The statements that put a column of another type in the place of one, with its values. -#}
    {% set old, new = quoted(name), quoted(name ~ '_new') %}
    {{ return([
        'alter table ' ~ table ~ ' add column ' ~ new ~ ' ' ~ data_type,
        'update ' ~ table ~ ' set ' ~ new ~ ' = ' ~ old,
        'alter table ' ~ table ~ ' drop column ' ~ old,
        'alter table ' ~ table ~ ' rename column ' ~ new ~ ' to ' ~ old,
    ]) }}
{% endmacro %}


{% macro earlier_names(tables) %}
    {#-
        The query for feeds of which the landing table has records, and that no contract names any more:
        names that a feed had before its source or its table was renamed.
    -#}
    {%- set feeds = [] -%}
    {%- for source in graph.sources.values() if 'feed' in source.config.meta -%}
        {%- do feeds.append(text_literal(source.source_name ~ '.' ~ source.name)) -%}
    {%- endfor -%}
    {%- set statement -%}
select distinct feed
from {{ tables.ledger }}
where
    feed not in ({{ feeds | join(', ') }})
    and load_id in (select _load_id from {{ tables.landing }})
order by feed
    {%- endset -%}
    {{ return(statement) }}
{% endmacro %}


{% macro rename_feed(tables, earlier) %}
    {#- The statements that carry over to a feed what the loader keeps under a name that it had before. -#}
    {% set statements = [] %}
    {% for table in (tables.ledger, tables.quarantine) %}
        {% do statements.append(
            'update ' ~ table.include(database=false) ~ ' set feed = ' ~ text_literal(tables.feed)
            ~ ' where feed = ' ~ text_literal(earlier)
        ) %}
    {% endfor %}
    {{ return(statements) }}
{% endmacro %}
