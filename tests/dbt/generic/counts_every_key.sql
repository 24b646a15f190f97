{#
    For a mart with the columns occurrences and last_load_id: the sum over all keys can be right while two
    keys are wrong, so each is compared. Every key that landed is in the mart, the mart has no other, and
    for each it knows how many records came and the newest load that brought one, from which the next build
    goes on. After a change to the aliases or to how keys are cleaned, this fails until a build
    --full-refresh.
    landed: the staging model, such as ref('stg_cti__indicators'). key: a list of columns.
    since: a load id; only keys that have records of newer loads are compared.
#}
{% test counts_every_key(model, landed, key, since=none) %}
    {% if key is string or key is not sequence or not key %}
        {% do cti.refuse_argument('counts_every_key', 'key', key, 'a list of names of columns') %}
    {% endif %}
    with landed as (
        select
            {{ key | join(', ') }},
            count(*) as occurrences,
            max(_load_id) as last_load_id
        from {{ landed }}
        group by {{ key | join(', ') }}
        having {{ cti.newer('max(_load_id)', since) }}
    ),

    mart as (
        select {{ key | join(', ') }}, occurrences, last_load_id
        from {{ model }}
        where {{ cti.newer('last_load_id', since) }}
    )

    select
        {%- for column in key %}
        coalesce(landed.{{ column }}, mart.{{ column }}) as {{ column }},
        {%- endfor %}
        landed.occurrences as landed_occurrences,
        landed.last_load_id as landed_last_load_id,
        mart.occurrences as mart_occurrences,
        mart.last_load_id as mart_last_load_id
    from landed
    full outer join mart
        on
            {%- for column in key %}
            {{ 'and ' if not loop.first }}landed.{{ column }} = mart.{{ column }}
            {%- endfor %}
    where
        landed.occurrences is null
        or mart.occurrences is null
        or landed.occurrences <> mart.occurrences
        or landed.last_load_id <> mart.last_load_id
{% endtest %}
