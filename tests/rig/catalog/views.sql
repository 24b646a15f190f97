-- System views of Redshift that dbt-redshift and a loader read.
set allow_system_table_mods = on;
set search_path = pg_catalog, rig_hidden;

-- What the rig keeps outside transactions: files in the folder that the setting rig.folder names.
-- A load error must stay visible when the transaction of its COPY is rolled back.
create function rig_hidden.read_folder_file(name text) returns text
volatile security definer language plpgsql as $$
begin
    if name ~ '[^a-z0-9_.-]' then
        perform rig_hidden.refuse('a file called ' || name);
    end if;
    return rig_hidden.pg_read_file(current_setting('rig.folder') || '/' || name, true);
end $$;
create function rig_hidden.log_entries(name text) returns setof rig_hidden.json
volatile language plpgsql as $$
begin
    return query select line::rig_hidden.json
        from rig_hidden.string_to_table(rig_hidden.read_folder_file(name), chr(10)) line
        where line <> '';
end $$;
create function rig_hidden.entry(entry rig_hidden.json, name text) returns text
immutable return entry operator(pg_catalog.->>) name;

-- PG_LAST_COPY_ID, PG_LAST_COPY_COUNT, PG_LAST_QUERY_ID functions
create function rig_hidden.session_state(item text) returns bigint volatile language plpgsql as $$
begin
    return rig_hidden.entry(
        rig_hidden.read_folder_file('session-' || pg_backend_pid() || '.json')::rig_hidden.json, item
    );
end $$;
create function pg_catalog.pg_last_copy_id() returns integer volatile
    return coalesce(rig_hidden.session_state('copy_id'), -1)::integer;
create function pg_catalog.pg_last_copy_count() returns bigint volatile
    return coalesce(rig_hidden.session_state('copy_count'), 0);
create function pg_catalog.pg_last_query_id() returns integer volatile
    return coalesce(rig_hidden.session_state('query_id'), -1)::integer;

-- SYS_LOAD_ERROR_DETAIL
create view pg_catalog.sys_load_error_detail as
select
    100 as user_id,
    rig_hidden.entry(e, 'query_id')::bigint as query_id,
    rig_hidden.entry(e, 'transaction_id')::bigint as transaction_id,
    rig_hidden.entry(e, 'session_id')::integer as session_id,
    rig_hidden.entry(e, 'database_name')::varchar as database_name,
    rig_hidden.entry(e, 'table_id')::integer as table_id,
    rig_hidden.entry(e, 'start_time')::timestamp as start_time,
    rig_hidden.entry(e, 'file_name')::varchar as file_name,
    rig_hidden.entry(e, 'line_number')::bigint as line_number,
    rig_hidden.entry(e, 'column_name')::varchar as column_name,
    rig_hidden.entry(e, 'column_type')::varchar as column_type,
    rig_hidden.entry(e, 'column_length')::varchar as column_length,
    rig_hidden.entry(e, 'position')::integer as "position",
    rig_hidden.entry(e, 'error_code')::integer as error_code,
    rig_hidden.entry(e, 'error_message')::varchar as error_message
from rig_hidden.log_entries('load_errors.jsonl') e
where rig_hidden.entry(e, 'database_name') = current_database();

-- STL_LOAD_ERRORS: fixed-width text, padded with blanks, as the provisioned system tables have it
create view pg_catalog.stl_load_errors as
select
    100 as userid,
    0 as slice,
    rig_hidden.entry(e, 'table_id')::integer as tbl,
    rig_hidden.entry(e, 'start_time')::timestamp as starttime,
    rig_hidden.entry(e, 'session_id')::integer as session,
    rig_hidden.entry(e, 'query_id')::integer as query,
    rig_hidden.entry(e, 'file_name')::character(256) as filename,
    rig_hidden.entry(e, 'line_number')::bigint as line_number,
    rig_hidden.entry(e, 'column_name')::character(127) as colname,
    rig_hidden.entry(e, 'column_type')::character(10) as type,
    rig_hidden.entry(e, 'column_length')::character(10) as col_length,
    rig_hidden.entry(e, 'position')::integer as "position",
    rig_hidden.entry(e, 'raw_line')::varchar(1024) as raw_line,
    rig_hidden.entry(e, 'raw_field_value')::varchar(1024) as raw_field_value,
    rig_hidden.entry(e, 'error_code')::integer as err_code,
    rig_hidden.entry(e, 'error_message')::character(100) as err_reason
