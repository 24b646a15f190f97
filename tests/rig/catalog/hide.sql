-- Takes away what PostgreSQL has and Redshift has not, by moving it to a schema nobody searches.
-- Operators, casts, views and PostgreSQL itself find functions and types by number and go on
-- working; SQL that names one gets "function ... does not exist", as on Redshift.
-- The temporary table rig_allowed (name text, signature text) holds functions.txt.
set allow_system_table_mods = on;
create schema rig_hidden;
grant usage on schema rig_hidden to public;

update pg_proc p
set pronamespace = 'rig_hidden'::regnamespace
where pronamespace = 'pg_catalog'::regnamespace
  and not exists (
      select from rig_allowed a
      where a.name = p.proname
        and (
            a.signature is null
            or a.signature = pg_get_function_identity_arguments(p.oid)
        )
  );

-- AWS, "Unsupported PostgreSQL data types". Types that PostgreSQL's own grammar or catalog views
-- name (interval, name, oid, "char", regclass) have to stay.
update pg_type
set typnamespace = 'rig_hidden'::regnamespace
where typnamespace = 'pg_catalog'::regnamespace
  and (
      typname in (
          'aclitem', 'box', 'bytea', 'cidr', 'circle', 'inet', 'json', 'jsonb', 'jsonpath', 'line',
          'lseg', 'macaddr', 'macaddr8', 'money', 'path', 'pg_lsn', 'pg_snapshot', 'point',
          'polygon', 'refcursor', 'tid', 'tsquery', 'tsvector', 'txid_snapshot', 'uuid', 'xml'
      )
      or typtype in ('r', 'm')
  );
