-- Functions of Redshift that PostgreSQL lacks or that give another answer there.
-- Each comment names the page of AWS's "SQL functions reference". What PostgreSQL offers under
-- the same name was moved to rig_hidden (hide.sql) and is called there by that name.
set allow_system_table_mods = on;
set search_path = pg_catalog, rig_hidden;
-- hide.sql moved the helpers of the built-in types as well; function bodies are checked when used.
set check_function_bodies = off;

-- Bodies in PL/pgSQL are read under the caller's settings, and Redshift's backslash in a plain
-- string is an escape: strings with a backslash in such a body are written E'...'.

-- Raises an error of the rig's own: behaviour that AWS does not document, or that it cannot imitate.
create function rig_hidden.refuse(message text) returns text immutable language plpgsql as $$
begin
    raise exception using errcode = '0A000', message = 'the rig does not imitate ' || message;
end $$;

-- Strings ------------------------------------------------------------------------------------

-- LEN function (synonym of LENGTH)
create function pg_catalog.len(text) returns integer immutable strict
    return pg_catalog.length($1);
create function pg_catalog.textlen(text) returns integer immutable strict
    return pg_catalog.length($1);

-- CONCAT function: two arguments, NULL if either is
create function pg_catalog.concat(text, text) returns text immutable
    return $1 || $2;

-- VERSION function: tools look for the words PostgreSQL 8.0.2 and Redshift
create function pg_catalog.version() returns text stable
return 'PostgreSQL 8.0.2 on i686-pc-linux-gnu, compiled by GCC gcc (GCC) 3.4.2, Redshift 1.0.0 (rig)';

-- CHARINDEX function
create function pg_catalog.charindex(part text, whole text) returns integer immutable strict
    return pg_catalog.strpos(whole, part);

-- REPLICATE function
create function pg_catalog.replicate(text, integer) returns text immutable strict
    return pg_catalog.repeat($1, $2);

-- CHR function: ASCII only. AWS says NULL for numbers that are not ASCII (and for 0); a NULL that
-- spreads through trim and || would hide a mistake, so the rig refuses instead.
create function pg_catalog.chr(number integer) returns text immutable strict language plpgsql as $$
begin
    if number between 1 and 127 then
        return rig_hidden.chr(number);
    end if;
    return rig_hidden.refuse('chr(' || number || '): it is documented for ASCII only');
end $$;