from rig_hidden.log_entries('load_errors.jsonl') e
where rig_hidden.entry(e, 'database_name') = current_database();

-- SYS_LOAD_HISTORY
create view pg_catalog.sys_load_history as
select
    100 as user_id,
    rig_hidden.entry(e, 'query_id')::bigint as query_id,
    rig_hidden.entry(e, 'transaction_id')::bigint as transaction_id,
    rig_hidden.entry(e, 'session_id')::integer as session_id,
    rig_hidden.entry(e, 'database_name')::varchar as database_name,
    rig_hidden.entry(e, 'status')::varchar as status,
    rig_hidden.entry(e, 'table_name')::varchar as table_name,
    rig_hidden.entry(e, 'start_time')::timestamp as start_time,
    rig_hidden.entry(e, 'end_time')::timestamp as end_time,
    rig_hidden.entry(e, 'duration')::bigint as duration,
    rig_hidden.entry(e, 'data_source')::varchar as data_source,
    rig_hidden.entry(e, 'file_format')::varchar as file_format,
    rig_hidden.entry(e, 'loaded_rows')::bigint as loaded_rows,
    rig_hidden.entry(e, 'loaded_bytes')::bigint as loaded_bytes,
    rig_hidden.entry(e, 'source_file_count')::integer as source_file_count,
    rig_hidden.entry(e, 'source_file_bytes')::bigint as source_file_bytes,
    rig_hidden.entry(e, 'error_message')::varchar as error_message
from rig_hidden.log_entries('load_history.jsonl') e
where rig_hidden.entry(e, 'database_name') = current_database();

-- SVV_TABLE_INFO: sizes and statistics are placeholders, names and kinds are real
create view pg_catalog.svv_table_info as
select
    current_database()::varchar as "database",
    n.nspname::varchar as "schema",
    c.oid::integer as table_id,
    c.relname::varchar as "table",
    'N'::varchar as encoded,
    'AUTO(ALL)'::varchar as diststyle,
    null::varchar as sortkey1,
    (
        select coalesce(max(a.atttypmod - 4), 0) from pg_attribute a
        where a.attrelid = c.oid and a.attnum > 0 and a.atttypid = 'varchar'::regtype
    )::integer as max_varchar,
    null::varchar as sortkey1_enc,
    0 as sortkey_num,
    1::bigint as size,
    0::numeric(10, 4) as pct_used,
    0::bigint as empty,
    null::numeric(5, 2) as unsorted,
    0::numeric(5, 2) as stats_off,
    greatest(c.reltuples, 0)::numeric(38, 0) as tbl_rows,
    null::numeric(19, 2) as skew_sortkey1,
    null::numeric(19, 2) as skew_rows
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
where c.relkind = 'r'
  and n.nspname not in ('pg_catalog', 'information_schema', 'rig_hidden')
  and c.relpersistence = 'p';

-- PG_TABLE_DEF: tables of the schemas in search_path
create view pg_catalog.pg_table_def as
select
    n.nspname as schemaname,
    c.relname as tablename,
    a.attname as "column",
    format_type(a.atttypid, a.atttypmod)::varchar as type,
    'none'::varchar as encoding,
    false as distkey,
    0 as sortkey,
    a.attnotnull as "notnull"
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
where c.relkind = 'r' and n.nspname = any (current_schemas(true));

-- SVV_TABLES and SVV_COLUMNS
create view pg_catalog.svv_tables as
select table_catalog, table_schema, table_name, table_type, null::varchar as remarks
from information_schema.tables;
create view pg_catalog.svv_columns as
select
    table_catalog, table_schema, table_name, column_name, ordinal_position, column_default,
    is_nullable, data_type, character_maximum_length, numeric_precision, numeric_scale,
    null::varchar as remarks
from information_schema.columns;

-- SVV_EXTERNAL_COLUMNS, SVV_MV_INFO, SYS_QUERY_DETAIL: there is nothing of the kind here
create view pg_catalog.svv_external_columns as
select
    null::varchar as schemaname, null::varchar as tablename, null::varchar as columnname,
    null::varchar as external_type, null::integer as columnnum
where false;
create view pg_catalog.sys_query_detail as
select
    null::bigint as query_id, null::integer as table_id, null::varchar as step_name,
    null::timestamp as start_time
