"""Rejected records are written once and come back whole."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from loader.validation.rejects import COLUMNS, Reject, RejectLog

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

RAW = st.one_of(
    st.binary(max_size=40), st.text(st.sampled_from('a",\r\n\0é'), max_size=40).map(str.encode)
)


def test_a_reject_is_one_line_of_ascii_json(tmp_path: Path) -> None:
    log = RejectLog(tmp_path / "x", "a\n.csv")
    reject = Reject("a\n.csv", 1, 2, "c", "r", "é\u2028", "m", b"raw \xff \x00")
    log.write([reject])
    (line,) = log.json_lines()
    assert line.isascii()
    assert line.count("\n") == 1
    # The names are documented: people's scripts read these files.
    assert json.loads(line) == {
        "file": "a\n.csv",
        "record": 1,
        "line": 2,
        "column": "c",
        "rule": "r",
        "value": "é\u2028",
        "message": "m",
        "raw": "raw \udcff \0",
    }
    assert list(log.read()) == [reject]
    assert log.by_rule == {("c", "r"): 1}


@given(st.lists(RAW, max_size=5))
def test_what_is_written_comes_back(
    tmp_path_factory: pytest.TempPathFactory, raws: list[bytes]
) -> None:
    log = RejectLog(tmp_path_factory.mktemp("log") / "x", "a.csv")
    rejects = [Reject("a.csv", n, n, None, "r", None, 'm "\r\n', raw) for n, raw in enumerate(raws)]
    # GIVEN rejects written a few at a time
    log.write(rejects[:2])
    log.write(rejects[2:])
    assert list(log.read()) == rejects


def test_a_long_record_takes_several_rows_and_a_long_value_is_cut(tmp_path: Path) -> None:
    # What the quarantine's columns hold: 65,535 bytes of text, and a value that a person can read.
    raw = "ä".encode() * 70_000
    log = RejectLog(tmp_path / "x", "a.csv")
    log.write([Reject("a.csv", 1, 2, "c", "r", "v" * 5000, "m\0", raw)])
    rows = [dict(zip(COLUMNS, row, strict=True)) for row in log.rows()]
    assert [int(row["part"]) for row in rows] == list(range(1, len(rows) + 1))
    assert max(len(row["raw_text"].encode()) for row in rows) <= 65_535
    (reject,) = log.read()
    assert reject.raw == raw
    assert reject.value is not None
    assert len(reject.value) == 1000
    assert reject.message == "m\\x00"
