{#
    RFC 3986, 6.2.2.1: the case of a URL's scheme and host means nothing, that of its path, query and
    fragment does.
#}

{% macro lower_host(column) %}
    {#- A cleaned text in lower case up to the first / ? or # that is not part of a scheme's ://. -#}
    {%- set column = cti.column_argument('lower_host', column) -%}
    {%- set host = adapter.dispatch('host_of', 'cti')(column) -%}
    {#- Three arguments: Redshift takes a text of two for one that goes on without an end. -#}
    {{ return('lower(' ~ host ~ ') || substring(' ~ column ~ ', length(' ~ host ~ ') + 1, 65535)') }}
{% endmacro %}


{% macro default__host_of(column) %}
    {{ return('regexp_substr(' ~ column ~ ", '^([^:/?#]+:)?(//)?[^/?#]*')") }}
{% endmacro %}


{% macro duckdb__host_of(column) %}
    {{ return('regexp_extract(' ~ column ~ ", '^([^:/?#]+:)?(//)?[^/?#]*')") }}
{% endmacro %}
