{#
    For the ledger: the records of each file that were loaded and rejected add up to those read. The loader
    checks this before it commits; the test checks it for as long as the row stands.
    since: a load id; only newer loads are counted.
#}
{% test ledger_adds_up(model, since=none) %}
    {{ config(meta={
        'place': 4,
        'check': 'files',
        'holds': 'records read = loaded + rejected in each of {files:,} files',
        'line': '{load}, {uri}: {records_read:,} read, {records_loaded:,} loaded, {records_rejected:,} rejected',
        'advice': cti.restore() ~ '.',
    }) }}
    select feed, load_id, batch_id, uri, status, records_read, records_loaded, records_rejected
    from {{ model }}
    where
        (
            records_read <> records_loaded + records_rejected
            or records_loaded < 0
            or records_rejected < 0
        )
        and {{ cti.newer('load_id', since) }}
{% endtest %}
