{#
    Taking a load back. Each macro returns one statement; all but the first belong in a transaction that
    holds the ledger's lock. DELETE, since TRUNCATE would commit on Redshift.
#}

{% macro load_files(ledger, load_id) %}
    {#- The ledger's rows of one load, whatever their feed and status. -#}
    {{ return(
        'select feed, uri, status, records_loaded, records_rejected from ' ~ ledger
        ~ ' where load_id = ' ~ load_id ~ ' order by uri'
    ) }}
{% endmacro %}


{% macro later_replays(quarantine, load_id) %}
    {#- The loads that took records which this load had refused. -#}
    {{ return(
        'select distinct replayed_by as load_id from ' ~ quarantine
        ~ ' where replayed_by is not null and load_id = ' ~ load_id ~ ' order by 1'
    ) }}
{% endmacro %}


{% macro count_taken(quarantine, load_id) %}
    {#- How many quarantined records a load has taken. -#}
    {{ return(
        'select count(*) as records from ' ~ quarantine ~ ' where part = 1 and replayed_by = ' ~ load_id
    ) }}
{% endmacro %}


{% macro forget_landed(landing, load_id) %}
    {{ return('delete from ' ~ landing ~ ' where _load_id = ' ~ load_id) }}
{% endmacro %}


{% macro forget_rejected(quarantine, load_id) %}
    {{ return('delete from ' ~ quarantine ~ ' where load_id = ' ~ load_id) }}
{% endmacro %}


{% macro return_taken(quarantine, load_id) %}
    {#- Puts the records that a load took out of quarantine back into it. -#}
    {{ return(
        'update ' ~ quarantine ~ ' set replayed_by = null where replayed_by = ' ~ load_id
    ) }}
{% endmacro %}


{% macro mark_rolled_back(ledger, load_id) %}
    {{ return("update " ~ ledger ~ " set status = 'rolled back' where load_id = " ~ load_id) }}
{% endmacro %}
