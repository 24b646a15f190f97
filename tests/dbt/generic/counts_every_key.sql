{#
    For a mart with the columns occurrences and last_load_id: the sum over all keys can be right while two
    keys are wrong, so each is compared. Every key that landed is in the mart, the mart has no other, and
    for each it knows how many records came and the newest load that brought one, from which the next build
    goes on. Of loads that are archived only the mart knows, so it may count more than landed then, and have
    one of these as a key's newest. After a change to the aliases or to how keys are cleaned, this fails until
    the next build.
    landed: the staging model, such as ref('stg_cti__indicators'). key: a list of columns.
    since: a load id; only keys that have records of newer loads are compared: each is in the mart once, with
    its newest load, and counts no fewer records than those loads brought. What older loads brought is
    counted with it by counts_every_record, in sum. In a build, the test's mark is the default.
#}
{% test counts_every_key(model, landed, key, since=none) %}
    {% if key is string or key is not sequence or not key %}
        {% do cti.refuse_argument('counts_every_key', 'key', key, 'a list of names of columns') %}
    {% endif %}
    {#- Put together and not joined, so that a NULL in a key is a value like any other. #}
    with both_sides as (
        select
            {{ key | join(', ') }},
            1 as landed,
            _load_id as landed_load_id,
            cast(null as bigint) as occurrences,
            cast(null as bigint) as last_load_id
        from {{ landed }}
        where {{ cti.newer('_load_id', since) }}

        union all

        select {{ key | join(', ') }}, 0, cast(null as bigint), occurrences, last_load_id
        from {{ model }}
        where {{ cti.newer('last_load_id', since) }}
    ),

    compared as (
        select
            {{ key | join(', ') }},
            sum(landed) as landed_occurrences,
            max(landed_load_id) as landed_last_load_id,
            max(occurrences) as mart_occurrences,
            max(last_load_id) as mart_last_load_id,
            count(occurrences) as mart_rows
        from both_sides
        group by {{ key | join(', ') }}
    ),

    archived as (
        select load_id as archived_load_id
        from {{ cti.archived_loads() }} as archived_loads
    ),

    archive as (
        select count(*) as archived_count
        from archived
    )

    select
        {{ key | join(', ') }},
        landed_occurrences,
        landed_last_load_id,
        mart_occurrences,
        mart_last_load_id,
        mart_rows
    from compared
    cross join archive
    left join archived on compared.mart_last_load_id = archived.archived_load_id
    where
        mart_rows <> 1
        or landed_occurrences > mart_occurrences
        or (landed_occurrences < mart_occurrences and {{ cti.all_counted(since) }} and archived_count = 0)
        or landed_last_load_id > mart_last_load_id
        or (
            (landed_occurrences = 0 or landed_last_load_id < mart_last_load_id)
            and archived_load_id is null
        )
{% endtest %}