-- REGEXP_REPLACE, REGEXP_SUBSTR, REGEXP_COUNT and REGEXP_INSTR functions: every occurrence is
-- meant, positions are characters, and the parameters are c (the default) and i. p (PCRE) and e
-- (subexpression) are refused, and so are patterns where PostgreSQL's regular expressions say
-- more than POSIX.
create function rig_hidden.regexp_flags(pattern text, parameters text) returns text
immutable strict language plpgsql as $$
begin
    if parameters not in ('', 'c', 'i') then
        perform rig_hidden.refuse('regular expression parameters ''' || parameters || '''');
    end if;
    if pattern ~ E'\\(\\?|^\\*\\*\\*|[*+?}][?+]|\\\\[mMyYAZxuUBbQE]' then
        perform rig_hidden.refuse('the regular expression ''' || pattern || '''');
    end if;
    return replace(parameters, 'c', '');
end $$;
create function pg_catalog.regexp_replace(
    source text, pattern text, replacement text default '', start integer default 1,
    parameters text default ''
) returns text immutable strict language plpgsql as $$
declare
    flags text := rig_hidden.regexp_flags(pattern, parameters);
begin
    if replacement ~ E'[$\\\\&]' then
        perform rig_hidden.refuse(E'$, \\ and & in the replacement of regexp_replace');
    end if;
    if start > length(source) and length(source) > 0 then
        return source;
    end if;
    return left(source, greatest(start, 1) - 1)
        || rig_hidden.regexp_replace(
            substr(source, greatest(start, 1)), pattern, replacement, 'g' || flags
        );
end $$;
create function pg_catalog.regexp_substr(
    source text, pattern text, start integer default 1, occurrence integer default 1,
    parameters text default ''
) returns text immutable strict language plpgsql as $$
declare
    flags text := rig_hidden.regexp_flags(pattern, parameters);
begin
    if occurrence < 1 then
        return null;
    end if;
    return coalesce(
        rig_hidden.regexp_substr(source, pattern, greatest(start, 1), occurrence, flags), ''
    );
end $$;
create function pg_catalog.regexp_count(
    source text, pattern text, start integer default 1, parameters text default ''
) returns integer immutable strict language plpgsql as $$
declare
    flags text := rig_hidden.regexp_flags(pattern, parameters);
begin
    return rig_hidden.regexp_count(source, pattern, greatest(start, 1), flags);
end $$;
create function pg_catalog.regexp_instr(source text, pattern text) returns integer
immutable strict language plpgsql as $$
declare
    flags text := rig_hidden.regexp_flags(pattern, '');
begin
    return rig_hidden.regexp_instr(source, pattern, 1, 1, 0, flags);
end $$;

-- STRTOL function. AWS does not say what an invalid digit does; an error is the safe reading.
create function pg_catalog.strtol(number text, base integer) returns bigint
immutable strict language plpgsql as $$
declare
    digits text := lower(rig_hidden.regexp_replace(number, E'^[ \t\n]*[+-]?', ''));
    negative boolean := number ~ E'^[ \t\n]*-';
    total numeric := 0;
    digit integer;
begin
    if base not between 2 and 36 then
        raise exception using errcode = '22023', message = 'The input base is invalid';
    end if;
    if base = 16 and digits like '0x%' then
        digits := substr(digits, 3);
    end if;
    for i in 1 .. length(digits) loop
        digit := strpos('0123456789abcdefghijklmnopqrstuvwxyz', substr(digits, i, 1)) - 1;
        if digit < 0 or digit >= base then
            raise exception using errcode = '22023', message =
                'The input ' || number || ' is not valid to be converted to base ' || base;
        end if;
        total := total * base + digit;
    end loop;
    return case when negative then -total else total end::bigint;
end $$;

-- Hashes: SHA, SHA1, FUNC_SHA1, SHA2, FNV_HASH functions
create function pg_catalog.sha2(value text, bits integer) returns varchar immutable strict
return case bits
    when 0 then rig_hidden.encode(rig_hidden.sha256(rig_hidden.convert_to(value, 'UTF8')), 'hex')
    when 224 then rig_hidden.encode(rig_hidden.sha224(rig_hidden.convert_to(value, 'UTF8')), 'hex')
    when 256 then rig_hidden.encode(rig_hidden.sha256(rig_hidden.convert_to(value, 'UTF8')), 'hex')
    when 384 then rig_hidden.encode(rig_hidden.sha384(rig_hidden.convert_to(value, 'UTF8')), 'hex')
    when 512 then rig_hidden.encode(rig_hidden.sha512(rig_hidden.convert_to(value, 'UTF8')), 'hex')
    else ''
end;
create function rig_hidden.fnv1a(data rig_hidden.bytea, seed bigint) returns bigint
immutable strict language plpgsql as $$
declare
    modulus constant numeric := 18446744073709551616;
    hash numeric := case when seed < 0 then seed + modulus else seed end;
    low bigint;
begin
    for i in 0 .. rig_hidden.length(data) - 1 loop
        low := (hash % 256)::bigint;
        hash := hash - low + (low # rig_hidden.get_byte(data, i));
        hash := (hash * 1099511628211) % modulus;
    end loop;
    return case when hash >= 9223372036854775808 then hash - modulus else hash end::bigint;
end $$;
-- The binary form of a number is little-endian on the machines that Redshift runs on; the
-- page's own examples agree.
create function rig_hidden.little_endian(value bigint, width integer) returns rig_hidden.bytea
immutable strict language plpgsql as $$
declare
    big rig_hidden.bytea := rig_hidden.int8send(value);
    little rig_hidden.bytea := rig_hidden.decode('', 'hex');
begin
    for i in 1 .. width loop
        little := little operator(pg_catalog.||) rig_hidden.substring(big, 9 - i, 1);
    end loop;
    return little;
end $$;
create function pg_catalog.fnv_hash(text, bigint default -3750763034362895579) returns bigint
immutable strict return rig_hidden.fnv1a(rig_hidden.convert_to($1, 'UTF8'), $2);
create function pg_catalog.fnv_hash(smallint, bigint default -3750763034362895579) returns bigint
immutable strict return rig_hidden.fnv1a(rig_hidden.little_endian($1, 2), $2);
create function pg_catalog.fnv_hash(integer, bigint default -3750763034362895579) returns bigint
immutable strict return rig_hidden.fnv1a(rig_hidden.little_endian($1, 4), $2);
create function pg_catalog.fnv_hash(bigint, bigint default -3750763034362895579) returns bigint
immutable strict return rig_hidden.fnv1a(rig_hidden.little_endian($1, 8), $2);

-- LISTAGG function. translate.py moves WITHIN GROUP (ORDER BY ...) into the parentheses.
create function rig_hidden.listagg_step(so_far text, value text, delimiter text) returns text
immutable return case
    when value is null or value = '' then so_far
    when so_far is null then value
    else so_far || coalesce(delimiter, '') || value
end;
create function rig_hidden.listagg_end(total text) returns varchar immutable language plpgsql as $$
begin
    if octet_length(total) > 65535 then
        raise exception using errcode = '0A000', message = 'Result size exceeds LISTAGG limit';
    end if;
    return total;
end $$;
create aggregate pg_catalog.listagg(text, text) (
    sfunc = rig_hidden.listagg_step, stype = text, finalfunc = rig_hidden.listagg_end
);

-- Numbers ------------------------------------------------------------------------------------

-- AVG function: the average of whole numbers is a whole number (AVG ... Return type)
create function rig_hidden.avg_end(state numeric[]) returns bigint immutable
    return case when state[2] > 0 then pg_catalog.trunc(state[1] / state[2])::bigint end;
create function rig_hidden.avg_step(state numeric[], value smallint) returns numeric[] immutable
    return case when value is null then state else array[state[1] + value, state[2] + 1] end;
create aggregate pg_catalog.avg(smallint) (
    sfunc = rig_hidden.avg_step, stype = numeric[], finalfunc = rig_hidden.avg_end,
    initcond = '{0,0}'
);
create function rig_hidden.avg_step(state numeric[], value integer) returns numeric[] immutable
    return case when value is null then state else array[state[1] + value, state[2] + 1] end;
create aggregate pg_catalog.avg(integer) (
    sfunc = rig_hidden.avg_step, stype = numeric[], finalfunc = rig_hidden.avg_end,
    initcond = '{0,0}'
);
create function rig_hidden.avg_step(state numeric[], value bigint) returns numeric[] immutable
    return case when value is null then state else array[state[1] + value, state[2] + 1] end;
create aggregate pg_catalog.avg(bigint) (
    sfunc = rig_hidden.avg_step, stype = numeric[], finalfunc = rig_hidden.avg_end,
    initcond = '{0,0}'
);

-- MEDIAN function
create function rig_hidden.median_end(sorted numeric[]) returns numeric immutable
language sql as $$
    select (percentile_cont(0.5) within group (order by x))::numeric from rig_hidden.unnest($1) x
$$;
create aggregate pg_catalog.median(numeric) (
    sfunc = rig_hidden.array_append, stype = numeric[], initcond = '{}',
    finalfunc = rig_hidden.median_end
);

-- Dates and times ------------------------------------------------------------------------------

-- GETDATE function: start of the statement, whole seconds. SYSDATE function: start of the
-- transaction; translate.py adds the parentheses that PostgreSQL needs.
create function pg_catalog.getdate() returns timestamp stable
return pg_catalog.date_trunc('second', rig_hidden.statement_timestamp()::timestamp);
create function pg_catalog.sysdate() returns timestamp stable
return rig_hidden.transaction_timestamp()::timestamp;

-- Date parts for date or timestamp functions
create function rig_hidden.date_part_name(part text) returns text immutable strict
language plpgsql as $$
begin
    return case lower(part)
        when 'year' then 'year' when 'years' then 'year' when 'y' then 'year'
        when 'yr' then 'year' when 'yrs' then 'year'
        when 'quarter' then 'quarter' when 'quarters' then 'quarter' when 'qtr' then 'quarter'
        when 'qtrs' then 'quarter'
        when 'month' then 'month' when 'months' then 'month' when 'mon' then 'month'
        when 'mons' then 'month'
        when 'week' then 'week' when 'weeks' then 'week' when 'w' then 'week'
        when 'day' then 'day' when 'days' then 'day' when 'd' then 'day'
        when 'hour' then 'hour' when 'hours' then 'hour' when 'h' then 'hour'
        when 'hr' then 'hour' when 'hrs' then 'hour'
        when 'minute' then 'minute' when 'minutes' then 'minute' when 'm' then 'minute'
        when 'min' then 'minute' when 'mins' then 'minute'
        when 'second' then 'second' when 'seconds' then 'second' when 's' then 'second'
        when 'sec' then 'second' when 'secs' then 'second'
        else rig_hidden.refuse('the date part ' || part)
    end;
end $$;

-- Dates turn into timestamps by themselves, so one function each will do.
-- DATEADD function. The end of a month is clipped, as in the page's note on February.
create function pg_catalog.dateadd(part text, amount bigint, start timestamp) returns timestamp
immutable strict language plpgsql as $$
declare
    name text := case when lower(part) = 'microsecond' then part else rig_hidden.date_part_name(part) end;
begin
    if name = 'quarter' then
        return start + amount * 3 * interval '1 month';
    end if;
    return start + amount * ('1 ' || name)::interval;
end $$;

-- ADD_MONTHS function: the last day of a month stays the last day
create function pg_catalog.add_months(start timestamp, months integer) returns timestamp
immutable strict return case
    when pg_catalog.date_trunc('month', start) + interval '1 month - 1 day'
        = pg_catalog.date_trunc('day', start)
    then pg_catalog.date_trunc('month', start) + (months + 1) * interval '1 month' - interval '1 day'
        + (start - pg_catalog.date_trunc('day', start))
    else start + months * interval '1 month'
end;

-- DATEDIFF function: the number of boundaries of the part between the two moments; weeks begin
-- on Sunday.
create function pg_catalog.datediff(part text, a timestamp, b timestamp) returns bigint
immutable strict language plpgsql as $$
declare
    name text := rig_hidden.date_part_name(part);
    shift interval := case when name = 'week' then interval '1 day' else interval '0' end;
    first timestamp := date_trunc(name, a + shift);
    last timestamp := date_trunc(name, b + shift);
    months bigint := (date_part('year', last) - date_part('year', first)) * 12
        + date_part('month', last) - date_part('month', first);
    seconds bigint := date_part('epoch'::text, last) - date_part('epoch'::text, first);
begin
    return case name
        when 'year' then months / 12 when 'quarter' then months / 3 when 'month' then months
        when 'week' then seconds / 604800 when 'day' then seconds / 86400
        when 'hour' then seconds / 3600 when 'minute' then seconds / 60 else seconds
    end;
end $$;

-- EXTRACT function: a whole number for TIMESTAMP and DATE
create function pg_catalog.extract(part text, moment timestamp) returns integer immutable strict
return pg_catalog.trunc(pg_catalog.date_part(part, moment))::integer;
create function pg_catalog.extract(part text, moment date) returns integer immutable strict
return pg_catalog.trunc(pg_catalog.date_part(part, moment::timestamp))::integer;

-- DATE_TRUNC function: a TIMESTAMP, for a DATE too
create function pg_catalog.date_trunc(part text, moment date) returns timestamp immutable strict
return pg_catalog.date_trunc(part, moment::timestamp);

-- LAST_DAY and TRUNC (date) functions
create function pg_catalog.last_day(moment timestamp) returns date immutable strict
return (pg_catalog.date_trunc('month', moment) + interval '1 month - 1 day')::date;
create function pg_catalog.trunc(moment timestamp) returns date immutable strict
return moment::date;

-- CONVERT_TIMEZONE function
create function pg_catalog.convert_timezone(source text, target text, moment timestamp)
returns timestamp immutable strict
return moment at time zone source at time zone target;
create function pg_catalog.convert_timezone(target text, moment timestamp)
returns timestamp immutable strict
return moment at time zone 'UTC' at time zone target;

-- Lengths in bytes -----------------------------------------------------------------------------

-- Character types: VARCHAR(n) holds n bytes; storing more is an error unless only blanks are lost,
-- and an explicit cast cuts. PostgreSQL calls this where it would count characters (pg_cast).
create function rig_hidden.cut_or_refuse(value varchar, length integer, explicit boolean)
returns varchar immutable strict parallel safe language plpgsql as $$
declare
    bytes rig_hidden.bytea;
    keep integer := length;
begin
    if not explicit and octet_length(rtrim(value, ' ')) > length then
        raise exception using errcode = '22001',
            message = 'value too long for type character varying(' || length || ')';
    end if;
    bytes := rig_hidden.convert_to(value, 'UTF8');
    -- A character is never cut in two: step back over continuation bytes.
    while keep > 0 and (rig_hidden.get_byte(bytes, keep) & 192) = 128 loop
        keep := keep - 1;
    end loop;
    return rig_hidden.convert_from(rig_hidden.substring(bytes, 1, keep), 'UTF8');
end $$;
-- Simple enough for PostgreSQL to put it into the query instead of calling it for every value.
create function rig_hidden.varchar_of_length(value varchar, typmod integer, explicit boolean)
returns varchar immutable parallel safe
return case
    when typmod < 4 or value is null or pg_catalog.octet_length(value) <= typmod - 4 then value
    else rig_hidden.cut_or_refuse(value, typmod - 4, explicit)
end;
update pg_cast
set castfunc = 'rig_hidden.varchar_of_length(varchar, integer, boolean)'::regprocedure
where castsource = 'varchar'::regtype and casttarget = 'varchar'::regtype;

-- CHAR(n) takes single-byte characters only.
create function rig_hidden.char_of_length(value bpchar, typmod integer, explicit boolean)
returns bpchar immutable strict parallel safe language plpgsql as $$
begin
    if octet_length(value::text) <> char_length(value::text) then
        raise exception using errcode = '22001',
            message = 'CHAR string contains invalid ASCII character';
    end if;
    return rig_hidden.bpchar(value, typmod, explicit);
end $$;
update pg_cast
set castfunc = 'rig_hidden.char_of_length(bpchar, integer, boolean)'::regprocedure
where castsource = 'bpchar'::regtype and casttarget = 'bpchar'::regtype;
