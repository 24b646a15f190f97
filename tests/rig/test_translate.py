"""What the rig refuses and rewrites. Were a refusal lost, PostgreSQL's dialect would pass for
Redshift's, and a green run on the rig would promise nothing.
"""

from __future__ import annotations

import pytest

from rig.errors import RedshiftError
from rig.translate import translate

# AWS pages: c_unsupported-postgresql-features, c_unsupported-postgresql-functions,
# c_unsupported-postgresql-datatypes, r_pg_keywords, and the page of the statement.
_REFUSED = {
    "insert into t values (1) on conflict do nothing": "42601",
    "insert into t values (1) returning a": "42601",
    "with x as (select 1) insert into t select * from x": "42601",
    "select distinct on (a) a from t": "0A000",
    "select count(*) filter (where a > 1) from t": "42601",
    "select * from t, lateral (select 1) x": "42601",
    "select array[1]": "42601",
    "select a[1] from t": "42601",
    "select a::text[] from t": "42601",
    "select * from (values (1), (2)) t": "42601",
    "select * from t tablesample system (1)": "42601",
    "select a from t for update": "42601",
    "select a from t fetch first 1 rows only": "42601",
    "select a is distinct from b from t": "42601",
    "select a is not distinct from b from t": "42601",
    "select a from t except all select a from u": "0A000",
    "select row(1, 2)": "42601",
    "select a ->> 'x' from t": "42883",
    "select a from t window w as (order by a)": "42601",
    "select sum(a) over w from t": "42601",
    "select sum(a) over (order by b) from t": "0A000",
    "select first_value(a) over (order by b) from t": "0A000",
    "select sum(a) over (order by b range unbounded preceding) from t": "0A000",
    "select row_number() over (order by a rows unbounded preceding) from t": "0A000",
    "select a as tag from t": "42601",
    "select current_timestamp from t": "0A000",
    "with x as (select 1) select has_table_privilege('a', 'b') from x join t on true": "0A000",
    "select a from t qualify row_number() over (partition by b order by c) = 1": "42601",
    "create index i on t (a)": "0A000",
    "create unique index i on t (a)": "0A000",
    "create sequence s": "42601",
    "create table t (a serial)": "42704",
    "create table t (a uuid)": "42704",
    "create table t (a jsonb)": "42704",
    "create table t (a int[])": "42601",
    "create table t (a int check (a > 1))": "42601",
    "create table t (a int, check (a > 1))": "42601",
    "create table t (a varchar(70000))": "22023",
    "create table t (tag int)": "42601",
    "create table t (a int) partition by list (a)": "42601",
    "create table t (a int) inherits (u)": "42601",
    "create table t (a int) sortkey (auto)": "42703",
    "create table t (a int) distkey (b)": "42703",
    "create table t (a int generated always as identity)": "42601",
    "create table t (a int) on commit drop": "42601",
    "create unlogged table t (a int)": "42601",
    "alter table t add column a int, add column b int": "42601",
    "alter table t alter column a type bigint": "0A000",
    "alter table t alter column a set not null": "42601",
    "alter table t set schema s": "42601",
    "truncate a, b": "42601",
    "truncate a cascade": "42601",
    "truncate a restart identity": "42601",
    "lock table a in share mode": "42601",
    "lock a nowait": "42601",
    "delete from t x where x.a = 1": "42601",
    "delete from only t": "42601",
    "update t set (a, b) = (1, 2)": "42601",
    "update t set t.a = 1": "42601",
    "merge into t using (select 1) s on t.a = s.a when matched then delete"
    " when not matched then insert values (1)": "0A000",
    "merge into t using s on t.a = s.a when matched and s.b then delete"
    " when not matched then insert values (1)": "42601",
    "merge into t using s on t.a = s.a when matched then delete": "42601",
    "merge into t using s on t.a = s.a when matched then do nothing"
    " when not matched then insert values (1)": "42601",
    "merge into t using t on t.a = t.a when matched then delete"
    " when not matched then insert values (1)": "0A000",
    "savepoint a": "0A000",
    "rollback to savepoint a": "42601",
    "set work_mem = '1GB'": "42704",
    "do $$ begin end $$": "42601",
    "notify a": "42601",
    "copy t from stdin": "42601",
    "copy t to 's3://b/k'": "42601",
    "select 1; select 2": "42601",
    "select 'open": "42601",
    "select 1 /* open": "42601",
}
# Redshift has these; the rig says plainly that it does not.
_NOT_IMITATED = [
    "explain select 1",
    "unload ('select 1') to 's3://b/k' iam_role default",
    "create function f() returns int",
    "create procedure p()",
    "create materialized view v as select 1",
    "select top 5 a from t",
    "select try_cast('1' as int)",
    "select approximate count(distinct a) from t",
    "select first_value(a) ignore nulls over (order by b rows unbounded preceding) from t",
    "select E'a'",
    'select a collate "C" from t',
    "merge into t using s on t.a = s.a remove duplicates",
    "alter table t alter sortkey (a)",
    "create table t (a super)",
    "select rig_hidden.version()",
    'select "rig_hidden".version()',
    "show tables from schema a.b",
    "copy t from 's3://b/k' iam_role default csv acceptinvchars",
    "copy t from 's3://b/k' iam_role default csv truncatecolumns",
    "copy t from 's3://b/k' iam_role default csv trimblanks",
    "copy t from 's3://b/k' iam_role default csv fillrecord",
    "copy t from 's3://b/k' iam_role default csv encoding utf16",
    "copy t from 's3://b/k' iam_role default format as parquet",
    "copy t from 's3://b/k' iam_role default delimiter ','",
    "copy t from 's3://b/k' access_key_id 'a' secret_access_key 'b' csv",
    "copy t from 's3://b/k' credentials 'aws_access_key_id=a' csv",
]
_REWRITTEN = {
    "select nvl(a, 1) from t": "select coalesce(a, 1) from t",
    "select dateadd(month, 1, a), datediff(day, a, b)": "select dateadd('month', 1, a),"
    " datediff('day', a, b)",
    "select sysdate": "select sysdate()",
    "select a from t minus select a from u": "select a from t except select a from u",
    "delete t where a = 1": "delete from t where a = 1",
    "set query_group to 'x'": "set redshift.query_group to 'x'",
    "select a::varchar(max)": "select a::varchar(65535)",
    "select a::nvarchar(5)": "select a::varchar(5)",
    "create table t (a varchar, b char, c text, d nvarchar, e varchar(max), f decimal)": (
        "create table t (a varchar(256), b char(1), c varchar(256), d varchar(256),"
        " e varchar(65535), f decimal(18,0))"
    ),
    "create table t (a int identity(5, 2))": "create table t (a int generated by default as"
    " identity (start with 5 increment by 2))",
    "create table t (a int primary key, b int, primary key (b))": "create table t (a int not null,"
    " b int not null)",
    "create table t (a int unique references u (b), foreign key (a) references u)": (
        "create table t (a int )"
    ),
    "create table t (a int encode az64) backup no diststyle key distkey (a)"
    " compound sortkey (a)": "create table t (a int )",
    "select nvl2(a, b, c)": "select (case when (a) is not null then ( b) else ( c) end)",
    "select decode(a, 1, 'x', 'y')": "select (case when (a) is not distinct from 1 then 'x'"
    " else 'y' end)",
    "select listagg(a, ', ') within group (order by b) from t": "select listagg( (a)::text, ', '"
    " order by b) from t",
}
_UNTOUCHED = [
    "select 'it\\'s', 'a\\\\b', \"a \"\"b\" from t -- comment\n where a = -1 /* x /* y */ */",
    "select a, count(*) from s.t group by 1 having count(*) > 1 order by 2 desc limit 5",
    "select a from t where b ~ '[0-9]' and c ilike 'x%' and d similar to 'y' and e between 1 and 2",
    "select sum(a) over (order by c rows between 1 preceding and current row) from t",
    "select row_number() over (partition by a order by b desc nulls last) from t",
    "with recursive x(n) as (select 1 union all select n + 1 from x where n < 5) select * from x",
    "select cast(a as decimal(10, 2)), b::timestamp, extract(year from c) from t",
    "insert into t (a, b) values (1, default), (2, 'x')",
    "insert into t (a) select a from u",
    "update t set a = 1, b = u.b from u where t.c = u.c",
    "delete from t using u where t.a = u.a",
    "delete from t where (a, b) in (select distinct a, b from u)",
    "merge into s.t using u as x on (x.a = s.t.a) when matched then update set b = x.b"
    " when not matched then insert (a, b) values (x.a, x.b)",
    "create temp table a (like b including defaults)",
    "create table if not exists s.t (a bigint not null, b timestamp default getdate())",
    "create or replace view v as select 1 as a",
    "create schema if not exists a",
    "drop table if exists a.b cascade",
    "alter table a.b rename to c",
    "lock table a.b",
    "lock a, b",
    "truncate table a",
    "begin",
    "begin transaction",
    "start transaction",
    "commit",
    "rollback",
    "end",
    "select current_timestamp",
    "select current_schema() from pg_class c join pg_catalog.pg_namespace n on true",
]


