-- Every form of a decimal that the contract accepts is cast to the number it says, without rounding.
{% set cases = [
    (10, 2, '12.34', '12.34'),
    (10, 2, ' 12.3\t', '12.30'),
    (10, 2, '12', '12.00'),
    (10, 2, '12.', '12.00'),
    (10, 2, '.5', '0.50'),
    (10, 2, '+.5', '0.50'),
    (10, 2, '-.05', '-0.05'),
    (10, 2, '+007.10', '7.10'),
    (10, 2, '-0', '0.00'),
    (10, 2, '1.50000', '1.50'),
    (4, 2, '-99.99', '-99.99'),
    (3, 1, '0000000000000000000000000000000000000000099.9', '99.9'),
    (3, 1, '99.9000000000000000000000000000000000000000000', '99.9'),
    (3, 0, '100.00', '100'),
    (3, 0, '-.0', '0'),
    (3, 3, '.999', '0.999'),
    (38, 10, '1234567890123456789012345678.0123456789', '1234567890123456789012345678.0123456789'),
    (10, 2, '\u3000', none),
] %}

with cases as (

    {% for precision, scale, landed, expected in cases %}
    select
        '{{ landed }}' as landed,
        -- As one type, for the union.
        cast({{ clean_decimal("'" ~ landed ~ "'", precision, scale) }} as decimal(38, 10)) as actual,
        cast({{ "'" ~ expected ~ "'" if expected else 'null' }} as decimal(38, 10)) as expected
    {{ 'union all' if not loop.last }}
    {% endfor %}

)

select * from cases
where
    actual <> expected
    or (actual is null and expected is not null)
    or (actual is not null and expected is null)
