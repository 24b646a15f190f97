"""Four processes that share the new files of a feed, two of which are killed."""

from __future__ import annotations

import shutil
import threading
import time
from typing import Any

import pytest

from loader.files.choice import Shard
from redshift.commands import Running
from redshift.site import Site, indicators, plain_rows

pytestmark = pytest.mark.slow

_SHARDS = 4
# All that does not say when, or in what company, a file was loaded.
_TABLES = {
    "landing": "select l.*, f.uri, f.file_time from (select indicator, indicator_type, source,"
    " confidence, first_seen, last_seen, description, _load_id from raw.indicators) as l"
    " inner join raw._loaded_files as f on l._load_id = f.load_id",
    "ledger": "select load_id, uri, etag, bytes, records_read, records_loaded, records_rejected,"
    " status, file_time from raw._loaded_files",
    "quarantine": "select load_id, uri, etag, record, line, column_name, rule, raw_text"
    " from raw._rejected_records",
    "mart": "select last_load_id, indicator, indicator_type, source, confidence, first_seen,"
    " last_seen, description, occurrences, _file, _file_time from analytics.indicators",
}


def _tables(site: Site) -> dict[str, Any]:
    """The tables' rows, without load ids."""
    found = {}
    for name, query in _TABLES.items():
        place = 7 if name == "landing" else 0
        found[name] = plain_rows((*r[:place], *r[place + 1 :]) for r in site.query(query))
    return found


def _start(site: Site, number: int) -> Running:
    """A process of the job, with a folder of its own for dbt's files, as in a container."""
    target = site.project / "target" / f"shard-{number}"
    if not target.exists():
        target.mkdir(parents=True)
        shutil.copy(site.project / "target/redshift/partial_parse.msgpack", target)
    return site.start_load(
        impatient=True,
        DBT_TARGET_PATH=f"target/shard-{number}",
        CTI_SHARD=f"/{_SHARDS}",
        CTI_RUN_ID="the run",
        JOB_COMPLETION_INDEX=str(number),
    )


def _wait_for_waiting(site: Site, loaders: int) -> None:
    rig, deadline = site.cluster.rig_only("sees who waits"), time.monotonic() + 60
    query = "select count(*) from pg_locks where not granted"
    while rig.admin_query(query, site.cluster.database) != [[str(loaders)]]:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_processes_that_are_killed_leave_the_same_tables_as_one_loader(site: Site) -> None:
    rig = site.cluster.rig_only("holds a process between two of its statements")
    # GIVEN new files that have keys in common and records to reject, and what one loader makes of
    # them
    for number in range(12):
        names = [f"{number}-{n}" for n in range(110)]
        bad = b"bad,domain,lab,much,2026-01-01,2026-01-02,x\n"
        site.put(f"in/{number}.csv", indicators("both", *names) + bad)
    site.loader("run", "--select", "indicators").done()
    expected = _tables(site)
    site.cluster.empty()
    # WHEN four processes share them, the second of which is killed with the ledger's lock ...
    go_on, stands = threading.Event(), threading.Event()

    def hold() -> None:
        stands.set()
        assert go_on.wait(60)

    rig.before("insert into .*_loaded_files", hold)
    shards = {1: _start(site, 1)}
    assert stands.wait(60)
    # ... and the last while it waits for the lock, like the others
    shards |= {number: _start(site, number) for number in (0, 2, 3)}
    _wait_for_waiting(site, 3)
    for number in (1, 3):
        shards[number].kill()
    go_on.set()
    outcomes = [shards[number].wait().done() for number in (0, 2)]
    # THEN none of the others begins again because of what another one has loaded
    assert not [outcome.err for outcome in outcomes if "Trying again" in outcome.err]
    # WHEN those that were killed are started again, as Kubernetes does THEN all is loaded ...
    planned = site.loader(
        *("plan", "--select", "indicators", "--shard", f"3/{_SHARDS}", "--json")
    ).done()
    outcomes += [_start(site, number).wait().done() for number in (1, 3)]
    site.clear("work/")
    assert min(outcome.objects[0]["files"] for outcome in outcomes) > 0
    # ... under one number, each file by its process
    assert {outcome.objects[0]["load"] for outcome in outcomes} == {1}
    ours = [site.uri(name) for name, _, _ in site.ledger() if Shard(3, 4).has(site.uri(name))]
    assert sorted(file["uri"] for file in planned.objects[0]["new"]) == sorted(ours)
    # AND a run after them finds nothing new, and makes the same mart
    run = site.loader("run", "--select", "indicators", "--json").done()
    assert (run.objects[-1]["files"], run.objects[-1]["checks_failed"]) == (0, 0)
    assert _tables(site) == expected
    # AND what the job has loaded can be taken back as one load
    site.loader("rollback", "1", "--yes").done()
    assert site.landed() == []
    # ... and one of its files be asked for by all processes, each of which knows whose it is
    again = ("--reload", ours[0])
    loads = [site.load("--shard", f"{n}/{_SHARDS}", *again).done() for n in (0, 3)]
    assert [outcome.objects[0]["files"] for outcome in loads] == [0, 1]
    site.loader("check").done()
