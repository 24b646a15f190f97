{#
    An incremental mart trusts that what it has counted stays where it was. A feed in replace mode, or a
    load rolled back, breaks that trust: landing rows that the mart has counted are gone. Then the keys
    that had such rows are made anew from what is landed of them, in the transaction of the build, so that
    readers never see less. macros/marts/recompute.sql says which keys those are.

    All of it is made anew when a rule has changed since the mart was built: its own SQL, a macro or a variable
    in it, a model that it reads, or the rows of a seed. Otherwise the rows that are there would go by the
    old rules and new ones by the new. macros/models/rules.sql says how that is known. For that the mart
    is emptied in the same transaction; its mark falls to 0, and the same statement reads all there is.
    A build that needs archived records for either is refused, and leaves the mart as it is.

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
        {% set anew = {'whole': true, 'why': cti.why_rebuilt(rules, before) if rules != before} %}
        {% if is_incremental() and not anew.why %}
            {% set anew = cti.recompute(landing) %}
        {% endif %}
        {% if anew.why or not is_incremental() %}
            {% set what = anew.why or cti.built_name(this) ~ ' is built from all landed records' %}
            {% do cti.refuse_without_archived(cti.feed_of(landing), what) %}
        {% endif %}
        {% if is_incremental() and anew.why %}
            {% do log(anew.why, info=true) %}
            {{ 'delete from ' ~ this ~ ';' if anew.whole }}
        {% endif %}
        {% if anew.why or not is_incremental() %}
            {#- With the time, by which the tests of the mart know that its rows are others. -#}
            {{ cti.write_rules(rules) }}
        {% endif %}
    {% endif %}
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
