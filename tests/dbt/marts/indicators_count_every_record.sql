-- Nothing is lost: every record of the landing table is in the mart or is counted by the row that won
-- against it. A difference means that a record was dropped, or counted twice, on its way.
with landed as (

    select count(*) as records from {{ source('cti', 'indicators') }}

),

counted as (

    select coalesce(sum(occurrences), 0) as records from {{ ref('indicators') }}

)

select
    landed.records as landed_records,
    counted.records as counted_records
from landed
cross join counted
where landed.records <> counted.records
