{#
    How far each data test has passed, kept in raw._checked, so that a build tests what is new. A test may
    say of its rows which ones are new; its mark is the newest load id that it had before it when it last
    passed. Load ids grow in commit order, since they are given under a lock that is held until COMMIT: when
    one is seen, every smaller one is committed or never will be. So nothing up to a mark comes later.

    A mark holds while the test is the same: its SQL, the rules by which the models that it reads were built,
    when the incremental ones among them, or keys of them, were made anew, and the rows of the seeds. A load
    that is rolled back, replaced or archived takes the marks of tests that count loads. A test that fails
    loses its mark, and so does a counting test that warns: each build tests all history then, until what was
    found is gone. Any other that warns has told of it; the next build warns of what is new then.

    `dbt test --select tag:all_history` (or a build with --full-refresh) tests all rows, whatever the marks.
    So does whoever runs the compiled SQL of a test: it has each condition within a comment.
#}

{% macro note_loads() %}
    {#-
        For on-run-start: notes in dbt's graph, which lasts as long as the command, how far each feed is
        loaded and how many of its loads are not landed any more, and the marks. Loads that come later are left to the next run.
    -#}
    {% if execute %}
        {% set feeds = {} %}
        {% set ledger = cti.loader_table('_loaded_files').relation_name %}
        {% for row in run_query(
            'select feed, max(load_id), sum(case when status in (' ~ "'replaced', 'rolled back', 'archived'"
            ~ ') then 1 else 0 end) from ' ~ ledger ~ ' group by feed'
        ).rows %}
            {% do feeds.update({row[0]: {'newest': row[1] | int, 'fallen': row[2] | int}}) %}
        {% endfor %}
        {% set marks, table = {}, cti.loader_table('_checked').relation_name %}
        {% for row in run_query('select test, rules, passed_up_to from ' ~ table).rows %}
            {% do marks.update({row[0]: {'rules': row[1], 'up_to': row[2] | int}}) %}
        {% endfor %}
        {% do graph.update({'loader_checked': {'feeds': feeds, 'marks': marks, 'tests': {}, 'seeds': {}}}) %}
    {% endif %}
{% endmacro %}


{% macro keep_marks(results) %}
    {#-
        For on-run-end: moves the marks of the tests that passed and takes away those of the tests that failed,
        all at once. One that would stay where it is, is not written: whoever may only read can run the tests
        then. A table that this command has not built may lack the newest loads, so the marks of its tests stay.
        results: dbt's.
    -#}
    {% if execute %}
        {% set built, moved, rows = [], [], [] %}
        {% for result in results if result.node.resource_type == 'model' and result.status == 'success' %}
            {% do built.append(result.node.unique_id) %}
        {% endfor %}
        {% set tests = graph.get('loader_checked', {}).get('tests', {}) %}
        {% for result in results if result.node.unique_id in tests %}
            {% set test = tests[result.node.unique_id] %}
            {% set told = result.status == 'pass' or result.status == 'warn' and not test.counts %}
            {% if result.status in ('fail', 'warn') and not told and test.mark is not none %}
                {% do moved.append(text_literal(test.name)) %}
            {% elif told and test.mark != test.newest and not test.tables | reject('in', built) | list %}
                {% do moved.append(text_literal(test.name)) %}
                {% do rows.append('(' ~ [
                    text_literal(test.name), test.newest, text_literal(test.rules), 'cast(' ~ text_literal(
                        modules.datetime.datetime.now(modules.pytz.utc).strftime('%Y-%m-%d %H:%M:%S.%f')
                    ) ~ ' as timestamp)'
                ] | join(', ') ~ ')') %}
            {% endif %}
        {% endfor %}
        {% if moved %}
            {% do cti.take_turns() %}
            {% set table = cti.loader_table('_checked').relation_name %}
            {% call statement('keep_marks', auto_begin=True) %}
                delete from {{ table }} where test in ({{ moved | join(', ') }});
                {% if rows %}
                    insert into {{ table }} (test, passed_up_to, rules, checked_at)
                    values {{ rows | join(',\n') }};
                {% endif %}
            {% endcall %}
            {% do adapter.commit() %}
        {% endif %}
    {% endif %}
{% endmacro %}


{% macro since_mark(condition) %}
    {#-
        A condition that a build puts in the place of `true`, once a test has passed. condition: SQL, in
        which <loader_mark> is the load id up to which it has.
    -#}
    {#- What would end the comment too early is left out: the test reads everything then. -#}
    {{ return('true' if '*/' in condition else 'true /* new: ' ~ condition ~ ' */') }}
{% endmacro %}


{% macro get_where_subquery(relation) %}
    {#-
        dbt's macro for what a generic test reads: of a landing table, a staging model or a mart only new rows,
        if the test says something of each row alone; if it says something of keys, all rows of the keys that
        new rows have. Any other test, also a project's own, reads all that dbt would give it.
    -#}
    {%- set rows = adapter.dispatch('get_where_subquery', 'dbt')(relation) -%}
    {%- set load_id = cti.load_id_of(model.depends_on.nodes) if execute -%}
    {%- if not load_id -%}
        {{ return(rows) }}
    {%- endif -%}
    {%- set test, given = model.test_metadata.name, model.test_metadata.kwargs -%}
    {%- set new = load_id ~ ' > <loader_mark> or ' ~ load_id ~ ' is null' -%}
    {%- if test in ['unique', 'unique_combination'] -%}
        {%- set key = given.get('columns') or [given.column_name] -%}
        {%- set node, found = graph.nodes.get(model.depends_on.nodes[0]), [] -%}
        {#-
            Redshift limits the subquery of an IN to one column (AWS, "IN condition"), so each column of a key is
            looked for by itself. That finds rows of other keys too, but of each key all or none.
        -#}
        {%- for name in key -%}
            {#- IN finds no NULL, which is no key to `unique`. -#}
            {%- if test == 'unique_combination' and not (node and cti.never_null(node, name)) -%}
                {%- set name = "coalesce(cast(" ~ name ~ " as varchar(65535)), '')" -%}
            {%- endif -%}
            {%- do found.append(name ~ ' in (select ' ~ name ~ ' from ' ~ relation ~ ' where ' ~ new ~ ')') -%}
        {%- endfor -%}
        {%- set new = found | join(' and ') -%}
    {%- elif test not in var('tests_of_rows') -%}
        {{ return(rows) }}
    {%- endif -%}
    {{ return('(select * from ' ~ rows ~ ' where ' ~ cti.since_mark(new) ~ ') as new_rows') }}
{% endmacro %}


{% macro load_id_of(nodes) %}
    {#-
        The column that says which load brought the rows that a test looks at; none if they have no such. A
        model has it if its YAML says so. nodes: ids of what the test reads.
    -#}
    {% if nodes | length == 1 %}
        {% set node = graph.sources[nodes[0]] if nodes[0] in graph.sources else graph.nodes[nodes[0]] %}
        {% if '_load_id' in node.columns or node.resource_type == 'source' and 'feed' in node.config.meta %}
            {{ return('_load_id') }}
        {% elif 'last_load_id' in node.columns and 'occurrences' in node.columns %}
            {{ return('last_load_id') }}
        {% elif node.source_name == 'loader' and 'load_id' in node.columns %}
            {{ return('load_id') }}
        {% endif %}
    {% endif %}
    {{ return(none) }}
{% endmacro %}


{% macro get_limit_subquery_sql(sql, limit) %}
    {#- dbt's macro through which every test's SQL passes before it is run; its mark comes into it here. -#}
    {{ adapter.dispatch('get_limit_sql', 'dbt')(cti.above_mark(sql), limit) }}
{% endmacro %}


{% macro above_mark(sql) %}
    {#- A test's SQL as a build runs it: the conditions of since_mark in force, if the test has a mark. -#}
    {% set checked = graph.get('loader_checked') %}
    {% set place = 'true /\\* new: (.*?) \\*/' %}
    {% set sampled = invocation_args_dict.get('empty') or invocation_args_dict.get('sample') %}
    {% if not checked or sampled or not modules.re.search(place, sql) or not cti.tells_every_row(model.config) %}
        {{ return(sql) }}
    {% endif %}
    {#- What only warned so far is to fail, once the test is an error. -#}
    {% set rules = {'(sql)': cti.bare_sql(sql), '(severity)': model.config.severity | lower} %}
    {% set feeds, tables, others = [], [], [] %}
    {% for node in cti.ancestors(model) if node.config.materialized not in ('view', 'ephemeral', 'seed') %}
        {% do (others if node.resource_type == 'snapshot' else tables).append(node.unique_id) %}
    {% endfor %}
    {% for source in cti.ancestors(model, 'sources') %}
        {% if 'feed' in source.config.meta %}
            {% do feeds.append(source.source_name ~ '.' ~ source.name) %}
        {% elif source.source_name != 'loader' %}
            {% do others.append(source.unique_id) %}
        {% endif %}
    {% endfor %}
    {#- A row of a join has the load id of one side, and is another once the other side changes. -#}
    {% if others or feeds | length > 1 or not feeds and cti.ancestors(model) %}
        {{ return(sql) }}
    {% endif %}
    {% set built = cti.built_models() %}
    {% do rules.update(cti.rules_of_ancestors(built)) %}
    {#- Not by what is deleted: another build may be at the end of its tests of the rows that were there before. -#}
    {% for name, built_at in cti.built_anew(built).items() %}
        {% if not built_at %}
            {{ return(sql) }}
        {% endif %}
        {% do rules.update({'(built) ' ~ name: built_at}) %}
    {% endfor %}
    {% set now, counts = namespace(newest=0), 'check' in model.config.meta %}
    {#- What reads none is about the loads of all feeds. -#}
    {% for feed, loads in checked.feeds.items() if feed in feeds or not feeds %}
        {% set now.newest = [now.newest, loads.newest] | max %}
        {% if counts %}
            {% do rules.update({'(fallen) ' ~ feed: loads.fallen}) %}
        {% endif %}
    {% endfor %}
    {% set rules, name = local_md5(tojson(rules, sort_keys=true)), cti.built_name(this) %}
    {% set kept, before = checked.marks.get(name), namespace(mark=none) %}
    {% if kept and kept.rules == rules and kept.up_to <= now.newest %}
        {% set before.mark = kept.up_to %}
    {% endif %}
    {% do checked.tests.update({model.unique_id: {
        'name': name, 'newest': now.newest, 'rules': rules, 'tables': tables, 'counts': counts, 'mark': before.mark
    }}) %}
    {% if before.mark is none or flags.FULL_REFRESH or 'all_history' in invocation_args_dict.get('select', []) | string %}
        {{ return(sql) }}
    {% endif %}
    {% set new = '(\\1)' if before.mark < now.newest else 'false' %}
    {{ return(modules.re.sub(place, new, sql) | replace('<loader_mark>', before.mark)) }}
{% endmacro %}


{% macro tells_every_row(settings) %}
    {#-
        Whether a test fails or warns for a single row, whichever it is. One with a threshold adds up the
        rows of all loads, and a `where` may come to hold for an old row. settings: the test's config.
    -#}
    {{ return(
        settings.error_if == '!= 0' and settings.warn_if == '!= 0' and settings.fail_calc == 'count(*)'
        and not settings.where and not settings.limit
    ) }}
{% endmacro %}
