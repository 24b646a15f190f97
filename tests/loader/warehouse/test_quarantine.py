"""What is kept of rejected records, and what comes back: nothing is thrown away."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from loader.files.version import FileVersion
from loader.validation.rejects import Reject, RejectLog, Verdict
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
    written = folder / "rejected.csv.gz"
    (group,) = write_rejected(written, feed, [(FILE, verdict)], None)
    with gzip.open(written, "rt", encoding="utf-8", newline="") as text:
        found = list(csv.DictReader(text))
    assert (group.table, group.compression) == ("quarantine", "gzip")
    assert (group.paths, group.records) == ((str(written),), len(found))
    assert list(found[0]) == ["_number", *COLUMNS]
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
                "batch_id": 3,
                "file_time": "2026-01-01 00:00:00",
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
def test_a_rejected_record_is_kept_whole(make_feed: MakeFeed, tmp_path: Path, raw: bytes) -> None:
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
