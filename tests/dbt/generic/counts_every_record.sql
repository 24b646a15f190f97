{#
    For a mart with the columns occurrences and last_load_id: up to the newest load that it knows, it has
    counted every record of the landing tables that it is made of, once, and those that were archived. A
    difference means that a record was dropped, or counted twice, on its way. Records of newer loads wait for
    the next build.
    landed: a landing table such as source('cti', 'indicators'), or a list of them.
    since: a load id; counts the keys that have records of newer loads, and finds what they lack. A build
    counts all: it reads one column of each table.
#}
{% test counts_every_record(model, landed, since=none) %}
    {{ config(meta={
        'place': 6,
        'check': 'mart {name}',
        'holds': '{name} counts all {mart_records:,} {standing} records',
        'unbuilt': '{name}: not built yet',
        'never filled': '{name}: not built yet: {waiting_records:,} records wait, up to load {newest_batch_id}',
        'behind': '{name}: not built yet since load {mart_batch_id}: {waiting_records:,} records wait, up to load {newest_batch_id}',
        'replaced': '{name}: not built yet since load {mart_batch_id} was replaced',
        'rolled back': '{name}: not built yet since load {mart_batch_id} was rolled back',
        'differs': '{name} counts {mart_records:,} records up to load {mart_batch_id}; {landed_records:,} are {standing}',
        'advice': '`python -m loader run` rebuilds a mart that has the hook forget_if_miscounted; any other needs `dbt build --full-refresh --select {model}`.',
    }) }}
    {%- set landed = [landed] if landed is mapping or landed is not sequence or landed is string else landed %}
    {%- for relation in landed -%}
        {%- do cti.feed_of(relation, 'counts_every_record', 'landed') -%}
    {%- endfor %}
    with mart as (
        select
            coalesce(sum(case when {{ 'true' if since is none else cti.newer('last_load_id', since) }} then occurrences end), 0) as records,
            coalesce(max(last_load_id), 0) as load_id
        from {{ model }}
    ),

    landed as (
        {%- for relation in landed %}
        {%- if not loop.first %}
        union all
        {%- endif %}
        select count(*) as records
        from {{ relation }}
        where _load_id <= (select mart.load_id from mart) and {{ 'true' if since is none else cti.newer('_load_id', since) }}
        {%- endfor %}
        union all
        select coalesce(sum(records_loaded), 0) as records
        from {{ cti.loader_table('_loaded_files').relation_name if execute else model }}
        -- All of them: a mart that had not taken them up before cannot do so any more.
        where load_id in {{ cti.archived_loads() }} and {{ 'true' if since is none else cti.newer('load_id', since) }}
    ),

    counted as (
        select sum(records) as records from landed
    )

    select
        mart.load_id as mart_load_id,
        mart.records as mart_records,
        counted.records as landed_records
    from mart
    cross join counted
    where mart.records {{ '<>' if since is none else '<' }} counted.records
{% endtest %}
