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
        What makes a landing table what the contract says. source: the node of the source table. found: rows
        of landing_columns. Returns lists of statements: `follow`, each of which loses nothing and may be run
        by itself and again, and `cure`, which a person has to run first. Columns that the contract does not
        name may stay as long as they can be left empty. If it names new ones as well, `renamed` has those
        of them that have values of the newest load: they may be the same under another name.
    -#}
    {% set table, left = tables.landing.include(database=false), {} %}
    {% set added, extra, follow, cure, renamed = [], [], [], [], [] %}
    {% for column in found if column.column_name not in ('_load_id', '_loaded_at', '_record') %}
        {% do left.update({column.column_name | lower: column}) %}
    {% endfor %}
    {% for name, data_type in cti.text_columns(source).items() %}
        {% set there = left.pop(name | lower, none) %}
        {% set max_bytes = modules.re.sub('[^0-9]', '', data_type) | int %}
        {% if there is none %}
            {% do added.append('alter table ' ~ table ~ ' add column ' ~ quoted(name) ~ ' ' ~ data_type) %}
            {% do extra.extend(added[-1:] if name == '_extra' else []) %}
        {% elif adapter.dispatch('column_changes')(table, there, max_bytes) %}
            {% do cure.extend(adapter.dispatch('column_changes')(table, there, max_bytes)) %}
        {% else %}
            {% do follow.extend(adapter.dispatch('widened')(table, there, max_bytes)) %}
        {% endif %}
    {% endfor %}
    {% for column in left.values() if column.is_nullable == 'NO' %}
        {% do cure.extend(adapter.dispatch('allow_null')(table, column)) %}
    {% endfor %}
    {#- What a contract keeps without a name gets one some day, or had one; that is no other name. -#}
    {% set names = left.values() | map(attribute='column_name') | reject('equalto', '_extra') | list %}
    {% if names and added | reject('in', extra) | list %}
        {% set counts = run_query(cti.newest_values(table, names)).rows[0] %}
        {% for name in names %}
            {% do renamed.extend([name] if counts[loop.index0] else []) %}
        {% endfor %}
    {% endif %}
    {{ return({'follow': added + follow, 'cure': cure, 'added': added, 'renamed': renamed}) }}
{% endmacro %}


{% macro text_columns(source) %}
    {#- The columns of text in the landing table of a feed: types by name. -#}
    {% set columns = {} %}
    {% for column in source.columns.values() if column.name not in ('_load_id', '_loaded_at', '_record') %}
        {% do columns.update({column.name: column.data_type}) %}
    {% endfor %}
    {% if source.config.meta.get('feed', {}).get('columns', {}).get('extra') == 'keep' %}
        {#- What files have beyond the contract, as a JSON object. -#}
        {% do columns.update({'_extra': 'varchar(65535)'}) %}
    {% endif %}
    {{ return(columns) }}
{% endmacro %}


{% macro newest_values(table, names) %}
    {#- The query for how many values these columns have of the newest load: one row, in their order. -#}
    {%- set counts = [] -%}
    {%- for name in names -%}
        {%- do counts.append('count(' ~ quoted(name) ~ ') as values_' ~ loop.index0) -%}
    {%- endfor -%}
    {{ return(
        'select ' ~ counts | join(', ') ~ ' from ' ~ table ~ ' where _load_id = (select max(_load_id) from '
        ~ table ~ ')'
    ) }}
{% endmacro %}


{% macro default__column_changes(table, found, max_bytes) %}
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
    {% endif %}
    {{ return([]) }}
{% endmacro %}


{% macro default__widened(table, found, max_bytes) %}
    {#- DuckDB's text has no length. -#}
    {{ return([]) }}
{% endmacro %}


{% macro redshift__widened(table, found, max_bytes) %}
    {#- A column that is wider than the contract says stays so; the rule for values is the contract's. -#}
    {% if found.character_maximum_length >= max_bytes %}
        {{ return([]) }}
    {% endif %}
    {{ return([
        'alter table ' ~ table ~ ' alter column ' ~ quoted(found.column_name) ~ ' type varchar(' ~ max_bytes ~ ')'
    ]) }}
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
