"""A file that cannot be read is set aside if the contract says so, and no other waits for it."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from e2e.engines import on_both_engines, slowly_on_both_engines
from e2e.meddler import Meddler
from faults.steps import ADD_QUERY, Step, When, end_at
from redshift.commands import Commands, warm_up

from loader.jobs.load import Load
from loader.warehouse.project import Project

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
    ran = loader("run", "--json", code=1)
    last = json.loads(ran.stdout)
    assert (last["files"], list(last["files_refused"])) == (1, ["feed/b.csv"])
    assert (last["mart_rows"], last["tests_failed"], last["checks_failed"]) == (2, 0, 0)
    assert "refused 1 file as a whole and set aside" in ran.stderr
    assert tables.rows("select outcome, records from analytics.load_quality") == [
        ("loaded", 1),
        ("loaded", 1),
    ]
    assert "feed/c.csv" not in loader("rejects").stdout
    # AND once the file is put right, nothing is left to tell
    (feed_folder / "b.csv").write_text(text("b"))
    assert "refused" not in loader("load").stdout
    assert loader("rejects").stdout == "cti.indicators: no record is in quarantine\n"
    loader("check")


@slowly_on_both_engines
def test_a_kill_leaves_neither_the_row_of_a_refused_file_nor_what_was_loaded_beside_it(
    loader: Loader, project: Path, feed_folder: Path, tables: Tables, say: Say, tmp_path: Path
) -> None:
    (feed_folder / "a.csv").write_text(text("a"))
    (feed_folder / "b.csv").write_text(PAGE)
    warm_up(project, tmp_path / "warm")
    commands = Commands(tmp_path / "commands")
    moments: tuple[tuple[When, str], ...] = (
        *(("before", "'refused'"), ("after", "'refused'")),
        ("after", "having sum"),
    )
    for when, at in moments:
        # GIVEN a load that the kernel ends around the statement that writes the ledger
        step = Step(f"{when} {at}", ADD_QUERY, when, matching=at)
        kill = partial(end_at, step, signal.SIGKILL)
        outcome = commands.start(
            "loader", ("load",), dict(os.environ), project, prepare=kill
        ).wait()
        assert outcome.code == -signal.SIGKILL, outcome.text
        # THEN there is nothing of it
        tables.assert_nothing_loaded()
    commands.close()
    # AND the next load tells of the file, once
    assert "feed/b.csv: refused: " in loader("load", code=1).stdout
    assert [row[1] for row in statuses(tables)] == ["loaded", "refused"]
    loader("load")


@pytest.mark.slow
def test_a_file_that_is_over_the_limit_refuses_the_load_as_ever(
    loader: Loader, feed_folder: Path, tables: Tables, say: Say
) -> None:
    (feed_folder / "a.csv").write_text(text("a").replace(",5,", ",five,"))
    (feed_folder / "b.csv").write_text(PAGE)
    (feed_folder / "_SUCCESS.csv").touch()
    refused = loader("load", code=1)
    assert "refused 1 of 1 records of feed/a.csv (" in refused.stderr
    # THEN no file is set aside meanwhile, and all is told that was found
    tables.assert_nothing_loaded()
    assert "feed/b.csv: refused: " in refused.stdout
    assert "cti.indicators: 1 files left out: 1 hidden" in refused.stdout
    *_, last = map(json.loads, loader("load", "--json", code=1).stdout.splitlines())
    assert last == {"feed": "cti.indicators", "files_excluded": {"hidden": 1}}


@pytest.mark.slow
def test_what_is_set_aside_takes_no_place_from_others_and_comes_back_when_asked_for(
    loader: Loader, feed_folder: Path, tables: Tables, say: Say
) -> None:
    # GIVEN the two oldest files cannot be read
    for age, name in enumerate(("c", "b", "a")):
        (feed_folder / f"{name}.csv").write_text(text(name) if name == "c" else PAGE + name)
        os.utime(feed_folder / f"{name}.csv", (10**9 - age, 10**9 - age))
    # WHEN one file is taken at a time THEN the third is reached
    for name in "ab":
        done = json.loads(loader("load", "--json", "--max-files", "1", code=1).stdout)
        assert (list(done["files_refused"]), done["files"]) == ([f"feed/{name}.csv"], 0)
    loader("load", "--max-files", "1")
    assert [row[1] for row in statuses(tables)] == ["refused", "refused", "loaded"]
    # WHEN one is asked for THEN it is tried again as it is
    assert "feed/a.csv: refused: " in loader("load", "--reload", "feed/a.csv", code=1).stdout
    # AND the old contract does not hide what was loaded by a newer one
    (feed_folder / "d.csv").write_text("Report\n" + text("d"))
    loader("load", code=1)
    path = Path(CONTRACT)
    before = path.read_text()
    say("skip_rows: to_header")
    loader("load", code=1)
    path.write_text(before)
    assert json.loads(loader("load", "--json").stdout)["files_loaded_before"] == 2
    loader("check")


@pytest.mark.slow
def test_a_file_without_the_date_that_it_should_have_is_set_aside_too(
    loader: Loader, feed_folder: Path, tables: Tables, say: Say
) -> None:
    say("file_time: {name: YYYYMMDD}")
    (feed_folder / "b.csv").write_text(text("b"))
    assert "feed/b.csv: refused: feed/b.csv: no date in the form" in loader("load", code=1).stdout
    # THEN it is not as if there were no file
    assert "nothing to load; no other file matches" in loader("load").stdout
    (feed_folder / "a_20260105.csv").write_text(text("a"))
    loader("load")
    assert [row[1] for row in statuses(tables)] == ["refused", "loaded"]
    path = Path(CONTRACT)
    path.write_text(path.read_text().replace("{name: YYYYMMDD}", "modified"))
    loader("load")
    assert tables.count("raw.indicators") == 2


@pytest.mark.slow
def test_a_commit_whose_answer_was_lost_is_reported_with_what_it_set_aside(
    loader: Loader,
    feed_folder: Path,
    tables: Tables,
    say: Say,
    lose_commit: Callable[[Callable[[], object]], None],
) -> None:
    (feed_folder / "a.csv").write_text(text("a"))
    (feed_folder / "b.csv").write_text(PAGE)
    lose_commit(lambda: None)
    done = json.loads(loader("load", "--json", code=1).stdout)
    assert (done["load"], done["files"], list(done["files_refused"])) == (1, 1, ["feed/b.csv"])


@pytest.mark.slow
def test_what_is_archived_stays_so_if_it_can_no_longer_be_read(
    loader: Loader, feed_folder: Path, tables: Tables, say: Say
) -> None:
    # GIVEN a file whose records are archived, and a contract that cannot read it any more
    (feed_folder / "a.csv").write_text(text("a"))
    loader("run")
    loader("archive", "--before", "9999-12-31", "--yes")
    say("compression: gzip")
    # WHEN it is to be brought back THEN it is refused, and what the marts have counted still stands
    assert "feed/a.csv: refused: " in loader("load", "--reload", "feed/a.csv", code=1).stdout
    assert [row[1] for row in statuses(tables)] == ["archived", "refused"]
    assert "nothing new; 1 files" in loader("load").stdout
    loader("check")


@pytest.mark.slow
def test_two_loads_at_once_write_a_refused_file_once(
    loader: Loader, project: Path, feed_folder: Path, tables: Tables, say: Say
) -> None:
    (feed_folder / "a.csv").write_text(text("a"))
    (feed_folder / "b.csv").write_text(PAGE)
    opened = Project(project)
    feed, overtaken = opened.feed("indicators"), list[int]()

    def overtake() -> None:
        if not overtaken:
            overtaken.append(0)
            quiet = Meddler("never", lambda: None)
            overtaken.append(len(Load(opened, feed, quiet).run().files_refused))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("loader.jobs.attempts._WAITS", (0.0,))
        report = Load(opened, feed, Meddler("loading", overtake)).run()
    assert overtaken == [0, 1]
    assert (report.files, report.files_refused) == (0, {})
    assert [row[1] for row in statuses(tables)] == ["loaded", "refused"]


def test_columns_that_a_load_does_not_find_or_does_not_read_are_named(
    loader: Loader, feed_folder: Path, tables: Tables
) -> None:
    # GIVEN a contract that lets others pass, and a file in which an optional column has a new name
    path = Path(CONTRACT)
    path.write_text(
        path.read_text().replace(
            "mode: append\n", f"mode: append\n{' ' * 14}columns: {{extra: ignore}}\n"
        )
    )
    every = HEADER.strip() + ",last_seen,description"
    row = "a.example,domain,me,5,2026-01-01,2026-01-02,x"
    (feed_folder / "a.csv").write_text(f"{every},clerk\n{row},y\n")
    (feed_folder / "b.csv").write_text(f"{every},clerk\n{row},y\n".replace("tion", "tion (en)"))
    # WHEN it is loaded
    said = loader("load").stdout
    # THEN it is told by name what the files lack and what was not read, and what helps
    told = "columns that files lack: description (1 file); columns of files left unread:"
    assert f"{told} clerk (2 files), description (en) (1 file)" in said
    assert "say so with `header:`" in said
    # AND the ledger has it of each file
    rows = map(json.loads, loader("history", "--json").stdout.splitlines())
    columns = [(row["columns_missing"], row["columns_ignored"]) for row in rows]
    assert columns == [(None, '["clerk"]'), ('["description"]', '["description (en)", "clerk"]')]
    (feed_folder / "c.csv").write_text(f"{HEADER}c.example,domain,me,5,2026-01-01\n")
    done = json.loads(loader("load", "--json").stdout)
    assert done["columns_missing"] == {"last_seen": 1, "description": 1}
    assert done["columns_ignored"] == {}


@pytest.mark.slow
def test_what_a_refused_load_has_rejected_is_replayed_from_its_file_once_it_is_loaded(
    loader: Loader, project: Path, feed_folder: Path, tables: Tables
) -> None:
    # GIVEN a load that was refused for one record too many
    wrong = "b.example,domain,me,much,2026-01-01\n"
    (feed_folder / "a.csv").write_text(text("a") + wrong)
    loader("load", code=1)
    # THEN `rejects` names the file with its records
    (kept,) = (project / "rejects").iterdir()
    assert f"left its rejected records in rejects/{kept.name}" in loader("rejects").stdout
    # WHEN they are corrected there, though nothing is loaded yet THEN it is said what to do first
    fixed = project / "fixed.jsonl"
    fixed.write_text(kept.read_text().replace(",much,", ",7,"))
    told = loader("replay", "--from", str(fixed), code=2).stderr
    assert "record 2 of feed/a.csv is not in quarantine from the file of ETag" in told
    assert "raise `rejects` in the contract" in told
    # WHEN the limit is raised and the file is loaded THEN the correction is, too
    path = Path(CONTRACT)
    path.write_text(path.read_text().replace("max_fraction: 0.01", "max_fraction: 0.5"))
    loader("load")
    assert "1 of 1 records loaded" in loader("replay", "--from", str(fixed)).stdout
    landed = tables.rows("select indicator, confidence from raw.indicators order by 1")
    assert landed == [("a.example", "5"), ("b.example", "7")]
    # AND what belongs to another version of the file is put into none
    (feed_folder / "a.csv").write_text(text("c") + wrong.replace("b.", "d."))
    loader("load")
    assert "not in quarantine" in loader("replay", "--from", str(fixed), code=2).stderr
