-- What the ledger says a load refused is what lies in quarantine, file by file and in both directions,
-- and every record that was taken out of it again was taken by a load that stands in the ledger. It fails
-- if refused records were dropped, or put in past the loader.
with ledger as (

    select
        load_id,
        feed,
        uri,
        sum(records_rejected) as records
    from {{ source('loader', '_loaded_files') }}
    -- Rolling a load back takes its refused records along.
    where status <> 'rolled back'
    group by load_id, feed, uri
    having sum(records_rejected) > 0

),

quarantine as (

    select
        load_id,
        feed,
        uri,
        count(*) as records
    from {{ source('loader', '_rejected_records') }}
    where part = 1
    group by load_id, feed, uri

),

replayed as (

    select
        replayed_by as load_id,
        feed,
        count(*) as records
    from {{ source('loader', '_rejected_records') }}
    where part = 1 and replayed_by is not null
    group by replayed_by, feed

),

taken as (

    select
        load_id,
        feed,
        sum(records_loaded) as records
    from {{ source('loader', '_loaded_files') }}
    where
        status <> 'rolled back'
        and load_id in (select replayed.load_id from replayed)
    group by load_id, feed

)

select
    coalesce(ledger.load_id, quarantine.load_id) as load_id,
    ledger.records as ledger_records,
    quarantine.records as quarantine_records
from ledger
full outer join quarantine
    on
        ledger.load_id = quarantine.load_id
        and ledger.feed = quarantine.feed
        and ledger.uri = quarantine.uri
where
    ledger.load_id is null
    or quarantine.load_id is null
    or ledger.records <> quarantine.records

union all

select
    replayed.load_id,
    taken.records as ledger_records,
    replayed.records as quarantine_records
from replayed
left join taken on replayed.load_id = taken.load_id and replayed.feed = taken.feed
where taken.load_id is null or taken.records <> replayed.records