@pytest.mark.parametrize("sql", _REFUSED)
def test_redshift_refuses(sql: str) -> None:
    with pytest.raises(RedshiftError) as caught:
        translate(sql)
    assert caught.value.code == _REFUSED[sql]
    assert "the rig" not in caught.value.message


@pytest.mark.parametrize("sql", _NOT_IMITATED)
def test_the_rig_does_not_imitate(sql: str) -> None:
    with pytest.raises(RedshiftError, match="the rig") as caught:
        translate(sql)
    assert caught.value.code == "0A000"


@pytest.mark.parametrize("sql", _REWRITTEN)
def test_rewrites(sql: str) -> None:
    translation = translate(sql)
    assert " ".join(translation.sql.split()) == _REWRITTEN[sql]
    assert translation.rewrites
    assert all(rewrite.before in sql for rewrite in translation.rewrites)


@pytest.mark.parametrize("sql", _UNTOUCHED)
def test_leaves_alone(sql: str) -> None:
    translation = translate(sql)
    assert translation.sql == sql
    assert translation.rewrites == ()


def test_frame_words_are_redshifts() -> None:
    # AWS, "Window function syntax summary"; the words are those of reports by its users.
    with pytest.raises(RedshiftError) as caught:
        translate("select sum(a) over (order by b) from t")
    wanted = "Aggregate window functions with an ORDER BY clause require a frame clause"
    assert caught.value.message == wanted


