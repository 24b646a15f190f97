{#
    The engines' bare trim removes blanks (U+0020) only, or something of its own, so the characters are
    spelled out: the 29 code points that Python's str.strip() removes. Zero-width space (U+200B) and the
    byte order mark (U+FEFF) are not among them.
#}

{% macro strip(column) %}
    {%- set column = cti.column_argument('strip', column) -%}
    {{ return(adapter.dispatch('strip', 'cti')(column)) }}
{% endmacro %}


{% macro default__strip(column) %}
    {#- Redshift's chr() knows ASCII alone and returns CHAR, which loses a blank; its literals take a
        backslash for an escape. So chr() for control characters and a plain literal for the rest. -#}
    {%- set blanks = [
        '\u0020', '\u0085', '\u00a0', '\u1680', '\u2000', '\u2001', '\u2002', '\u2003', '\u2004', '\u2005',
        '\u2006', '\u2007', '\u2008', '\u2009', '\u200a', '\u2028', '\u2029', '\u202f', '\u205f', '\u3000',
    ] -%}
    {%- set characters = ["'" ~ blanks | join ~ "'"] -%}
    {%- for control in [9, 10, 11, 12, 13, 28, 29, 30, 31] -%}
        {%- do characters.append('chr(' ~ control ~ ')') -%}
    {%- endfor -%}
    {{ return('btrim(' ~ column ~ ', ' ~ characters | join(' || ') ~ ')') }}
{% endmacro %}


{% macro duckdb__strip(column) %}
    {#- Not trim(text, characters), which takes several times as long: it reads its characters anew for
        every row. -#}
    {%- set blank = cti.duckdb__blank() -%}
    {{ return("regexp_replace(" ~ column ~ ", '^" ~ blank ~ "+|" ~ blank ~ "+$', '', 'g')") }}
{% endmacro %}


{% macro duckdb__blank() %}
    {{ return(
        '[\\x{9}-\\x{d}\\x{1c}-\\x{20}\\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}'
        '\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{3000}]'
    ) }}
{% endmacro %}
