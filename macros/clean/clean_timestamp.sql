{#
    The result is a timestamp without zone, in UTC. No cast to timestamp is given an offset: whether an
    engine applies, drops or refuses it differs between them.
#}

{% macro clean_timestamp(column, cleaned=false) %}
    {#- A column of points in time as timestamp: YYYY-MM-DD[(T| )HH:MM[:SS[.ffffff]][Z| UTC|±HH[[:]MM]]], UTC where
        no zone is given. landed() gives other forms so. Most have no offset, and are cast as they are. -#}
    {%- set text = cti.text_argument('clean_timestamp', column, cleaned) -%}
    {%- set date = '[0-9]{4}-[0-9]{2}-[0-9]{2}' -%}
    {#- Digits beyond the sixth are noughts. -#}
    {%- set time = '([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9]([.]' ~ cti.fraction(false) ~ ')?)?' -%}
    {%- set offset = '[+-]((0[0-9]|1[0-3])(:?[0-5][0-9])?|14(:?00)?)' -%}
    case
        when {{ text }} ~ '^{{ date }}([t ]{{ time }}z?)?$'
            then cast(replace(replace({{ text }}, 't', ' '), 'z', '') as timestamp)
        when {{ text }} ~ '^{{ date }}[t ]{{ time }}{{ offset }}$'
            then {{ adapter.dispatch('without_offset', 'cti')(text) }}
        when {{ text }} ~ '^{{ date }}[t ]{{ time }} ?utc$'
            then cast(replace(left({{ text }}, length({{ text }}) - 3), 't', ' ') as timestamp)
        else cast('not an ISO 8601 timestamp: ' || {{ text }} as timestamp)
    end
{%- endmacro %}


{% macro default__without_offset(text) %}
    {#- The first 16 characters are the date, hours and minutes; behind them, up to a sign, are the seconds.
        Three arguments: Redshift takes a text of two for one that goes on without an end. -#}
    {%- set rest = 'substring(' ~ text ~ ', 17, 65535)' -%}
    {%- set wall_clock -%}
        cast(
            replace(left({{ text }}, 16), 't', ' ') || split_part(split_part({{ rest }}, '+', 1), '-', 1)
            as timestamp
        )
    {%- endset -%}
    {#- East of Greenwich the clock is ahead of UTC, west of it behind. -#}
    {%- set behind = cti.zone_minutes(rest, '-') ~ ' - ' ~ cti.zone_minutes(rest, '+') -%}
    {{ dbt.dateadd('minute', behind, wall_clock) | trim }}
{%- endmacro %}


{% macro duckdb__without_offset(text) %}
    {#- The cast to timestamp ignores an offset; the one to a timestamp with time zone applies it, and the
        session's zone has no part in it. -#}
    make_timestamp(epoch_us(cast(replace({{ text }}, 't', ' ') as timestamptz)))
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
