-- Each of the 18 characters that nobody sees goes if asked, wherever it stands; others stay.
{% set invisible = [
    '\u00ad', '\u061c', '\u200b', '\u200c', '\u200d', '\u200e', '\u200f', '\u202a', '\u202b', '\u202c',
    '\u202d', '\u202e', '\u2060', '\u2066', '\u2067', '\u2068', '\u2069', '\ufeff',
] %}
{% set cases = [
    ('\ufeff A-B \u200b', 'a-b', '\ufeff a-b \u200b'),
    ('\u200b \ufeff', none, '\u200b \ufeff'),
    ('\u2010\u200a\u2065\u206a\u180e', '\u2010\u200a\u2065\u206a\u180e', '\u2010\u200a\u2065\u206a\u180e'),
] %}
{% for character in invisible %}
{% set dirty = character ~ 'ex' ~ character ~ character ~ 'ample' ~ character %}
{% do cases.append((dirty, 'example', dirty)) %}
{% endfor %}

with cases as (

    {% for landed, expected, kept in cases %}
    select
        {{ clean_text("'" ~ landed ~ "'", invisible='remove') }} as removed,
        {{ clean_text("'" ~ landed ~ "'") }} as as_it_is,
        {{ "'" ~ expected ~ "'" if expected else 'cast(null as varchar(64))' }} as expected,
        '{{ kept }}' as kept
    {{ 'union all' if not loop.last }}
    {% endfor %}

)

select * from cases
where
    removed <> expected
    or (removed is null and expected is not null)
    or (removed is not null and expected is null)
    or as_it_is <> kept
    or as_it_is is null
