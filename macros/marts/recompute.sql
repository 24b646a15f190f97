{#
    Which keys of a mart are made anew once landing rows that it has counted are gone, and so which landed
    records a build has to read: those of which there are not as many, or not up to the same load, as the mart
    has counted. No list of loads is kept for it. Whatever was rolled back, replaced or deleted since, and
    however often: the records that are missing say so themselves.
#}

{% macro recompute(landing) %}
    {#-
        Marks, in the transaction of the build, the mart's rows of these keys, for newest_by_key to make anew.
        Returns `why`, a message, none if nothing is gone; and `whole`, whether all of the mart is to be made
        anew instead. So it is if none of the records that it had counted are left, as always in replace mode,
        where each row changes: it has the load id of its newest record.
    -#}
    {% set counts = run_query(
        'select sum(occurrences), max(last_load_id), count(*), (select count(*) from ' ~ landing
        ~ ' where _load_id <= (select max(last_load_id) from ' ~ this ~ ')), (select coalesce(sum(records_loaded), 0) from '
        ~ cti.loader_table('_loaded_files').relation_name ~ ' where load_id in ' ~ cti.archived_loads()
        ~ ') from ' ~ this
    ).rows[0] %}
    {% set counted, newest, rows, landed, archived = counts[0], counts[1], counts[2], counts[3], counts[4] %}
    {% if (counted or 0) == landed + archived %}
        {{ return({'why': none}) }}
    {% endif %}
    {#- Nobody but newest_by_key knows what to do with a mark, and nobody the keys of archived records. -#}
    {% set mart = graph.get('loader_marts', {}).get(model.unique_id) %}
    {% set marked = cti.mark_keys(mart.staging, mart.key, newest) if mart and landed and not archived else 0 %}
    {% set what = ': ' ~ marked ~ ' of ' ~ rows ~ ' keys are made anew' if marked else ' is rebuilt' %}
    {{ return({
        'whole': not marked,
        'why': cti.built_name(this) ~ what ~ ' from all landed records; some that it had counted are gone'
    }) }}
{% endmacro %}


{% macro mark_keys(staging, key, newest) %}
    {#-
        Marks the keys by occurrences = 0, deletes those of which no record is left, and returns how many they
        are; 0, and nothing is marked, if one of them has not one row in the mart, but two or none.
        newest: the load id up to which the mart has counted.
    -#}
    {% set counted = '(select * from ' ~ staging ~ ' where _load_id <= ' ~ newest ~ ') as counted' %}
    {% call statement('compare_keys', auto_begin=True) %}
        create temporary table _loader_recomputed as
        {{ cti.test_counts_every_key(this, counted, key) }}
    {% endcall %}
    {% set found = run_query(
        'select count(*), count(case when mart_rows <> 1 then 1 end) from _loader_recomputed'
    ).rows[0] %}
    {% set marked = 0 if found[1] else found[0] %}
    {% call statement('mark_keys', auto_begin=True) %}
        {% if marked %}
            delete from {{ this }}
            using _loader_recomputed as gone
            where gone.landed_occurrences = 0 and {{ cti.same_key(this, 'gone', key) }};

            update {{ this }}
            set occurrences = 0, last_load_id = {{ newest }}
            from _loader_recomputed as gone
            where {{ cti.same_key(this, 'gone', key) }};
        {% endif %}
        drop table _loader_recomputed;
    {% endcall %}
    {{ return(marked) }}
{% endmacro %}
