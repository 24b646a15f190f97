{#
    What the counting tests (tests/dbt/generic/) share, and the two counts that are no tests: how much a
    finding is about, and how far a mart is behind, which is only a notice.
    A load stands while its status is loaded, replayed or archived; its landing rows are gone in the end.
#}

{% macro restore(mode=none) %}
    {#-
        What several tests advise for a table that somebody changed. mode: of a feed whose load can also
        be made again.
    -#}
    {% set restore = 'Somebody changed it past the loader: restore it from a backup' %}
    {{ return(restore ~ {
        none: '',
        'append': ', or roll the load back (`python -m loader rollback LOAD --damaged`)'
            ~ ' and load its files again (`python -m loader load --reload FILE`).',
        'replace': ', or load all the files again (`python -m loader load --reload FILE`, with any one'
            ~ ' of them): the feed is in mode replace, so they take the place of whatever is there.',
    }[mode]) }}
{% endmacro %}


{% macro refuse_uncounted(feeds) %}
    {#-
        Refuses one of these feeds, a ledger or a mart that no test counts, by name. A mart is a model that
        newest_by_key writes, or whose YAML has the columns occurrences and last_load_id.
    -#}
    {% if execute %}
        {% for source in graph.sources.values() if source.unique_id in feeds %}
            {% do cti.refuse_unless_tested('ledger_matches_landing', source) %}
        {% endfor %}
        {% for source in graph.sources.values() if source.source_name ~ '.' ~ source.name == 'loader._loaded_files' %}
            {% for test in ['ledger_matches_quarantine', 'ledger_matches_replays', 'ledger_adds_up', 'loaded_once'] %}
                {% do cti.refuse_unless_tested(test, source) %}
            {% endfor %}
        {% endfor %}
        {% for node in graph.nodes.values() if node.resource_type == 'model' %}
            {% set counts = 'occurrences' in node.columns and 'last_load_id' in node.columns %}
            {% if counts or node.config.incremental_strategy == 'newest' %}
                {% do cti.refuse_unless_tested('counts_every_record', node) %}
            {% endif %}
        {% endfor %}
    {% endif %}
{% endmacro %}


{% macro refuse_unless_tested(test, node) %}
    {#- Refuses a source table or a model without a test of this name that looks at all of its rows. -#}
    {% set model = node.resource_type == 'model' %}
    {% set name = node.name if model else node.source_name ~ '.' ~ node.name %}
    {#- dbt notes the node that a test is attached to for models alone. -#}
    {% set source = "source('" ~ node.source_name ~ "', '" ~ node.name ~ "')" %}
    {% set found = namespace(it=false) %}
    {% for other in graph.nodes.values() if other.test_metadata and other.test_metadata.name == test %}
        {% set kwargs = other.test_metadata.kwargs %}
        {% set attached = other.attached_node == node.unique_id or source in kwargs.model %}
        {% if attached and 'since' not in kwargs and not other.config.where and not other.config.limit %}
            {% set found.it = true %}
        {% endif %}
    {% endfor %}
    {% if not found.it %}
        {{ exceptions.raise_compiler_error(
            node.original_file_path ~ ': ' ~ ('model ' if model else 'source table ') ~ name
            ~ ': nothing counts its records; add the test ' ~ test ~ ' to its data_tests'
        ) }}
    {% endif %}
{% endmacro %}


{% macro feed_of(landing, asked_by='ledger_matches_landing', argument='model') %}
    {#-
        The feed whose landing table a relation is, named as in the ledger; anything else is refused by
        the name of who asks, since a view on the landing table may leave records out.
    -#}
    {% if execute %}
        {% for source in graph.sources.values() if source.relation_name == landing | string %}
            {{ return(source.source_name ~ '.' ~ source.name) }}
        {% endfor %}
        {% do cti.refuse_argument(asked_by, argument, landing, "a feed's source table, without `where`") %}
    {% endif %}
    {{ return('') }}
{% endmacro %}


{% macro counted_landings(mart) %}
    {#- The landing tables whose records a mart counts, by its test counts_every_record. mart: dbt's unique id. -#}
    {% set landings = [] %}
    {% for test in graph.nodes.values() if test.test_metadata and test.test_metadata.name == 'counts_every_record' %}
        {% for name in test.depends_on.nodes if test.attached_node == mart and name in graph.sources %}
            {% do landings.append(graph.sources[name]) %}
        {% endfor %}
    {% endfor %}
    {{ return(landings) }}
{% endmacro %}


{% macro archived_loads() %}
    {#-
        A subquery for the archived loads of the feeds that a mart counts, by its test counts_every_record: only
        marts know of them. For the mart, or a test of it.
    -#}
    {% if not execute %}
        {{ return('(select 0 as load_id)') }}
    {% endif %}
    {% set feeds = [text_literal('')] %}
    {% for source in cti.counted_landings(model.attached_node or model.unique_id) %}
        {% do feeds.append(text_literal(source.source_name ~ '.' ~ source.name)) %}
    {% endfor %}
    {{ return(
        '(select load_id from ' ~ cti.loader_table('_loaded_files').relation_name
        ~ " where status = 'archived' and records_loaded > 0 and feed in (" ~ feeds | join(', ') ~ '))'
    ) }}
{% endmacro %}


{% macro newer(load_id, since) %}
    {#-
        A condition that leaves out the loads up to `since`, a load id. Without one, a build leaves out those
        up to the test's mark, and whoever runs the compiled test counts all.
    -#}
    {% if since is not none and since is not integer %}
        {% do cti.refuse_argument('a counting test', 'since', since, 'a load id') %}
    {% endif %}
    {{ return(
        cti.since_mark(load_id ~ ' > <loader_mark> or ' ~ load_id ~ ' is null') if since is none
        else load_id ~ ' > ' ~ since
    ) }}
{% endmacro %}


{% macro all_counted(since) %}
    {#- A condition that holds if `newer` leaves out nothing. -#}
    {{ return(cti.since_mark('false') if since is none else 'false') }}
{% endmacro %}


{% macro differences(tables, failures, feeds) %}
    {#-
        The rows of one feed among those that a counting test of the ledger returns, and the rows of
        feeds that no contract names any more, which would be seen by nobody else. feeds: all feeds.
    -#}
    {% set quoted_feeds = [] %}
    {% for feed in feeds %}
        {% do quoted_feeds.append(text_literal(feed)) %}
    {% endfor %}
    {{ return(
        'select * from (\n' ~ failures ~ '\n) as differences where feed = ' ~ text_literal(tables.feed)
        ~ ' or feed not in (' ~ quoted_feeds | join(', ') ~ ') order by 1, 2, 3'
    ) }}
{% endmacro %}


{% macro ledger_totals(tables) %}
    {#- How much of a feed stands, by the ledger alone: what a finding says that it holds for. -#}
    {%- set statement -%}
select
    count(distinct case when status <> 'archived' then batch_id end) as loads,
    count(*) as files,
    coalesce(sum(case when status <> 'archived' then records_loaded end), 0) as records_loaded,
    coalesce(sum(records_rejected), 0) as records_rejected
from {{ tables.ledger }}
where status in ('loaded', 'replayed', 'archived') and feed = {{ text_literal(tables.feed) }}
    {%- endset -%}
    {{ return(statement) }}
{% endmacro %}


{% macro mart_progress(tables, mart, landings) %}
    {#-
        One row: how many records a mart has counted and up to which load, how many landed since, the newest
        load that they came in, the mart's state by these, and whether its records are landed alone. A mart
        that waits for its build breaks no rule, so this is no test. landings: the landing tables that the mart
        is made of.
    -#}
    {%- set statement -%}
with mart as (
    select coalesce(sum(occurrences), 0) as records, coalesce(max(last_load_id), 0) as load_id
    from {{ mart }}
),
landed as (
{%- for landing in landings %}
    {%- if not loop.first %}
    union all
    {%- endif %}
    select _load_id as load_id from {{ landing }}
    where _load_id > (select mart.load_id from mart)
{%- endfor %}
),
waiting as (
    select count(*) as records, max(load_id) as load_id from landed
),
newest as (
    select max(status) as status from {{ tables.ledger }} where load_id = (select mart.load_id from mart)
)
select
    case
        when newest.status in ('replaced', 'rolled back') then newest.status
        when waiting.records = 0 then 'holds'
        when mart.load_id = 0 then 'never filled'
        else 'behind'
    end as state,
    mart.records as mart_records,
    coalesce((
        select max(case when status = 'archived' then 'landed and archived' end)
        from {{ tables.ledger }}
        where feed = {{ text_literal(tables.feed) }} and records_loaded > 0
    ), 'landed') as standing,
    mart.load_id as mart_load_id,
    {{ batch_up_to(tables.ledger, 'mart.load_id', 'mart') }} as mart_batch_id,
    waiting.records as waiting_records,
    {{ batch_up_to(tables.ledger, 'waiting.load_id', 'waiting') }} as newest_batch_id
from mart
cross join waiting
cross join newest
    {%- endset -%}
    {{ return(statement) }}
{% endmacro %}


{% macro batch_up_to(ledger, load_id, relation) %}
    {#- A subquery for the batch, which people call a load, of the newest load id up to one. -#}
    {{ return(
        '(select max(batch_id) from ' ~ ledger ~ ' where load_id = (select max(load_id) from ' ~ ledger
        ~ ' where load_id <= (select ' ~ load_id ~ ' from ' ~ relation ~ ')))'
    ) }}
{% endmacro %}
