"""Several loaders at once, and loads that end in another order than they began."""

from __future__ import annotations

import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable

import pytest

from redshift.cluster import TEST_MARK
from redshift.commands import Outcome
from redshift.site import Site, indicators

pytestmark = pytest.mark.slow

_BUILD = ("run", "--select", "indicators")


def _second_target(site: Site) -> str:
    """Another folder for dbt's files, as two machines have it; what dbt has read is taken along."""
    folder = site.project / "target" / "second"
    if not folder.exists():
        folder.mkdir(parents=True)
        known = site.project / "target" / "redshift" / "partial_parse.msgpack"
        if known.exists():
            shutil.copy(known, folder)
    return "target/second"


def _mart(site: Site) -> list[str]:
    return [str(row[0]) for row in site.query("select indicator from analytics.indicators")]


@pytest.fixture(scope="module")
def first_loads(site: Site) -> list[Outcome]:
    """Two loaders at once where nobody has ever loaded anything."""
    for number in range(3):
        site.put(f"in/{number}.csv", indicators(f"n{number}", "both"))
    if site.cluster.rig is not None:
        for nth in (1, 2):
            # So that neither is over before the other begins.
            site.cluster.rig.faults.delay("^copy", 0.5, nth=nth)
    loaders = [
        site.start_load(impatient=True),
        site.start_load(impatient=True, DBT_TARGET_PATH=_second_target(site)),
    ]
    return [loader.wait() for loader in loaders]


@pytest.fixture(scope="module")
def built(site: Site, first_loads: list[Outcome]) -> Site:
    """What they loaded, in the mart."""
    site.dbt(
        *("build", "--exclude-resource-type", "test", "unit_test"),
        *("--select", "indicator_type_aliases", "+indicators"),
    ).done()
    return site


def test_two_first_loads_at_once_load_each_file_once(
    built: Site, first_loads: list[Outcome]
) -> None:
    # The tables are made, the files found new, and the ledger locked, by both at the same time.
    for outcome in first_loads:
        outcome.done()
    assert Counter(name for name, _ in built.landed()) == {"n0": 1, "n1": 1, "n2": 1, "both": 3}
    assert [name for name, _, _ in built.ledger()] == ["in/0.csv", "in/1.csv", "in/2.csv"]
    loaded = [outcome.objects[0]["files"] for outcome in first_loads]
    assert sorted(loaded) == [0, 3]


def test_loaders_that_wait_for_the_ledger_take_turns(built: Site) -> None:
    # GIVEN a transaction that holds the ledger, and two loaders that have copied the same files
    built.put("in/turns.csv", indicators("turns"))
    holder = built.connect()
    holder.cursor().execute(f"{TEST_MARK}lock raw._load_lock")
    loaders = [
        built.start_load(impatient=True),
        built.start_load(impatient=True, DBT_TARGET_PATH=_second_target(built)),
    ]
    _wait_until(lambda: _waiting_for_locks(built) == 2)
    # WHEN it lets go
    holder.rollback()
    outcomes = [loader.wait().done() for loader in loaders]
    # THEN one loads the file and the other finds that it is loaded.
    assert sorted(outcome.objects[0]["files"] for outcome in outcomes) == [0, 1]
    assert [name for name, _ in built.landed()].count("turns") == 1


def test_who_reads_delays_neither_load_nor_build(built: Site) -> None:
    # GIVEN sessions that have read what people look at, in transactions that they leave open
    built.loader("run", "--select", "indicators").done()
    for name in ("_loaded_files", "_rejected_records"):
        _read(built, f"raw.{name}")
    for name in ("load_quality", "stg_cti__indicators", "indicators"):
        _read(built, f"analytics.{name}")
    # WHEN a file is loaded and all is built THEN nothing waits
    built.put("in/read.csv", indicators("read"))
    running = built.start("loader", "run", "--select", "indicators")
    _wait_until(lambda: running.ended or bool(_waiting_for_locks(built)))
    assert running.ended
    running.wait().done()
    assert "read" in _mart(built)
    built.close()


def test_two_builds_at_once_give_each_key_one_row(built: Site) -> None:
    rig = built.cluster.rig_only("holds a build between two of its statements")
    # GIVEN a build that is about to write a new key
    built.put("in/twice.csv", indicators("twice", "twice"))
    built.load().done()
    held, go_on = _held_before(built, "delete from [^;]*using")
    first = built.start("dbt", *_BUILD)
    assert held.wait(60)
    # WHEN another one comes THEN it waits, and the key is one row
    second = built.start("dbt", *_BUILD, more={"DBT_TARGET_PATH": _second_target(built)})
    _wait_until(lambda: second.ended or _waiting_for_locks(built) == 1)
    go_on.set()
    for running in (first, second):
        running.wait().done()
    assert _mart(built).count("twice") == 1
    built.loader("check").done()
    rig.calm()


