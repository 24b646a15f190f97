{{
    config(
        incremental_strategy='newest',
        unique_key=['indicator_type', 'indicator'],
        dist='indicator',
        sort=['indicator_type', 'indicator'],
        pre_hook="{{ forget_if_miscounted(source('cti', 'indicators')) }}",
    )
}}

{{
    newest_by_key(
        ref('stg_cti__indicators'),
        key=['indicator_type', 'indicator'],
        columns=['confidence', 'first_seen', 'last_seen', 'source', 'description'],
        order_by=[
            'greatest(coalesce(last_seen, first_seen), coalesce(first_seen, last_seen)) desc nulls last',
            '_file_time desc nulls last',
            'confidence desc nulls last',
        ],
    )
}}
