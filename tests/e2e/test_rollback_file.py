"""`rollback --file`: all that came from one file goes, whichever loads brought it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from e2e.engines import slowly_on_both_engines

if TYPE_CHECKING:
    from conftest import Loader
    from e2e.engines import Tables

HEADER = "indicator,indicator_type,source,confidence,first_seen\n"
FILE = ("rollback", "--yes", "--file")


def write(folder: Path, name: str, *indicators: str, rejected: int = 0) -> None:
    """A file of these indicators, and of records that are rejected."""
    records = [f"{i}.example,domain,{name},5,2026-01-01\n" for i in indicators]
    records += [f"{name}-{n}.example,domain,{name},much,2026-01-01\n" for n in range(rejected)]
    (folder / f"{name}.csv").write_text(HEADER + "".join(records))


def state(tables: Tables) -> list[list[tuple[Any, ...]]]:
    """Everything that a rollback could touch."""
    names = ("indicators", "_rejected_records", "_loaded_files")
    return [sorted(tables.rows(f"select * from raw.{name}"), key=repr) for name in names]


def landed(tables: Tables) -> list[tuple[Any, ...]]:
    return tables.rows(
        "select indicator, uri from raw.indicators"
        " inner join raw._loaded_files on _load_id = load_id order by 1, 2"
    )


@pytest.fixture
def batch(loader: Loader, project: Path, feed_folder: Path) -> Path:
    """A load of three files with rejected records, of which one has been replayed; the folder."""
    contract = project / "models/staging/cti/_cti__sources.yml"
    contract.write_text(contract.read_text().replace("max_fraction: 0.01", "max_fraction: 0.9"))
    write(feed_folder, "a", "one", "both", rejected=2)
    write(feed_folder, "b", "two", "both", rejected=2)
    write(feed_folder, "c", "three")
    loader("load")
    exported = loader("rejects", "--csv").stdout
    fixed = exported.replace("a-0.example,domain,a,much", "a-0.example,domain,a,50")
    Path("fixed.csv").write_text(
        fixed.replace("b-1.example,domain,b,much", "b-1.example,domain,b,50"), newline=""
    )
    loader("replay", "--from", "fixed.csv", code=1)
    return feed_folder


@slowly_on_both_engines
def test_every_version_and_its_replays_go_and_other_files_stay(
    loader: Loader, tables: Tables, batch: Path
) -> None:
    # GIVEN two versions of a file, both with rejected records, and a replay of two files' records
    write(batch, "a", "newer", rejected=1)
    loader("run")
    # WHEN the file is rolled back
    done = json.loads(loader(*FILE, "feed/a.csv", "--json").stdout.splitlines()[-1])
    assert (done["file"], done["load"], done["files"]) == ("feed/a.csv", None, 3)
    assert (done["records_deleted"], done["rejects_deleted"]) == (4, 3)
    # THEN nothing is left of it, and the others are what they were, in every table
    assert landed(tables) == [
        ("b-1.example", "feed/b.csv"),
        ("both.example", "feed/b.csv"),
        ("three.example", "feed/c.csv"),
        ("two.example", "feed/b.csv"),
    ]
    assert tables.rows(
        "select uri, record, replayed_by is null from raw._rejected_records order by 1, 2"
    ) == [("feed/b.csv", 3, True), ("feed/b.csv", 4, False)]
    assert tables.rows("select indicator, occurrences from analytics.indicators order by 1") == [
        *(("b-1.example", 1), ("both.example", 1), ("three.example", 1), ("two.example", 1)),
    ]
    assert done["tests_failed"] == done["checks_failed"] == 0
    assert tables.rows("select batch_id, uri, status from raw._loaded_files order by 1, 2") == [
        (1, "feed/a.csv", "rolled back"),
        (1, "feed/b.csv", "loaded"),
        (1, "feed/c.csv", "loaded"),
        (2, "feed/a.csv", "rolled back"),
        (2, "feed/b.csv", "replayed"),
        (3, "feed/a.csv", "rolled back"),
    ]
    # AND it comes again only if it is asked for, with the version that is there
    assert "1 rolled back" in loader("load").stdout
    assert "was rolled back before" in loader(*FILE, "feed/a.csv", code=2).stderr
    assert "load 4: 1 files" in loader("load", "--reload", "feed/a.csv").stdout
    assert ("newer.example", "feed/a.csv") in landed(tables)
    # AND the rest of its batch can still be rolled back, the replay first
    assert "Roll that back first" in loader("rollback", "1", "--yes", code=2).stderr
    loader("rollback", "2", "--yes")
    loader("rollback", "1", "--yes")
    assert landed(tables) == [("newer.example", "feed/a.csv")]


@pytest.mark.slow
def test_what_cannot_be_done_is_said(
    loader: Loader, tables: Tables, project: Path, batch: Path
) -> None:
    before = state(tables)
    for arguments, told in (
        (["--file", "feed/none.csv"], "the ledger has no file feed/none.csv"),
        (["--file", "feed/o'Brien\\.csv"], "the ledger has no file feed/o'Brien\\.csv"),
        (["1", "--file", "feed/a.csv"], "say what to roll back"),
        ([], "say what to roll back"),
    ):
        assert told in loader("rollback", "--yes", *arguments, code=2).stderr
    # WHEN the feed is in mode replace THEN what the file took the place of is gone
    contract = project / "models/staging/cti/_cti__sources.yml"
    contract.write_text(contract.read_text().replace("mode: append", "mode: replace"))
    assert "mode replace" in loader(*FILE, "feed/a.csv", code=2).stderr
    assert state(tables) == before
