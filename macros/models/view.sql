{#
    dbt-redshift drops a view and makes it anew in each run. Grants that somebody gave are lost, bound
    views on it are dropped as well, and the run waits for every session that has read it and keeps its
    transaction open. So a view stays as it is while its SQL, its descriptions and its grants do.
#}

{% materialization view, adapter='redshift' %}
    {#- Made anew all the same: with --full-refresh, or if it has hooks besides remember_rules. -#}
    {% set there = load_cached_relation(this) %}
    {% set before = cti.rules_before().get(cti.built_name(this)) %}
    {% set hooked = pre_hooks | length + post_hooks | length > 1 %}
    {% if there.is_view and before == cti.rules_now() and not hooked and not should_full_refresh() %}
        {% call noop_statement('main', 'UNCHANGED') %}
            {{ sql }}
        {% endcall %}
        {{ return({'relations': [there]}) }}
    {% endif %}
    {{ return(dbt.materialization_view_redshift()) }}
{% endmaterialization %}
