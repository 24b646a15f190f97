{#
    For a raw column of a feed, read by its contract: values that are one once they are lowercased, though
    the case of a path tells them apart. https://short.example/AbCd and https://short.example/aBcD are two
    resources and become one. The case of a host, or of a text without a path, means nothing and is not
    counted. With the variable keep_url_path_case nothing becomes one.
    since: a load id; only values that newer loads brought are compared, and those only with each other.
    In a build, the test's mark is the default: it finds two values that came since the test last passed. A
    value of today and one of yesterday are told by `check --full` alone, which cleans the column's history.
#}
{% test differs_in_case_alone(model, column_name, since=none) %}
    with spelled as (
        select {{ cti.clean_text(cti.tested_by_contract(column_name), case='keep') }} as spelling
        from {{ model }}
        where {{ cti.newer('_load_id', since) }} and {{ column_name }} like '%/%'
    ),

    urls as (
        select distinct {{ cti.lower_host('spelling') }} as url
        from spelled
    )

    select
        lower(url) as url,
        count(*) as spellings
    from urls
    where {{ 'false' if var('keep_url_path_case') else 'true' }}
    group by lower(url)
    having count(*) > 1
{% endtest %}
