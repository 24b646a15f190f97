{#
    The result is a timestamp without zone, in UTC. Zones are worked out here from the text: whether an
    engine's cast to timestamp applies, drops or refuses an offset differs between them.
#}

{% macro clean_timestamp(column, format=none, cleaned=false) %}
    {#- A column of points in time as timestamp: ISO 8601, UTC where no zone is given, or a format of
        YYYY, MM, DD, HH24, MI and, where it has them, SS. -#}
    {%- set text = cti.text_argument('clean_timestamp', column, cleaned) -%}
    {%- if format is none -%}
        {{ cti.iso_timestamp(text) }}
    {%- else -%}
        {%- set required = ['YYYY', 'MM', 'DD', 'HH24', 'MI'] -%}
        {%- set read = cti.date_format('clean_timestamp', format, required + ['SS'], required) -%}
        {%- set iso = cti.iso_date(text, read.at) ~ " || ' ' || " ~ cti.iso_time(text, read.at) -%}
    cast(
        {{ cti.only_if(text, read.pattern, iso, 'a timestamp as ' ~ format) }} as timestamp
    )
    {%- endif -%}
{%- endmacro %}


{% macro iso_timestamp(text) %}
    {#- YYYY-MM-DD[(T| )HH:MM[:SS[.ffffff]][Z|±HH[[:]MM]]], of cleaned and so lowercased text. -#}
    {%- set date = '[0-9]{4}-[0-9]{2}-[0-9]{2}' -%}
    {%- set time = '([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9]([.][0-9]{1,6})?)?' -%}
    {%- set zone = '(z|[+-]((0[0-9]|1[0-3])(:?[0-5][0-9])?|14(:?00)?))?' -%}
    {%- set pattern = date ~ '([t ]' ~ time ~ zone ~ ')?' -%}
    {#- The first 16 characters are the date and, midnight where none is given, hours and minutes;
        behind them, up to a sign or z, are the seconds. -#}
    {#- Three arguments: Redshift takes a text of two for one that goes on without an end. -#}
    {%- set rest = 'substring(' ~ text ~ ', 17, 65535)' -%}
    {%- set wall_clock -%}
        replace(left({{ text }} || ' 00:00', 16), 't', ' ')
                || split_part(split_part(split_part({{ rest }}, 'z', 1), '+', 1), '-', 1)
    {%- endset -%}
    {%- set cast_clock -%}
    cast(
        {{ cti.only_if(text, pattern, wall_clock, 'an ISO 8601 timestamp') }} as timestamp
    )
    {%- endset -%}
    {#- East of Greenwich the clock is ahead of UTC, west of it behind. -#}
    {%- set behind = cti.zone_minutes(rest, '-') ~ ' - ' ~ cti.zone_minutes(rest, '+') -%}
    {{ dbt.dateadd('minute', behind, cast_clock) | trim }}
{%- endmacro %}


{% macro zone_minutes(text, sign) %}
    {#- What HH, HHMM or HH:MM behind the sign are in minutes; 0 where the sign is not there. -#}
    {%- set digits = "rpad(replace(split_part(" ~ text ~ ", '" ~ sign ~ "', 2), ':', ''), 4, '0')" -%}
    case
        when strpos({{ text }}, '{{ sign }}') > 0
            then
                60 * cast(left({{ digits }}, 2) as integer)
                + cast(right({{ digits }}, 2) as integer)
        else 0
    end
{%- endmacro %}
