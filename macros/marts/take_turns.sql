{% macro take_turns() %}
    {#-
        Begins the transaction of a hook anew, with the lock that loads and rollbacks begin with; nothing on
        an engine with a single writer.
    -#}
    {% if execute %}
        {% do adapter.dispatch('take_turns', 'cti')() %}
    {% endif %}
{% endmacro %}


{% macro default__take_turns() %}
{% endmacro %}


{% macro redshift__take_turns() %}
    {#-
        A transaction reads as of its first query. dbt may have begun one to look for a relation, so that
        one ends first; the lock would otherwise come too late.
    -#}
    {% set table = cti.loader_table('_load_lock') %}
    {% set lock = api.Relation.create(schema=table.schema, identifier=table.identifier) %}
    {% call statement('take_turns', auto_begin=True) %}
        commit;
        begin;
        lock {{ lock }};
    {% endcall %}
{% endmacro %}


{% macro loader_table(name) %}
    {#-
        The node of one of the loader's own tables. Not by source(), which would make every model that asks
        depend on it.
    -#}
    {% for source in graph.sources.values() if source.source_name == 'loader' and source.name == name %}
        {{ return(source) }}
    {% endfor %}
    {{ exceptions.raise_compiler_error(
        'source table loader.' ~ name ~ " is gone from the project's YAML; restore it"
    ) }}
{% endmacro %}
