{% macro clean_decimal(column, precision, scale, cleaned=false) %}
    {#- A column of decimal numbers as decimal(precision, scale); what would need rounding is an error. -#}
    {%- set text = cti.text_argument('clean_decimal', column, cleaned) -%}
    {#- Both engines stop at 38 digits, Redshift at 37 behind the point. -#}
    {% if precision is not integer or not 1 <= precision <= 38 %}
        {% do cti.refuse_argument('clean_decimal', 'precision', precision, 'a whole number from 1 to 38') %}
    {% endif %}
    {%- set most = [precision, 37] | min -%}
    {% if scale is not integer or not 0 <= scale <= most %}
        {% do cti.refuse_argument('clean_decimal', 'scale', scale, 'a whole number from 0 to ' ~ most) %}
    {% endif %}
    {#- Noughts behind the last digit that fits need no rounding. -#}
    {%- set fraction = '[0-9]{1,' ~ scale ~ '}0*' if scale else '0+' -%}
    {#- No cast is given more than 38 digits that count. -#}
    {%- set whole = '0*[0-9]{1,' ~ (precision - scale) ~ '}' if precision > scale else '0+' -%}
    {%- set pattern = '[+-]?(' ~ whole ~ '([.](' ~ fraction ~ ')?)?|[.]' ~ fraction ~ ')' -%}
    {%- set digits = "replace(" ~ text ~ ", '+', '')" -%}
    {%- set what = 'a decimal(' ~ precision ~ ', ' ~ scale ~ ')' -%}
    cast(
        {{ cti.only_if(text, pattern, digits, what) }} as decimal({{ precision }}, {{ scale }})
    )
{%- endmacro %}
