-- What the ledger says each load brought is what lies in the landing table, load by load and in both
-- directions. It fails if rows were put in or taken out past the loader, if a load was half undone, or
-- if rows of replaced files or of a load taken back are still there.
with ledger as (

    select
        load_id,
        sum(records_loaded) as records
    from {{ source('loader', '_loaded_files') }}
    where feed = 'cti.indicators' and status in ('loaded', 'replayed')
    group by load_id
    -- A file with a header and nothing else is in the ledger and has no row to find.
    having sum(records_loaded) > 0

),

landed as (

    select
        _load_id as load_id,
        count(*) as records
    from {{ source('cti', 'indicators') }}
    group by _load_id

)

select
    ledger.load_id as ledger_load_id,
    ledger.records as ledger_records,
    landed.load_id as landed_load_id,
    landed.records as landed_records
from ledger
full outer join landed on ledger.load_id = landed.load_id
where
    ledger.load_id is null
    or landed.load_id is null
    or ledger.records <> landed.records
