{#
    Forms of dates are read here and rearranged, so that no engine's own to_date, each with formats and mercies of
    its own, has a say. loader/contract/moments.py says the same in Python.
#}

{% macro iso_moment(text, kind, formats, pivot_year, cut) %}
    {#-
        A stripped text in lower case that is a date or a timestamp in one of several forms, as ISO 8601; blank is
        NULL, and any other text a sentence that no cast takes.
    -#}
    {%- set branches = [] -%}
    {%- for format in formats -%}
        {%- set read = cti.serial(text, format, cut) or cti.form(text, kind, format, pivot_year, cut) -%}
        {%- do branches.append('when ' ~ text ~ " ~ '^" ~ read.pattern ~ "$' then " ~ read.iso) -%}
    {%- endfor -%}
    {%- set sentence = text_literal('not in the form ' ~ formats | join(', ') ~ ': ') -%}
    {{ return('case ' ~ branches | join(' ') ~ ' when ' ~ text ~ " <> '' then " ~ sentence ~ ' || ' ~ text ~ ' end') }}
{% endmacro %}


{% macro form(text, kind, format, pivot_year, cut) %}
    {#- The pattern of a form of tokens and separators, and the expression of ISO 8601 for a text that has it. -#}
    {%- set names = 'january february march april may june july august september october november december'.split() -%}
    {%- set short = [] -%}
    {%- for name in names -%}{%- do short.append(name[:3]) -%}{%- endfor -%}
    {#- Each token with the part of a moment that it is, its pattern, and its width if it has only one. Hours and the
        like are held to their range: '24:00' is a time to some engines. -#}
    {%- set tokens = {
        'YYYY': ('year', '[0-9]{4}', 4), 'YY': ('short_year', '[0-9]{2}', 2),
        'MONTH': ('name', '(' ~ names | join('|') ~ ')', 0), 'MON': ('name', '(' ~ short | join('|') ~ ')', 3),
        'MM': ('month', '[0-9]{2}', 2), 'M': ('month', '[0-9]{1,2}', 0),
        'DD': ('day', '[0-9]{2}', 2), 'D': ('day', '[0-9]{1,2}', 0),
        'HH24': ('hour', '([01][0-9]|2[0-3])', 2), 'H24': ('hour', '([01]?[0-9]|2[0-3])', 0),
        'HH12': ('hour12', '(0[1-9]|1[0-2])', 2), 'H12': ('hour12', '(0?[1-9]|1[0-2])', 0),
        'AM': ('half', '[ap]m', 2), 'MI': ('minute', '[0-5][0-9]', 2), 'SS': ('second', '[0-5][0-9]', 2),
        'FF': ('fraction', cti.fraction(cut), 0), 'TZ': ('zone', cti.zone(), 0),
    } -%}
    {%- set read = namespace(pattern='', position=1, fixed=true, part=0) -%}
    {#- What stands between two separators, with the one before it, which number of its kind that is, and the one
        after it; and where each token is. -#}
    {%- set parts, places, seen = [{'tokens': 0, 'begin': 1}], {}, {} -%}
    {%- for found in modules.re.findall(
        'YYYY|MONTH|HH24|HH12|MON|H24|H12|YY|MM|DD|MI|SS|FF|AM|TZ|D|M|[-/.,: T]|.+', format
    ) -%}
        {%- set part, pattern, width = tokens.get(found, ('', '', 0)) -%}
        {%- if part and part not in places -%}
            {%- do places.update({part: (found, parts | length - 1, read.position, width)}) -%}
            {%- set read.fixed = read.fixed and width > 0 -%}
            {%- do parts[-1].update({'tokens': parts[-1].tokens + 1}) -%}
            {%- set read.pattern, read.position = read.pattern ~ pattern, read.position + width -%}
        {%- elif found in '-/.,: T' -%}
            {#- A T between date and time is a small one in what is read. -#}
            {%- set separator = found | lower -%}
            {%- do seen.update({separator: seen.get(separator, 1) + 1}) -%}
            {%- do parts[-1].update({'after': separator}) -%}
            {%- set part = {'before': separator, 'number': seen[separator], 'tokens': 0, 'begin': read.position + 1} -%}
            {%- do parts.append(part) -%}
            {%- set read.pattern, read.position = read.pattern ~ '[' ~ separator ~ ']', read.position + 1 -%}
        {%- else -%}
            {%- do cti.refuse_argument('landed', 'format', format, 'one of docs/contract.md, without ' ~ found) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- set required = [['year', 'short_year'], ['month', 'name'], ['day']] -%}
    {%- for either in required + ([['hour', 'hour12'], ['minute']] if kind == 'timestamp' else []) -%}
        {%- if not places.keys() | select('in', either) | list -%}
            {%- do cti.refuse_argument('landed', 'format', format, 'one with the ' ~ either[0]) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- set body = "regexp_replace(" ~ text ~ ", '" ~ cti.zone() ~ "$', '')" if 'zone' in places else text -%}
    {%- set at = {} -%}
    {%- for part, (token, index, position, width) in places.items() if part != 'zone' -%}
        {%- set around = parts[index] -%}
        {%- set piece, within = body, position -%}
        {%- if not read.fixed -%}
            {%- set within = position - around.begin + 1 -%}
            {%- if around.before -%}
                {%- set piece = 'split_part(' ~ piece ~ ", '" ~ around.before ~ "', " ~ around.number ~ ')' -%}
            {%- endif -%}
            {%- if around.after and around.after != around.before -%}
                {%- set piece = 'split_part(' ~ piece ~ ", '" ~ around.after ~ "', 1)" -%}
            {%- endif -%}
        {%- endif -%}
        {%- if width and (read.fixed or around.tokens > 1) -%}
            {%- set piece = 'substring(' ~ piece ~ ', ' ~ within ~ ', ' ~ width ~ ')' -%}
        {%- endif -%}
        {%- do at.update({part: 'lpad(' ~ piece ~ ", 2, '0')" if token in ('D', 'M', 'H24', 'H12') else piece}) -%}
    {%- endfor -%}
    {%- if 'short_year' in at -%}
        {%- set century, first = pivot_year // 100, '%02d' % (pivot_year % 100) -%}
        {%- do at.update({'year': (
            '(case when ' ~ at.short_year ~ " >= '" ~ first ~ "' then '" ~ century ~ "' else '" ~ (century + 1)
            ~ "' end || " ~ at.short_year ~ ')'
        )}) -%}
    {%- endif -%}
    {%- if 'name' in at -%}
        {#- Both texts have three characters for each month. -#}
        {%- do at.update({'month': (
            "substring('01 02 03 04 05 06 07 08 09 10 11 12', strpos('" ~ short | join ~ "', left(" ~ at.name
            ~ ', 3)), 2)'
        )}) -%}
    {%- endif -%}
    {%- if 'half' in at -%}
        {%- set clock, hours = [], [] -%}
        {%- for hour in range(24) -%}
            {%- do clock.append('%02d' % ((hour + 11) % 12 + 1) ~ ('am' if hour < 12 else 'pm')) -%}
            {%- do hours.append('%02d' % hour ~ '  ') -%}
        {%- endfor -%}
        {%- do at.update({'hour': (
            "substring('" ~ hours | join ~ "', strpos('" ~ clock | join ~ "', " ~ at.hour12 ~ ' || ' ~ at.half ~ '), 2)'
        )}) -%}
    {%- endif -%}
    {%- set iso = [at.year, at.month, at.day] | join(" || '-' || ") -%}
    {%- if kind == 'timestamp' -%}
        {%- set iso = iso ~ " || ' ' || " ~ at.hour ~ " || ':' || " ~ at.minute -%}
        {%- set iso = iso ~ (" || ':' || " ~ at.second if 'second' in at else '') -%}
        {%- set iso = iso ~ (" || '.' || left(" ~ at.fraction ~ ', 6)' if 'fraction' in at else '') -%}
        {%- if 'zone' in places -%}
            {#- Three arguments: Redshift takes a text of two for one that goes on without an end. -#}
            {%- set zone = 'substring(' ~ text ~ ', length(' ~ body ~ ') + 1, 65535)' -%}
            {%- set iso = iso ~ ' || replace(replace(' ~ zone ~ ", 'utc', 'z'), 'gmt', 'z')" -%}
        {%- endif -%}
    {%- endif -%}
    {{ return({'pattern': read.pattern, 'iso': iso}) }}
{% endmacro %}


{% macro fraction(cut) %}
    {{ return('[0-9]{1,9}' if cut else '[0-9]{1,6}0{0,3}') }}
{% endmacro %}


{% macro zone() %}
    {#- Of a text in lower case. -#}
    {{ return('(z|utc|gmt|[+-]((0[0-9]|1[0-3])(:?[0-5][0-9])?|14(:?00)?))') }}
{% endmacro %}


{% macro serial(text, format, cut) %}
    {#- The same for numbers: seconds and milliseconds since 1970, and days of a spreadsheet; else none. -#}
    {%- if format == 'epoch' -%}
        {#- The sign stays in front of the microseconds. -#}
        {%- set micros = 'split_part(' ~ text ~ ", '.', 1) || rpad(split_part(" ~ text ~ ", '.', 2), 6, '0')" -%}
        {%- set pattern = '(-[0-9]{1,10}|[0-9]{1,12})([.]' ~ cti.fraction(cut) ~ ')?' -%}
    {%- elif format == 'epoch_ms' -%}
        {%- set micros, pattern = text ~ " || '000'", '(-[0-9]{1,13}|[0-9]{1,15})' -%}
    {%- elif format == 'excel' -%}
        {#- Day 60 is a 29 February 1900 that never was; those before it are off by one. -#}
        {%- set days = 'cast(split_part(' ~ text ~ ", '.', 1) as integer)" -%}
        {{ return({
            'pattern': '(6[1-9]|[7-9][0-9]|[1-9][0-9]{2,6})([.]0*)?',
            'iso': "cast(cast('1899-12-30' as date) + " ~ days ~ ' as varchar(16))',
        }) }}
    {%- else -%}
        {{ return(none) }}
    {%- endif -%}
    {%- set iso = adapter.dispatch('iso_of_micros', 'cti')('cast(' ~ micros ~ ' as bigint)') -%}
    {{ return({'pattern': pattern, 'iso': iso}) }}
{% endmacro %}


{% macro default__iso_of_micros(micros) %}
    {#- Microseconds since 1970. Days apart from the rest, since what is added is an integer of four bytes. -#}
    {%- set day, moment = 86400000000, "cast('1970-01-01' as timestamp)" -%}
    {%- set moment = dbt.dateadd('day', 'cast(' ~ micros ~ ' / ' ~ day ~ ' as integer)', moment) | trim -%}
    {%- set seconds = 'cast(mod(' ~ micros ~ ', ' ~ day ~ ') / 1000000 as integer)' -%}
    {%- set moment = dbt.dateadd('second', seconds, moment) | trim -%}
    {%- set rest = 'cast(mod(' ~ micros ~ ', 1000000) as integer)' -%}
    {{ return("to_char(" ~ dbt.dateadd('microsecond', rest, moment) | trim ~ ", 'YYYY-MM-DD HH24:MI:SS.US')") }}
{% endmacro %}


{% macro duckdb__iso_of_micros(micros) %}
    {{ return('strftime(make_timestamp(' ~ micros ~ "), '%Y-%m-%d %H:%M:%S.%f')") }}
{% endmacro %}
