{#
    For the ledger: no file version stands twice.
    since: a load id; only file versions that a newer load brought are looked at.
#}
{% test loaded_once(model, since=none) %}
    {{ config(meta={
        'place': 5,
        'check': 'once',
        'holds': 'no file version stands twice',
        'line': '{uri}, ETag {etag}: {times} times, from load {first_batch_id} to load {last_batch_id}',
        'advice': 'Roll the later load back (`python -m loader rollback LOAD`); what else it had comes again with `python -m loader load --reload FILE`.',
        'replacing': cti.restore('replace'),
    }) }}
    select
        feed,
        min(batch_id) as first_batch_id,
        max(batch_id) as last_batch_id,
        uri,
        etag,
        count(*) as times
    from {{ model }}
    where status in ('loaded', 'archived')
    group by feed, uri, etag
    having count(*) > 1 and {{ cti.newer('max(load_id)', since) }}
{% endtest %}
