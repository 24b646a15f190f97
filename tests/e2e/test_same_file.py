"""A file is loaded once, whatever path leads to it; a copy of it is told."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from e2e.engines import on_both_engines

if TYPE_CHECKING:
    from conftest import Lake, Loader
    from e2e.engines import Tables

FILE = "indicator,indicator_type,source,confidence,first_seen\na.example,domain,me,1,2026-01-01\n"


def test_the_same_file_by_another_path(
    loader: Loader, feed_folder: Path, tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN a loaded file
    (feed_folder / "a.csv").write_text(FILE)
    loader("load")
    # WHEN the location is spelled in other ways
    (feed_folder.parent / "link").symlink_to(feed_folder, target_is_directory=True)
    for location in ("./feed/../feed/*.csv", "link/*.csv", str(feed_folder / "*.csv")):
        monkeypatch.setenv("CTI_INDICATORS_LOCATION", location)
        # THEN it is not new
        assert "nothing new; 1 files" in loader("load").stdout
    assert tables.count("raw.indicators") == 1


@pytest.mark.slow
def test_a_file_that_was_loaded_by_another_path_before(
    loader: Loader, feed_folder: Path, tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN a ledger that has files as the location spelled them, as 0.1.0 wrote it
    (feed_folder.parent / "link").symlink_to(feed_folder, target_is_directory=True)
    monkeypatch.setenv("CTI_INDICATORS_LOCATION", "link/*.csv")
    (feed_folder / "a.csv").write_text(FILE)
    (feed_folder / "b.csv").write_text(FILE.replace("a.ex", "b.ex"))
    loader("load")
    tables.rows("update raw._loaded_files set uri = replace(uri, 'feed/', 'link/')")
    # THEN they are still loaded, and go by these names
    assert "nothing new; 2 files" in loader("load").stdout
    loader("check")
    # AND a new file has its own
    (feed_folder / "c.csv").write_text(FILE.replace("a.ex", "c.ex"))
    loader("load")
    uris = [row[0] for row in tables.rows("select uri from raw._loaded_files order by uri")]
    assert uris == ["feed/c.csv", "link/a.csv", "link/b.csv"]
    # AND one that is taken back can be loaded again
    loader("rollback", "1", "--yes")
    assert "2 rolled back" in loader("load").stdout
    loader("load", "--reload", "link/a.csv")
    assert tables.count("raw.indicators") == 2


def test_files_that_moved_behind_a_link(loader: Loader, feed_folder: Path, tables: Tables) -> None:
    # GIVEN a loaded folder that is copied to another disk, which gives each file a new time
    for name in "abc":
        (feed_folder / f"{name}.csv").write_text(FILE.replace("a.ex", f"{name}.ex"))
    loader("load")
    kept = feed_folder.parent / "kept"
    shutil.copytree(feed_folder, kept, copy_function=shutil.copyfile)
    shutil.rmtree(feed_folder)
    feed_folder.symlink_to(kept, target_is_directory=True)
    # THEN its files are still loaded, and a new one is new
    (kept / "d.csv").write_text(FILE.replace("a.ex", "d.ex"))
    assert "load 2: 1 files, 1 of 1" in loader("load").stdout
    assert tables.count("raw.indicators") == 4


@on_both_engines
def test_a_copy_of_a_loaded_file_is_told(
    loader: Loader, lake: Lake, tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN a loaded object
    monkeypatch.setenv("CTI_INDICATORS_LOCATION", lake.uri("*.csv"))
    lake.put("a.csv", FILE.encode())
    assert "same bytes" not in loader("load").stderr
    # WHEN its bytes come a second time under another name
    lake.put("b.csv", FILE.encode())
    result = loader("load", "--json")
    # THEN they are loaded, since two days may well be equal, and somebody can see it
    told = f"{lake.uri('b.csv')} has the same bytes as {lake.uri('a.csv')}, loaded with load_id 1"
    assert result.stderr.count(told) == 1
    assert json.loads(result.stdout)["records_loaded"] == 1
    assert tables.count("raw.indicators") == 2


@pytest.mark.slow
def test_another_version_of_a_file_is_told(
    loader: Loader, feed_folder: Path, tables: Tables
) -> None:
    # GIVEN a file that comes again with other bytes
    (feed_folder / "a.csv").write_text(FILE)
    loader("load")
    (feed_folder / "a.csv").write_text(FILE.replace("a.ex", "b.ex"))
    # THEN both versions count, and what keeps the new one alone is said
    told = loader("load").stderr
    assert "feed/a.csv was loaded before with other bytes (load_id 1); both versions" in told
    assert "rollback --file feed/a.csv" in told
    # WHEN that is done THEN only the new one is there, however the file is spelled
    loader("rollback", "--file", "feed/a.csv", "--yes")
    loader("load", "--reload", "./feed/../feed/a.csv")
    assert tables.rows("select indicator from raw.indicators") == [("b.example",)]


@pytest.mark.slow
def test_a_copy_is_told_of_a_local_file_and_in_no_other_case(
    loader: Loader, project: Path, feed_folder: Path
) -> None:
    (feed_folder / "a.csv").write_text(FILE)
    loader("load")
    shutil.copy(feed_folder / "a.csv", feed_folder / "b.csv")
    assert "feed/b.csv has the same bytes as feed/a.csv" in loader("load").stderr
    # A file that was rolled back is not there twice.
    loader("rollback", "1", "--yes")
    loader("rollback", "2", "--yes")
    shutil.copy(feed_folder / "a.csv", feed_folder / "c.csv")
    assert "same bytes" not in loader("load").stderr
    # In mode replace the new files take the place of the old ones.
    contract = project / "models/staging/cti/_cti__sources.yml"
    contract.write_text(contract.read_text().replace("mode: append", "mode: replace"))
    shutil.move(feed_folder / "c.csv", feed_folder / "d.csv")
    assert "same bytes" not in loader("load").stderr
