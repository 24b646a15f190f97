{#
    Rolling a load back. Each macro returns one statement; all but the first belong in a transaction
    that holds the ledger's lock. DELETE, since TRUNCATE would commit on Redshift. tables: the relations
    landing, ledger and quarantine, and the name of the feed.
#}

{% macro load_files(tables, load_id) %}
    {#- The ledger's rows of one load, whatever their feed and status. -#}
    {{ return(
        'select feed, uri, status, records_loaded, records_rejected from ' ~ tables.ledger
        ~ ' where load_id = ' ~ load_id ~ ' order by uri'
    ) }}
{% endmacro %}


{% macro later_replays(tables, load_id) %}
    {#- The loads that replayed records which this load had rejected. -#}
    {{ return(
        'select distinct replayed_by as load_id from ' ~ tables.quarantine
        ~ ' where replayed_by is not null and load_id = ' ~ load_id ~ ' order by 1'
    ) }}
{% endmacro %}


{% macro count_replayed_by(tables, load_id) %}
    {#- How many quarantined records a load has replayed. -#}
    {{ return(
        'select count(*) as records from ' ~ tables.quarantine
        ~ ' where part = 1 and replayed_by = ' ~ load_id
    ) }}
{% endmacro %}


{% macro delete_landed(tables, load_id) %}
    {{ return('delete from ' ~ tables.landing ~ ' where _load_id = ' ~ load_id) }}
{% endmacro %}


{% macro delete_rejected(tables, load_id) %}
    {{ return('delete from ' ~ tables.quarantine ~ ' where load_id = ' ~ load_id) }}
{% endmacro %}


{% macro unmark_replayed(tables, load_id) %}
    {#- Puts the records that a load replayed back into quarantine. -#}
    {{ return(
        'update ' ~ tables.quarantine ~ ' set replayed_by = null where replayed_by = ' ~ load_id
    ) }}
{% endmacro %}


{% macro mark_rolled_back(tables, load_id) %}
    {{ return("update " ~ tables.ledger ~ " set status = 'rolled back' where load_id = " ~ load_id) }}
{% endmacro %}
