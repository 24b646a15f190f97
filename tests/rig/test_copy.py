"""COPY from a real S3 server. A loader's promises rest on what COPY refuses: were the rig laxer
than Redshift, broken files would load here and fail, or worse not fail, in production.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from typing import Any

import pytest
import redshift_connector

from loader.files.archives import zstd
from rig.fixtures import RedshiftDatabase
from rig.s3 import S3Server
from rig.server import ROLE

Put = Callable[[str, str | bytes], str]


@pytest.fixture
def put(s3_server: S3Server, request: pytest.FixtureRequest) -> Put:
    """Store an object under a prefix of this test; returns its address."""
    prefix = f"{abs(hash(request.node.nodeid))}/"

    def store(name: str, body: str | bytes) -> str:
        data = body if isinstance(body, bytes) else body.encode()
        s3_server.client().put_object(Bucket="lake", Key=prefix + name, Body=data)
        return f"s3://lake/{prefix}{name}"

    return store


@pytest.fixture
def cursor(redshift_database: RedshiftDatabase) -> Any:
    redshift_database.query(
        "create table t (a int, b varchar(6), c decimal(6,2), d timestamp default '2000-01-01')"
    )
    return redshift_database.connect().cursor()


def copy(cursor: Any, url: str, options: str = "", table: str = "t (a, b, c)") -> int:
    """Run a COPY; returns the number of rows it says it loaded."""
    cursor.execute(f"copy {table} from '{url}' iam_role '{ROLE}' format as csv {options}")
    cursor.execute("select pg_last_copy_count()")
    return int(cursor.fetchone()[0])


def rows(cursor: Any, columns: str = "a, b, c::varchar") -> list[list[Any]]:
    cursor.execute(f"select {columns} from t order by a, b")
    return list(cursor.fetchall())


def load_error(cursor: Any, url: str, options: str = "") -> dict[str, Any]:
    """Run a COPY that fails on its data; returns what the system view says of it."""
    with pytest.raises(redshift_connector.error.Error) as caught:
        copy(cursor, url, options)
    assert caught.value.args[0]["M"] == (
        "Load into table 't' failed.  Check 'sys_load_error_detail' system table for details."
    )
    # The transaction is rolled back, and the error is still there.
    cursor._c.rollback()
    cursor.execute("select * from sys_load_error_detail where query_id = pg_last_copy_id()")
    names = [column[0] for column in cursor.description]
    (row,) = cursor.fetchall()
    cursor._c.rollback()
    return dict(zip(names, row, strict=True))


def test_loads_quotes_and_defaults(cursor: Any, put: Put) -> None:
    # "Data format parameters": quoted fields may hold delimiters, quotes and line breaks. "CREATE
    # TABLE": an omitted column gets its DEFAULT.
    url = put("x.csv", 'a,b,c\n1,"x,""y""",1.5\n2,"p\nq\r\n",\n3,ß,-2\n')
    assert copy(cursor, url, "ignoreheader 1") == 3
    assert rows(cursor) == [[1, 'x,"y"', "1.50"], [2, "p\nq\r\n", None], [3, "ß", "-2.00"]]
    assert rows(cursor, "distinct d::varchar, 1 as a, 1 as b")[0][0] == "2000-01-01 00:00:00"
    notice = cursor._c.notices[-1]
    assert notice[b"M"] == b"Load into table 't' completed, 3 record(s) loaded successfully."


def test_columns_are_positional(cursor: Any, put: Put) -> None:
    assert copy(cursor, put("x", "1.5,7,x\n"), table="t (c, a, b)") == 1
    assert rows(cursor) == [[7, "x", "1.50"]]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("", ["", " ", '"\\N"', "NULL", "x"]),
        ("emptyasnull", ["NULL", " ", '"\\N"', "NULL", "x"]),
        ("blanksasnull", ["", "NULL", '"\\N"', "NULL", "x"]),
        ("null as 'x'", ["", " ", '"\\N"', "\\N", "NULL"]),
        ("null as ''", ["NULL", " ", '"\\N"', "\\N", "x"]),
    ],
)
def test_null(cursor: Any, put: Put, options: str, expected: list[str]) -> None:
    # "Data conversion parameters": NULL AS, EMPTYASNULL, BLANKSASNULL
    url = put("x", '1,"",\n2, ,\n3,"""\\N""",\n4,\\N,\n5,x,\n')
    copy(cursor, url, options)
    cursor.execute("select nvl(b, 'NULL') from t order by a")
    assert [row[0] for row in cursor.fetchall()] == expected


