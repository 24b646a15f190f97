-- Dates in ISO 8601, and in forms that the contract names, are cast to the day they say, whatever the
-- engine's own idea of day and month.
{% set cases = [
    (none, '2026-01-02', '2026-01-02'),
    (none, ' 2024-02-29\n', '2024-02-29'),
    (none, '\u3000', none),
    ('YYYY-MM-DD', '2026-12-31', '2026-12-31'),
    ('DD/MM/YYYY', '02/01/2026', '2026-01-02'),
    ('MM/DD/YYYY', '01/02/2026', '2026-01-02'),
    ('DD.MM.YYYY', '\u00a031.12.1999 ', '1999-12-31'),
    ('YYYYMMDD', '20240229', '2024-02-29'),
    ('DDMMYYYY', '29022024', '2024-02-29'),
    ('YYYY MM DD', '0001 01 01', '0001-01-01'),
    ('YYYY-MMDD', '9999-1231', '9999-12-31'),
    ('DD/MM/YYYY', '', none),
] %}

with cases as (

    {% for format, landed, expected in cases %}
    {% set text = "'" ~ landed ~ "'" %}
    {% set prepared = 'lower(' ~ cti.strip(text) ~ ')' %}
    {% set read = cti.iso_moment(prepared, 'date', [format], 1969, false) if format else text %}
    select
        '{{ format }}' as layout,
        '{{ landed }}' as landed,
        {{ clean_date(read) }} as actual,
        {{ "cast('" ~ expected ~ "' as date)" if expected else 'cast(null as date)' }} as expected
    {{ 'union all' if not loop.last }}
    {% endfor %}

)

select * from cases
where
    actual <> expected
    or (actual is null and expected is not null)
    or (actual is not null and expected is null)
