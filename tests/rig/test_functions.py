"""Functions and types answer what AWS's documentation says, example by example."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from rig.fixtures import RedshiftDatabase
from rig.server import RedshiftRig

# AWS, "SQL functions reference": the page named after each function.
_ANSWERS: dict[str, Any] = {
    # FNV_HASH
    "fnv_hash(1)": -5968735742475085980,
    "fnv_hash('Amazon Redshift')": 7783490368944507294,
    "fnv_hash('Amazon Redshift', fnv_hash(1))": -2202602717770968555,
    "fnv_hash(1::smallint)": 589727492704079044,
    "fnv_hash(1::bigint)": -8517097267634966620,
    "fnv_hash('cd', fnv_hash('ab'))": -281581062704388899,
    # STRTOL
    "strtol('0xf', 16)": 15,
    "strtol('abcd1234', 16)": 2882343476,
    "strtol('1234567', 8)": 342391,
    "strtol('110101', 2)": 53,
    # MD5, SHA2
    "md5('Amazon Redshift')": "f7415e33f972c03abd4f3fed36748f7a",
    "sha2('a', 0)": "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb",
    "sha2('a', 5)": "",
    # LEN: characters; OCTET_LENGTH: bytes
    "len('français')": 8,
    "octet_length('français')": 9,
    # CONCAT: NULL if either is
    "concat('a', null)": None,
    "concat('December 25, ', '2008')": "December 25, 2008",
    # CHR: ASCII only
    "chr(65)": "A",
    # REGEXP_REPLACE, REGEXP_COUNT, REGEXP_SUBSTR: every occurrence; a backslash is written twice
    "regexp_replace('the fox', 'o|e', '0')": "th0 f0x",
    "regexp_replace('user@site.org', '@.*\\\\.(org|gov|com|edu|ca)$')": "user",
    "regexp_replace('THE FOX', 'fox', 'cat', 1, 'i')": "THE cat",
    "regexp_count('abcdefghijklmnopqrstuvwxyz', '[a-z]{3}')": 8,
    "regexp_substr('the fox', 'FOX', 1, 1, 'i')": "fox",
    "regexp_substr('abc', '[0-9]')": "",
    "regexp_instr('abc', 'c')": 3,
    # TRIM, BTRIM: blanks only, unless told
    "btrim('\\t a \\t')": "\t a \t",
    "btrim('xyzaxyzbxyzcxyz', 'xyz')": "axyzbxyzc",
    "trim(both 'x' from 'xax')": "a",
    "translate('mint tea', 'inea', 'osin')": "most tin",
    "lower('ÄÖÜ')": "äöü",
    # DATEADD, DATEDIFF, LAST_DAY, EXTRACT, DATE_TRUNC, CONVERT_TIMEZONE
    "dateadd(month, 18, '2008-02-28'::date)": datetime.datetime(2009, 8, 28),
    "dateadd(month, 1, '2024-01-31'::timestamp)": datetime.datetime(2024, 2, 29),
    "dateadd(microsecond, -1, '2024-01-31'::timestamp)": datetime.datetime(
        2024, 1, 30, 23, 59, 59, 999999
    ),
    "datediff(week, '2009-01-01', '2009-12-31')": 52,
    "datediff(qtr, '1998-07-01'::date, '2009-07-01'::date)": 44,
    "datediff(day, '2008-06-01 23:59:59'::timestamp, '2008-06-02 00:00:00'::timestamp)": 1,
    "datediff(year, '2008-12-31'::date, '2009-01-01'::date)": 1,
    "last_day('2004-02-05'::date)": datetime.date(2004, 2, 29),
    "extract(sec from '2009-09-21 11:10:03.189717'::timestamp)": 3,
    "date_trunc('month', '2008-09-16'::date)": datetime.datetime(2008, 9, 1),
    "convert_timezone('EST', 'PST8PDT', '2008-03-05 09:25:29'::timestamp)": datetime.datetime(
        2008, 3, 5, 6, 25, 29
    ),
    # NVL, NVL2, DECODE: NULL matches NULL
    "nvl(null, 3, 2)": 3,
    "nvl2(null, 1, 2)": 2,
    "decode(null, null, 'same', 'other')": "same",
    "decode(5, 4, 'four', 'other')": "other",
    # CAST: cuts to bytes, at a whole character
    "'Größe'::varchar(4)": "Grö",
    "'Größe'::varchar(3)": "Gr",
    "cast('abc' as varchar(2))": "ab",
    "cast(162.00 as integer)": 162,
    # Comparison is binary, as COLLATE says
    "'a' < 'B'": False,
    "'Z' < 'a'": True,
}


@pytest.fixture(scope="module")
def cursor(redshift_rig: RedshiftRig) -> Iterator[Any]:
    database = RedshiftDatabase(redshift_rig, redshift_rig.database)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", str(redshift_rig.certificate_authority))
        connection = database.connect()
    connection.autocommit = True
    yield connection.cursor()
    database.close()


@pytest.mark.parametrize("expression", _ANSWERS)
def test_documented_answer(cursor: Any, expression: str) -> None:
    cursor.execute(f"select {expression}")
    assert cursor.fetchone() == [_ANSWERS[expression]]


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        # "Unsupported PostgreSQL functions", and functions PostgreSQL grew after 8.0
        ("string_agg('a', ',')", "function string_agg(unknown, unknown) does not exist"),
        ("array_agg(1)", "function array_agg(integer) does not exist"),
        ("generate_series(1, 2)", "function generate_series(integer, integer) does not exist"),
        ("unnest('{1}')", "function unnest(unknown) does not exist"),
        ("gen_random_uuid()", "function gen_random_uuid() does not exist"),
        ("format('%s', 1)", "function format(unknown, integer) does not exist"),
        ("encode('a', 'hex')", "function encode(unknown, unknown) does not exist"),
        ("clock_timestamp()", "function clock_timestamp() does not exist"),
        ("pg_sleep(1)", "function pg_sleep(integer) does not exist"),
        ("pg_catalog.string_agg('a', ',')", "function pg_catalog.string_agg(unknown, unknown)"),
        ("to_timestamp(1)", "function to_timestamp(integer) does not exist"),
        ("concat('a', 'b', 'c')", "function concat(unknown, unknown, unknown) does not exist"),
        # "Unsupported PostgreSQL data types"
        ("'1'::uuid", 'type "uuid" does not exist'),
        ("'{}'::json", 'type "json" does not exist'),
        ("'1'::money", 'type "money" does not exist'),
        # undocumented, so refused
        ("chr(160)", "the rig does not imitate chr(160)"),
        ("regexp_replace('a', '(?<=a)b', 'c')", "does not imitate the regular expression"),
        ("regexp_replace('a', 'a', '$0')", "does not imitate"),
        ("datediff(decade, '2000-01-01'::date, '2010-01-01'::date)", "does not imitate"),
    ],
)
def test_refused_when_it_runs(cursor: Any, expression: str, words: str) -> None:
    with pytest.raises(Exception, match=r".") as caught:
        cursor.execute(f"select {expression}")
    assert words in caught.value.args[0]["M"].replace("pg_catalog.json", "json")


def test_average_of_integers_is_an_integer(cursor: Any) -> None:
    # AVG: "a BIGINT for any integer argument". PostgreSQL would say 1.5.
    cursor.execute(
        "select avg(a), avg(a::bigint), avg(a::smallint), avg(a::decimal(5, 1)), median(a)"
        " from (select 1 as a union all select 2) x"
    )
    assert cursor.fetchone() == [1, 1, 1, Decimal("1.5"), Decimal("1.5")]


def test_listagg(cursor: Any) -> None:
    # LISTAGG: NULL values and empty strings are ignored.
    cursor.execute("create temp table listed (a varchar(5), b int)")
    cursor.execute("insert into listed values ('y', 1), ('x', 2), ('', 3), (null, 4), ('x', 5)")
    cursor.execute(
        "select listagg(a, ', ') within group (order by b), listagg(distinct a) within group"
        " (order by a), listagg(b) within group (order by b desc) from listed"
    )
    assert cursor.fetchone() == ["y, x, x", "xy", "54321"]


@pytest.mark.parametrize(
    ("value", "stored"),
    [("äöü", None), ("äö", "äö"), ("abcde", None), ("abcd", "abcd"), ("abcd   ", "abcd")],
)
def test_varchar_holds_bytes(cursor: Any, value: str, stored: str | None) -> None:
    # "Character types": VARCHAR(4) is 4 bytes; blanks beyond them are cut, anything else refused.
    cursor.execute("create temp table bytes (a varchar(4))")
    try:
        if stored is None:
            with pytest.raises(Exception, match="value too long for type character varying"):
                cursor.execute("insert into bytes values (%s)", (value,))
        else:
            cursor.execute("insert into bytes values (%s)", (value,))
            cursor.execute("select a from bytes")
            assert cursor.fetchone() == [stored]
    finally:
        cursor.execute("drop table bytes")


def test_keys_are_informational_and_not_null_is_not(cursor: Any) -> None:
    # "CREATE TABLE": primary keys are not enforced, NOT NULL is.
    cursor.execute("create temp table keyed (a int primary key, b int unique, c int not null)")
    cursor.execute("insert into keyed values (1, 1, 1), (1, 1, 1)")
    with pytest.raises(Exception, match="Cannot insert a NULL value into column c"):
        cursor.execute("insert into keyed (a, b) values (1, 1)")


def test_there_is_no_type_text(cursor: Any) -> None:
    # A client that meets type text would see a type that no Redshift sends.
    cursor.execute("select 'a' as a, md5('b') as b, lower('C')")
    assert {column[1] for column in cursor.description} == {1043}
    cursor.execute("create temp table typed as select 'a' as a, md5('b') as b")
    cursor.execute("select data_type from information_schema.columns where table_name = 'typed'")
    assert cursor.fetchall() == (["character varying"], ["character varying"])


def test_keys_of_a_table_from_a_query_must_exist(cursor: Any) -> None:
    with pytest.raises(Exception, match='column "b" named in DISTKEY or SORTKEY does not exist'):
        cursor.execute("create table wrong sortkey (b) as select 1 as a")
    cursor.execute("create temp table right_one diststyle even as select 1 as a")