@pytest.mark.parametrize(
    ("body", "line", "column", "code", "message"),
    [
        ("1,x,1\n2,x\n", 2, "", 1214, "Delimiter not found"),
        ('1,"x\n\n",1\n2,x,1,\n', 4, "", 1202, "Extra column(s) found"),
        ('1,x"y"z,1\n', 1, "", 1216, "Invalid quote formatting for CSV"),
        ('78.07"All, Round",x\n', 1, "", 1216, "Invalid quote formatting for CSV"),
        ('1,"x"y,1\n', 1, "", 1216, "Invalid quote formatting for CSV"),
        ('1, "x",1\n', 1, "", 1216, "Invalid quote formatting for CSV"),
        ('1,x,1\n2,"x,1\n', 2, "", 1216, "Invalid quote formatting for CSV"),
        ("1,x,1\r\n", 1, "", 1216, "the rig does not imitate carriage returns outside quotes"),
        ("1,x,1\n\n2,x,1\n", 2, "", 1211, "Input line contained no data"),
        ("1,x,1\n\\.\n2,x,1\n", 2, "", 1216, "the rig does not imitate a line that is only \\."),
        ("1,\0,1\n", 1, "", 1218, "Invalid null byte"),
        (b"1,x,1\n2,\xa4,1\n", 2, "b", 1220, "Bad UTF8 hex sequence: a4"),
        (b"\xef\xbb\xbf1,x,1\n", 1, "", 1216, "the rig does not imitate a byte order mark"),
        ("1,abcdefg,1\n", 1, "b", 1204, "String length exceeds DDL length"),
        ("1,x,1\n1,äöüß,1\n", 2, "b", 1204, "String length exceeds DDL length"),
        ("z,x,1\n", 1, "a", 1207, "Invalid digit, Value 'z', Pos 0, Type: Integer"),
        ("1.5,x,1\n", 1, "a", 1207, "Invalid digit"),
        (" 1,x,1\n", 1, "a", 1207, "Invalid digit"),
        ("99999999999,x,1\n", 1, "a", 1216, "Overflow"),
        ("1,x,1e3\n", 1, "c", 1207, "Invalid digit, Value 'e', Pos 1, Type: Decimal"),
        ("1,x,12345\n", 1, "c", 1209, "Overflow"),
        ('1,"a\nb",1\n2,x,NaN\n', 3, "c", 1207, "Invalid digit"),
    ],
)
def test_bad_data(
    cursor: Any, put: Put, body: str | bytes, line: int, column: str, code: int, message: str
) -> None:
    # "Load error reference", "Multibyte character load errors"
    url = put("bad.csv", body)
    error = load_error(cursor, url)
    assert error["file_name"] == url
    assert (error["line_number"], error["column_name"]) == (line, column)
    assert error["error_code"] == code
    assert message in error["error_message"]
    assert rows(cursor) == []


def test_header_lines_count(cursor: Any, put: Put) -> None:
    error = load_error(cursor, put("x", "a,b,c\n-,-,-\n1,x,1\n2,x,y\n"), "ignoreheader 2")
    assert (error["line_number"], error["column_type"]) == (4, "numeric")
    error = load_error(cursor, put("y", "a,b,c\n1,toolong,1\n"), "ignoreheader 1")
    assert (error["line_number"], error["column_length"]) == (2, "6")


