"""A warehouse of an earlier version, whose loads gave all their files one id, is altered once."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from e2e.engines import on_both_engines, slowly_on_both_engines
from faults.steps import ADD_QUERY, Step, end_at
from redshift.commands import Commands, warm_up

if TYPE_CHECKING:
    from conftest import Loader
    from e2e.conftest import BeginWith, Dbt
    from e2e.engines import Tables

HEADER = "indicator,indicator_type,source,confidence,first_seen\n"
# From a warehouse of today to what an earlier version would have made of the same loads.
OLDER = (
    "update raw.indicators set _load_id = ledger.batch_id from raw._loaded_files as ledger"
    " where _load_id = ledger.load_id",
    "update raw._rejected_records set load_id = ledger.batch_id from raw._loaded_files as ledger"
    " where raw._rejected_records.load_id = ledger.load_id",
    "update raw._rejected_records set replayed_by = ledger.batch_id"
    " from raw._loaded_files as ledger where replayed_by = ledger.load_id",
    "update raw._loaded_files set load_id = batch_id",
    "alter table raw._loaded_files drop column batch_id",
    "alter table raw._loaded_files drop column file_time",
    "drop table raw._load_lock",
)
# The same of the mart, which knew nothing of files, and of what tells how it was built.
OLDER_MART = (
    "update analytics.indicators set last_load_id = ledger.batch_id"
    " from raw._loaded_files as ledger where last_load_id = ledger.load_id",
    "alter table analytics.indicators drop column _file",
    "alter table analytics.indicators drop column _file_time",
    "alter table analytics.indicators drop column _record",
    "drop table raw._built_models",
)
ALTERED = ("add column batch_id bigint", "add column file_time timestamp", "set batch_id = coa")


def write(folder: Path, name: str, *indicators: str, rejected: int = 0) -> None:
    """A file of these indicators, and of records that are rejected."""
    records = [f"{i}.example,domain,{name},5,2026-01-01\n" for i in indicators]
    records += [f"{name}-{n}.example,domain,{name},much,2026-01-01\n" for n in range(rejected)]
    (folder / f"{name}.csv").write_text(HEADER + "".join(records))


def state(tables: Tables) -> list[Any]:
    """The columns and the rows of all that a load writes to."""
    columns = tables.rows(
        "select table_name, column_name from information_schema.columns where table_schema = 'raw'"
        " and table_name in ('indicators', '_rejected_records', '_loaded_files') order by 1, 2"
    )
    names = ("indicators", "_rejected_records", "_loaded_files")
    rows = [sorted(tables.rows(f"select * from raw.{name}"), key=repr) for name in names]
    return [columns, *rows]


def ledger(tables: Tables) -> list[tuple[Any, ...]]:
    return tables.rows("select load_id, uri, status from raw._loaded_files order by 1, 2, 3")


def staged(tables: Tables) -> list[tuple[Any, ...]]:
    """Every record with its load, and with its file if that is known."""
    return tables.rows(
        "select staged.indicator, staged._load_id, staged._file, staged._record"
        " from analytics.stg_cti__indicators as staged order by 1, 2"
    )


@pytest.fixture
def older(
    loader: Loader, tables: Tables, project: Path, feed_folder: Path, begin_with: BeginWith
) -> Path:
    """Three loads of an earlier version: of two files, of one, and a replay; the feed's folder."""

    def make() -> None:
        contract = project / "models/staging/cti/_cti__sources.yml"
        contract.write_text(contract.read_text().replace("max_fraction: 0.01", "max_fraction: 0.5"))
        write(feed_folder, "a", "one", "both", rejected=1)
        write(feed_folder, "b", "two", "both", rejected=2)
        loader("load")
        write(feed_folder, "c", "three")
        loader("load")
        replay(loader, 1)
        for statement in OLDER:
            tables.rows(statement)

    begin_with(make)
    assert ledger(tables) == [
        *((1, "feed/a.csv", "loaded"), (1, "feed/b.csv", "loaded"), (2, "feed/c.csv", "loaded")),
        (3, "feed/b.csv", "replayed"),
    ]
    return feed_folder


