"""A file that cannot be read is set aside if the contract says so, and no other waits for it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from e2e.engines import on_both_engines

from loader.errors import WarehouseError
from loader.warehouse.connection import Warehouse

if TYPE_CHECKING:
    from conftest import Loader
    from e2e.engines import Tables

HEADER = "indicator,indicator_type,source,confidence,first_seen\n"
CONTRACT = "models/staging/cti/_cti__sources.yml"
PAGE = "<!DOCTYPE html>\n<title>Sign in</title>\n"

Say = Callable[[str], None]


def text(name: str) -> str:
    return f"{HEADER}{name}.example,domain,me,5,2026-01-01\n"


@pytest.fixture
def say(project: Path) -> Say:
    """Adds words to the feed's contract, which sets aside what cannot be read."""
    path = project / CONTRACT

    def add(words: str) -> None:
        path.write_text(path.read_text().replace("mode: append\n", f"mode: append\n{words}\n", 1))

    add(f"{' ' * 14}unreadable: set_aside")
    return lambda words: add(" " * 14 + words)


def statuses(tables: Tables) -> list[tuple[Any, ...]]:
    """File, status and records of each row of the ledger."""
    return tables.rows(
        "select uri, status, records_read + records_loaded + records_rejected"
        " from raw._loaded_files order by load_id"
    )


@on_both_engines
def test_a_file_that_cannot_be_read_is_set_aside_until_it_or_the_contract_changes(
    loader: Loader, feed_folder: Path, tables: Tables, say: Say
) -> None:
    # GIVEN a page among the files, and one that begins with a line that the contract does not know
    (feed_folder / "a.csv").write_text(text("a"))
    (feed_folder / "b.csv").write_text(PAGE)
    (feed_folder / "c.csv").write_text("Report\n" + text("c"))
    # WHEN they are loaded THEN the run that finds it fails, says why, and has loaded the other
    first = loader("load", code=1)
    assert "feed/b.csv: refused: this is HTML or XML" in first.stdout
    assert "feed/c.csv: refused: " in first.stdout
    assert "refused 2 files as a whole and set aside; what else was new is loaded" in first.stderr
    assert tables.rows("select indicator from raw.indicators") == [("a.example",)]
    refused = [("feed/b.csv", "refused", 0), ("feed/c.csv", "refused", 0)]
    assert statuses(tables) == [("feed/a.csv", "loaded", 2), *refused]
    # WHEN neither has changed, though one was touched, THEN no further run fails; a line tells it
    os.utime(feed_folder / "b.csv", (0, 0))
    told = "2 files refused before, unchanged since: feed/c.csv, feed/b.csv"
    assert told in loader("load").stdout
    planned = json.loads(loader("plan", "--json").stdout)
    assert planned["refused_before"] == ["feed/c.csv"]  # plan reads no file
    assert len(statuses(tables)) == 3
    # AND everybody who looks is told why
    rows = list(map(json.loads, loader("history", "--json").stdout.splitlines()))
    assert [row["refused_reason"] is None for row in rows] == [True, False, False]
    assert "load 1 refused feed/b.csv: this is HTML" in loader("rejects").stdout
    assert json.loads(loader("rejects", "--json", "--file", "feed/b.csv").stdout)["refused"]
    assert "was refused as a whole" in loader("rollback", "--file", "feed/b.csv", code=2).stderr
    # WHEN the content of one changes, and it still cannot be read, THEN it is refused once more
    (feed_folder / "b.csv").write_text(PAGE + "again")
    again = json.loads(loader("load", "--json", code=1).stdout)
    assert list(again["files_refused"]) == ["feed/b.csv"]
    assert (again["files"], again["files_refused_before"]) == (0, ["feed/c.csv"])
    # WHEN the contract changes THEN all are tried again, and what can be read now is loaded
    say("skip_rows: to_header")
    last = json.loads(loader("load", "--json", code=1).stdout)
    assert (last["files"], list(last["files_refused"])) == (1, ["feed/b.csv"])
    assert tables.count("raw.indicators") == 2
    assert "feed/c.csv" not in loader("rejects").stdout
    # AND once the file is put right, nothing is left to tell
    (feed_folder / "b.csv").write_text(text("b"))
    ran = loader("run").stdout
    assert "refused:" not in ran
    assert "refused before" not in ran
    assert "no record is in quarantine" in loader("rejects").stdout
    tables_say = tables.rows("select sum(records) from analytics.load_quality")
    assert tables_say == [(3,)]