def test_not_null(cursor: Any, put: Put) -> None:
    cursor.execute("alter table t add column e varchar(5) default 'x' not null")
    cursor._c.commit()
    with pytest.raises(redshift_connector.error.Error):
        copy(cursor, put("x", "1,\n"), "emptyasnull", table="t (a, e)")
    cursor._c.rollback()
    cursor.execute("select trim(err_reason), err_code, trim(colname) from stl_load_errors")
    assert list(cursor.fetchall()) == [["Missing data for not-null field", 1213, "e"]]


def test_decimals_are_truncated_and_types_are_strict(cursor: Any, put: Put) -> None:
    # "ROUNDEC": by default COPY truncates. "BOOLEAN type": the literals it takes.
    cursor.execute("create temp table kinds (a decimal(8,2), b boolean, c date, d timestamp)")
    good = "20.259,t,2024-02-29,2024-01-02 03:04:05\n-20.259,NO,,\n"
    copy(cursor, put("good", good), table="kinds")
    cursor.execute("select a::varchar, b, c::varchar, d::varchar from kinds order by a desc")
    assert list(cursor.fetchall()) == [
        ["20.25", True, "2024-02-29", "2024-01-02 03:04:05"],
        ["-20.25", False, None, None],
    ]
    cursor._c.commit()
    for wrong in ("1,on,,\n", "1,t,2024-02-30,\n", "1,t,today,\n", "1,t,,2024-01-02\n"):
        with pytest.raises(redshift_connector.error.Error, match="failed"):
            copy(cursor, put("wrong", wrong), table="kinds")
        cursor._c.rollback()


def test_maxerror(cursor: Any, put: Put) -> None:
    # "MAXERROR": at error_count errors or more the load fails; fewer are left out and reported.
    url = put("x", "1,x,1\nz,x,1\n2,y\n3,toolong,1\n4,x,2\n")
    with pytest.raises(redshift_connector.error.Error):
        copy(cursor, url, "maxerror 3")
    cursor._c.rollback()
    assert copy(cursor, url, "maxerror 4") == 2
    assert [row[0] for row in rows(cursor)] == [1, 4]
    cursor.execute(
        "select line_number, error_code from sys_load_error_detail"
        " where query_id = pg_last_copy_id() order by 1"
    )
    assert list(cursor.fetchall()) == [[2, 1207], [3, 1214], [4, 1204]]


def test_noload_loads_nothing(cursor: Any, put: Put) -> None:
    assert copy(cursor, put("x", "1,x,1\n"), "noload") == 0
    assert rows(cursor) == []
    load_error(cursor, put("y", "z,x,1\n"), "noload")


def test_prefix_takes_every_key_that_begins_with_it(cursor: Any, put: Put) -> None:
    # "COPY from Amazon S3": x.csv is a prefix of x.csv.bak. A loader that forgets loads both.
    url = put("x.csv", "1,x,1\n")
    put("x.csv.bak", "2,x,1\n")
    put("x.csv/more", "3,x,1\n")
    assert copy(cursor, url) == 3


def test_manifest(cursor: Any, put: Put) -> None:
    # "Using a manifest to specify data files"
    url = put("x.csv", "1,x,1\n")
    put("x.csv.bak", "2,x,1\n")
    entries: list[dict[str, Any]] = [{"url": url, "mandatory": True}]
    manifest = put("manifest", json.dumps({"entries": entries}))
    assert copy(cursor, manifest, "manifest") == 1
    # "If a file is listed twice, the file is loaded twice."
    manifest = put("manifest", json.dumps({"entries": entries * 2}))
    assert copy(cursor, manifest, "manifest") == 2
    # `mandatory` is false by default.
    entries.append({"url": url + ".gone"})
    manifest = put("manifest", json.dumps({"entries": entries}))
    assert copy(cursor, manifest, "manifest") == 1


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ([{"url": "s3://lake/gone", "mandatory": True}], "Error NoSuchKey"),
        ([{"url": "s3://lake/gone"}], "does not exist"),
        ([], "does not exist"),
        ([{"uri": "s3://lake/gone"}], "not in correct json format"),
        ([{"url": "s3://lake/gone", "mandatory": "yes"}], "not in correct json format"),
        ("x", "not in correct json format"),
    ],
)
def test_bad_manifest(cursor: Any, put: Put, entries: object, message: str) -> None:
    with pytest.raises(redshift_connector.error.Error, match=message):
        copy(cursor, put("manifest", json.dumps({"entries": entries})), "manifest")
    cursor._c.rollback()
    cursor.execute("select pg_last_copy_id()")
    assert cursor.fetchone() == [-1]


