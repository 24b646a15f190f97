{#
    No two rows of the model share these columns' values. NULL counts as a value: of a key, two rows
    without it are as bad as two rows with the same.
#}
{% test unique_combination(model, columns) %}
    {% if columns is string or columns is not sequence or not columns %}
        {% do cti.refuse_argument('unique_combination', 'columns', columns, 'a list of names of columns') %}
    {% endif %}
    select
        {{ columns | join(', ') }},
        count(*) as records
    from {{ model }}
    group by {{ columns | join(', ') }}
    having count(*) > 1
{% endtest %}
