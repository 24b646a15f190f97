{#
    Characters that nobody sees make two keys of what looks like one. These 18 go: the soft hyphen (U+00AD),
    the marks of direction (U+061C, U+200E, U+200F, U+202A to U+202E, U+2066 to U+2069), what has no width
    (U+200B to U+200D, U+2060) and the byte order mark (U+FEFF). Joiners (U+200C, U+200D) mean something in
    some scripts and in emoji, so this is for keys that are asked about and not for text that is read.
#}

{% macro without_invisible(column) %}
    {%- set column = cti.column_argument('without_invisible', column) -%}
    {{ return(adapter.dispatch('without_invisible', 'cti')(column)) }}
{% endmacro %}


{% macro default__without_invisible(column) %}
    {#- A character that stays comes first: what an engine makes of nothing to put in place is its own. -#}
    {%- set invisible = [
        '\u00ad', '\u061c', '\u200b', '\u200c', '\u200d', '\u200e', '\u200f', '\u202a', '\u202b', '\u202c',
        '\u202d', '\u202e', '\u2060', '\u2066', '\u2067', '\u2068', '\u2069', '\ufeff',
    ] -%}
    {{ return("translate(" ~ column ~ ", '-" ~ invisible | join ~ "', '-')") }}
{% endmacro %}


{% macro duckdb__without_invisible(column) %}
    {%- set invisible = (
        '[\\x{ad}\\x{61c}\\x{200b}-\\x{200f}\\x{202a}-\\x{202e}\\x{2060}\\x{2066}-\\x{2069}\\x{feff}]'
    ) -%}
    {{ return("regexp_replace(" ~ column ~ ", '" ~ invisible ~ "', '', 'g')") }}
{% endmacro %}
