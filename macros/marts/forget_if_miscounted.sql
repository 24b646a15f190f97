{#
    An incremental mart trusts that what it has counted stays where it was. A feed in replace mode, or a
    load rolled back, breaks that trust: landing rows that the mart has counted are gone. Then the mart
    is emptied, in the transaction of its build, so its mark falls to 0 and the same statement rebuilds
    it from all there is, and readers never see it empty.

    The same is done when a rule has changed since the mart was built: its own SQL, a macro or a variable
    in it, a model that it reads, or the rows of a seed. Otherwise the rows that are there would go by the
    old rules and new ones by the new. macros/models/rules.sql says how that is known.

    Two builds at once would both find a key to be new. So on Redshift, which has several writers, the
    build first waits for every other one, and for loads and rollbacks, until its own transaction ends.

    For the pre_hook of an incremental model with the columns occurrences and last_load_id. The check
    reads one column each of landing table and mart. It cannot see a landing row that was altered in
    place: for that, build with --full-refresh.
#}

{% macro forget_if_miscounted(landing) %}
    {% if landing is not mapping and landing is undefined or landing is none or landing is string %}
        {% do cti.refuse_argument('forget_if_miscounted', 'landing', landing, 'a relation, such as source() gives') %}
    {% endif %}
    {% do cti.feed_of(landing, 'forget_if_miscounted', 'landing') %}
    {% if execute %}
        {% do cti.take_turns() %}
        {% set rules, before = cti.rules_now(), cti.rules_before().get(cti.built_name(this)) %}
        {% set why = cti.why_rebuilt(rules, before) if rules != before %}
        {% if is_incremental() and not why and cti.is_miscounted(landing) %}
            {% set why = cti.built_name(this) ~ ' is rebuilt from all landed records; some that it had counted are gone' %}
        {% endif %}
        {% if is_incremental() and why %}
            {% do log(why, info=true) %}
            delete from {{ this }};
        {% endif %}
        {% if why or not is_incremental() %}
            {#- With the time, by which the tests of the mart know that its rows are others. -#}
            {{ cti.write_rules(rules) }}
        {% endif %}
    {% endif %}
{% endmacro %}


{% macro is_miscounted(landing) %}
    {#- Whether the landing table has another number of the records that this mart has counted. -#}
    {% set counts = run_query(
        'select (select count(*) from ' ~ landing ~ ' where _load_id <= (select max(last_load_id) from '
        ~ this ~ ')), (select sum(occurrences) from ' ~ this ~ ')'
    ).rows[0] %}
    {{ return(counts[1] is not none and counts[0] != counts[1]) }}
{% endmacro %}


{% macro why_rebuilt(rules, before) %}
    {#- What to say when a mart is rebuilt because its rules are not those that it was built by. -#}
    {% set changed = [] %}
    {% for name in (rules | list + (before or {}) | list) | unique %}
        {% if rules.get(name) != (before or {}).get(name) %}
            {% do changed.append(name) %}
        {% endif %}
    {% endfor %}
    {% set why = 'nobody noted by what rules it was built' %}
    {% if before %}
        {% set why = 'its rules have changed since it was built: ' ~ changed | join(', ') %}
    {% endif %}
    {{ return(cti.built_name(this) ~ ' is rebuilt from all landed records; ' ~ why) }}
{% endmacro %}