def replay(loader: Loader, records: int) -> None:
    """Corrects the first records in quarantine of the file b and loads them."""
    exported = loader("rejects", "--csv", "--file", "feed/b.csv").stdout
    rows = list(csv.reader(io.StringIO(exported, newline="")))[: records + 1]
    with Path("fixed.csv").open("w", newline="", encoding="utf-8") as out:
        csv.writer(out).writerows([[cell.replace("much", "50") for cell in row] for row in rows])
    loader("replay", "--from", "fixed.csv")


@on_both_engines
@pytest.mark.slow
def test_it_is_altered_by_a_load_and_by_nothing_that_only_reads(
    loader: Loader, dbt: Dbt, tables: Tables, older: Path
) -> None:
    before = state(tables)
    # WHEN somebody only looks THEN it is said which column is missing, and nothing changes
    for command in (
        *(["history"], ["check"], ["rejects"], ["replay"], ["rollback", "2", "--yes"]),
        ["rollback", "--file", "feed/c.csv", "--yes"],
    ):
        told = loader(*command, code=2).stderr
        assert "add column batch_id" in told
        assert "python -m loader load" in told
    # WHEN it is planned THEN the statements are shown, whether there is something new or not
    assert all(words in loader("plan").stdout for words in ALTERED)
    write(older, "d", "four")
    assert all(words in loader("plan").stdout for words in ALTERED)
    (shown,) = map(json.loads, loader("plan", "--json").stdout.splitlines())
    assert all(any(words in sql for sql in shown["sql"]) for words in ALTERED)
    assert state(tables) == before
    # WHEN it is loaded THEN each old load is its own batch, and its files are as old as it
    assert "load 4: 1 files" in loader("load").stdout
    assert tables.rows(
        "select batch_id, load_id, uri, file_time = loaded_at from raw._loaded_files order by 2, 3"
    ) == [
        (1, 1, "feed/a.csv", True),
        (1, 1, "feed/b.csv", True),
        (2, 2, "feed/c.csv", True),
        (3, 3, "feed/b.csv", True),
        (4, 4, "feed/d.csv", False),
    ]
    # AND where files share an id nobody knows whose a record is
    loader("run", code=0)
    assert staged(tables) == [
        ("b-0.example", 3, "feed/b.csv", None),
        ("both.example", 1, None, None),
        ("both.example", 1, None, None),
        ("four.example", 4, "feed/d.csv", None),
        ("one.example", 1, None, None),
        ("three.example", 2, "feed/c.csv", None),
        ("two.example", 1, None, None),
    ]
    assert tables.rows(
        "select count(*) from analytics.stg_cti__indicators as staged"
        " inner join raw._loaded_files as ledger"
        " on staged._load_id = ledger.load_id and staged._file_time <> ledger.file_time"
    ) == [(0,)]
    # AND another load or build alters nothing
    write(older, "e", "five")
    assert "alter table" not in loader("plan").stdout
    altered = state(tables)[0]
    loader("run")
    assert state(tables)[0] == altered
    assert all(f.get("state") != "differs" for f in checked(loader))


def checked(loader: Loader) -> list[dict[str, Any]]:
    return [json.loads(line) for line in loader("check", "--json").stdout.splitlines()]


@slowly_on_both_engines
def test_what_earlier_loads_brought_can_be_replayed_and_rolled_back(
    loader: Loader, tables: Tables, older: Path
) -> None:
    loader("run")
    # WHEN one of several files that share an id is to go THEN that is refused, and says why
    before = state(tables)
    for more in ([], ["--damaged"]):
        told = loader("rollback", "--file", "feed/a.csv", "--yes", *more, code=2).stderr
        assert "rollback 1" in told
        assert state(tables) == before
    # WHEN the rest of the quarantine is replayed THEN each record is known by its load and file
    replay(loader, 1)
    assert ("b-1.example", 4, "feed/b.csv", None) in staged(tables)
    # WHEN the loads go, the replays first THEN what is left is what the others brought
    for number in ("4", "3", "1"):
        loader("rollback", number, "--yes")
    assert staged(tables) == [("three.example", 2, "feed/c.csv", None)]
    # A file with an id of its own can be named.
    loader("rollback", "--file", "feed/c.csv", "--yes")
    assert staged(tables) == []
    loader("check")


