"""`archive`: landed records that every mart has counted go, and stay counted."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from conftest import copy_files, let_go_of_the_database
from e2e.engines import on_both_engines
from e2e.meddler import Meddler
from faults.extent import some

from loader.errors import ConfigError
from loader.files.choice import Choice
from loader.jobs.archive import archive
from loader.jobs.load import Load
from loader.warehouse.project import Project

if TYPE_CHECKING:
    from conftest import Loader
    from e2e.conftest import Dbt
    from e2e.engines import Tables

ROOT = Path(__file__).resolve().parents[2]
HEADER = "indicator,indicator_type,source,confidence,first_seen\n"
ARCHIVE = ("archive", "--older-than", "90d", "--yes")
RELOAD = ("--select", "cti.indicators", "--reload", "feed/a.csv")
CONTRACT = "models/staging/cti/_cti__sources.yml"
MART = "select * from analytics.indicators order by indicator"


STAGED = "select indicator from {{ ref('stg_cti__indicators') }}"


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


def load_and_build(project: Path, feed: Path, loader: Loader) -> None:
    """A load with rejected records, a replay of one of them, and another load; all built."""
    contract = project / CONTRACT
    contract.write_text(contract.read_text().replace("max_fraction: 0.01", "max_fraction: 0.9"))
    write(feed, "a", "one", "both", rejected=3)
    loader("load")
    exported = loader("rejects", "--csv").stdout
    Path("fixed.csv").write_text(exported.replace(",much,2026", ",50,2026", 1), newline="")
    loader("replay", "--from", "fixed.csv", code=1)
    write(feed, "b", "two", "both", rejected=1)
    loader("run")


@pytest.fixture(scope="module")
def healthy(project_files: Path, tmp_path_factory: pytest.TempPathFactory, loader: Loader) -> Path:
    """A project with these loads. Not to be written to."""
    folder = tmp_path_factory.mktemp("healthy") / "project"
    copy_files(project_files, folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        (folder / "feed").mkdir()
        patch.setenv("CTI_INDICATORS_LOCATION", "feed/*.csv*")
        load_and_build(folder, folder / "feed", loader)
    return folder


@pytest.fixture
def loads(
    target: str,
    project: Path,
    feed_folder: Path,
    loader: Loader,
    tables: Tables,
    request: pytest.FixtureRequest,
) -> Path:
    """The same to work with, on DuckDB as a copy, the first two old; the folder of the feed."""
    if target == "redshift":
        load_and_build(project, feed_folder, loader)
    else:
        healthy: Path = request.getfixturevalue("healthy")
        shutil.copy(healthy / "cti.duckdb", project)
        shutil.copy(healthy / CONTRACT, project / CONTRACT)
        shutil.copytree(healthy / "feed", feed_folder, dirs_exist_ok=True)
    tables.rows("update raw._loaded_files set loaded_at = '2026-01-01' where load_id < 3")
    return feed_folder


@on_both_engines
@pytest.mark.slow
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
    write(loads, "b", "five")
    assert "load 4: 2 files" in loader("run").stdout
    told = loader("check", "--full").stdout
    assert "0 of 70 data tests fail" in told
    assert "analytics.indicators counts all 8 landed and archived records" in told
    counts = "select indicator, source, occurrences from analytics.indicators order by 1"
    assert tables.rows(counts) == [
        *(("a-0.example", "a", 1), ("both.example", "b", 2), ("five.example", "b", 1)),
        *(("four.example", "c", 1), ("one.example", "c", 2), ("two.example", "b", 1)),
    ]
    assert "archived 0 records of 0 loads" in loader(*ARCHIVE).stdout
    # AND a version that was overwritten stays, since it could not come back
    loader("archive", "--before", "9999-12-31", "--yes")
    assert [status for _, _, status in ledger(tables)] == [
        *("archived", "replayed", "loaded", "archived", "archived"),
    ]


@on_both_engines
@pytest.mark.slow
def test_a_rebuild_waits_for_what_is_archived(
    loader: Loader, dbt: Dbt, tables: Tables, project: Path, loads: Path
) -> None:
    before = state(tables)
    loader(*ARCHIVE)
    archived = state(tables)
    # WHEN all is to be built anew, or a rule changes THEN the file is named, the mart as it is
    with pytest.raises(AssertionError, match=r"analytics\.indicators is built"):
        dbt("run", "--full-refresh", "--select", "indicators")
    # AND nor is a new table, unless it reads a mart
    extra = project / "models/marts/extra.sql"
    extra.write_text("{{ config(materialized='table') }} " + STAGED)
    told = loader("run", code=2).stderr
    assert "extra, a table, reads its records anew in each build; let it read a mart" in told
    assert "called by" not in told
    assert f"python -m loader load {' '.join(RELOAD)}" in told
    extra.write_text(extra.read_text().replace("stg_cti__", ""))
    dbt("run", "--select", "extra")
    extra.unlink()
    settings = project / "dbt_project.yml"
    settings.write_text(settings.read_text().replace("path_case: false", "path_case: true"))
    told = loader("run", code=2).stderr
    assert "its rules have changed since it was built: stg_cti__indicators; that needs" in told
    assert told.strip().endswith(f"python -m loader load {' '.join(RELOAD)}")
    # AND a rollback leaves the load as it is, too
    for load in (2, 3):
        told = loader("rollback", str(load), "--yes", code=2).stderr
        assert f"load {load} of cti.indicators: without it" in told
        assert "put the old version back under its name" in told
        assert "--reload feed/a.csv" in told
    assert state(tables) == archived
    # WHEN the file is loaded again THEN all but the time is as it was, with its load id
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
    loader("rollback", "2", "--yes")
    assert loader("rejects", "--json").stdout.count("\n") == 4


def test_what_cannot_be_archived_stays(
    loader: Loader, project: Path, tables: Tables, loads: Path
) -> None:
    before = state(tables)
    # GIVEN no word, or two, of what is old
    assert "--older-than DAYS or --before DATE" in loader("archive", "--yes", code=2).stderr
    # AND a feed that is read anew in each build, by a table, by a view that no mart stands for, or
    # by a mart that counts no feed or another one
    model = project / "models/marts/extra.sql"
    other = "{{ forget_if_miscounted(source('loader', '_loaded_files')) }}"
    no_hook = "extra reads its records without the hook forget_if_miscounted and the test"
    for kind, told in (
        ("'table'", "extra, a table, reads its records anew in each build"),
        ("'view'", "no incremental mart keeps what extra has of its records"),
        ("'incremental'", no_hook),
        (f"'incremental', pre_hook=\"{other}\"", no_hook),
    ):
        model.write_text(f"{{{{ config(materialized={kind}) }}}}\n{STAGED}\n")
        assert f"cannot be archived: {told}" in loader(*ARCHIVE, code=2).stderr
    model.unlink()
    # AND one that replaces
    contract = (project / CONTRACT).read_text()
    (project / CONTRACT).write_text(contract.replace("mode: append", "mode: replace"))
    assert "it is in mode replace" in loader(*ARCHIVE, code=2).stderr
    (project / CONTRACT).write_text(contract)
    assert state(tables) == before
    # AND a load that no mart has taken up yet, and one with another number of records
    write(loads, "c", "one")
    loader("load")
    tables.rows("delete from raw.indicators where indicator = 'two.example'")
    told = loader("archive", "--before", "9999-12-31", "--yes", code=1).stderr
    assert '"analytics"."indicators" has another number of records than are landed' in told
    tables.rows("update analytics.indicators set occurrences = 0 where indicator = 'two.example'")
    told = loader("archive", "--before", "9999-12-31", "--yes", code=1).stderr
    assert "load 3 has another number of records" in told
    # THEN nothing is
    assert {status for _, _, status in ledger(tables)} == {"loaded", "replayed"}
    # AND a mart that is not there can count nothing
    tables.rows("drop table analytics.indicators")
    assert '"analytics"."indicators" is not built yet' in loader(*ARCHIVE, code=2).stderr


def test_a_load_that_waits_is_left(loader: Loader, tables: Tables, loads: Path) -> None:
    write(loads, "c", "one")
    loader("load")
    loader("archive", "--before", "9999-12-31", "--yes")
    # THEN what the mart has counted is archived
    assert [status for _, _, status in ledger(tables)] == [
        *("archived", "replayed", "archived", "loaded"),
    ]
    # AND a mart that lost its rows is not built of what is left
    tables.rows("delete from analytics.indicators")
    assert "--reload feed/a.csv --reload feed/b.csv" in loader("run", code=2).stderr
    assert tables.count("analytics.indicators") == 0
    assert "counts 0 records" in loader("check", code=1).stdout


def test_a_file_comes_back_as_it_was_or_not_at_all(
    loader: Loader, project: Path, tables: Tables, loads: Path
) -> None:
    # GIVEN an archived file, and a contract that takes more of its records
    loader(*ARCHIVE)
    archived = state(tables)
    old = "type: integer\n                minimum: 0\n                maximum: 100"
    contract = (project / CONTRACT).read_text()
    assert old in contract
    (project / CONTRACT).write_text(contract.replace(old, "required: false"))
    # WHEN it is loaded again THEN what was replayed would be there twice, so nothing is
    told = loader("load", *RELOAD, code=1).stderr
    advice = "of another contract: put that back, load it again, then change it"
    assert f"landed of feed/a.csv ({advice}) 5 records, but 2 are" in told
    assert state(tables) == archived


def test_a_file_comes_back_once(
    loader: Loader,
    project: Path,
    tables: Tables,
    loads: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # GIVEN a load of an archived file, and another one that is quicker
    loader(*ARCHIVE)
    monkeypatch.setattr("loader.jobs.attempts._WAITS", (0.0,))
    opened, quicker = Project(project), list[int]()
    feed, again = opened.feed("indicators"), Choice(frozenset(["feed/a.csv"]))

    def overtake() -> None:
        if not quicker:
            quicker.append(Load(opened, feed, Meddler("never", lambda: None), again).run().files)

    # WHEN it goes on THEN it finds that there is nothing to do
    try:
        report = Load(opened, feed, Meddler("validating", overtake), again).run()
    finally:
        let_go_of_the_database()
    assert (quicker, report.files, report.files_loaded_before) == ([1], 0, 2)
    loader("check")


def test_a_commit_whose_answer_was_lost_is_no_error(
    tables: Tables,
    project: Path,
    loads: Path,
    lose_commit: Callable[[Callable[[], object]], None],
) -> None:
    # GIVEN a COMMIT that is done, and a connection that breaks before that is known
    lost: list[str] = []
    lose_commit(lambda: lost.append("commit"))
    opened = Project(project)
    feed, quiet = opened.feed("indicators"), Meddler("never", lambda: None)
    try:
        shown = archive(opened, feed, "2026-06-01", quiet)
        # AND nothing is archived that was not shown
        with pytest.raises(ConfigError, match="not as shown any more"):
            archive(opened, feed, "2027-06-01", quiet, shown)
        done = archive(opened, feed, "2026-06-01", quiet, shown)
    finally:
        let_go_of_the_database()
    assert (lost, [load["load"] for load in done]) == (["commit"], [1])
    assert [status for _, _, status in ledger(tables)] == ["archived", "replayed", "loaded"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "changes"),
    [(ARCHIVE, 3), (("load", *RELOAD), 10)],
    ids=["archive", "reload"],
)
def test_a_kill_between_two_statements_leaves_all_as_it_was(
    loader: Loader,
    tables: Tables,
    project: Path,
    loads: Path,
    command: tuple[str, ...],
    changes: int,
) -> None:
    if command is not ARCHIVE:
        loader(*ARCHIVE)
    before = state(tables)
    for statement in some(range(1, changes + 1), 1):
        # GIVEN a command that the kernel ends after so many of its changes
        code = (
            "import os, sys\n"
            "from loader.warehouse.connection import Warehouse\n"
            "execute, done = Warehouse.execute, []\n"
            "def killed(self, sql):\n"
            "    execute(self, sql)\n"
            "    done.append(sql)\n"
            "    changes = sum(s.split()[0] in ('insert', 'delete', 'update') for s in done)\n"
            f"    if changes == {statement}:\n"
            "        os.kill(os.getpid(), 9)\n"
            "Warehouse.execute = killed\n"
            "from loader.cli.main import main\n"
            "main()\n"
        )
        ended = subprocess.run(
            [sys.executable, "-c", code, *command],
            cwd=project,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            timeout=120,
            check=False,
            capture_output=True,
        )
        assert ended.returncode == -9, ended.stderr
        # THEN nothing is changed
        assert state(tables) == before


@pytest.mark.parametrize("days", ["soon", "3w", "-1d", "1e3d", "90 d", "999999d", ""])
def test_what_is_no_number_of_days(loader: Loader, days: str) -> None:
    assert "is no number of days" in loader("archive", "--older-than", days, code=2).stderr
