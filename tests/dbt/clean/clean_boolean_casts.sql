-- Every word for yes and no that the contract accepts is cast to what it means.
{% set cases = {
    'true': ['true', 'T', 'yes', ' Y ', '1\n', 'TRUE', '\u3000Yes'],
    'false': ['false', 'F', 'no', '\tN', ' 0', 'FALSE', 'No\u00a0'],
    'null': ['', ' \t\u2003'],
} %}

with cases as (

    {% for expected, texts in cases.items() %}
    {% set last = loop.last %}
    {% for landed in texts %}
    select
        '{{ landed }}' as landed,
        {{ clean_boolean("'" ~ landed ~ "'") }} as actual,
        cast({{ expected }} as boolean) as expected
    {{ 'union all' if not (last and loop.last) }}
    {% endfor %}
    {% endfor %}

)

select * from cases
where
    actual <> expected
    or (actual is null and expected is not null)
    or (actual is not null and expected is null)
