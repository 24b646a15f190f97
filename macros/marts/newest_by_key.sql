{#
    The deduplicated rows of a staging model, as the whole SQL of a mart: one row per key, the winner's,
    with its _file, _file_time and _record, and with the columns occurrences, how many records the row
    stands for, and last_load_id, the newest load id that brought one of them. An incremental mart reads
    only what is new and lets it compete with the winners so far. A NULL in a key is a value like any other.

    Who wins never depends on when a record was loaded. Terms of order_by come first; then the newest file
    wins, the last by name of those that are as new, the last record of a file, and at last the content.
#}

{% macro newest_by_key(staging, key, columns, order_by=[]) %}
    {#-
        staging: the relation, with the columns _load_id, _file, _file_time and _record that landed() gives.
        key: names of columns. columns: the names of the others, in the order in which they settle what
        nothing else does; the greater value wins. order_by: terms of an ORDER BY that a record wins by
        before its file counts; their columns must be among these or _file_time.
    -#}
    {% for name, value in {'key': key, 'columns': columns, 'order_by': order_by}.items() %}
        {% if value is string or value is not sequence or not (value or name == 'order_by') %}
            {% do cti.refuse_argument('newest_by_key', name, value, 'a list') %}
        {% endif %}
    {% endfor %}
    {% for name in columns if name in key %}
        {% do cti.refuse_argument('newest_by_key', 'columns', name, 'columns that are not of the key') %}
    {% endfor %}
    {% for term in order_by if ' nulls ' not in term | lower %}
        {% do cti.refuse_argument(
            'newest_by_key', 'order_by', term, 'a list of terms that end in nulls last or nulls first; engines differ'
        ) %}
    {% endfor %}
    {% if 'last_load_id' in order_by | string or '_load_id' in order_by | string %}
        {% do cti.refuse_argument(
            'newest_by_key', 'order_by', order_by, 'terms without a load id; the order of loads says nothing of records'
        ) %}
    {% endif %}
    {% if config.get('materialized') == 'incremental' %}
        {#- Each is a mistake that shows only at a later load, as keys that are there twice or are lost. -#}
        {%- set unique_key = config.get('unique_key') -%}
        {%- if ([unique_key] if unique_key is string else unique_key) != key -%}
            {% do cti.refuse_argument('newest_by_key', 'key', key, "the model's unique_key, " ~ unique_key) %}
        {%- endif -%}
        {%- if config.get('incremental_strategy') != 'newest' -%}
            {% do cti.refuse_argument(
                'newest_by_key', 'incremental_strategy', config.get('incremental_strategy'), "'newest'"
            ) %}
        {%- endif -%}
        {%- if execute and 'forget_if_miscounted' not in model.config['pre-hook'] | string -%}
            {% do cti.refuse_argument(
                'newest_by_key', 'pre_hook', none, 'forget_if_miscounted(…) of the landing table'
            ) %}
        {%- endif -%}
    {% endif %}
    {%- set names = key + columns + ['_file', '_file_time', '_record'] -%}
    {%- set all_columns = names | join(',\n        ') -%}
    {#- A mart that lacks a column knows nothing of it, so its rules have changed: it is to be rebuilt. -#}
    {%- set increment = is_incremental() and not cti.lacks_column(this, names) -%}
    {%- if increment and execute and model.resource_type == 'model' and not staging.is_cte -%}
        {#- For recompute, in the hook of the same command, in which there is no ephemeral model. -#}
        {%- do graph.setdefault('loader_marts', {}).update({model.unique_id: {'staging': staging, 'key': key}}) -%}
    {%- endif -%}
    {%- set keys = key | join(', ') -%}
    {%- set ranking = order_by | list -%}
    {%- for column in ['_file_time', '_file', '_record'] + columns -%}
        {%- do ranking.append(column ~ ' desc nulls last') -%}
    {%- endfor %}
with new_records as (

    select
        {{ all_columns }},
        _load_id as last_load_id,
        cast(1 as bigint) as occurrences

    from {{ staging }}

    {% if increment %}
    /* increment */
    -- Load ids grow in commit order, and every key of a file carries its id: nothing up to this mark
    -- is left to be read. A subquery, so that it sees the table as the hook before it left it.
    where _load_id > (select coalesce(max(mart.last_load_id), 0) from {{ this }} as mart)

    union all

    -- And all that was read before of the keys that recompute has marked.
    select
        {{ all_columns }},
        _load_id as last_load_id,
        cast(1 as bigint) as occurrences

    from {{ staging }} as landed
    where
        -- No load is up to NULL: without such a key nothing is read.
        _load_id <= (select max(mart.last_load_id) from {{ this }} as mart where mart.occurrences = 0)
        and exists (
            select 1 from {{ this }} as mart
            where mart.occurrences = 0 and {{ cti.same_key('landed', 'mart', key) }}
        )
    /* whole */
    {% endif %}

),

competing as (

    select * from new_records

    {% if increment %}
    /* increment */
    union all

    -- The winners so far of the same keys, each standing for all the records it has won against.
    select
        {{ all_columns }},
        last_load_id,
        occurrences

    from {{ this }} as winners
    where
        winners.occurrences > 0
        and exists (select 1 from new_records where {{ cti.same_key('new_records', 'winners', key) }})
    /* whole */
    {% endif %}

),

ranked as (

    select
        {{ all_columns }},
        cast(sum(occurrences) over (partition by {{ keys }}) as bigint) as occurrences,
        max(last_load_id) over (partition by {{ keys }}) as last_load_id,
        row_number() over (
            partition by {{ keys }}
            order by {{ ranking | join(', ') }}
        ) as _loader_place

    from competing

)

select
    {{ all_columns }},
    occurrences,
    last_load_id

from ranked
where _loader_place = 1
{% endmacro %}


{% macro lacks_column(relation, names) %}
    {#- Whether a relation lacks one of these columns. -#}
    {#- In a unit test a fixture stands for the relation, and it has them all. -#}
    {%- if execute and model.resource_type == 'model' -%}
        {%- set there = [] -%}
        {%- for column in adapter.get_columns_in_relation(relation) -%}
            {%- do there.append(column.name | lower) -%}
        {%- endfor -%}
        {%- for name in names if name | replace('"', '') | lower not in there -%}
            {{ return(true) }}
        {%- endfor -%}
    {%- endif -%}
    {{ return(false) }}
{% endmacro %}


{% macro same_key(one, other, key) %}
    {#-
        Whether two rows have the same key. A column that the model's YAML constrains to be not_null is
        compared as it is, which engines do fastest.
    -#}
    {%- set equal = [] -%}
    {%- for name in key -%}
        {%- set a, b = one ~ '.' ~ name, other ~ '.' ~ name -%}
        {%- if cti.never_null(model, name) -%}
            {%- do equal.append(a ~ ' = ' ~ b) -%}
        {%- else -%}
            {%- do equal.append('(' ~ a ~ ' = ' ~ b ~ ' or (' ~ a ~ ' is null and ' ~ b ~ ' is null))') -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return(equal | join(' and ')) }}
{% endmacro %}


{% macro never_null(node, name) %}
    {#- Whether a model's table refuses a NULL in a column: dbt makes constraints only of an enforced contract. -#}
    {%- set constraints = ((node.columns or {}).get(name) or {}).get('constraints') or [] -%}
    {%- set enforced = node.config.materialized in ('incremental', 'table') and node.config.contract.enforced -%}
    {{ return(enforced and constraints | selectattr('type', 'equalto', 'not_null') | list) }}
{% endmacro %}


{% macro get_incremental_newest_sql(arguments) %}
    {#-
        dbt's incremental strategy `newest`: the rows of newest_by_key take the place of those that have
        their keys. To dbt's own strategies a NULL in a key is another value than the NULL that is there, so
        the key would be there twice. And DuckDB's MERGE rewrites every part of the table that it updates.
    -#}
    {%- set target, key = arguments.target_relation, arguments.unique_key -%}
    {#- dbt widens no column of a model whose contract is enforced. -#}
    {%- do adapter.expand_target_column_types(from_relation=arguments.temp_relation, to_relation=target) -%}
    {%- set names = [] -%}
    {%- for column in arguments.dest_columns -%}
        {%- do names.append(adapter.quote(column.name)) -%}
    {%- endfor -%}
delete from {{ target }}
using {{ arguments.temp_relation }} as newer
where {{ cti.same_key(target, 'newer', [key] if key is string else key) }};

insert into {{ target }} ({{ names | join(', ') }})
select {{ names | join(', ') }} from {{ arguments.temp_relation }}
{% endmacro %}
