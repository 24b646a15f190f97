"""What a warehouse in the network does to a load, at each of its statements. Promises 3 and 4.

After each fault: a load that made up for it by itself, or one clear error; never half a load, and
nothing left behind. And one more load ends in the tables of an undisturbed one.
"""

from __future__ import annotations

import pytest
from faults.extent import PARTS, part_of, some
from faults.rig_site import Disturbed, RigSite
from faults.strike import STRIKES, Strike, repair, strike_and_repair

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def loaded(on: RigSite) -> Disturbed:
    """A load into a warehouse that has been loaded before, not disturbed."""
    return on.undisturbed("loaded")


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("strike", some(STRIKES, 3), ids=lambda strike: strike.kind)
def test_a_fault_at_any_statement_is_made_up_for(
    on: RigSite, loaded: Disturbed, strike: Strike, part: int
) -> None:
    numbers = [n for n, sql in enumerate(loaded.statements, start=1) if strike.of(n, sql)]
    # In the short run the last of them, which is the commit or close to it.
    wrong = [
        what
        for nth in part_of(numbers, part, 1)
        for what in strike_and_repair(on, "loaded", strike, nth, loaded)
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("strike", STRIKES[1:2], ids=lambda strike: strike.kind)
def test_a_fault_in_a_first_load_is_made_up_for(on: RigSite, strike: Strike) -> None:
    # Of those statements that only a first load has: they make the tables.
    undisturbed = on.undisturbed("empty")
    making = [
        nth
        for nth, sql in enumerate(undisturbed.statements, start=1)
        if sql.startswith("create ") and not sql.startswith("create temp")
    ]
    wrong = [
        what
        for nth in some(making, 1)
        for what in strike_and_repair(on, "empty", strike, nth, undisturbed)
    ]
    assert not wrong, "\n".join(wrong)


_RESTARTS = ["^copy ", "^select", "^create temp", "^lock ", "^insert ", "^insert .*_loaded_files"]


@pytest.mark.parametrize("statement", some(_RESTARTS, 1))
def test_a_restart_of_the_warehouse_is_made_up_for(
    on: RigSite, loaded: Disturbed, statement: str
) -> None:
    on.put_back("loaded")
    restarted = on.rig.before(statement, on.rig.restart)
    outcome = on.load()
    assert restarted.happened.is_set(), outcome.text
    restarted.check()
    wrong = repair(on, Strike("warehouse restarted", codes=(0, 3)), outcome, loaded, statement)
    assert not wrong, "\n".join(wrong)
