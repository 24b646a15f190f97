"""`rollback`: one load is rolled back, whole or not at all; its files stay away until asked for."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from e2e.engines import on_both_engines, slowly_on_both_engines
from e2e.meddler import Meddler
from faults.extent import some

from loader.jobs import load as pipeline
from loader.jobs.rollback import Taken, roll_back
from loader.warehouse.project import Project

if TYPE_CHECKING:
    from conftest import Loader
    from e2e.conftest import BeginWith, Dbt
    from e2e.engines import Tables

ROOT = Path(__file__).resolve().parents[2]
HEADER = "indicator,indicator_type,source,confidence,first_seen\n"


def write(folder: Path, name: str, *indicators: str, refused: int = 0) -> None:
    """A file of these indicators, and of records that are refused."""
    records = [f"{i}.example,domain,{name},5,2026-01-01\n" for i in indicators]
    records += [f"{name}-{n}.example,domain,{name},much,2026-01-01\n" for n in range(refused)]
    (folder / f"{name}.csv").write_text(HEADER + "".join(records))


def state(tables: Tables) -> list[list[tuple[Any, ...]]]:
    """Everything that a rollback could touch."""
    names = ("indicators", "_rejected_records", "_loaded_files")
    return [sorted(tables.rows(f"select * from raw.{name}"), key=repr) for name in names]


@on_both_engines
@pytest.mark.slow
def test_a_warehouse_of_an_earlier_version_has_no_lock(
    loader: Loader, loads: Path, tables: Tables
) -> None:
    # GIVEN one that was loaded before there was a table to lock
    tables.rows("drop table raw._load_lock")
    # THEN what only looks works as before, and a rollback makes it
    loader("check")
    assert "rule" in loader("rejects").output
    loader("rollback", "2", "--yes")
    assert [status for _, _, status in ledger(tables)] == ["loaded", "rolled back"]
    # AND a load, too
    tables.rows("drop table raw._load_lock")
    write(loads, "c", "four")
    loader("load")
    assert [status for _, _, status in ledger(tables)] == ["loaded", "rolled back", "loaded"]


def ledger(tables: Tables) -> list[tuple[Any, ...]]:
    return tables.rows("select load_id, uri, status from raw._loaded_files order by 1, 2")


@pytest.fixture
def loads(loader: Loader, project: Path, feed_folder: Path, begin_with: BeginWith) -> Path:
    """Two loads, the first with rejected records; the folder of the feed."""

    def make() -> None:
        contract = project / "models/staging/cti/_cti__sources.yml"
        contract.write_text(contract.read_text().replace("max_fraction: 0.01", "max_fraction: 0.5"))
        write(feed_folder, "a", "one", "two", "both", refused=2)
        loader("load")
        write(feed_folder, "b", "three", "both")
        loader("load")

    begin_with(make)
    return feed_folder


@on_both_engines
def test_a_load_is_gone_without_a_trace_but_in_the_ledger(
    loader: Loader, dbt: Dbt, tables: Tables, loads: Path
) -> None:
    # GIVEN two loads, built into the mart
    dbt("seed")
    dbt("run")
    # WHEN the older one is rolled back
    done = json.loads(loader("rollback", "1", "--yes", "--json").stdout.splitlines()[-1])
    assert (done["load"], done["files"]) == (1, 1)
    assert (done["records_deleted"], done["rejects_deleted"]) == (3, 2)
    # THEN its records are in no table, those of others are, and every test and check holds
    assert tables.rows("select indicator, _load_id from raw.indicators order by 1") == [
        ("both.example", 2),
        ("three.example", 2),
    ]
    assert tables.count("raw._rejected_records") == 0
    assert tables.rows(
        "select indicator, source, occurrences from analytics.indicators order by 1"
    ) == [("both.example", "b", 1), ("three.example", "b", 1)]
    assert done["tests_failed"] == done["checks_failed"] == 0
    assert tables.rows("select load_id from analytics.load_quality") == [(2,)]
    # AND the ledger remembers it
    assert ledger(tables) == [(1, "feed/a.csv", "rolled back"), (2, "feed/b.csv", "loaded")]
    assert "rolled back" in loader("history").stdout


@pytest.mark.slow
def test_its_files_come_again_only_if_asked_for(
    loader: Loader, tables: Tables, loads: Path
) -> None:
    loader("rollback", "1", "--yes")
    # WHEN it is loaded again, its time changed or not THEN the file is not taken, and that is said
    assert "1 files of feed/*.csv* loaded before, 1 rolled back; --reload FILE" in (
        loader("load").stdout
    )
    write(loads, "c", "four")
    assert '"rolled_back": ["feed/a.csv"]' in loader("plan", "--json").stdout
    assert "1 new, 1 loaded before, 1 rolled back" in loader("plan").stdout
    os.utime(loads / "a.csv", ns=(1, 1))
    done = json.loads(loader("load", "--json").stdout)
    names = ("files", "files_loaded_before", "files_rolled_back_before")
    assert [done[name] for name in names] == [1, 1, 1]
    # WHEN it is asked for THEN plan tells so, and it is loaded as a new load, once
    assert "1 of the new ones by --reload" in loader("plan", "--reload", "feed/a.csv").stdout
    assert "load 4: 1 files, 3 of 5" in loader("load", "--reload", "feed/a.csv").stdout
    told = loader("load", "--reload", "feed/a.csv").stdout
    assert "nothing new; 3 files" in told
    assert "--reload takes only a file that was rolled back or archived" in told
    assert "nothing new; 3 files" in loader("load").stdout
    assert [row[::2] for row in ledger(tables)] == [
        (1, "rolled back"),
        (2, "loaded"),
        (3, "loaded"),
        (4, "loaded"),
    ]
    loader("check")
    # WHEN another version of such a file comes THEN it is new
    loader("rollback", "2", "--yes")
    write(loads, "b", "corrected")
    assert "load 5: 1 files" in loader("load").stdout
    # AND a name that is no file's is a mistake
    assert "no such file" in loader("load", "--reload", "a.csv", code=2).stderr


@slowly_on_both_engines
def test_the_newest_load_goes_and_its_number_with_it(
    loader: Loader, dbt: Dbt, tables: Tables, loads: Path
) -> None:
    # A number that came back would let the mart step over the records that bear it.
    dbt("seed")
    dbt("run")
    loader("rollback", "2", "--yes")
    write(loads, "c", "four", "five")
    assert "load 3: 1 files" in loader("load").stdout
    dbt("run")
    assert tables.rows("select indicator, last_load_id from analytics.indicators order by 1") == [
        ("both.example", 1),
        ("five.example", 3),
        ("four.example", 3),
        ("one.example", 1),
        ("two.example", 1),
    ]


def replayed(loader: Loader) -> None:
    """Load 3: one of the rejected records of load 1, corrected."""
    exported = loader("rejects", "--csv").stdout
    Path("fixed.csv").write_text(exported.replace(",much,2026", ",50,2026", 1), newline="")
    loader("replay", "--from", "fixed.csv", code=1)


@slowly_on_both_engines
def test_a_replay_is_taken_back_into_quarantine(
    loader: Loader, tables: Tables, loads: Path
) -> None:
    before = state(tables)
    replayed(loader)
    # WHEN the load whose records were replayed is to go THEN the replay has to go first
    refused = loader("rollback", "1", "--yes", code=2)
    assert "replayed by load 3. Roll that back first" in refused.stderr
    assert "python -m loader rollback 3" in refused.stderr
    # WHEN that goes THEN its record is in quarantine again, to be replayed again
    done = json.loads(loader("rollback", "3", "--yes", "--json").stdout.splitlines()[-1])
    assert (done["records_deleted"], done["rejects_returned"]) == (1, 1)
    assert state(tables)[:2] == before[:2]
    # and the file that it came from is as loaded as before
    assert "nothing new; 2 files of feed/*.csv* loaded before\n" in loader("load").stdout
    replayed(loader)
    assert tables.count("raw.indicators") == 6
    loader("rollback", "4", "--yes")
    loader("rollback", "1", "--yes")
    loader("check")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["9"], "the ledger has no load 9"),
        (["0"], "0 is not in the range"),
        (["1", "--select", "orders"], "load 1 is one of cti.indicators, not of shop.orders"),
        (["1"], "deletes 3 landed and 2 rejected records of load 1; there is no terminal"),
    ],
)
def test_what_cannot_be_done_is_said(
    loader: Loader, tables: Tables, project: Path, loads: Path, arguments: list[str], told: str
) -> None:
    columns = [{"name": "id", "data_type": "varchar(9)"}]
    orders = {"name": "orders", "config": {"meta": {"feed": {"location": "x/*.csv"}}}}
    orders["data_tests"] = ["ledger_matches_landing"]
    shop = {"name": "shop", "schema": "raw", "tables": [orders | {"columns": columns}]}
    (project / "models/shop.yml").write_text(json.dumps({"sources": [shop]}))
    before = state(tables)
    assert told in loader("rollback", *arguments, code=2).stderr
    assert state(tables) == before


@pytest.mark.slow
def test_a_load_goes_once(loader: Loader, loads: Path) -> None:
    loader("rollback", "1", "--yes")
    assert "was rolled back before" in loader("rollback", "1", "--yes", code=2).stderr


def test_nothing_loaded_yet(loader: Loader, project: Path) -> None:
    assert "nothing has been loaded yet" in loader("rollback", "1", "--yes", code=2).stderr


@pytest.mark.slow
def test_what_replaces_is_not_taken_back(
    loader: Loader, tables: Tables, project: Path, loads: Path
) -> None:
    # GIVEN a feed in replace mode: what a load took the place of is gone
    contract = project / "models/staging/cti/_cti__sources.yml"
    contract.write_text(contract.read_text().replace("mode: append", "mode: replace"))
    write(loads, "a", "one", refused=1)
    loader("load")
    before = state(tables)
    assert "mode replace" in loader("rollback", "3", "--yes", code=2).stderr
    assert "replaced by a later load" in loader("rollback", "1", "--yes", code=2).stderr
    assert state(tables) == before
    # But records that were replayed into the table can be taken out of it again,
    exported = loader("rejects", "--csv").stdout
    Path("fixed.csv").write_text(exported.replace(",much,2026", ",50,2026", 1), newline="")
    loader("replay", "--from", "fixed.csv")
    loader("rollback", "4", "--yes")
    assert state(tables)[:2] == before[:2]
    # and what was rolled back is not made to have been replaced.
    write(loads, "a", "two")
    loader("load")
    assert (5, "feed/a.csv", "rolled back") in ledger(tables)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        ("delete from raw.indicators where indicator = 'one.example'", "2 landed and 2 rejected"),
        ("delete from raw._rejected_records where record = 4", "3 landed and 1 rejected"),
    ],
)
def test_other_counts_than_the_ledgers_stop_it(
    loader: Loader, tables: Tables, loads: Path, spoil: str, told: str
) -> None:
    tables.rows(spoil)
    before = state(tables)
    refused = loader("rollback", "1", "--yes", code=1).stderr
    assert f"{told} records are there, but 3 landed and 2 rejected records are" in refused
    assert state(tables) == before
    # Unless somebody wants just that: then what is left of the load goes, and it can come again.
    done = loader("rollback", "1", "--yes", "--damaged", "--json").stdout.splitlines()[-1]
    deleted = json.loads(done)["records_deleted"], json.loads(done)["rejects_deleted"]
    assert f"{deleted[0]} landed and {deleted[1]} rejected" == told
    loader("run", "--reload", "feed/a.csv")
    loader("check")


@pytest.mark.slow
def test_a_kill_between_two_statements_leaves_all_as_it_was(
    tables: Tables, project: Path, loads: Path
) -> None:
    before = state(tables)
    for statement in some(range(1, 5), 1):
        # GIVEN a rollback that the kernel ends after so many of its four changes
        code = (
            "import os, sys\n"
            "from loader.warehouse.connection import Warehouse\n"
            "execute, done = Warehouse.execute, []\n"
            "def killed(self, sql):\n"
            "    execute(self, sql)\n"
            "    done.append(sql)\n"
            f"    if sum(s.split()[0] in ('delete', 'update') for s in done) == {statement}:\n"
            "        os.kill(os.getpid(), 9)\n"
            "Warehouse.execute = killed\n"
            "from loader.cli.main import main\n"
            "main()\n"
        )
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-c", code, "rollback", "1", "--yes"]
        ended = subprocess.run(
            command, cwd=project, env=environment, timeout=120, check=False, capture_output=True
        )
        assert ended.returncode == -9, ended.stderr
        # THEN nothing is
        assert state(tables) == before


def test_a_loader_that_planned_before_does_not_bring_it_back(
    loader: Loader,
    tables: Tables,
    project: Path,
    feed_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # GIVEN a loader that is judging a file while another loads it and takes it back
    write(feed_folder, "a", "one")
    monkeypatch.setattr("loader.jobs.attempts._WAITS", (0.0,))
    opened, overtaken = Project(project), list[int]()
    feed, quiet = opened.feed("indicators"), Meddler("never", lambda: None)

    def overtake() -> None:
        if not overtaken:
            overtaken.append(pipeline.Load(opened, feed, quiet).run().load or 0)
            roll_back(opened, feed, Taken(overtaken[0]), quiet)

    # WHEN the first one goes on THEN it finds that somebody did not want the file
    try:
        report = pipeline.Load(opened, feed, Meddler("validating", overtake)).run()
    finally:
        DuckDBConnectionManager.close_all_connections()
    assert overtaken == [1]
    assert (report.load, report.files_rolled_back_before) == (None, 1)
    assert tables.count("raw.indicators") == 0


def test_a_commit_whose_answer_was_lost_is_not_an_error(
    tables: Tables,
    project: Path,
    loads: Path,
    lose_commit: Callable[[Callable[[], object]], None],
) -> None:
    # GIVEN a COMMIT that is done, and a connection that breaks before that is known
    lost: list[str] = []
    lose_commit(lambda: lost.append("commit"))
    opened = Project(project)
    quiet = Meddler("never", lambda: None)
    try:
        deleted = roll_back(opened, opened.feed("indicators"), Taken(1), quiet)
    finally:
        DuckDBConnectionManager.close_all_connections()
    assert (lost, deleted) == (["commit"], (3, 2, 0))
    assert tables.count("raw.indicators") == 2


@pytest.mark.slow
@pytest.mark.parametrize(("answer", "code"), [("y", 0), ("\x04", 2)])
def test_a_person_is_asked(
    loader: Loader, tables: Tables, project: Path, loads: Path, answer: str, code: int
) -> None:
    # GIVEN a terminal
    person, terminal = pty.openpty()
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, "-m", "loader", "rollback", "1"],
        cwd=project,
        env=environment,
        stdin=terminal,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        os.write(person, f"{answer}\n".encode() if answer.isalpha() else answer.encode())
        out, err = process.communicate(timeout=120)
    os.close(person)
    os.close(terminal)
    # THEN the files are shown, the question asked, and the answer heeded
    assert process.returncode == code, out + err
    assert "feed/a.csv" in out
    assert "deletes 3 landed and 2 rejected records of load 1. Go on?" in err
    assert tables.count("raw.indicators") == (2 if code == 0 else 5)
    assert ("nothing was done" in err) is (code == 2)
