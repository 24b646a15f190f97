"""`archive`: landed records that every mart has counted go, and none of them is forgotten for it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from e2e.engines import on_both_engines
from e2e.meddler import Meddler
from faults.extent import some

from loader.jobs.archive import archive
from loader.warehouse.project import Project

if TYPE_CHECKING:
    from conftest import Loader
    from e2e.conftest import Dbt
    from e2e.engines import Tables

ROOT = Path(__file__).resolve().parents[2]
HEADER = "indicator,indicator_type,source,confidence,first_seen\n"
ARCHIVE = ("archive", "--older-than", "90d", "--yes")
RELOAD = ("--select", "cti.indicators", "--reload", "feed/a.csv")
MART = "select * from analytics.indicators order by indicator"


def write(folder: Path, name: str, *indicators: str, rejected: int = 0) -> None:
    """A file of these indicators, and of records that are rejected."""
    records = [f"{i}.example,domain,{name},5,2026-01-01\n" for i in indicators]
    records += [f"{name}-{n}.example,domain,{name},much,2026-01-01\n" for n in range(rejected)]
    (folder / f"{name}.csv").write_text(HEADER + "".join(records))


def state(tables: Tables) -> list[list[tuple[Any, ...]]]:
    """Everything that archiving could touch."""
    names = ("raw.indicators", "raw._rejected_records", "raw._loaded_files", "analytics.indicators")
    return [sorted(tables.rows(f"select * from {name}"), key=repr) for name in names]


def without_times(row: tuple[Any, ...]) -> list[Any]:
    return [cell for cell in row if not isinstance(cell, datetime)]


def landed(tables: Tables) -> list[tuple[Any, ...]]:
    return tables.rows("select indicator, _load_id from raw.indicators order by 2, 1")


def ledger(tables: Tables) -> list[tuple[Any, ...]]:
    return tables.rows("select load_id, uri, status from raw._loaded_files order by 1")


@pytest.fixture
def loads(loader: Loader, project: Path, feed_folder: Path, tables: Tables) -> Path:
    """An old load with rejected records, of which one was replayed, and a new one; all built."""
    contract = project / "models/staging/cti/_cti__sources.yml"
    contract.write_text(contract.read_text().replace("max_fraction: 0.01", "max_fraction: 0.9"))
    write(feed_folder, "a", "one", "both", rejected=3)
    loader("load")
    exported = loader("rejects", "--csv").stdout
    Path("fixed.csv").write_text(exported.replace(",much,2026", ",50,2026", 1), newline="")
    loader("replay", "--from", "fixed.csv", code=1)
    write(feed_folder, "b", "two", "both", rejected=1)
    loader("run")
    tables.rows("update raw._loaded_files set loaded_at = '2026-01-01' where load_id < 3")
    return feed_folder


@on_both_engines
def test_what_is_archived_still_counts(loader: Loader, tables: Tables, loads: Path) -> None:
    before, mart = state(tables), tables.rows(MART)
    # WHEN nobody says yes THEN the loads are shown and nothing is done
    shown = loader(*ARCHIVE[:-1], code=2)
    assert shown.stdout.split()[-3:] == ["1", "2", "3"]
    assert "give --yes if it should" in shown.stderr
    assert state(tables) == before
    # WHEN somebody does
    done = json.loads(loader(*ARCHIVE, "--json").stdout)
    names = ("loads", "files", "records_loaded", "records_rejected")
    assert [done[name] for name in names] == [1, 1, 2, 3]
    # THEN its landed records are gone, but not the one that was replayed, and the mart is as it was
    assert landed(tables) == [("a-0.example", 2), ("both.example", 3), ("two.example", 3)]
    assert tables.rows(MART) == mart
    assert ledger(tables) == [
        *((1, "feed/a.csv", "archived"), (2, "feed/a.csv", "replayed")),
        (3, "feed/b.csv", "loaded"),
    ]
    # AND what it had rejected still says by what rule; the text that a replay has stays with it
    texts = "select record, rule, raw_text is null, replayed_by from raw._rejected_records"
    assert tables.rows(f"{texts} where load_id = 1 order by 1") == [
        *((3, "integer", False, 2), (4, "integer", True, None), (5, "integer", True, None)),
    ]
    assert loader("rejects", "--json").stdout.count("\n") == 1
    # AND everything holds, nothing is loaded again, and the next load meets the winners so far
    write(loads, "c", "one", "four")
    assert "load 4: 1 files" in loader("run").stdout
    assert "0 of 70 data tests fail" in loader("check", "--full").stdout
    counts = "select indicator, source, occurrences from analytics.indicators order by 1"
    assert tables.rows(counts) == [
        *(("a-0.example", "a", 1), ("both.example", "b", 2), ("four.example", "c", 1)),
        *(("one.example", "c", 2), ("two.example", "b", 1)),
    ]
    assert "archived 0 records of 0 loads" in loader(*ARCHIVE).stdout


@on_both_engines
def test_a_rebuild_waits_for_what_is_archived(
    loader: Loader, dbt: Dbt, tables: Tables, project: Path, loads: Path
) -> None:
    before = state(tables)
    loader(*ARCHIVE)
    archived = state(tables)
    # WHEN all is to be built anew, or a rule changes THEN the file is named, the mart as it is
    with pytest.raises(AssertionError, match="analytics.indicators is built"):
        dbt("run", "--full-refresh", "--select", "indicators")
    settings = project / "dbt_project.yml"
    settings.write_text(settings.read_text().replace("path_case: false", "path_case: true"))
    told = loader("run", code=2).stderr
    assert "its rules have changed since it was built: stg_cti__indicators; that needs" in told
    assert told.strip().endswith(f"python -m loader load {' '.join(RELOAD)}")
    # AND a rollback leaves the load as it is, too
    for load in (2, 3):
        told = loader("rollback", str(load), "--yes", code=2).stderr
        assert f"load {load} of cti.indicators: without it" in told
        assert "--reload feed/a.csv" in told
    assert state(tables) == archived
    # WHEN the file is loaded again THEN all but the time is as it was, by the load id that marts know
    assert "load 4: 1 files, 2 of 5 records loaded" in loader("load", *RELOAD).stdout
    for table, earlier in zip(state(tables)[:2], before[:2], strict=True):
        assert [without_times(row) for row in table] == [without_times(row) for row in earlier]
    assert state(tables)[3] == before[3]
    assert ledger(tables)[0] == (1, "feed/a.csv", "loaded")
    loader("check")
    assert loader("rejects", "--json").stdout.count("\n") == 3
    # AND what waited can be done
    assert "rebuilt from all landed records" in loader("run").stdout
    assert state(tables)[3] == before[3]
    assert loader("load", *RELOAD).stdout.startswith("cti.indicators: nothing new; 2 files")
    # AND it is as new as that load
    assert "archived 0 records" in loader(*ARCHIVE).stdout
