{#
    Archiving: landing rows that every mart has counted go, and the ledger keeps their number. A file keeps
    its load id, so a load that is asked to can bring its rows back to where they were. DELETE, since TRUNCATE
    would commit on Redshift. tables: the relations landing, ledger and quarantine, and the name of the feed.
    marts: the relations that count the feed. before: a UTC time, which loads have to be older than.
#}

{% macro refuse_unarchivable(tables) %}
    {#- Refuses a feed whose records anything but an incremental mart will want to read again. -#}
    {% set whys = [] %}
    {% for source in graph.sources.values() if source.source_name ~ '.' ~ source.name == tables.feed %}
        {% if source.config.meta.feed.mode == 'replace' %}
            {% do whys.append('it is in mode replace, so its next load takes the place of all that is landed') %}
        {% endif %}
    {% endfor %}
    {% do whys.extend(cti.forgetful_readers(tables.feed).values()) %}
    {% if whys %}
        {{ exceptions.raise_compiler_error(tables.feed ~ ' cannot be archived: ' ~ whys[0]) }}
    {% endif %}
{% endmacro %}


{% macro refuse_incomplete() %}
    {#-
        For on-run-start: refuses to build what reads a feed as forgetful_readers says while records of it are
        archived, since it would lack them. Such a reader may be newer than the archive.
    -#}
    {% if execute %}
        {% for row in run_query(
            'select distinct feed from ' ~ cti.loader_table('_loaded_files').relation_name
            ~ " where status = 'archived' and records_loaded > 0"
        ).rows %}
            {% for node, why in cti.forgetful_readers(row[0]).items() if node in selected_resources %}
                {% do cti.refuse_without_archived(row[0], why ~ '; let it read a mart instead') %}
            {% endfor %}
        {% endfor %}
    {% endif %}
{% endmacro %}


{% macro forgetful_readers(feed) %}
    {#-
        What reads a feed's records again later and is no incremental mart that counts them: by dbt's unique
        id, why. Views between the feed and its marts hold nothing, so they may lose rows. feed: its name.
    -#}
    {% set reached, whys = [], {} %}
    {% for source in graph.sources.values() if source.source_name ~ '.' ~ source.name == feed %}
        {% do reached.append(source) %}
    {% endfor %}
    {#- A list that grows while it is read ends when nothing new is found. -#}
    {% for node in reached %}
        {% set name, kind = feed if loop.first else node.name, node.config.materialized %}
        {% set readers, why = [], none %}
        {% for reader in graph.nodes.values() if node.unique_id in reader.depends_on.nodes %}
            {% if reader.resource_type in ('model', 'snapshot') %}
                {% do readers.append(reader) %}
            {% endif %}
        {% endfor %}
        {% set hook = 'forget_if_miscounted' in node.config['pre-hook'] | string %}
        {% if kind == 'incremental' and hook and reached[0] in cti.counted_landings(node.unique_id) %}
            {% set readers = [] %}
        {% elif kind == 'incremental' %}
            {% set why = name ~ ' reads its records without the hook forget_if_miscounted and the test'
                ~ ' counts_every_record of its landing table' %}
        {% elif node.resource_type != 'source' and kind not in ('view', 'ephemeral') %}
            {% set why = name ~ ', a ' ~ kind ~ ', reads its records anew in each build' %}
        {% elif not readers %}
            {% set why = 'no incremental mart keeps what ' ~ name ~ ' has of its records' %}
        {% endif %}
        {% if why %}
            {% do whys.update({node.unique_id: why}) %}
        {% endif %}
        {% do reached.extend(readers | reject('in', reached)) %}
    {% endfor %}
    {{ return(whys) }}
{% endmacro %}


{% macro archivable(tables, marts, before) %}
    {#-
        A subquery for the ids of loads that can be archived. Replays cannot, since no file has what they loaded,
        nor can a file that was overwritten. A replay has no bytes and is no version.
    -#}
    {%- set statement -%}
(
    select max(load_id) from {{ tables.ledger }}
    where feed = {{ text_literal(tables.feed) }}
    {%- for mart in marts %}
        and load_id <= (select max(last_load_id) from {{ mart }})
    {%- endfor %}
        and load_id not in (
            select older.load_id
            from {{ tables.ledger }} as older
            inner join {{ tables.ledger }} as newer
                on older.feed = newer.feed and older.uri = newer.uri and older.etag <> newer.etag
            where newer.load_id > older.load_id and newer.bytes > 0
        )
    group by load_id
    {#- Files that an early version of the loader brought together, under one id, cannot come back singly. #}
    having
        count(*) = 1
        and max(status) = 'loaded'
        and max(loaded_at) < cast({{ text_literal(before) }} as timestamp)
)
    {%- endset -%}
    {{ return(statement) }}
{% endmacro %}


{% macro archivable_loads(tables, marts, before) %}
    {#- The batches of loads that can be archived: what the ledger has of each, and what is landed. -#}
    {%- set loads = cti.archivable(tables, marts, before) -%}
    {%- set statement -%}
select
    files.batch_id as load,
    max(files.loaded_at) as loaded_at,
    count(*) as files,
    sum(files.records_loaded) as records_loaded,
    sum(files.records_rejected) as records_rejected,
    coalesce(sum(landed.records), 0) as records_landed
from {{ tables.ledger }} as files
left join (
    select _load_id, count(*) as records from {{ tables.landing }} group by _load_id
) as landed on files.load_id = landed._load_id
where files.load_id in {{ loads }}
group by files.batch_id
order by files.batch_id
    {%- endset -%}
    {{ return(statement) }}
{% endmacro %}


{% macro archive_loads(tables, marts, before) %}
    {#- Of what was replayed the text stays, since the replay may be rolled back. -#}
    {% set loads = cti.archivable(tables, marts, before) %}
    {{ return([
        'delete from ' ~ tables.landing ~ ' where _load_id in ' ~ loads,
        'update ' ~ tables.quarantine ~ ' set raw_text = null, raw_encoding = null, value = null, header = null'
        ~ ' where replayed_by is null and load_id in ' ~ loads,
        'update ' ~ tables.ledger ~ " set status = 'archived' where load_id in " ~ loads,
    ]) }}
{% endmacro %}


{% macro again(tables, load_id, status) %}
    {#-
        A subquery for files of a new load whose same version has this status: new_id, old_id, and what else
        of the ledger is new. load_id: the first of the load.
    -#}
    {%- set statement -%}
(
    select
        files.load_id as new_id,
        files.batch_id as new_batch_id,
        files.run_id as new_run_id,
        files.loaded_at as new_loaded_at,
        earlier.load_id as old_id
    from {{ tables.ledger }} as files
    inner join {{ tables.ledger }} as earlier
        on files.feed = earlier.feed and files.uri = earlier.uri and files.etag = earlier.etag
    where
        files.load_id >= {{ load_id }} and files.feed = {{ text_literal(tables.feed) }} and files.status = 'loaded'
        and earlier.load_id < {{ load_id }} and earlier.status = '{{ status }}'
) as ids
    {%- endset -%}
    {{ return(statement) }}
{% endmacro %}


{% macro restored_before(tables, load_id) %}
    {#- The files of a new load that were archived when it was planned and are not any more. -#}
    {{ return('select new_id from ' ~ cti.again(tables, load_id, 'loaded')) }}
{% endmacro %}


{% macro restore_archived(tables, load_id) %}
    {#-
        Of what a load has just landed, gives to files that were archived their load ids back. The marts have
        counted these, and do not read them again. What was replayed stays replayed; -1 is nobody's load id,
        and Redshift documents a subquery of two columns for UPDATE, not for DELETE. Marks go, since nobody
        has tested these rows by rules that came meanwhile. load_id: the first of the load.
    -#}
    {%- set ids, quarantine = cti.again(tables, load_id, 'archived'), tables.quarantine -%}
    {{ return([
        'update ' ~ tables.landing ~ ' set _load_id = ids.old_id from ' ~ ids ~ ' where _load_id = ids.new_id',
        'update ' ~ quarantine ~ ' set load_id = -1 from (select ids.new_id, kept.record as kept_record from '
        ~ quarantine ~ ' as kept inner join ' ~ ids ~ ' on kept.load_id = ids.old_id'
        ~ ' where kept.replayed_by is not null and kept.part = 1) as replayed'
        ~ ' where load_id = replayed.new_id and record = replayed.kept_record',
        'delete from ' ~ quarantine ~ ' where load_id = -1',
        'delete from ' ~ quarantine ~ ' where replayed_by is null and load_id in (select old_id from ' ~ ids ~ ')',
        'update ' ~ quarantine ~ ' set load_id = ids.old_id from ' ~ ids ~ ' where load_id = ids.new_id',
        'update ' ~ tables.ledger ~ " set status = 'loaded', batch_id = ids.new_batch_id, run_id = ids.new_run_id,"
        ~ ' loaded_at = ids.new_loaded_at from ' ~ ids ~ ' where load_id = ids.old_id',
        'delete from ' ~ tables.ledger ~ ' where load_id in (select new_id from '
        ~ cti.again(tables, load_id, 'loaded') ~ ')',
        'delete from ' ~ cti.loader_table('_checked').relation_name,
    ]) }}
{% endmacro %}


{% macro refuse_without_archived(feed, what) %}
    {#- Refuses what needs all records of a feed while some are archived, and names the files. what: a sentence. -#}
    {% set ledger, shown = cti.loader_table('_loaded_files').relation_name, [] %}
    {% set rows = run_query(
        'select uri from ' ~ ledger ~ " where status = 'archived' and records_loaded > 0 and feed = "
        ~ text_literal(feed) ~ ' order by load_id'
    ).rows %}
    {% for row in rows[:20] %}
        {% do shown.append('--reload ' ~ row[0]) %}
    {% endfor %}
    {% if rows %}
        {% set more = ' and ' ~ (rows | length - 20) ~ ' more, which `python -m loader history` shows' %}
        {{ exceptions.raise_compiler_error(
            what ~ '; that needs records of ' ~ feed ~ ' that are archived. Bring them back first (of an object that'
            ~ ' was overwritten, put the old version back under its name), or undo the change:'
            ~ ' python -m loader load --select ' ~ feed ~ ' ' ~ shown | join(' ') ~ (more if rows | length > 20 else '')
        ) }}
    {% endif %}
{% endmacro %}