where false;

-- CREATE VIEW ... WITH NO SCHEMA BINDING: the query is looked up by name whenever the view is read,
-- so tables under it can be dropped, renamed and made anew. A function that runs the query as text
-- does that. Unlike on Redshift, the tables have to exist when the view is made.
create sequence rig_hidden.view_numbers;
grant usage on sequence rig_hidden.view_numbers to public;
create table rig_hidden.late_views (number bigint, made oid, name text, columns text, query text);
grant select, insert, delete on rig_hidden.late_views to public;
grant create on schema rig_hidden to public;
create function rig_hidden.create_late_binding_view(
    view_name text, columns text, query text, replaces boolean
) returns void language plpgsql as $$
declare
    body text := 'begin return query execute ' || quote_literal(query) || '; end';
    view_number bigint := rig_hidden.nextval('rig_hidden.view_numbers');
    function_name text := 'rig_hidden.view_' || view_number;
    definition text;
begin
    execute 'create temporary view rig_probe ' || columns || ' as ' || query;
    select rig_hidden.string_agg(
        quote_ident(attname) || ' ' || format_type(atttypid, atttypmod), ', ' order by attnum
    ) into definition
    from pg_attribute where attrelid = 'pg_temp.rig_probe'::regclass and attnum > 0;
    execute 'drop view pg_temp.rig_probe';
    execute 'create function ' || function_name
        || '() returns setof record stable language plpgsql as ' || quote_literal(body);
    execute 'create ' || case when replaces then 'or replace ' else '' end || 'view ' || view_name
        || ' as select * from ' || function_name || '() as t(' || definition || ')';
    delete from rig_hidden.late_views where made = view_name::regclass;
    insert into rig_hidden.late_views values (view_number, view_name::regclass, view_name, columns, query);
end $$;

-- ALTER COLUMN TYPE: such a view has the new size at once, so each is made anew, with what it is made of.
create function rig_hidden.alter_column_type(statement text) returns void language plpgsql as $$
declare
    late record;
begin
    execute statement;
    for late in
        select v.made::regclass::text as name, v.columns, v.query from rig_hidden.late_views v
        where exists (select from pg_class where oid = v.made) order by v.number
    loop
        execute 'drop view ' || late.name;
        perform rig_hidden.create_late_binding_view(late.name, late.columns, late.query, false);
    end loop;
end $$;

-- PG_GET_LATE_BINDING_VIEW_COLS function: late-binding views are listed with the others here
create function pg_catalog.pg_get_late_binding_view_cols() returns setof record
stable language plpgsql as $$
begin
    return;
end $$;

-- The columns of a distribution or sort key have to exist. The server sets rig.key_columns, one name
-- a line, before it runs a CREATE TABLE AS with keys.
create function rig_hidden.check_key_columns(made oid) returns void language plpgsql as $$
declare
    missing text;
begin
    select name into missing
    from rig_hidden.string_to_table(current_setting('rig.key_columns', true), chr(10)) name
    where name <> ''
      and not exists (select from pg_attribute where attrelid = made and attname = name);
    if found then
        raise exception using errcode = '42703',
            message = 'column "' || missing || '" named in DISTKEY or SORTKEY does not exist';
    end if;
end $$;

-- CREATE TABLE AS gives VARCHAR where PostgreSQL gives text, a type that Redshift lacks.
create function rig_hidden.text_columns_are_varchar() returns event_trigger language plpgsql as $$
declare
    made record;
    col record;
begin
    for made in
        select objid, object_identity from rig_hidden.pg_event_trigger_ddl_commands()
        where object_type = 'table'
    loop
        perform rig_hidden.check_key_columns(made.objid);
        for col in
            select attname from pg_attribute
            where attrelid = made.objid and attnum > 0 and atttypid = 'text'::regtype
        loop
            execute 'alter table ' || made.object_identity || ' alter column '
                || quote_ident(col.attname) || ' type varchar';
        end loop;
    end loop;
end $$;
create event trigger text_columns_are_varchar on ddl_command_end
when tag in ('CREATE TABLE AS', 'SELECT INTO')
execute function rig_hidden.text_columns_are_varchar();

grant select on
    sys_load_error_detail, stl_load_errors, sys_load_history, svv_table_info, pg_table_def,
    svv_tables, svv_columns, svv_external_columns, sys_query_detail
to public;
