-- Every record that a load read has one outcome. It fails when load_quality has not as many records
-- of a load as the ledger says were read: when a rejected one is missing from the quarantine, or is
-- there twice.
with ledger as (

    select
        feed,
        load_id,
        sum(records_read) as records_read
    -- Not by source(), on which every mart depends: the test is load_quality's alone.
    from {{ loader_table('_loaded_files').relation_name if execute }}
    where status not in ('rolled back', 'refused')
    group by feed, load_id

),

quality as (

    select
        feed,
        load_id,
        sum(records) as records
    from {{ ref('load_quality') }}
    group by feed, load_id

)

select
    ledger.feed,
    ledger.load_id,
    ledger.records_read,
    quality.records
from ledger
left join quality on ledger.feed = quality.feed and ledger.load_id = quality.load_id
where quality.records is null or quality.records <> ledger.records_read
