{#
    By what rules a model was built, kept in raw._built_models: a hash of its SQL and, for an incremental
    model, of all that it depends on as well. dbt knows nothing of it: it compares a model's file, not the
    macros and variables that made its SQL, and it never looks at what is in the warehouse.
    The rules of a parent are those that it was built by, not those that it would be built by now: a mart
    that is built alone reads the view that is there.
#}

{% macro remember_rules() %}
    {#-
        For the pre_hook of every model: writes down by what rules it is built, in the transaction that
        builds it. forget_if_miscounted does it for incremental models.
    -#}
    {% if execute and config.get('materialized') != 'incremental' %}
        {% set rules = cti.rules_now() %}
        {% if cti.rules_before().get(cti.built_name(this)) != rules %}
            {% do cti.take_turns() %}
            {{ cti.write_rules(rules) }}
        {% endif %}
    {% endif %}
{% endmacro %}


{% macro rules_now() %}
    {#-
        By what rules this model is about to be built, as a dictionary of names of models and seeds and a
        hash of each; under `(description)` a hash of what else a view is made with.
    -#}
    {% set rules = {model.name: local_md5(cti.bare_sql(sql))} %}
    {% if config.get('materialized') == 'incremental' %}
        {% do rules.update(cti.rules_of_ancestors()) %}
    {% else %}
        {% set described = [model.description, config.get('grants'), config.get('bind')] %}
        {% for column in model.columns.values() %}
            {% do described.append([column.name, column.description]) %}
        {% endfor %}
        {% do rules.update({'(description)': local_md5(tojson(described))}) %}
    {% endif %}
    {{ return(rules) }}
{% endmacro %}


{% macro rules_of_ancestors(built=none) %}
    {#-
        A hash of each seed that a model or a test depends on, as it is, and of the rules of each model, as it
        was built; a dictionary by their names. built: what built_models gives.
    -#}
    {% set rules, built = {}, built or cti.built_models() %}
    {% for node in cti.ancestors(model) %}
        {% if node.resource_type == 'seed' %}
            {% do rules.update({node.name: cti.hash_of_rows(node.relation_name)}) %}
        {% elif node.resource_type == 'model' and node.config.materialized != 'ephemeral' %}
            {% set own = built.get(cti.built_name(node), {}).get('rules', {}) %}
            {% do rules.update({node.name: own.get(node.name, 'unknown')}) %}
        {% endif %}
    {% endfor %}
    {{ return(rules) }}
{% endmacro %}


{% macro built_anew(built) %}
    {#-
        When each incremental model that a test depends on, or keys of it, was last made anew; a dictionary by
        their names. None for one without forget_if_miscounted, which notes it. built: what built_models gives.
    -#}
    {% set found = {} %}
    {% for node in cti.ancestors(model) if node.config.materialized == 'incremental' %}
        {% do found.update({node.name: built.get(cti.built_name(node), {}).get('built_at')}) %}
    {% endfor %}
    {{ return(found) }}
{% endmacro %}


{% macro rules_before() %}
    {#- By what rules each model in the warehouse was built, by its schema and name. -#}
    {% set before = {} %}
    {% for name, built in cti.built_models().items() %}
        {% do before.update({name: built.rules}) %}
    {% endfor %}
    {{ return(before) }}
{% endmacro %}


{% macro built_models() %}
    {#- Rules and built_at of each model in the warehouse, by its schema and name. -#}
    {% set built = {} %}
    {% set table = cti.loader_table('_built_models').relation_name %}
    {% for row in run_query('select model, rules, built_at from ' ~ table).rows %}
        {% do built.update({row[0]: {'rules': fromjson(row[1]), 'built_at': row[2] | string}}) %}
    {% endfor %}
    {{ return(built) }}
{% endmacro %}


{% macro write_rules(rules) %}
    {#- The statements that write down by what rules this model is built. -#}
    {% set table = cti.loader_table('_built_models').relation_name %}
    {% set name = text_literal(cti.built_name(this)) %}
    delete from {{ table }} where model = {{ name }};
    insert into {{ table }} (model, rules, built_at)
    values ({{ name }}, {{ text_literal(tojson(rules, sort_keys=true)) }}, cast({{
        text_literal(modules.datetime.datetime.now(modules.pytz.utc).strftime('%Y-%m-%d %H:%M:%S.%f'))
    }} as timestamp));
{% endmacro %}


{% macro built_name(node) %}
    {{ return(node.schema ~ '.' ~ (node.identifier or node.alias or node.name)) }}
{% endmacro %}


{% macro ancestors(node, kind='nodes') %}
    {#-
        The models and seeds that a model or a test depends on, however far away; with kind='sources' the
        source tables.
    -#}
    {% set found, names = [], node.depends_on.nodes | list %}
    {#- A list that grows while it is read ends when nothing new is found. -#}
    {% for name in names if name in graph.nodes %}
        {% for parent in graph.nodes[name].depends_on.nodes if parent not in names %}
            {% do names.append(parent) %}
        {% endfor %}
    {% endfor %}
    {% for name in names if name in graph[kind] %}
        {% do found.append(graph[kind][name]) %}
    {% endfor %}
    {{ return(found) }}
{% endmacro %}


{% macro hash_of_rows(relation) %}
    {#-
        A hash of the rows of a seed, in whatever order they come. A command asks once: whoever asks depends on
        the seed, so it has been filled before.
    -#}
    {% set known = graph.get('loader_checked', {}).get('seeds', {}) %}
    {% if relation not in known %}
        {% set rows = [] %}
        {% for row in run_query('select * from ' ~ relation).rows %}
            {% do rows.append(row.values() | list | string) %}
        {% endfor %}
        {% do known.update({relation: local_md5(rows | sort | join('\n'))}) %}
    {% endif %}
    {{ return(known[relation]) }}
{% endmacro %}


{% macro bare_sql(sql) %}
    {#-
        SQL without comments, with one blank between its words and signs; texts and quoted names stay as they
        are. What newest_by_key reads of the mart itself is left out, since the first build has none of it.
    -#}
    {% set increment = '/\\* increment \\*/[\\s\\S]*?/\\* whole \\*/' %}
    {#- A backslash escapes a quote on Redshift. -#}
    {% set inside = "[^'\\\\]|\\\\.|''" if target.type == 'redshift' else "[^']|''" %}
    {% set quoted = "'(?:" ~ inside ~ ")*'|\"(?:[^\"]|\"\")*\"" %}
    {% set whole = modules.re.sub(increment, ' ', sql) %}
    {% set code = modules.re.sub('(' ~ quoted ~ ')|--[^\n]*|/\\*[\\s\\S]*?\\*/', '\\1 ', whole) %}
    {{ return(modules.re.findall(quoted ~ '|\\w+|[^\\w\\s]', code) | join(' ')) }}
{% endmacro %}
