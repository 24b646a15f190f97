{#
    Taking a load back. Each macro returns one statement; all but the first belong in a transaction that
    holds the ledger's lock. DELETE, since TRUNCATE would commit on Redshift.
#}

{% macro load_files(tables, load_id) %}
    {#- The ledger's rows of one load, whatever their feed and status. -#}
    {{ return(
        'select feed, uri, status, records_loaded, records_rejected from ' ~ tables.ledger
        ~ ' where load_id = ' ~ load_id ~ ' order by uri'
    ) }}
{% endmacro %}


{% macro later_replays(tables, load_id) %}
    {#- The loads that took records which this load had refused. -#}
    {{ return(
        'select distinct replayed_by as load_id from ' ~ tables.quarantine
        ~ ' where replayed_by is not null and load_id = ' ~ load_id ~ ' order by 1'
    ) }}
{% endmacro %}


{% macro count_taken(tables, load_id) %}
    {#- How many quarantined records a load has taken. -#}
    {{ return(
        'select count(*) as records from ' ~ tables.quarantine ~ ' where part = 1 and replayed_by = ' ~ load_id
    ) }}
{% endmacro %}


{% macro forget_landed(tables, load_id) %}
    {{ return('delete from ' ~ tables.landing ~ ' where _load_id = ' ~ load_id) }}
{% endmacro %}


{% macro forget_rejected(tables, load_id) %}
    {{ return('delete from ' ~ tables.quarantine ~ ' where load_id = ' ~ load_id) }}
{% endmacro %}


{% macro return_taken(tables, load_id) %}
    {#- Puts the records that a load took out of quarantine back into it. -#}
    {{ return(
        'update ' ~ tables.quarantine ~ ' set replayed_by = null where replayed_by = ' ~ load_id
    ) }}
{% endmacro %}


{% macro mark_rolled_back(tables, load_id) %}
    {{ return("update " ~ tables.ledger ~ " set status = 'rolled back' where load_id = " ~ load_id) }}
{% endmacro %}