@slowly_on_both_engines
def test_a_mart_of_an_earlier_version_is_rebuilt(
    loader: Loader, dbt: Dbt, tables: Tables, project: Path, feed_folder: Path
) -> None:
    # GIVEN a mart in which the older of two files had won, since a later load brought it
    contract = project / "models/staging/cti/_cti__sources.yml"
    contract.write_text(contract.read_text().replace("max_fraction: 0.01", "max_fraction: 0.5"))
    write(feed_folder, "newer", "one", "two")
    write(feed_folder, "alone", "three")
    os.utime(feed_folder / "newer.csv", (1_800_000_000, 1_800_000_000))
    loader("load")
    write(feed_folder, "older", "one")
    os.utime(feed_folder / "older.csv", (1_700_000_000, 1_700_000_000))
    loader("run")
    tables.rows("drop view analytics.load_quality")
    for statement in (*OLDER_MART[:1], *OLDER, *OLDER_MART[1:]):
        tables.rows(statement)
    tables.rows("update analytics.indicators set source = 'older' where indicator = 'one.example'")
    # WHEN this version builds it THEN it is rebuilt whole, by what is known of the loads
    write(feed_folder, "fresh", "four")
    loader("run")
    assert tables.rows(
        "select indicator, source, _file, occurrences, last_load_id from analytics.indicators"
        " order by 1"
    ) == [
        ("four.example", "fresh", "feed/fresh.csv", 1, 3),
        ("one.example", "older", "feed/older.csv", 2, 2),
        ("three.example", "alone", None, 1, 1),
        ("two.example", "newer", None, 1, 1),
    ]
    assert all(finding["state"] == "holds" for finding in checked(loader))


@slowly_on_both_engines
def test_a_build_alters_it_too(loader: Loader, dbt: Dbt, tables: Tables, older: Path) -> None:
    dbt("build", "--exclude-resource-type", "unit_test")
    assert tables.rows(
        "select distinct batch_id = load_id, file_time = loaded_at from raw._loaded_files"
    ) == [(True, True)]
    assert "nothing new" in loader("load").stdout
    assert "alter table" not in loader("plan").stdout
    loader("check")


@slowly_on_both_engines
def test_a_kill_between_two_statements_does_no_harm(
    loader: Loader, tables: Tables, project: Path, older: Path, tmp_path: Path
) -> None:
    before = state(tables)
    write(older, "d", "four")
    warm_up(project, tmp_path / "warm")
    commands = Commands(tmp_path / "commands")
    load, build = ("loader", "load"), ("dbt", "run", "--select", "stg_cti__indicators")
    for program, *arguments in (load, build):
        for after in ALTERED:
            # GIVEN a load or a build that the kernel ends after one of the statements
            moment = Step(after, ADD_QUERY, "after", matching=after)
            kill = partial(end_at, moment, signal.SIGKILL)
            killed = commands.start(program, arguments, dict(os.environ), project, prepare=kill)
            outcome = killed.wait()
            assert outcome.code == -signal.SIGKILL, outcome.text
            # THEN nothing has changed
            assert state(tables) == before, (program, after)
    commands.close()
    # AND the next load makes up for it
    assert "load 4: 1 files" in loader("load").stdout
    assert tables.rows(
        "select count(*) from raw._loaded_files where batch_id is null or file_time is null"
    ) == [(0,)]
    loader("run")


@on_both_engines
@pytest.mark.slow
def test_what_an_earlier_version_loads_meanwhile_is_taken_up(
    loader: Loader, tables: Tables, feed_folder: Path
) -> None:
    # GIVEN a load, and one by a machine that still has the earlier version
    write(feed_folder, "a", "one")
    loader("load")
    write(feed_folder, "b", "two")
    loader("load")
    tables.rows("update raw._loaded_files set batch_id = null, file_time = null where load_id = 2")
    # WHEN anything is loaded or built THEN it is a load like any other
    assert "coalesce(batch_id, load_id)" in loader("plan").stdout
    loader("run")
    assert tables.rows("select load_id, batch_id from raw._loaded_files order by 1") == [
        (1, 1),
        (2, 2),
    ]
    assert "update" not in loader("plan").stdout
