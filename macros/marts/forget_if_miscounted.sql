{#
    An incremental mart trusts that what it has counted stays where it was. A feed in replace mode, or a
    load rolled back, breaks that trust: landing rows that the mart has counted are gone. Then the mart
    is emptied, in the transaction of its build, so its mark falls to 0 and the same statement rebuilds
    it from all there is, and readers never see it empty.

    Two builds at once would both find a key to be new. So on Redshift, which has several writers, the
    build first waits for every other one, and for loads and rollbacks, until its own transaction ends.

    For the pre_hook of an incremental model with the columns occurrences and last_load_id. The check
    reads one column each of landing table and mart. It cannot see a landing row that was altered in
    place: for that, and for a change to the model or its aliases, build with --full-refresh.
#}

{% macro forget_if_miscounted(landing) %}
    {% if landing is not mapping and landing is undefined or landing is none or landing is string %}
        {% do cti.refuse_argument('forget_if_miscounted', 'landing', landing, 'a relation, such as source() gives') %}
    {% endif %}
    {% do cti.feed_of(landing, 'forget_if_miscounted', 'landing') %}
    {% do cti.take_turns() %}
    {% if is_incremental() %}
        delete from {{ this }}
        where
            (
                select count(*) from {{ landing }}
                where _load_id <= (select max(last_load_id) from {{ this }})
            )
            <> (select sum(occurrences) from {{ this }})
    {% endif %}
{% endmacro %}
