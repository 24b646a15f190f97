"""What happens to DuckDB's file in the middle of a load. Promises 3 and 4.

After each fault: one clear error and nothing loaded, or all of it; never half a load. And when the
cause is gone, one more load ends in the tables of an undisturbed one.
"""

from __future__ import annotations

import os
from functools import partial

import duckdb
import pytest
from faults.disk import can_mount, limit_file_size, read_only, small_disk
from faults.duckdb_site import DuckdbSite
from faults.extent import some
from faults.kill import Undisturbed
from faults.steps import Step, wait_at, wait_for
from faults.tally import Result, record
from redshift.commands import Outcome

# How much more than the warehouse takes the disk has, and how long DuckDB's log of a load may grow:
# from nothing to enough, in bytes.
_ROOMS = [part * 8192 for part in range(10)]


@pytest.fixture(scope="module")
def undisturbed(site: DuckdbSite) -> Undisturbed:
    """A load that nothing disturbs."""
    return Undisturbed.of(site, "load", "loaded")


def _repaired(
    site: DuckdbSite, kind: str, outcome: Outcome, undisturbed: Undisturbed, *said: str
) -> list[str]:
    """What is wrong after a load that met a fault, and after one more."""
    wrong = []
    state = site.contents().state(undisturbed.before, undisturbed.after)
    if (outcome.code, state) not in ((0, "all"), (3, "nothing")):
        wrong.append(f"exit {outcome.code} with {state} loaded")
    if outcome.code and not ("error: " in outcome.err and all(w in outcome.text for w in said)):
        wrong.append("did not say what, where and what to do")
    if "Traceback" in outcome.text or "unexpected" in outcome.text:
        wrong.append("an error that nobody expected")
    again = site.start("loader", "load", "--json").wait()
    found = site.contents()
    lost, doubled = found.lost_and_doubled(undisturbed.after)
    if again.code or lost or doubled or any(site.spool.iterdir()):
        wrong.append(f"the next one: exit {again.code}, {lost} lost, {doubled} doubled")
    wrong = [f"{kind}: {what}: {outcome.text[-2000:]}" for what in wrong]
    record(Result(kind, "DuckDB", state, lost, doubled, tuple(wrong)))
    return wrong


@pytest.mark.parametrize(
    "step",
    some(
        [
            Step("the plan is to be made", "loader.jobs.load:Project.warehouse"),
            Step("all is judged", "loader.jobs.load:Project.warehouse", nth=2),
        ],
        1,
    ),
    ids=lambda step: step.name,
)
def test_a_file_that_somebody_opens_meanwhile(
    site: DuckdbSite, undisturbed: Undisturbed, step: Step
) -> None:
    # No connection is open while files are judged, so somebody may well come in between.
    site.put_back("loaded")
    folder = site.folder / step.name
    folder.mkdir()
    running = site.start("loader", "load", prepare=partial(wait_at, step, folder))
    wait_for(folder / "came")
    with duckdb.connect(str(site.warehouse)):
        (folder / "go").touch()
        outcome = running.wait()
    wrong = _repaired(
        site, "another process opens the file", outcome, undisturbed, "end it or wait"
    )
    assert not wrong, "\n".join(wrong)
    assert outcome.code == 3


def test_a_disk_that_is_full(site: DuckdbSite, undisturbed: Undisturbed) -> None:
    # The less room there is, the earlier it is full: opening, landing, committing, closing.
    wrong = []
    # Not without any room: the command's own messages go to a file here.
    for room in some(_ROOMS[1:], 1):
        site.put_back("loaded")
        outcome = site.start("loader", "load", prepare=partial(limit_file_size, room)).wait()
        wrong += _repaired(site, "file size limit", outcome, undisturbed)
    for room in some(_ROOMS, 1) if can_mount() else ():
        site.put_back("loaded")
        files = site.states["loaded"]
        size = sum(map(len, files.values())) + room
        with small_disk(site.warehouse.parent, size):
            site.put_back("loaded")
            outcome = site.start("loader", "load").wait()
            site.keep("full")
        site.put_back("full")
        wrong += _repaired(site, "disk full", outcome, undisturbed)
    assert not wrong, "\n".join(wrong)


@pytest.mark.skipif(
    os.geteuid() == 0 and not can_mount(),
    reason="root may write anywhere unless it may also mount",
)
def test_a_folder_that_is_read_only(site: DuckdbSite, undisturbed: Undisturbed) -> None:
    site.put_back("loaded")
    with read_only(site.warehouse.parent):
        outcome = site.start("loader", "load").wait()
    wrong = _repaired(site, "read-only folder", outcome, undisturbed, str(site.warehouse))
    assert not wrong, "\n".join(wrong)
    assert outcome.code == 3
