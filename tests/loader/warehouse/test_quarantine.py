"""What is kept of refused records, and what comes back: nothing is thrown away."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loader.cli.corrections import export_cell, print_csv, read_corrections
from loader.contract.feed import Rejects
from loader.errors import ConfigError
from loader.files.version import FileVersion
from loader.validation.rejects import Reject, RejectLog
from loader.validation.validator import Verdict
from loader.warehouse.quarantine import (
    COLUMNS,
    Quarantined,
    write_rejected,
    written_out,
)

if TYPE_CHECKING:
    from loader.conftest import MakeFeed

FILE = FileVersion("in/a.csv", 10, "etag")


def kept(feed: Any, folder: Path, *raws: bytes, value: str | None = "v") -> list[Quarantined]:
    """Records as they come back from a warehouse that keeps what COPY would take."""
    log = RejectLog(folder / "log", "in/a.csv")
    log.write(
        Reject("in/a.csv", n, n + 1, "c", "r", value, "m", raw)
        for n, raw in enumerate(raws, start=1)
    )
    verdict = Verdict("in/a.csv", read=len(raws), rejects=log, header="a,b")
    written = folder / "rejected.csv"
    rows = write_rejected(written, feed, [(FILE, verdict)])
    with written.open(encoding="utf-8", newline="") as text:
        found = list(csv.DictReader(text))
    assert len(found) == rows
    assert list(found[0]) == list(COLUMNS)
    for row in found:
        # Redshift: VARCHAR holds at most 65,535 bytes, none of them NUL.
        assert len(row["raw_text"].encode()) <= 65_535
        assert not any("\0" in cell for cell in row.values())
    numbers = ("record", "part", "line")
    return list(
        written_out(
            {
                **{name: cell or None for name, cell in row.items()},
                **{name: int(row[name]) for name in numbers},
                "load_id": 7,
            }
            for row in found
        )
    )


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"plain,text",
        b'a "quote", a\nline end, a \r return',
        b"not \xff utf-8 \xc3",
        b"a NUL \x00 byte",
        b"x" * 65_535,
        b"x" * 65_536,
        "\u20ac".encode() * 70_000,
        b"x" + "\U0001f600".encode() * 70_000,
        b"\xff" * 200_000,
    ],
    ids=lambda raw: f"{raw[:12]!r}x{len(raw)}",
)
def test_a_refused_record_is_kept_whole(make_feed: MakeFeed, tmp_path: Path, raw: bytes) -> None:
    others = (b"before", b"after")
    records = kept(make_feed({"a": {}}), tmp_path, others[0], raw, others[1])
    assert [(r.record, r.raw) for r in records] == [(1, others[0]), (2, raw), (3, others[1])]
    assert {(r.line - r.record, r.header, r.column, r.rule) for r in records} == {
        (1, "a,b", "c", "r")
    }


def test_the_value_is_cut_and_the_text_is_not(make_feed: MakeFeed, tmp_path: Path) -> None:
    (record,) = kept(make_feed({"a": {}}), tmp_path, b"x" * 5000, value="\0\udcff" + "v" * 5000)
    assert record.value is not None
    assert record.value.startswith("\\x00\\udcffvvv")
    assert len(record.value) == 1000
    assert len(record.raw) == 5000


def test_a_contract_is_known_by_its_rules(make_feed: MakeFeed) -> None:
    feed = make_feed({"a": {"type": "integer"}})
    assert feed.fingerprint == make_feed({"a": {"type": "integer"}}).fingerprint
    assert feed.fingerprint == make_feed({"a": {"type": "integer"}}, location="b/*").fingerprint
    for other in (
        make_feed({"a": {"type": "integer", "minimum": 1}}),
        make_feed({"b": {"type": "integer"}}),
        make_feed({"a": {"type": "integer"}}, delimiter=";"),
        make_feed({"a": {"type": "integer"}}, columns={"extra": "ignore"}),
    ):
        assert other.fingerprint != feed.fingerprint


@pytest.mark.parametrize(
    ("limits", "rejected", "read", "allowed"),
    [
        ({}, 0, 10, True),
        ({}, 1, 10, False),
        ({"max_rows": 0}, 1, 1000, False),
        ({"max_rows": 2}, 2, 2, True),
        ({"max_rows": 2}, 3, 1000, False),
        ({"max_fraction": 0.1}, 1, 10, True),
        ({"max_fraction": 0.1}, 2, 10, False),
        ({"max_rows": 5, "max_fraction": 0.1}, 5, 10, False),
        ({"max_rows": 5, "max_fraction": 0.9}, 6, 10, False),
        ({"max_rows": 5, "max_fraction": 0.9}, 5, 10, True),
        ({"max_fraction": 1.0}, 10, 10, True),
        ({"max_fraction": 0.0}, 0, 0, True),
    ],
)
def test_every_limit_that_is_set_holds(
    limits: dict[str, Any], rejected: int, read: int, allowed: bool
) -> None:
    assert Rejects(**limits).allow(rejected, read) is allowed


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\tx", "\rx", "'x", "''", "x", ""])
def test_no_cell_is_a_formula_and_every_one_comes_back(
    make_feed: MakeFeed, tmp_path: Path, text: str
) -> None:
    assert not export_cell(text).startswith(("=", "+", "-", "@", "\t", "\r"))
    assert export_cell(None) == ""
    # GIVEN a record that begins like a formula
    records = kept(make_feed({"a": {}}), tmp_path, text.encode())
    out = io.StringIO()
    # WHEN it is exported and read back
    print_csv(records, out)
    exported = tmp_path / "rejects.csv"
    exported.write_text(out.getvalue(), encoding="utf-8", newline="")
    # THEN it is what it was
    assert read_corrections(exported) == {(7, "in/a.csv", 1): text.encode()}


@given(st.lists(st.binary(max_size=20), min_size=1, max_size=4))
def test_what_is_exported_can_be_read_back(
    make_feed: MakeFeed, tmp_path_factory: pytest.TempPathFactory, raws: list[bytes]
) -> None:
    folder = tmp_path_factory.mktemp("export")
    out = io.StringIO(newline="")
    print_csv(kept(make_feed({"a": {}}), folder, *raws), out)
    exported = folder / "rejects.csv"
    exported.write_text(out.getvalue(), encoding="utf-8", newline="")
    assert read_corrections(exported) == {
        (7, "in/a.csv", n): raw for n, raw in enumerate(raws, start=1)
    }


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("load,file,record\n1,a,1\n", ["no column raw", "load, file, record, raw"]),
        ("", ["no column load"]),
        ("load,file,record,raw\none,a,1,x\n", ["line 2", "whole numbers"]),
        ("load,file,record,raw\n1,a,,x\n", ["line 2", "whole numbers"]),
        ("load,file,record,raw\n1,a,1,x\n1,a,1,y\n", ["line 3", "record 1 of a is there twice"]),
        ("load,file,record,raw_encoding,raw\n1,a,1,base64,*\n", ["line 2", "not base64"]),
        ('load,file,record,raw\n1,a,1,"x"y\n', ["no well-formed CSV"]),
        ("load,file,record,raw\n1,a,1,\udcff\n", ["not UTF-8"]),
    ],
)
def test_a_mistake_in_the_corrections_is_said_with_its_place(
    tmp_path: Path, text: str, words: list[str]
) -> None:
    path = tmp_path / "fix.csv"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(ConfigError) as caught:
        read_corrections(path)
    for word in [str(path), *words]:
        assert word in str(caught.value)


def test_corrections_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        read_corrections(tmp_path / "none.csv")


def test_a_long_record_comes_back_too(make_feed: MakeFeed, tmp_path: Path) -> None:
    # Python's csv takes cells of 128 KiB unless told otherwise; a record may be far longer.
    text = b"x" * 1_000_000
    out = io.StringIO()
    print_csv(kept(make_feed({"a": {}}), tmp_path, text), out)
    exported = tmp_path / "rejects.csv"
    exported.write_text(out.getvalue(), encoding="utf-8", newline="")
    assert read_corrections(exported) == {(7, "in/a.csv", 1): text}
