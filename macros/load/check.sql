{#
    Promise 1, worked out anew from what the warehouse holds. Each macro returns one query, so that it
    sees one state of the tables while others load; all but two return what differs, and nothing if all
    is well. A load stands while its status is loaded or replayed.
#}

{% macro ledger_totals(ledger, feed) %}
    {#- How much of a feed stands, by the ledger alone. -#}
    {%- set statement -%}
select
    count(distinct load_id) as loads,
    count(*) as files,
    coalesce(sum(records_loaded), 0) as records_loaded,
    coalesce(sum(records_rejected), 0) as records_rejected
from {{ ledger }}
where status in ('loaded', 'replayed') and feed = {{ text_literal(feed) }}
    {%- endset -%}
    {{ return(statement) }}
{% endmacro %}


{% macro check_landing(ledger, landing, quarantine, feed) %}
    {#- Loads that have not as many landing rows as the ledger says; one that does not stand has none. -#}
    {%- set statement -%}
with ledger as (
    select
        load_id,
        max(status) as status,
        sum(case when status in ('loaded', 'replayed') then records_loaded else 0 end) as records
    from {{ ledger }}
    where feed = {{ text_literal(feed) }}
    group by load_id
),
landed as (
    select _load_id as load_id, count(*) as records
    from {{ landing }}
    group by _load_id
)
select
    coalesce(ledger.load_id, landed.load_id) as load_id,
    ledger.status,
    coalesce(ledger.records, 0) as ledger_records,
    coalesce(landed.records, 0) as landed_records
from ledger
full outer join landed on ledger.load_id = landed.load_id
where coalesce(ledger.records, 0) <> coalesce(landed.records, 0)
order by 1
    {%- endset -%}
    {{ return(statement) }}
{% endmacro %}


{% macro check_quarantine(ledger, landing, quarantine, feed) %}
    {#- Files with not as many records in quarantine as the ledger says were refused. -#}
    {%- set statement -%}
with ledger as (
    select
        load_id,
        uri,
        max(status) as status,
        sum(case when status <> 'rolled back' then records_rejected else 0 end) as records
    from {{ ledger }}
    where feed = {{ text_literal(feed) }}
    group by load_id, uri
),
set_aside as (
    select load_id, uri, count(*) as records
    from {{ quarantine }}
    where part = 1 and feed = {{ text_literal(feed) }}
    group by load_id, uri
)
select
    coalesce(ledger.load_id, set_aside.load_id) as load_id,
    coalesce(ledger.uri, set_aside.uri) as uri,
    ledger.status,
    coalesce(ledger.records, 0) as ledger_records,
    coalesce(set_aside.records, 0) as quarantine_records
from ledger
full outer join set_aside on ledger.load_id = set_aside.load_id and ledger.uri = set_aside.uri
where coalesce(ledger.records, 0) <> coalesce(set_aside.records, 0)
order by 1, 2
    {%- endset -%}
    {{ return(statement) }}
{% endmacro %}


{% macro check_replays(ledger, landing, quarantine, feed) %}
    {#- Loads that have not as many records marked as taken by them as the ledger says they took. -#}
    {%- set statement -%}
with taken as (
    select replayed_by as load_id, count(*) as records
    from {{ quarantine }}
    where part = 1 and replayed_by is not null and feed = {{ text_literal(feed) }}
    group by replayed_by
),
ledger as (
    select
        load_id,
        max(status) as status,
        sum(case when status <> 'rolled back' then records_loaded else 0 end) as records
    from {{ ledger }}
    where
        feed = {{ text_literal(feed) }}
        and (status = 'replayed' or load_id in (select taken.load_id from taken))
    group by load_id
)
select
    coalesce(ledger.load_id, taken.load_id) as load_id,
    ledger.status,
    coalesce(ledger.records, 0) as ledger_records,
    coalesce(taken.records, 0) as quarantine_records
from ledger
full outer join taken on ledger.load_id = taken.load_id
where coalesce(ledger.records, 0) <> coalesce(taken.records, 0)
order by 1
    {%- endset -%}
    {{ return(statement) }}
{% endmacro %}


{% macro check_files(ledger, landing, quarantine, feed) %}
    {#- Files whose records loaded and rejected do not add up to those read. -#}
    {%- set statement -%}
select load_id, uri, status, records_read, records_loaded, records_rejected
from {{ ledger }}
where
    feed = {{ text_literal(feed) }}
    and (
        records_read <> records_loaded + records_rejected
        or records_loaded < 0
        or records_rejected < 0
    )
order by 1, 2
    {%- endset -%}
    {{ return(statement) }}
{% endmacro %}


{% macro check_once(ledger, landing, quarantine, feed) %}
    {#- File versions that stand more than once. -#}
    {%- set statement -%}
select uri, etag, count(*) as times, min(load_id) as first_load_id, max(load_id) as last_load_id
from {{ ledger }}
where status = 'loaded' and feed = {{ text_literal(feed) }}
group by uri, etag
having count(*) > 1
order by 1, 2
    {%- endset -%}
    {{ return(statement) }}
{% endmacro %}


{% macro check_mart(mart, landings, ledger) %}
    {#-
        One row: how many records a mart has counted and up to which load, how many of the landing
        tables are up to it and after it, the newest of them, and what became of the load it is built
        up to. landings: those that the mart is made of.
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
    select _load_id as load_id, count(*) as records from {{ landing }} group by _load_id
{%- endfor %}
),
counted as (
    select
        coalesce(sum(case when landed.load_id <= mart.load_id then landed.records end), 0) as records,
        coalesce(sum(case when landed.load_id > mart.load_id then landed.records end), 0) as waiting,
        max(landed.load_id) as load_id
    from landed
    cross join mart
),
mark as (
    select max(status) as status
    from {{ ledger }}
    where load_id = (select mart.load_id from mart)
)
select
    mart.records as mart_records,
    mart.load_id as mart_load_id,
    mark.status as mart_load_status,
    counted.records as landed_records,
    counted.waiting as waiting_records,
    counted.load_id as newest_load_id
from mart
cross join counted
cross join mark
    {%- endset -%}
    {{ return(statement) }}
{% endmacro %}