@pytest.mark.parametrize(
    ("option", "compress"),
    [("gzip", gzip.compress), ("zstd", zstd.compress)],
)
def test_compression(
    cursor: Any, put: Put, option: str, compress: Callable[[bytes], bytes]
) -> None:
    url = put("x", compress(b"1,x,1\n") + compress(b"2,x,1\n"))
    assert copy(cursor, url, option) == 2
    cursor._c.rollback()
    for broken in (compress(b"1,x,1\n" * 9999)[:-9], b"1,x,1\n"):
        with pytest.raises(redshift_connector.error.Error, match="Failed to decompress"):
            copy(cursor, put("broken", broken), option)
        cursor._c.rollback()


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        (f"copy gone from 's3://lake/x' iam_role '{ROLE}' csv", "nonexistent table gone"),
        (f"copy t (z) from 's3://lake/x' iam_role '{ROLE}' csv", 'column "z" of relation "t"'),
        (f"copy t from 's3://lake/gone' iam_role '{ROLE}' csv", "The specified S3 prefix 'gone'"),
        (f"copy t from 's3://gone/x' iam_role '{ROLE}' csv", "S3ServiceException:.*NoSuchBucket"),
        (
            f"copy t from 's3://lake/x' iam_role '{ROLE}' csv region 'eu-west-1'",
            "Status 301,Error PermanentRedirect",
        ),
        (
            "copy t from 's3://lake/x' iam_role 'arn:aws:iam::123456789012:role/other' csv",
            "is not authorized to assume IAM Role arn:aws:iam::123456789012:role/other",
        ),
    ],
)
def test_refuses_before_it_loads(cursor: Any, sql: str, message: str) -> None:
    with pytest.raises(redshift_connector.error.Error, match=message):
        cursor.execute(sql)


def test_is_part_of_the_transaction(
    cursor: Any, put: Put, redshift_database: RedshiftDatabase
) -> None:
    # Once: data and ledger row commit together or not at all.
    url = put("x", "1,x,1\n")
    assert copy(cursor, url) == 1
    assert redshift_database.query("select count(*) from t") == [[0]]
    cursor._c.rollback()
    # "PG_LAST_COPY_ID": a COPY that was rolled back is not the last one.
    cursor.execute("select pg_last_copy_id(), pg_last_copy_count()")
    assert cursor.fetchone() == [-1, 0]
    copy(cursor, url)
    cursor._c.commit()
    assert redshift_database.query("select count(*) from t") == [[1]]
    cursor.execute("select status, loaded_rows, source_file_count from sys_load_history order by 1")
    assert list(cursor.fetchall()) == [["completed", 1, 1], ["completed", 1, 1]]


def test_a_failed_file_undoes_the_others(cursor: Any, put: Put) -> None:
    # One COPY of many files is atomic.
    put("f/1", "1,x,1\n")
    put("f/2", "z,x,1\n")
    cursor._c.autocommit = True
    with pytest.raises(redshift_connector.error.Error):
        copy(cursor, put("f/0", "0,x,1\n").removesuffix("0"))
    assert rows(cursor) == []


def test_large_file_in_pieces(cursor: Any, put: Put) -> None:
    # Blocks are cut in the middle of quoted line breaks; no record may be lost there.
    record = '%d,"a\n""b",1\n'
    body = "".join(record % number for number in range(150_000))
    assert len(body) > 1 << 20
    assert copy(cursor, put("x", body)) == 150_000
    cursor.execute("select count(distinct a), min(b), max(b) from t")
    assert cursor.fetchone() == [150_000, 'a\n"b', 'a\n"b']
    error = load_error(cursor, put("y", body + "x,x,1\n"))
    assert error["line_number"] == 300_001