def test_changes_that_would_overlap_are_refused() -> None:
    # Two rules at one place have no right order; a wrong one would run another query.
    with pytest.raises(RedshiftError, match="does not imitate"):
        translate("select listagg(distinct a) within group (order by b) from t")


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        (
            "select * from t x qualify row_number() over (partition by a order by b) = 1",
            "select (rig_q.rig_row0).* from (select x as rig_row0, (row_number() over"
            " (partition by a order by b) = 1) as rig_keep from t x) rig_q where rig_keep",
        ),
        (
            "select a, b as c, row_number() over (order by a) as n from t x qualify n = 1 limit 1",
            'select "a", "c", "n" from (select a, b as c, row_number() over (order by a) as n'
            " from t x) rig_q where n = 1 limit 1",
        ),
    ],
)
def test_qualify(sql: str, expected: str) -> None:
    assert translate(sql).sql == expected


def test_copy_is_read() -> None:
    copy = translate(
        "copy s.t (a, b) from 's3://b/m' iam_role 'arn:aws:iam::123456789012:role/x' format as csv"
        " delimiter as '\\t' quote '|' ignoreheader as 1 manifest gzip emptyasnull blanksasnull"
        " maxerror 5 null as 'x' region 'eu-west-1' compupdate off statupdate off encoding utf8"
        " noload timeformat 'auto' dateformat as 'auto';"
    ).copy
    assert copy is not None
    assert (copy.table, copy.columns, copy.source) == (["s", "t"], ["a", "b"], "s3://b/m")
    assert (copy.delimiter, copy.quote, copy.null_as) == ("\t", "|", "x")
    assert (copy.ignore_header, copy.max_error, copy.compression) == (1, 5, "gzip")
    assert copy.manifest
    assert copy.no_load
    assert copy.empty_as_null
    assert copy.blanks_as_null


@pytest.mark.parametrize(
    "options",
    [
        "csv",
        "iam_role 'not a role' csv",
        "iam_role default csv csv",
        "iam_role default csv header",
        "iam_role default csv delimiter ',,'",
        "iam_role default csv quote ','",
        "iam_role default csv gzip zstd",
        "iam_role default csv maxerror 100001",
        "iam_role default csv ignoreheader 'x'",
        "iam_role default csv timeformat 'MM-DD'",
    ],
)
def test_copy_options_are_checked(options: str) -> None:
    with pytest.raises(RedshiftError):
        translate(f"copy t from 's3://b/k' {options}")
