{#
    The ledger: which file versions were loaded, and when. A load id is a file version's own; those that
    were loaded together share a batch. Each macro returns one statement, or a list of them.
    tables: the relations landing, ledger, quarantine and lock, and the name of the feed.
#}

{% macro lock_ledger(tables) %}
    {#-
        Keeps other loaders, and builds of marts, out until the transaction ends; none on an engine with a
        single writer. LOCK makes readers wait as well, so it is on a table that nobody reads.
    -#}
    {{ return(adapter.dispatch('lock_ledger')(tables)) }}
{% endmacro %}


{% macro default__lock_ledger(tables) %}
    {{ return(none) }}
{% endmacro %}


{% macro redshift__lock_ledger(tables) %}
    {{ return('lock ' ~ tables.lock.include(database=false)) }}
{% endmacro %}


{% macro next_ids(tables, batch='batch_id', run_id=none) %}
    {#-
        One row: the first load id that no load has; the batch id of the feed's loads with this run_id, or
        one that no load has; the run_id. batch: the column that has batches, another one in a ledger that
        waits for its columns.
    -#}
    {%- set given = 'cast(' ~ text_literal(run_id) ~ ' as varchar(1024))' -%}
    {%- set statement -%}
select
    coalesce(max(load_id), 0) + 1 as load_id,
    coalesce(
{%- if run_id is not none %}
        max(case when feed = {{ text_literal(tables.feed) }} and run_id = {{ given }} then batch_id end),
{%- endif %}
        max({{ batch }}) + 1,
        1
    ) as batch_id,
    {{ given }} as run_id
from {{ tables.ledger }}
    {%- endset -%}
    {{ return(statement) }}
{% endmacro %}


{% macro ledger_state(tables) %}
    {#-
        One row that any load, replay or rollback of the feed changes. loaded: how many file versions are in
        the landing table.
    -#}
    {%- set statement -%}
select
    coalesce(max(load_id), 0) as newest,
    count(*) as rows_of_feed,
    count(case when status = 'loaded' then 1 end) as loaded,
    count(case when status = 'rolled back' then 1 end) as rolled_back,
    count(case when status = 'archived' then 1 end) as archived
from {{ tables.ledger }}
where feed = {{ text_literal(tables.feed) }}
    {%- endset -%}
    {{ return(statement) }}
{% endmacro %}


{% macro file_versions(tables, uris=none, after=none) %}
    {#-
        The file versions of a feed that were loaded and still count, were rolled back, or were refused by the
        contract of today, of some uris or of all. Replays, which have no bytes, are left out. after: only those
        with a greater load id.
    -#}
    {%- set statement -%}
select uri, etag, version, status
from {{ tables.ledger }}
where
    (
        status in ('loaded', 'archived')
        or (status = 'rolled back' and bytes > 0)
        or (status = 'refused' and contract = {{ text_literal(tables.contract) }})
    )
    and feed = {{ text_literal(tables.feed) }}
{%- if uris is not none %}
    and uri in ({{ text_literals(uris) | join(', ') }})
{%- endif %}
{%- if after is not none %}
    and load_id > {{ after }}
{%- endif %}
    {%- endset -%}
    {{ return(statement) }}
{% endmacro %}


{% macro seen_before(tables, load_id, files) %}
    {#-
        Of each file of a load whose uri or whose bytes were landed before, the newest such file version:
        new_uri, of the file; uri, load_id; and the same bytes last. load_id, files: the first of the load's
        ids, and how many follow one another.
    -#}
    {%- set statement -%}
with loaded as (
    select load_id, uri, etag
    from {{ tables.ledger }}
    where status in ('loaded', 'archived') and feed = {{ text_literal(tables.feed) }}
),
{#- Many files may have the same bytes, such as those of a header alone: one of the earlier ones is enough. #}
{%- for column in ['uri', 'etag'] %}
earlier_{{ column }} as (
    select {{ column }}, max(load_id) as load_id from loaded where load_id < {{ load_id }} group by {{ column }}
),
{%- endfor %}
before as (
{%- for column in ['uri', 'etag'] %}
    select ours.uri as new_uri, earlier.load_id, {{ loop.index }} as place
    from loaded as ours
    inner join earlier_{{ column }} as earlier on ours.{{ column }} = earlier.{{ column }}
    where ours.load_id >= {{ load_id }} and ours.load_id < {{ load_id + files }}
    {{ 'union all' if not loop.last }}
{%- endfor %}
)
select before.new_uri, loaded.uri, before.load_id
from before
inner join loaded on before.load_id = loaded.load_id
order by before.new_uri, before.place
    {%- endset -%}
    {{ return(statement) }}
{% endmacro %}


{% macro record_files(tables, loaded_at, files) %}
    {#-
        Writes a batch's files into the ledger. files: rows with the ledger's other columns. Some at a time:
        a statement of Redshift's ends at 16 MB, and its driver parses each.
    -#}
    {%- set statements = [] -%}
    {%- set feed, now = text_literal(tables.feed), 'cast(' ~ text_literal(loaded_at) ~ ' as timestamp)' -%}
    {%- set told = ['skipped', 'columns_missing', 'columns_ignored', 'refused_reason'] -%}
    {%- for some in files | batch(500) -%}
        {%- set rows, texts = [], {} -%}
        {%- for name in ['uri', 'etag', 'version', 'status', 'file_time', 'run_id'] + told -%}
            {%- do texts.update({name: text_literals(some | map(attribute=name) | list)}) -%}
        {%- endfor -%}
        {%- for file in some -%}
            {%- set place = loop.index0 -%}
            {%- do rows.append('(' ~ [
                file.load_id, file.batch_id, feed, texts.uri[place], texts.etag[place], texts.version[place],
                file.bytes, file.records_read, file.records_loaded, file.records_rejected,
                texts.status[place], 'cast(' ~ texts.file_time[place] ~ ' as timestamp)', now,
                texts.run_id[place], texts.skipped[place], texts.columns_missing[place],
                texts.columns_ignored[place], texts.refused_reason[place], text_literal(tables.contract)
            ] | join(', ') ~ ')') -%}
        {%- endfor -%}
        {%- set statement -%}
insert into {{ tables.ledger }} (
    load_id, batch_id, feed, uri, etag, version, bytes, records_read, records_loaded, records_rejected,
    status, file_time, loaded_at, run_id, {{ told | join(', ') }}, contract
)
values
{{ rows | join(',\n') }}
        {%- endset -%}
        {%- do statements.append(statement) -%}
    {%- endfor -%}
    {{ return(statements) }}
{% endmacro %}


{% macro mark_replaced(tables) %}
    {{ return(
        "update " ~ tables.ledger ~ " set status = 'replaced'"
        ~ " where status in ('loaded', 'replayed', 'archived') and feed = " ~ text_literal(tables.feed)
    ) }}
{% endmacro %}


{% macro empty_landing(tables) %}
    {#- DELETE, since TRUNCATE would commit on Redshift. -#}
    {{ return('delete from ' ~ tables.landing) }}
{% endmacro %}


{% macro miscounted(tables, load_id, restored=none) %}
    {#-
        The files of a new load of which the tables do not hold what the ledger says, and load ids that
        only the tables have. load_id: the first of the load. restored: its batch, if that has files with
        older load ids.
    -#}
    {%- set older = 'in (select load_id from ' ~ tables.ledger ~ " where status = 'loaded' and batch_id = "
        ~ restored ~ ' and load_id < ' ~ load_id ~ ')' -%}
    {%- set statement -%}
with counted as (
{%- for ids in ['>= ' ~ load_id] + ([older] if restored else []) %}
    {{ 'union all' if not loop.first }}
    select load_id, uri, records_loaded, records_rejected, 0 as records_landed, 0 as records_quarantined
    from {{ tables.ledger }}
    where load_id {{ ids }}
    union all
    select _load_id, null, 0, 0, count(*), 0
    from {{ tables.landing }}
    where _load_id {{ ids }}
    group by _load_id
    union all
    select load_id, null, 0, 0, 0, count(*)
    from {{ tables.quarantine }}
    where part = 1 and load_id {{ ids }}
    group by load_id
{%- endfor %}
)
select
    max(uri) as uri,
    sum(records_loaded) as records_loaded,
    sum(records_landed) as records_landed,
    sum(records_rejected) as records_rejected,
    sum(records_quarantined) as records_quarantined
from counted
group by load_id
having sum(records_loaded) <> sum(records_landed) or sum(records_rejected) <> sum(records_quarantined)
order by max(uri)
limit 1
    {%- endset -%}
    {{ return(statement) }}
{% endmacro %}


{% macro history(tables, feeds) %}
    {#- The ledger's rows of some feeds. What a person calls a load is a batch. -#}
    {{ return(
        'select batch_id as ' ~ quoted('load') ~ ', batch_id, load_id, feed, uri, file_time, records_read,'
        ~ ' records_loaded, records_rejected, skipped, columns_missing, columns_ignored, status, refused_reason,'
        ~ ' loaded_at, run_id from ' ~ tables.ledger
        ~ ' where feed in (' ~ text_literals(feeds) | join(', ') ~ ') order by load_id, uri'
    ) }}
{% endmacro %}


{% macro mart_size(marts) %}
    {#- One row: how many rows marts have, and how many more raw records these stand for. -#}
    {%- set statement -%}
select coalesce(sum(mart_rows), 0) as mart_rows, coalesce(sum(raw_records - mart_rows), 0) as duplicates
from (
{%- for mart in marts %}
    {%- if not loop.first %}
    union all
    {%- endif %}
    select count(*) as mart_rows, sum(occurrences) as raw_records from {{ mart }}
{%- endfor %}
) as sizes
    {%- endset -%}
    {{ return(statement) }}
{% endmacro %}


{% macro refused_files(tables, batch_id, uri) %}
    {#-
        The files of a feed that were refused as a whole and of which no version came later. batch_id, uri: only
        those of one batch or file.
    -#}
    {%- set statement -%}
select batch_id as {{ quoted('load') }}, uri, refused_reason
from {{ tables.ledger }}
where
    status = 'refused'
    and load_id in (
        select max(load_id)
        from {{ tables.ledger }}
        where feed = {{ text_literal(tables.feed) }} and (bytes > 0 or status = 'refused')
        group by uri
    )
{%- if batch_id is not none %}
    and batch_id = {{ batch_id }}
{%- endif %}
{%- if uri is not none %}
    and uri = {{ text_literal(uri) }}
{%- endif %}
order by load_id
    {%- endset -%}
    {{ return(statement) }}
{% endmacro %}
