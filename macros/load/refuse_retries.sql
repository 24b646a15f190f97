{#
    dbt-redshift runs a statement that lost its connection again on a new one, by default once. What the
    transaction had done before is gone then, and the model still ends well: a merge without its delete,
    for example. The loader switches this off for itself.
#}

{% macro refuse_retries() %}
    {#- Refuses a Redshift target that retries single statements; dbt runs it before every build. -#}
    {% if target.type == 'redshift' and (target.retries or target.retry_all) %}
        {{ exceptions.raise_compiler_error(
            'target ' ~ target.name ~ ' of profiles.yml: set retries: 0 and leave out retry_all. dbt would'
            ~ ' run a failed statement again on a new connection, without what its transaction had done.'
        ) }}
    {% endif %}
{% endmacro %}
