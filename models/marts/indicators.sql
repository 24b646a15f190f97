{{
    config(
        incremental_strategy='merge',
        unique_key=['indicator_type', 'indicator'],
        dist='indicator',
        sort=['indicator_type', 'indicator'],
        pre_hook="{{ forget_if_miscounted(source('cti', 'indicators')) }}",
    )
}}

with new_records as (

    select
        indicator,
        indicator_type,
        source,
        confidence,
        first_seen,
        last_seen,
        description,
        _load_id as last_load_id,
        cast(1 as bigint) as occurrences

    from {{ ref('stg_cti__indicators') }}

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
        indicator,
        indicator_type,
        source,
        confidence,
        first_seen,
        last_seen,
        description,
        last_load_id,
        occurrences

    from {{ this }} as winners
    where
        exists (
            select 1 from new_records
            where
                new_records.indicator_type = winners.indicator_type
                and new_records.indicator = winners.indicator
        )
    {% endif %}

),

ranked as (

    select
        indicator,
        indicator_type,
        source,
        confidence,
        first_seen,
        last_seen,
        description,
        cast(sum(occurrences) over (partition by indicator_type, indicator) as bigint) as occurrences,
        max(last_load_id) over (partition by indicator_type, indicator) as last_load_id,
        -- The newest sighting first; a record without last_seen was sighted at first_seen. The hash
        -- decides between records that differ in their text alone, so that the same one wins whatever the
        -- engine and the order it reads in.
        row_number() over (
            partition by indicator_type, indicator
            order by
                greatest(coalesce(last_seen, first_seen), coalesce(first_seen, last_seen)) desc nulls last,
                last_seen desc nulls last,
                first_seen desc nulls last,
                confidence desc nulls last,
                last_load_id desc,
                {{ row_hash(['source', 'description']) }}
        ) as place

    from competing

),

deduplicated as (

    select
        indicator,
        indicator_type,
        source,
        confidence,
        first_seen,
        last_seen,
        description,
        occurrences,
        last_load_id

    from ranked
    where place = 1

)

select * from deduplicated
