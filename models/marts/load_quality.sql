{{ config(materialized='view') }}

with loads as (

    select
        feed,
        load_id,
        cast(sum(records_loaded) as bigint) as records,
        max(batch_id) as batch_id,
        max(loaded_at) as loaded_at
    from {{ source('loader', '_loaded_files') }}
    -- A rollback removes both the loaded records and the rejected ones; a refused file has neither.
    where status not in ('rolled back', 'refused')
    group by feed, load_id

),

rejected as (

    select
        feed,
        load_id,
        rule,
        cast(count(*) as bigint) as records,
        cast(count(replayed_by) as bigint) as records_replayed
    from {{ source('loader', '_rejected_records') }}
    -- A long record has several parts.
    where part = 1
    group by feed, load_id, rule

),

final as (

    select
        feed,
        load_id,
        batch_id,
        loaded_at,
        records,
        cast('loaded' as varchar(16)) as outcome,
        cast(null as varchar(64)) as rule,
        cast(0 as bigint) as records_replayed
    from loads

    union all

    select
        loads.feed,
        loads.load_id,
        loads.batch_id,
        loads.loaded_at,
        rejected.records,
        cast('rejected' as varchar(16)) as outcome,
        rejected.rule,
        rejected.records_replayed
    from rejected
    inner join loads on rejected.feed = loads.feed and rejected.load_id = loads.load_id

)

select * from final
