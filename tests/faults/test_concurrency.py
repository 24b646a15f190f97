"""Many loaders at once. Promise 4: each file once, and load ids grow in the order of commits."""

from __future__ import annotations

import shutil
from collections import Counter

import pytest
from faults.duckdb_site import DuckdbSite
from faults.extent import some
from faults.rig_site import RigSite
from faults.tally import Result, record
from redshift.commands import Running
from redshift.site import indicators

pytestmark = pytest.mark.slow

_LOADERS = 8
_FILES = 100


def _start(on: RigSite, number: int, *arguments: str) -> Running:
    """A command with a folder of its own for dbt's files, as on a machine of its own."""
    target = on.site.project / "target" / str(number)
    if not target.exists():
        target.mkdir()
        shutil.copy(on.site.project / "target/redshift/partial_parse.msgpack", target)
    return on.start(*arguments, DBT_TARGET_PATH=f"target/{number}")


def _recorded(on: RigSite, kind: str, times: int, files: Counter[str]) -> tuple[int, int]:
    """How many files are lost and doubled, of those that were put; one result a loader."""
    landed = Counter(f"in/{name}.csv" for name, load in on.site.landed() if load > 1)
    expected = Counter(files)
    lost, doubled = (expected - landed).total(), (landed - expected).total()
    for number in range(times):
        counts = (0, 0) if number else (lost, doubled)
        record(Result(kind, "Redshift (rig)", "all", *counts))
    return lost, doubled


def test_loaders_at_once_load_each_file_once(on: RigSite) -> None:
    # GIVEN many new files
    names = [f"file-{number}" for number in some(range(_FILES), 12)]
    on.put_back("loaded")
    on.put_only({f"in/{name}.csv": indicators(name) for name in names})
    # WHEN as many loaders as there may be take them up at once
    loaders = [_start(on, number) for number in some(range(_LOADERS), 2)]
    outcomes = [loader.wait().done() for loader in loaders]
    # THEN one has loaded them all, the others found nothing new, and nothing is left
    files = Counter(f"in/{name}.csv" for name in names)
    assert _recorded(on, "loaders at once", len(loaders), files) == (0, 0)
    loaded = sorted(outcome.objects[0]["files"] for outcome in outcomes)
    assert loaded == [0] * (len(loaders) - 1) + [len(names)]
    assert on.leftovers() == []


def test_builds_and_loads_at_once_lose_nothing(on: RigSite) -> None:
    # GIVEN loaders that come while files do, and builds of the mart all the time
    on.put_back("loaded")
    on.put_only({})
    rounds = len(some(range(6), 2))
    names = [f"round-{number}" for number in range(rounds)]
    loaders = []
    for number, name in enumerate(names):
        on.site.put(f"in/{name}.csv", indicators(name))
        loaders.append(_start(on, number))
        on.site.dbt("run", "--select", "indicators").done()
    for loader in loaders:
        loader.wait().done()
    # THEN each file is there once, and ids were given out in the order of commits
    files = Counter(f"in/{name}.csv" for name in names)
    assert _recorded(on, "loads during builds", rounds, files) == (0, 0)
    order = on.commit_order()
    assert order == sorted(order)
    # AND after one more build every record is counted in the mart, under its newest load
    on.site.dbt("run", "--select", "indicators").done()
    assert on.mart_counts() == on.landing_counts()


def test_loaders_at_once_on_duckdb_take_turns_or_say_who_is_there(site: DuckdbSite) -> None:
    # GIVEN loaders of the same files, started at once
    site.put_back("loaded")
    loaders = [site.start("loader", "load", "--json") for _ in some(range(_LOADERS), 2)]
    outcomes = [loader.wait() for loader in loaders]
    # THEN each is done or says which process has the file, and what to do
    for outcome in outcomes:
        assert outcome.code == 0 or outcome.refused(3, "PID", "end it or wait, then run again")
    # AND one more load leaves each file once
    site.do("loader", "load", "--json")
    found = site.contents()
    site.put_back("loaded")
    site.do("loader", "load", "--json")
    expected = site.contents()
    lost, doubled = found.lost_and_doubled(expected)
    for number, outcome in enumerate(outcomes):
        state = "nothing" if outcome.code else "all"
        counts = (0, 0) if number else (lost, doubled)
        record(Result("loaders at once", "DuckDB", state, *counts))
    assert (lost, doubled) == (0, 0)
