"""Taking a load back on Redshift: one transaction under the ledger's lock, or none."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator

import pytest
from rig.faults import Fault

from redshift.cluster import TEST_MARK, WatchedRig
from redshift.site import Site

pytestmark = pytest.mark.slow

_DELETE, _REJECTED = r"^delete from \S*measurements", r"^delete from \S*_rejected_records"
_MARK, _COMMIT = r"^update \S*_loaded_files", "^commit"
# A feed without a mart, so that what is built after a rollback is little.
_SELECT = ("--select", "measurements")


@pytest.fixture
def rig(site: Site, request: pytest.FixtureRequest) -> Iterator[WatchedRig]:
    """The rig, and a load of two records that is the newest."""
    rig = site.cluster.rig_only("acts between two statements of a rollback")
    name = "".join(c if c.isalnum() else "-" for c in request.node.name.lower())
    site.put(f"lab/{name}.csv", b"group,note\nx,1\ny,2\n")
    site.load(*_SELECT).done()
    rig.forget()
    yield rig
    assert site.loader("check", *_SELECT).done().text.count("holds") == 5


def _newest(site: Site) -> int:
    return int(site.query("select max(batch_id) from raw._loaded_files")[0][0])


def _landed(site: Site, batch_id: int) -> int:
    loads = f"select load_id from raw._loaded_files where batch_id = {batch_id}"
    query = f"select count(*) from raw.measurements where _load_id in ({loads})"
    return int(site.query(query)[0][0])


def _status(site: Site, batch_id: int) -> list[str]:
    query = f"select status from raw._loaded_files where batch_id = {batch_id}"
    return [str(status) for (status,) in site.query(query)]


def test_all_of_it_is_one_transaction_that_begins_with_the_lock(
    site: Site, rig: WatchedRig
) -> None:
    batch_id = _newest(site)
    (done,) = site.loader("rollback", str(batch_id), "--yes", "--json").done().objects
    assert (done["load"], done["records_deleted"], done["checks_failed"]) == (batch_id, 2, 0)
    assert (_landed(site, batch_id), _status(site, batch_id)) == (0, ["rolled back"])
    sent = [sql.lower() for sql in rig.sent()]
    lock = next(n for n, sql in enumerate(sent) if sql.startswith("lock "))
    assert sent[lock - 1] == "begin"
    transaction = sent[lock : sent.index("commit", lock)]
    for pattern in (_DELETE, _REJECTED, _MARK):
        assert len([sql for sql in transaction if re.search(pattern, sql)]) == 1
    assert not any(word in sql for sql in transaction for word in ("truncate", "begin"))
    # AND the next load leaves the file alone
    (again,) = site.load(*_SELECT).done().objects
    assert (again["files"], again["files_rolled_back_before"] > 0) == (0, True)


@pytest.mark.parametrize("statement", [_DELETE, _MARK, _COMMIT])
def test_a_kill_leaves_all_as_it_was(site: Site, rig: WatchedRig, statement: str) -> None:
    batch_id = _newest(site)
    # GIVEN a rollback that stands before a statement of its transaction
    stands, go_on = threading.Event(), threading.Event()

    def hold() -> None:
        stands.set()
        assert go_on.wait(60)

    if statement == _COMMIT:
        rig.before(_MARK, lambda: rig.before(_COMMIT, hold))
    else:
        rig.before(statement, hold)
    running = site.start("loader", "rollback", str(batch_id), "--yes")
    assert stands.wait(60)
    # WHEN it is killed
    running.kill()
    go_on.set()
    # THEN nothing has changed, once the server has let go of its lock; a COMMIT may have arrived
    holder = site.connect()
    holder.cursor().execute(f"{TEST_MARK}lock raw._load_lock")
    holder.rollback()
    found = (_landed(site, batch_id), _status(site, batch_id))
    assert found == (2, ["loaded"]) or (statement == _COMMIT and found == (0, ["rolled back"]))


def _waiting(site: Site) -> bool:
    rig = site.cluster.rig_only("sees in PostgreSQL who waits")
    return bool(
        rig.admin_query("select pid from pg_locks where not granted", site.cluster.database)
    )


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_connection_lost_at_commit_is_made_up_for(site: Site, rig: WatchedRig, when: str) -> None:
    # Whether its COMMIT was done only the ledger knows.
    batch_id = _newest(site)
    faults: list[Fault] = []

    def cut() -> None:
        faults.append(rig.faults.cut(_COMMIT, "before" if when == "before" else "after"))

    moment = rig.before(_MARK, cut)
    outcome = site.start(
        "loader", "rollback", str(batch_id), "--yes", "--json", impatient=True
    ).wait()
    moment.check()
    assert faults[0].fired.is_set()
    (done,) = outcome.done().objects
    assert done["records_deleted"] == 2
    assert (_landed(site, batch_id), _status(site, batch_id)) == (0, ["rolled back"])


def test_it_waits_for_a_loader_that_holds_the_ledger(site: Site, rig: WatchedRig) -> None:
    # GIVEN a loader in the middle of its transaction
    batch_id = _newest(site)
    stands, go_on = threading.Event(), threading.Event()

    def hold() -> None:
        stands.set()
        assert go_on.wait(60)

    site.put("lab/held.csv", b"group,note\nheld,x\n")
    rig.before("^insert into .*_loaded_files", hold)
    loading = site.start_load(*_SELECT)
    assert stands.wait(60)
    # WHEN a load is rolled back THEN that waits, and both are done in the end
    rolling = site.start("loader", "rollback", str(batch_id), "--yes", "--json")
    deadline = time.monotonic() + 60
    while not _waiting(site):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert not rolling.ended
    go_on.set()
    (loaded,) = loading.wait().done().objects
    rolling.wait().done()
    assert _status(site, batch_id) == ["rolled back"]
    assert _landed(site, int(loaded["load"])) == 1
