{#
    For the ledger: each file has as many records in quarantine as the ledger says were rejected, and one
    that was rolled back has none. It fails if rejected records were dropped, or put in past the loader.
    since: a load id; only newer loads are counted.
#}
{% test ledger_matches_quarantine(model, since=none) %}
    {{ config(meta={
        'place': 2,
        'check': 'quarantine',
        'holds': '{records_rejected:,} rejected records are in quarantine as the ledger says',
        'line': '{load}, {uri}: {ledger_records:,} rejected records by the ledger, {quarantine_records:,} in quarantine',
        'advice': cti.restore('append'),
        'replacing': cti.restore() ~ '.',
    }) }}
    with ledger as (
        select
            feed,
            load_id,
            uri,
            max(batch_id) as batch_id,
            max(status) as status,
            sum(case when status <> 'rolled back' then records_rejected else 0 end) as records
        from {{ model }}
        where {{ cti.newer('load_id', since) }}
        group by feed, load_id, uri
    ),

    quarantine as (
        select feed, load_id, uri, count(*) as records
        from {{ source('loader', '_rejected_records') }}
        -- A long record has several parts.
        where part = 1 and {{ cti.newer('load_id', since) }}
        group by feed, load_id, uri
    )

    select
        coalesce(ledger.feed, quarantine.feed) as feed,
        coalesce(ledger.load_id, quarantine.load_id) as load_id,
        coalesce(ledger.uri, quarantine.uri) as uri,
        ledger.batch_id,
        ledger.status,
        coalesce(ledger.records, 0) as ledger_records,
        coalesce(quarantine.records, 0) as quarantine_records
    from ledger
    full outer join quarantine
        on
            ledger.feed = quarantine.feed
            and ledger.load_id = quarantine.load_id
            and ledger.uri = quarantine.uri
    where coalesce(ledger.records, 0) <> coalesce(quarantine.records, 0)
{% endtest %}
