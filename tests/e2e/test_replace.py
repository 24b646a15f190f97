"""Mode `replace`: the landing table is, atomically, exactly the current files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from e2e.engines import on_both_engines
from e2e.meddler import Meddler
from e2e.oracle import Row, read_rows
from e2e.test_local_files import load

from loader.errors import WarehouseTransient

if TYPE_CHECKING:
    from conftest import Loader
    from e2e.conftest import Dbt
    from e2e.engines import Tables

HEADER = "indicator,indicator_type,source,first_seen\n"


@pytest.fixture
def replacing(project: Path, feed_folder: Path) -> Path:
    """The example feed in mode replace; the folder that it reads."""
    path = project / "models/staging/cti/_cti__sources.yml"
    text = path.read_text()
    assert text.count("mode: append") == 1
    path.write_text(text.replace("mode: append", "mode: replace"))
    return feed_folder


def write(folder: Path, name: str, *indicators: str) -> None:
    records = "".join(f"{i}.example,domain,{name},2026-01-01\n" for i in indicators)
    (folder / name).write_text(HEADER + records)


def current(folder: Path) -> list[Row]:
    return [row for path in sorted(folder.iterdir()) for row in read_rows(path)]


@on_both_engines
def test_the_landing_table_follows_the_files(
    loader: Loader, dbt: Dbt, replacing: Path, tables: Tables
) -> None:
    # GIVEN two files, loaded and built
    write(replacing, "a.csv", "one", "two")
    write(replacing, "b.csv", "two", "three")
    loader("load")
    dbt("seed")
    dbt("run")
    tables.assert_mart([(1, current(replacing))])
    # WHEN one changes, one goes, and one comes
    write(replacing, "a.csv", "two", "four")
    (replacing / "b.csv").unlink()
    write(replacing, "c.csv", "five")
    loader("load")
    # THEN the landing table holds the files that are there now, and no other
    tables.assert_landed([(2, current(replacing))])
    # AND the mart follows, also where a key is gone
    dbt("build", "--exclude-resource-type", "unit_test")
    tables.assert_mart([(2, current(replacing))])
    # AND the ledger remembers all of it
    assert tables.rows(
        "select batch_id, load_id, uri, status from raw._loaded_files order by 2"
    ) == [
        (1, 1, "feed/a.csv", "replaced"),
        (1, 2, "feed/b.csv", "replaced"),
        (2, 3, "feed/a.csv", "loaded"),
        (2, 4, "feed/c.csv", "loaded"),
    ]
    # WHEN nothing has changed THEN nothing is loaded
    assert "nothing new" in loader("load").stdout
    # WHEN a file goes and none comes THEN its records go too
    (replacing / "c.csv").unlink()
    loader("load")
    tables.assert_landed([(3, current(replacing))])


def test_a_bad_file_leaves_the_old_ones_in_place(
    loader: Loader, replacing: Path, tables: Tables
) -> None:
    # GIVEN a good load
    write(replacing, "a.csv", "one", "two")
    loader("load")
    good = current(replacing)
    # WHEN the next delivery has a bad record, or is no file at all
    (replacing / "a.csv").write_text(HEADER + "x.example,domain,,2026-01-01\n")
    loader("load", code=1)
    tables.assert_landed([(1, good)])
    (replacing / "a.csv").unlink()
    # THEN the table stays as it was: an empty folder is more often a mistake than a wish
    assert "nothing to load; no file matches" in loader("load").stdout
    tables.assert_landed([(1, good)])


def test_a_file_that_is_only_touched_is_not_loaded_twice(
    loader: Loader, feed_folder: Path, tables: Tables
) -> None:
    # In mode append; a copy of a folder gives every file a new time.
    write(feed_folder, "a.csv", "one")
    loader("load")
    os.utime(feed_folder / "a.csv", ns=(1, 1))
    assert "nothing new; 1 files" in loader("load").stdout
    # WHEN its content changes, it is a new version, and its records are added
    write(feed_folder, "a.csv", "one", "two")
    loader("load")
    assert tables.count("raw.indicators") == 3
    assert tables.rows("select load_id, uri from raw._loaded_files order by 1") == [
        (1, "feed/a.csv"),
        (2, "feed/a.csv"),
    ]
    # WHEN it goes back to what it was, that version has been loaded already
    write(feed_folder, "a.csv", "one")
    loader("load")
    assert tables.count("raw.indicators") == 3


@on_both_engines
def test_a_damaged_table_is_made_whole_by_loading_all_again(
    loader: Loader, replacing: Path, tables: Tables
) -> None:
    # GIVEN a table that somebody deleted a row of; the files are as they were
    write(replacing, "a.csv", "one", "two")
    write(replacing, "b.csv", "three")
    loader("load")
    tables.rows("delete from raw.indicators where indicator = 'one.example'")
    assert "loader load --reload FILE" in loader("check", code=1).stdout
    assert "nothing new" in loader("load").stdout
    # WHEN its advice is followed THEN all is well
    assert "2 files, 3 of 3 records" in loader("load", "--reload", "feed/a.csv").stdout
    tables.assert_landed([(2, current(replacing))])
    loader("check")


def test_no_advice_that_is_refused_is_given(
    loader: Loader, replacing: Path, tables: Tables, project: Path
) -> None:
    # GIVEN rejected records that somebody deleted: loading again makes new ones, of another load
    contract = project / "models/staging/cti/_cti__sources.yml"
    contract.write_text(contract.read_text().replace("max_fraction: 0.01", "max_fraction: 0.9"))
    (replacing / "a.csv").write_text(f"{HEADER}a.example,domain,me,2026-01-01\nshort\n")
    loader("load")
    tables.rows("delete from raw._rejected_records")
    told = loader("check", code=1).stdout
    assert "restore it from a backup." in told
    assert "rollback" not in told
    assert "--reload" not in told


def test_a_table_that_another_loader_replaced_meanwhile_is_not_replaced_by_an_older_one(
    project: Path, replacing: Path, tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN a load of a file, during which another load replaces the table with another file
    monkeypatch.setattr("loader.jobs.attempts._WAITS", ())
    write(replacing, "a.csv", "one")
    (project / "other").mkdir()
    write(project / "other", "b.csv", "two")

    def overtake() -> None:
        with monkeypatch.context() as other:
            other.setenv("CTI_INDICATORS_LOCATION", "other/*.csv")
            load(project, Meddler("never", lambda: None))

    # WHEN it goes on THEN it does not know of all that it would replace, and plans anew
    with pytest.raises(WarehouseTransient, match="another loader changed the ledger of this feed"):
        load(project, Meddler("validating", overtake))
    assert tables.rows("select uri from raw._loaded_files") == [("other/b.csv",)]