def test_two_runs_and_a_rollback_at_once_give_each_key_one_row(built: Site) -> None:
    # GIVEN a load to roll back, and a new one of the same key
    built.put("in/taken.csv", indicators("once", "taken"))
    (taken,) = built.load().done().objects
    built.put("in/once.csv", indicators("once", "kept"))
    # WHEN all happens at once; a run's own tests may see what the rollback has not built yet
    running = [
        built.start("loader", "run", "--select", "indicators", impatient=True, more=more)
        for more in ({}, {"DBT_TARGET_PATH": _second_target(built)})
    ]
    running.append(built.start("loader", "rollback", str(taken["load"]), "--yes"))
    for outcome in [command.wait() for command in running]:
        assert outcome.code in (0, 1), outcome.text
    # THEN there is a row for each key, which counts what stands
    built.loader("run", "--select", "indicators").done()
    rows = built.query("select indicator, occurrences from analytics.indicators")
    counted = {str(name): int(n) for name, n in rows}
    assert len(counted) == len(rows)
    assert (counted["once"], counted["kept"]) == (1, 1)
    assert "taken" not in counted


def test_a_load_that_starts_earlier_and_ends_later_is_not_stepped_over(built: Site) -> None:
    rig = built.cluster.rig_only("holds a loader between two of its statements")
    built.clear("in/")
    # GIVEN a loader that has copied its file and is about to lock the ledger
    built.put("in/slow.csv", indicators("slow"))
    held, go_on = _held_before(built, "^lock")
    slow = built.start_load()
    assert held.wait(60)
    # WHEN another one loads and the mart is built before the first goes on
    built.put("in/quick.csv", indicators("quick"))
    built.delete("in/slow.csv")
    built.load(DBT_TARGET_PATH=_second_target(built)).done()
    built.dbt("run", "--select", "indicators", DBT_TARGET_PATH=_second_target(built)).done()
    assert "quick" in _mart(built)
    assert "slow" not in _mart(built)
    built.put("in/slow.csv", indicators("slow"))
    go_on.set()
    slow.wait().done()
    # THEN the first got the higher number after all, and the next build takes it up.
    loads = dict(built.landed())
    assert loads["slow"] > loads["quick"]
    built.dbt("run", "--select", "indicators").done()
    assert "slow" in _mart(built)
    rig.calm()


def test_a_build_during_an_open_load_waits_for_it(built: Site) -> None:
    built.cluster.rig_only("holds a loader between two of its statements")
    built.clear("in/")
    # GIVEN a loader in the middle of its transaction, its number already taken
    built.put("in/open.csv", indicators("open"))
    held, go_on = _held_before(built, "insert into .*_loaded_files")
    first = built.start_load()
    assert held.wait(60)
    # WHEN the mart is built, and another loader comes
    built.put("in/next.csv", indicators("next"))
    second = built.start_load(impatient=True, DBT_TARGET_PATH=_second_target(built))
    build = built.start("dbt", "run", "--select", "indicators")
    # THEN both wait until the first is done, and both loads end in the mart.
    _wait_until(lambda: _waiting_for_locks(built) == 2)
    assert "open" not in _mart(built)
    go_on.set()
    for running in (first, second, build):
        running.wait().done()
    assert "open" in _mart(built)
    loads = dict(built.landed())
    assert loads["next"] > loads["open"]
    built.dbt("run", "--select", "indicators").done()
    assert {"open", "next"} <= set(_mart(built))


def _read(site: Site, table: str) -> None:
    """Read a table in a transaction that stays open."""
    reader = site.connect().cursor()
    reader.execute(f"{TEST_MARK}begin")
    reader.execute(f"{TEST_MARK}select count(*) from {table}")


def _waiting_for_locks(site: Site) -> int:
    rig = site.cluster.rig_only("sees in PostgreSQL who waits")
    rows = rig.admin_query("select pid from pg_locks where not granted", site.cluster.database)
    return len(rows)


def _wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _held_before(site: Site, pattern: str) -> tuple[threading.Event, threading.Event]:
    """Stops a session before its next such statement: set when it stands, and to let it go on."""
    assert site.cluster.rig is not None
    go_on, stands = threading.Event(), threading.Event()

    def hold() -> None:
        stands.set()
        assert go_on.wait(60)

    site.cluster.rig.before(pattern, hold)
    return stands, go_on
