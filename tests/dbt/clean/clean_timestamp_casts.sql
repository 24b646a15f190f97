-- Timestamps are cast to the moment they say: in forms that the contract names, and in ISO 8601 with an
-- offset and without. More forms of ISO 8601 are with the unit tests of staging.
{% set cases = [
    (none, '\u3000 2026-01-02T03:04:05.25+05:45\r\n', '2026-01-01 21:19:05.25'),
    (none, ' \t', none),
    (none, '2024-02-29', '2024-02-29 00:00:00'),
    (none, '2024-02-29 23:59:59', '2024-02-29 23:59:59'),
    (none, '2024-02-29T23:59:59Z', '2024-02-29 23:59:59'),
    (none, '2024-02-29 23:59', '2024-02-29 23:59:00'),
    (none, '2024-02-29 23:59Z', '2024-02-29 23:59:00'),
    (none, '2024-02-29T23:59:59.000001z', '2024-02-29 23:59:59.000001'),
    (none, '2024-02-29 23:59+14', '2024-02-29 09:59:00'),
    (none, '2024-02-29T23:59-00', '2024-02-29 23:59:00'),
    (none, '2024-02-29T23:59-0001', '2024-03-01 00:00:00'),
    (none, '2024-02-29 23:59:59.999999-14:00', '2024-03-01 13:59:59.999999'),
    ('DD/MM/YYYY HH24:MI:SS', '02/01/2026 03:04:05', '2026-01-02 03:04:05'),
    ('DD/MM/YYYY HH24:MI', ' 02/01/2026 23:59 ', '2026-01-02 23:59:00'),
    ('YYYYMMDDHH24MISS', '20240229235959', '2024-02-29 23:59:59'),
    ('YYYYMMDDTHH24MI', '20240229T2359', '2024-02-29 23:59:00'),
    ('HH24.MI.SS DD.MM.YYYY', '00.00.00 31.12.1999', '1999-12-31 00:00:00'),
    ('DD/MM/YYYY HH24:MI', '', none),
] %}

with cases as (

    {% for format, landed, expected in cases %}
    {% set text = "'" ~ landed ~ "'" %}
    {% set prepared = 'lower(' ~ cti.strip(text) ~ ')' %}
    {% set read = cti.iso_moment(prepared, 'timestamp', [format], 1969, false) if format else text %}
    select
        '{{ format }}' as layout,
        '{{ landed }}' as landed,
        {{ clean_timestamp(read) }} as actual,
        {{ "cast('" ~ expected ~ "' as timestamp)" if expected else 'cast(null as timestamp)' }} as expected
    {{ 'union all' if not loop.last }}
    {% endfor %}

)

select * from cases
where
    actual <> expected
    or (actual is null and expected is not null)
    or (actual is not null and expected is null)
