"""Lost connections and conflicts: a retry, or a report; in any case exactly one load in the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from rig.faults import Fault, When

from redshift.cluster import Moment, WatchedRig
from redshift.site import Site, indicators

pytestmark = pytest.mark.slow

# Statements of a load, in the order in which they come. The COMMIT is the one of the data's own
# transaction: it is the first after the ledger's row.
_COPY, _LOCK, _INSERT, _LEDGER, _COMMIT = (
    "^copy ",
    "^lock ",
    "^insert into .*indicators",
    "^insert into .*_loaded_files",
    "^commit",
)


@pytest.fixture(scope="module")
def loaded(site: Site) -> Site:
    """A warehouse in which the tables are."""
    site.put("in/first.csv", indicators("first"))
    site.load().done()
    return site


@pytest.fixture
def rig(loaded: Site, request: pytest.FixtureRequest) -> Iterator[WatchedRig]:
    """The rig, and a new file for the load that will be disturbed."""
    yield loaded.cluster.rig_only("cuts connections on demand")
    # Exactly once: each file in the ledger, each record in the table, nothing else, no leftovers.
    records = Counter(name for name, _ in loaded.landed())
    assert set(records.values()) == {1}
    assert Counter(f"in/{name}.csv" for name in records) == Counter(
        name for name, _, _ in loaded.ledger()
    )
    assert loaded.keys("work/") == []


def _at(rig: WatchedRig, statement: str, make: Callable[[], Fault]) -> Moment:
    """Make a fault for a statement; for COMMIT once the data's own transaction has come so far."""
    if statement != _COMMIT:
        fault = make()
        return Moment(fault.pattern, make, fault.fired)
    return rig.before(_LEDGER, make)


def _new_file(site: Site, request: pytest.FixtureRequest) -> str:
    name = "".join(c if c.isalnum() else "-" for c in request.node.name.lower())
    site.put(f"in/{name}.csv", indicators(name))
    return name


@pytest.mark.parametrize(
    ("statement", "when"),
    [
        pytest.param(statement, when, id=f"{when} {name}")
        for name, statement in (("copy", _COPY), ("insert", _INSERT), ("commit", _COMMIT))
        for when in ("before", "during", "after")
        # What is lost before or after a statement in the middle is lost as it is around COPY.
        if name != "insert" or when == "during"
    ],
)
def test_a_lost_connection_is_made_up_for(
    loaded: Site,
    rig: WatchedRig,
    request: pytest.FixtureRequest,
    statement: str,
    when: When,
) -> None:
    # After a loss at COMMIT nobody knows whether it was done but the ledger.
    name = _new_file(loaded, request)
    cut = _at(rig, statement, lambda: rig.faults.cut(statement, when))
    outcome = loaded.load(impatient=True).done()
    (report,) = outcome.objects
    cut.check()
    # What COPY reads with is not at fault.
    assert "CTI_COPY_ROLE" not in outcome.err
    assert (report["files"], report["records_loaded"]) == (1, 1)
    assert name in dict(loaded.landed())


@pytest.mark.parametrize("statement", [_LOCK, _LEDGER, _COMMIT], ids=["lock", "ledger", "commit"])
def test_a_serialization_failure_is_tried_again(
    loaded: Site, rig: WatchedRig, request: pytest.FixtureRequest, statement: str
) -> None:
    name = _new_file(loaded, request)
    failed = _at(rig, statement, lambda: rig.faults.error(statement))
    outcome = loaded.load(impatient=True).done()
    failed.check()
    assert "Trying again" in outcome.err
    assert name in dict(loaded.landed())


def test_what_does_not_heal_is_reported(
    loaded: Site, rig: WatchedRig, request: pytest.FixtureRequest
) -> None:
    name = _new_file(loaded, request)
    for nth in range(1, 6):
        rig.faults.error("^insert into .*indicators", nth=nth)
    loaded.load(impatient=True).refused(3, "1023")
    assert name not in dict(loaded.landed())
    rig.calm()
    # The next run takes it up.
    loaded.load().done()
    assert name in dict(loaded.landed())


def test_a_loader_killed_at_commit_is_made_up_for(
    loaded: Site, rig: WatchedRig, request: pytest.FixtureRequest
) -> None:
    # Whether its COMMIT arrived or not: the next load ends in the same table.
    name = _new_file(loaded, request)
    delays: list[Fault] = []
    ledger = rig.before(_LEDGER, lambda: delays.append(rig.faults.delay(_COMMIT, 1.0)))
    running = loaded.start_load()
    assert ledger.happened.wait(60)
    assert delays[0].fired.wait(60)
    running.kill()
    loaded.clear("work/")  # as the bucket's lifecycle rule does after a week
    loaded.load(impatient=True).done()
    assert name in dict(loaded.landed())
