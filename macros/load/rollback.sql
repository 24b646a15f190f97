{#
    Rolling back a batch, or all that came from one file. Each macro returns one statement; all but the
    first belong in a transaction that holds the ledger's lock. DELETE, since TRUNCATE would commit on
    Redshift. tables: the relations landing, ledger and quarantine, and the name of the feed.
    batch_id, uri: which loads, one of them none.
#}

{% macro ledger_rows(tables, batch_id, uri) %}
    {#-
        The ledger's rows of one batch or file, whatever their feed and status; of a file, also those of
        others that share a load id with it.
    -#}
    {% set of_uri = 'select load_id from ' ~ tables.ledger ~ ' where uri = ' ~ text_literal(uri) %}
    {{ return(
        'select load_id, batch_id, feed, uri, etag, status, records_loaded, records_rejected from ' ~ tables.ledger
        ~ ' where ' ~ ('load_id in (' ~ of_uri ~ ')' if batch_id is none else 'batch_id = ' ~ batch_id)
        ~ ' order by load_id, uri'
    ) }}
{% endmacro %}


{% macro standing(tables, batch_id, uri) %}
    {#- A subquery for the ids of the feed's loads that can be rolled back. -#}
    {{ return(
        '(select load_id from ' ~ tables.ledger ~ " where status in ('loaded', 'replayed') and feed = "
        ~ text_literal(tables.feed) ~ ' and '
        ~ ('uri = ' ~ text_literal(uri) if batch_id is none else 'batch_id = ' ~ batch_id) ~ ')'
    ) }}
{% endmacro %}


{% macro later_replays(tables, batch_id, uri) %}
    {#- The batches of other loads that replayed records which these loads had rejected. -#}
    {% set loads = standing(tables, batch_id, uri) %}
    {{ return(
        'select distinct ledger.batch_id from ' ~ tables.quarantine ~ ' as rejected'
        ~ ' inner join ' ~ tables.ledger ~ ' as ledger on rejected.replayed_by = ledger.load_id'
        ~ ' where rejected.load_id in ' ~ loads ~ ' and rejected.replayed_by not in ' ~ loads ~ ' order by 1'
    ) }}
{% endmacro %}


{% macro count_loads(tables, batch_id, uri) %}
    {#- One row: how many records of the loads landed, were rejected, and were taken out of quarantine. -#}
    {% set loads = standing(tables, batch_id, uri) %}
    {{ return(
        'select (select count(*) from ' ~ tables.landing ~ ' where _load_id in ' ~ loads ~ ') as landed,'
        ~ ' (select count(*) from ' ~ tables.quarantine ~ ' where part = 1 and load_id in ' ~ loads
        ~ ') as rejected, (select count(*) from ' ~ tables.quarantine
        ~ ' where part = 1 and replayed_by in ' ~ loads ~ ') as replayed'
    ) }}
{% endmacro %}


{% macro delete_loads(tables, batch_id, uri) %}
    {#- Deletes what the loads landed and rejected; puts back into quarantine what they replayed. -#}
    {% set loads = standing(tables, batch_id, uri) %}
    {{ return([
        'delete from ' ~ tables.landing ~ ' where _load_id in ' ~ loads,
        'delete from ' ~ tables.quarantine ~ ' where load_id in ' ~ loads,
        'update ' ~ tables.quarantine ~ ' set replayed_by = null where replayed_by in ' ~ loads,
    ]) }}
{% endmacro %}


{% macro mark_rolled_back(tables, batch_id, uri) %}
    {{ return(
        'update ' ~ tables.ledger ~ " set status = 'rolled back' where load_id in "
        ~ standing(tables, batch_id, uri)
    ) }}
{% endmacro %}
