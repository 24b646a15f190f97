{#
    For a feed's source table: each load id has as many rows there as the ledger says it brought, and one
    that does not stand (replaced, rolled back, or unknown to the ledger) has none. It fails if rows were
    put in or taken out past the loader, or if a load was half undone.
    since: a load id; only newer loads are counted.
#}
{% test ledger_matches_landing(model, since=none) %}
    {{ config(meta={
        'place': 1,
        'check': 'landing',
        'holds': '{records_loaded:,} records of {loads:,} loads are landed as the ledger says',
        'line': '{load}, {uri}: {ledger_records:,} records by the ledger, {landed_records:,} landed',
        'advice': cti.restore('append') ~ ' Rows of a load that does not stand are to be deleted.',
        'replacing': cti.restore('replace'),
    }) }}
    with ledger as (
        select
            load_id,
            max(batch_id) as batch_id,
            -- Files that an early version of the loader brought together share an id.
            case when count(*) = 1 then max(uri) else 'several files' end as uri,
            max(status) as status,
            sum(case when status in ('loaded', 'replayed') then records_loaded else 0 end) as records
        from {{ source('loader', '_loaded_files') }}
        where feed = {{ text_literal(cti.feed_of(model)) }} and {{ cti.newer('load_id', since) }}
        group by load_id
    ),

    landed as (
        select _load_id as load_id, count(*) as records
        from {{ model }}
        where {{ cti.newer('_load_id', since) }}
        group by _load_id
    )

    select
        {{ text_literal(cti.feed_of(model)) }} as feed,
        coalesce(ledger.load_id, landed.load_id) as load_id,
        ledger.batch_id,
        coalesce(ledger.uri, 'no file') as uri,
        ledger.status,
        coalesce(ledger.records, 0) as ledger_records,
        coalesce(landed.records, 0) as landed_records
    from ledger
    full outer join landed on ledger.load_id = landed.load_id
    where coalesce(ledger.records, 0) <> coalesce(landed.records, 0)
{% endtest %}
