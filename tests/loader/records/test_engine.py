"""Names and values become SQL here. If the quoting leaks, a file's name can run a statement."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from loader.errors import ConfigError
from loader.files.spool import spool_folder
from loader.records import engine
from loader.validation.validator import Validator

if TYPE_CHECKING:
    from loader.conftest import JudgeBytes, MakeFeed

RULES: dict[str, Any] = {"type": "integer", "maximum": 5, "required": True}

HOSTILE = [
    'a"b',
    "a'b",
    '"; drop table t; --',
    "'); drop table t; --",
    "a;b",
    "a--b",
    "a/*b",
    "a\nb",
    "a\\b",
    "$1 ? :x {{ x }} {% x %} %s",
    "select",
    "ünï 観測所 💸",
    "x\u202ey",
    '""',
    "''",
    "row",
    "x0",
    "x1",
    "rowid",
    "filename",
    "refused",
    "count",
]


def test_many_cores_do_not_ask_for_more_memory_than_there_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # With a thread for each of 64 cores, the buffers of a large file did not fit into the limit.
    connect = duckdb.connect

    def on_many_cores(config: dict[str, Any]) -> duckdb.DuckDBPyConnection:
        return connect(config=config | {"threads": 64})

    monkeypatch.setattr(duckdb, "connect", on_many_cores)
    with engine.connect() as connection:
        assert connection.execute("select current_setting('threads')").fetchone() == (8,)


@pytest.mark.parametrize("text", HOSTILE)
def test_text_comes_back_as_it_went_in(text: str) -> None:
    with engine.connect() as connection:
        name = engine.identifier(text)
        cursor = connection.execute(f"select {engine.literal(text)} as {name}")
        assert cursor.description is not None
        assert cursor.description[0][0] == text
        assert cursor.fetchone() == (text,)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_column_may_have_any_name(
    make_feed: MakeFeed, judge_bytes: JudgeBytes, name: str
) -> None:
    # GIVEN a column of that name, with rules for the screen and for the judge
    feed = make_feed(
        {
            "first": {"pattern": ".*'.*"},
            name: RULES,
        },
        columns={"extra": "ignore"},
    )
    header = f'ignored,"{name.replace(chr(34), chr(34) * 2)}",also ignored,first\n'
    # WHEN some records pass the screen, some only the judge, and some neither
    data = header + "x,1,,\n,9,long value,\n,\u00a02,,it's\n,,y,\n,3,,\n"
    judged = judge_bytes(feed, data.encode())
    # THEN the right ones are accepted, under that name
    assert judged.verdict.refused is None
    assert [(r.record, r.column, r.rule) for r in judged.rejects] == [
        (2, name, "maximum"),
        (4, name, "required"),
    ]
    assert judged.accepted is not None
    assert judged.accepted.decode().endswith("\n,1\nit's,\u00a02\n,3\n")


@pytest.mark.parametrize(
    "name",
    [
        "it's.csv",
        'say "x".csv',
        "a;b.csv",
        "--.csv",
        "line\nbreak.csv",
        "back\\slash.csv",
        "tab\t.csv",
        "ünï 観測所.csv",
        "*.csv",
        "a?.csv",
        "a[1].csv",
        "[!x].csv",
        "{a,b}.csv",
        "**.csv",
        "~.csv",
        "$HOME.csv",
        "%20.csv",
        "a.parquet",
        "a.csv?x=1",
        "-",
        " .csv",
        "x.gzip",
        "x.bz2",
    ],
)
def test_a_file_may_have_any_name(
    make_feed: MakeFeed, judge_bytes: JudgeBytes, tmp_path: Path, name: str
) -> None:
    judged = judge_bytes(make_feed({"a": {"type": "integer"}}), b"a\n1\nx\n2\n", name)
    assert judged.accepted == b'"a"\n"1"\n"2"\n'
    assert [reject.file for reject in judged.rejects] == [name]


@pytest.mark.parametrize("name", ["a[1].csv", "a?.csv", "*.csv"])
def test_a_file_whose_name_is_a_pattern_is_not_its_neighbour(
    make_feed: MakeFeed, judge_bytes: JudgeBytes, tmp_path: Path, name: str
) -> None:
    # GIVEN two files of the same size, the name of one being a pattern that matches the other
    (tmp_path / name).write_bytes(b"a,b\n1,2\n")
    (tmp_path / "a1.csv").write_bytes(b"a,b\n8,9\n")
    spool = tmp_path / "spool"
    spool.mkdir()
    # WHEN the one is validated
    with Validator(make_feed({"a": {}, "b": {}}), spool) as validator:
        verdict = validator.validate(name, tmp_path / name)
        # THEN its own content is accepted, not the other's
        assert judge_bytes.accepted(validator, verdict) == b"a,b\n1,2\n"


def test_a_spool_folder_may_have_any_name(
    make_feed: MakeFeed, judge_bytes: JudgeBytes, tmp_path: Path
) -> None:
    # GIVEN a TMPDIR with characters that mean something to SQL
    spool = tmp_path / "it's here; --"
    spool.mkdir()
    source = tmp_path / "a.csv"
    # WHEN a file has to be rewritten there twice, its malformed and its rejected records left out
    source.write_bytes(b'a,b\n1,2\r\nx,2\n"3"x,4\n5,6\n')
    with Validator(make_feed({"a": {"type": "integer"}, "b": {}}), spool) as validator:
        verdict = validator.validate("a.csv", source)
        assert judge_bytes.accepted(validator, verdict) == b"a,b\n1,2\n5,6\n"


def test_a_spool_folder_that_is_a_pattern_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The engine would read whatever else matches it.
    (tmp_path / "x[1]").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "x[1]"))
    with pytest.raises(ConfigError, match="set TMPDIR to a folder without"), spool_folder():
        pass
    assert list((tmp_path / "x[1]").iterdir()) == []


@pytest.mark.parametrize(
    ("pattern", "valid"),
    [
        ("a+", True),
        ("", True),
        (r"\p{Greek}+", True),
        ("(?i)x", True),
        ("(", False),
        ("a**", False),
    ],
)
def test_patterns_are_checked_by_the_engine_that_uses_them(pattern: str, valid: bool) -> None:
    assert (engine.pattern_error(pattern) is None) == valid


@pytest.mark.parametrize(
    ("pattern", "value", "matches"),
    [
        ("a|ab", "ab", True),
        ("a|ab", "xab", False),
        ("[a-z]+", "abc\n", False),
        (".", "ä", True),
        (".", "💸", True),
        ("a.c", "a\nc", False),
        (r"\d+", "٣", False),
        ("^a$", "a", True),
        ("", "", True),
    ],
)
def test_a_pattern_is_for_the_whole_value(pattern: str, value: str, matches: bool) -> None:
    with engine.connect() as connection:
        asked = [value, "no such value"]
        assert (value in engine.matching(connection, asked, pattern)) is matches


def test_the_engine_reaches_for_nothing_outside() -> None:
    # Closed networks: an extension that is fetched on first use would hang there.
    refused = pytest.raises(duckdb.Error, match=r"(?i)httpfs|autoload|extension")
    with engine.connect() as connection, refused:
        connection.execute("select * from read_csv('http://127.0.0.1:9/x.csv')")
