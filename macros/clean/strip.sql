{#
    The engines' bare trim removes blanks (U+0020) only, and each treats the rest in its own way, so
    the characters are spelled out: the 29 code points that Python's str.strip() removes. Zero-width
    space (U+200B) and the byte order mark (U+FEFF) are not among them.
#}

{% macro strip(column) %}
    {%- set column = cti.column_argument('strip', column) -%}
    {{ return(adapter.dispatch('strip', 'cti')(column, cti.strip_characters())) }}
{% endmacro %}


{% macro strip_characters() %}
    {#- Redshift's chr() knows ASCII alone and returns CHAR, which loses a blank, and its literals take
        a backslash for an escape: so chr() for control characters, a plain literal for the rest. -#}
    {%- set controls = [9, 10, 11, 12, 13, 28, 29, 30, 31] -%}
    {%- set blanks = [
        '\u0020', '\u0085', '\u00a0', '\u1680', '\u2000', '\u2001', '\u2002', '\u2003', '\u2004', '\u2005',
        '\u2006', '\u2007', '\u2008', '\u2009', '\u200a', '\u2028', '\u2029', '\u202f', '\u205f', '\u3000',
    ] -%}
    {%- set parts = ["'" ~ blanks | join ~ "'"] -%}
    {%- for control in controls %}{% do parts.append('chr(' ~ control ~ ')') %}{% endfor -%}
    {{ return(parts | join(' || ')) }}
{% endmacro %}


{% macro default__strip(column, characters) %}
    {{ return('btrim(' ~ column ~ ', ' ~ characters ~ ')') }}
{% endmacro %}


{% macro duckdb__strip(column, characters) %}
    {{ return('trim(' ~ column ~ ', ' ~ characters ~ ')') }}
{% endmacro %}
