-- The sum over all keys can be right while two keys are wrong, so each is held against the landing
-- table: every key landed is in the mart, the mart has no other, and for each it knows how many records
-- came and the newest load they came in, which is what the next build takes up from.
-- After a change to the aliases or to how keys are cleaned, this fails until a build --full-refresh.
with landed as (

    select
        indicator_type,
        indicator,
        count(*) as occurrences,
        max(_load_id) as last_load_id
    from {{ ref('stg_cti__indicators') }}
    group by indicator_type, indicator

),

mart as (

    select * from {{ ref('indicators') }}

)

select
    landed.indicator_type,
    landed.indicator,
    landed.occurrences as landed_occurrences,
    landed.last_load_id as landed_last_load_id,
    mart.indicator_type as mart_indicator_type,
    mart.indicator as mart_indicator,
    mart.occurrences as mart_occurrences,
    mart.last_load_id as mart_last_load_id
from landed
full outer join mart
    on
        landed.indicator_type = mart.indicator_type
        and landed.indicator = mart.indicator
where
    landed.indicator is null
    or mart.indicator is null
    or landed.occurrences <> mart.occurrences
    or landed.last_load_id <> mart.last_load_id
