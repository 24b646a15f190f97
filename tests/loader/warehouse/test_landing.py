"""What the ledger is told of a file."""

from __future__ import annotations

import json

from loader.files.version import FileVersion
from loader.validation.rejects import Verdict
from loader.warehouse.landing import ledger_row

IDS = {"load_id": 3, "batch_id": 2, "run_id": None}
FILE = FileVersion("in/a.csv", 7, "etag")


def test_of_a_file_that_is_as_the_contract_says_nothing_is_told() -> None:
    row = ledger_row(IDS, 1, FILE, Verdict("in/a.csv", read=5, accepted=5), "loaded")
    assert (row.load_id, row.status) == (4, "loaded")
    assert row[-4:] == (None, None, None, None)


def test_a_refused_file_has_its_reason_whatever_that_holds() -> None:
    # GIVEN a reason that quotes the file, at length
    row = ledger_row(IDS, 0, FILE, Verdict("in/a.csv", refused="\0\x1b" + "é" * 70_000), "loaded")
    # THEN the ledger has room for it
    assert row.status == "refused"
    assert row.refused_reason is not None
    assert row.refused_reason.startswith("\\x00\x1bé")
    assert len(row.refused_reason.encode()) <= 8192


def test_more_names_than_there_is_room_for_are_counted() -> None:
    names = ("Größe\n", *(f"{number:>030}" for number in range(3000)))
    row = ledger_row(IDS, 0, FILE, Verdict("in/a.csv", missing=names, ignored=("x" * 99_999,)), "")
    assert row.columns_missing is not None
    assert len(row.columns_missing.encode()) <= 16_384
    shown = json.loads(row.columns_missing)
    assert shown[:2] == ["Größe\n", "0" * 30]
    assert shown[-1] == f"and {3001 - len(shown) + 1:,} more"
    assert row.columns_ignored == '["and 1 more"]'
