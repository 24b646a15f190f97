{#
    For the ledger: each replay has as many records marked as its own in quarantine as the ledger says it
    loaded. It fails if a record was marked as replayed past the loader, or if its mark was taken away.
    since: a load id; only newer replays are counted.
#}
{% test ledger_matches_replays(model, since=none) %}
    {{ config(meta={
        'place': 3,
        'check': 'replays',
        'holds': 'each replay took as many records out of quarantine as it loaded',
        'line': '{load}: {ledger_records:,} records replayed by the ledger, {quarantine_records:,} marked so in quarantine',
        'advice': cti.restore() ~ ', or roll the replay back (`python -m loader rollback LOAD --damaged`) and replay again.',
    }) }}
    with marked as (
        select feed, replayed_by as load_id, count(*) as records
        from {{ source('loader', '_rejected_records') }}
        -- A long record has several parts.
        where part = 1 and replayed_by is not null and {{ cti.newer('replayed_by', since) }}
        group by feed, replayed_by
    ),

    ledger as (
        select
            files.feed,
            files.load_id,
            max(files.batch_id) as batch_id,
            max(files.status) as status,
            sum(case when files.status <> 'rolled back' then files.records_loaded else 0 end) as records
        from {{ model }} as files
        left join marked on files.feed = marked.feed and files.load_id = marked.load_id
        where
            (files.status = 'replayed' or marked.load_id is not null)
            and {{ cti.newer('files.load_id', since) }}
        group by files.feed, files.load_id
    )

    select
        coalesce(ledger.feed, marked.feed) as feed,
        coalesce(ledger.load_id, marked.load_id) as load_id,
        ledger.batch_id,
        ledger.status,
        coalesce(ledger.records, 0) as ledger_records,
        coalesce(marked.records, 0) as quarantine_records
    from ledger
    full outer join marked on ledger.feed = marked.feed and ledger.load_id = marked.load_id
    where coalesce(ledger.records, 0) <> coalesce(marked.records, 0)
{% endtest %}
