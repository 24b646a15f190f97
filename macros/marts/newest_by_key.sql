{#
    The deduplicated rows of a staging model, as the whole SQL of a mart: one row per key, the winner's,
    with the columns occurrences, how many records the row stands for, and last_load_id, the newest load
    that brought one of them. An incremental mart reads only what is new and lets it compete with the
    winners so far. A NULL in a key is a value like any other.
#}

{% macro newest_by_key(staging, key, columns, order_by, text_columns=[]) %}
    {#-
        staging: the relation, with a column _load_id. key: names of columns. columns: the names of the
        others. order_by: terms of an ORDER BY, the winner first; their columns must be among these.
        text_columns: names of text columns whose hash decides between records that are alike in all
        else, so that the same one wins whatever the engine and the order it reads in.
    -#}
    {% for name, value in {'key': key, 'columns': columns, 'order_by': order_by}.items() %}
        {% if value is string or value is not sequence or not value %}
            {% do cti.refuse_argument('newest_by_key', name, value, 'a list') %}
        {% endif %}
    {% endfor %}
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
    {%- set all_columns = (key + columns) | join(',\n        ') -%}
    {%- set keys = key | join(', ') -%}
    {%- set hashed = [cti.row_hash(text_columns)] if text_columns else [] %}
with new_records as (

    select
        {{ all_columns }},
        _load_id as last_load_id,
        cast(1 as bigint) as occurrences

    from {{ staging }}

    {% if is_incremental() %}
    -- Load ids grow in commit order, and every key of a load carries its id: nothing up to this mark
    -- is left to be read. A subquery, so that it sees the table as the hook before it left it.
    where _load_id > (select coalesce(max(mart.last_load_id), 0) from {{ this }} as mart)
    {% endif %}

),

competing as (

    select * from new_records

    {% if is_incremental() %}
    union all

    -- The winners so far of the same keys, each standing for all the records it has won against. What
    -- they won with was in an older load than any new record, and that is all the ranking asks of it.
    select
        {{ all_columns }},
        last_load_id,
        occurrences

    from {{ this }} as winners
    where exists (select 1 from new_records where {{ cti.same_key('new_records', 'winners', key) }})
    {% endif %}

),

ranked as (

    select
        {{ all_columns }},
        cast(sum(occurrences) over (partition by {{ keys }}) as bigint) as occurrences,
        max(last_load_id) over (partition by {{ keys }}) as last_load_id,
        row_number() over (
            partition by {{ keys }}
            order by {{ (order_by + ['last_load_id desc'] + hashed) | join(', ') }}
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


{% macro same_key(one, other, key) %}
    {#-
        Whether two rows have the same key. A column that the model's YAML constrains to be not_null is
        compared as it is, which engines do fastest.
    -#}
    {%- set equal = [] -%}
    {%- for name in key -%}
        {%- set a, b = one ~ '.' ~ name, other ~ '.' ~ name -%}
        {%- set constraints = (model.columns[name] or {}).get('constraints') or [] -%}
        {%- if constraints | selectattr('type', 'equalto', 'not_null') | list -%}
            {%- do equal.append(a ~ ' = ' ~ b) -%}
        {%- else -%}
            {%- do equal.append('(' ~ a ~ ' = ' ~ b ~ ' or (' ~ a ~ ' is null and ' ~ b ~ ' is null))') -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return(equal | join(' and ')) }}
{% endmacro %}


{% macro get_incremental_newest_sql(arguments) %}
    {#-
        dbt's incremental strategy `newest`: a merge of the rows of newest_by_key. To dbt's own merge a NULL
        in a key is another value than the NULL that is there, so the key would be there twice.
    -#}
    {%- set target, key = arguments.target_relation, arguments.unique_key -%}
    {%- set columns, updates, values = [], [], [] -%}
    {%- for column in arguments.dest_columns -%}
        {%- do columns.append(adapter.quote(column.name)) -%}
        {%- do values.append('newer.' ~ adapter.quote(column.name)) -%}
        {%- do updates.append(adapter.quote(column.name) ~ ' = newer.' ~ adapter.quote(column.name)) -%}
    {%- endfor -%}
merge into {{ target }}
using {{ arguments.temp_relation }} as newer
on {{ cti.same_key(target, 'newer', [key] if key is string else key) }}
when matched then update set {{ updates | join(', ') }}
when not matched then insert ({{ columns | join(', ') }}) values ({{ values | join(', ') }})
{% endmacro %}
