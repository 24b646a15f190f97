{#
    The engines' casts are lax in different ways: DuckDB turns '5.6' into the integer 6, PostgreSQL's
    family takes 'infinity' for a date. So a cast is given only text of the exact form it is meant for;
    anything else is handed to it as a sentence that no cast accepts, and the run stops with it.
#}

{% macro only_if(text, pattern, result, what) -%}
    case
            when {{ text }} ~ '^{{ pattern }}$'
                then {{ result }}
            else 'not {{ what }}: ' || {{ text }}
        end
{%- endmacro %}
