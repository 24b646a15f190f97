{#
    What the counting tests (tests/dbt/generic/) share, and the two counts that are no tests: how much a
    finding is about, and how far a mart is behind, which is only a notice.
    A load stands while its status is loaded or replayed.
#}

{% macro refuse_uncounted() %}
    {#-
        Refuses a feed or a mart that no test counts, by name; dbt runs it before every build. A mart is
        a model whose YAML has the columns occurrences and last_load_id.
    -#}
    {% if execute %}
        {% set landings, marts = [], [] %}
        {% for test in graph.nodes.values() if test.test_metadata %}
            {% if test.test_metadata.name == 'ledger_matches_landing' %}
                {% do landings.extend(test.sources) %}
            {% elif test.test_metadata.name == 'counts_every_record' %}
                {% do marts.append(test.attached_node) %}
            {% endif %}
        {% endfor %}
        {% for source in graph.sources.values() if 'feed' in source.config.meta %}
            {% if [source.source_name, source.name] not in landings %}
                {{ exceptions.raise_compiler_error(
                    source.original_file_path ~ ': source table ' ~ source.source_name ~ '.' ~ source.name
                    ~ ': nothing counts its records; add the test ledger_matches_landing to its data_tests'
                ) }}
            {% endif %}
        {% endfor %}
        {% for node in graph.nodes.values() if 'occurrences' in node.columns and 'last_load_id' in node.columns %}
            {% if node.resource_type == 'model' and node.unique_id not in marts %}
                {{ exceptions.raise_compiler_error(
                    node.original_file_path ~ ': model ' ~ node.name
                    ~ ': nothing counts its records; add the test counts_every_record to its data_tests'
                ) }}
            {% endif %}
        {% endfor %}
    {% endif %}
{% endmacro %}


{% macro feed_of(landing) %}
    {#- The feed whose landing table a relation is, named as in the ledger. -#}
    {% if execute %}
        {% for source in graph.sources.values() if source.relation_name == landing | string %}
            {{ return(source.source_name ~ '.' ~ source.name) }}
        {% endfor %}
        {% do cti.refuse_argument('ledger_matches_landing', 'model', landing, "a feed's source table, without `where`") %}
    {% endif %}
    {{ return('') }}
{% endmacro %}


{% macro newer(load_id, since) %}
    {#- A condition that leaves out the loads up to `since`, a load id; none if all are counted. -#}
    {% if since is not none and since is not integer %}
        {% do cti.refuse_argument('a counting test', 'since', since, 'a load id') %}
    {% endif %}
    {{ return('true' if since is none else load_id ~ ' > ' ~ since) }}
{% endmacro %}


{% macro differences(tables, failures) %}
    {#- The rows of one feed among those that a counting test of the ledger returns. -#}
    {{ return(
        'select * from (\n' ~ failures ~ '\n) as differences where feed = ' ~ text_literal(tables.feed)
        ~ ' order by 1, 2, 3'
    ) }}
{% endmacro %}


{% macro ledger_totals(tables) %}
    {#- How much of a feed stands, by the ledger alone: what a finding says that it holds for. -#}
    {%- set statement -%}
select
    count(distinct load_id) as loads,
    count(*) as files,
    coalesce(sum(records_loaded), 0) as records_loaded,
    coalesce(sum(records_rejected), 0) as records_rejected
from {{ tables.ledger }}
where status in ('loaded', 'replayed') and feed = {{ text_literal(tables.feed) }}
    {%- endset -%}
    {{ return(statement) }}
{% endmacro %}


{% macro mart_progress(mart, landings) %}
    {#-
        One row: how many records a mart has counted and up to which load, how many landed since, and the
        newest load that they came in. A mart that waits for its build breaks no rule, so this is no test.
        landings: the landing tables that the mart is made of.
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
)
select
    mart.records as mart_records,
    mart.load_id as mart_load_id,
    waiting.records as waiting_records,
    waiting.load_id as newest_load_id
from mart
cross join waiting
    {%- endset -%}
    {{ return(statement) }}
{% endmacro %}
