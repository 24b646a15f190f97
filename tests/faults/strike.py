"""Strikes a load on the rig at one statement, runs it again, and compares."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass

from faults.contents import not_made_up_for
from faults.rig_site import Disturbed, RigSite, wait_for
from faults.tally import Result, record
from redshift.commands import Outcome
from rig.errors import RedshiftError
from rig.faults import Fault

__all__ = ["STRIKES", "Strike", "repair", "strike_and_repair"]

Deed = Callable[[RigSite, int], Fault]

# AWS has no page of its own for it; the code is the one its support articles quote.
_DISK_FULL = RedshiftError("Disk Full", D="error: Disk Full, code: 1016, context: node: 0")
_CANCELLED = RedshiftError("Query (4711) cancelled on user's request", "57014")


@dataclass(frozen=True)
class Strike:
    """Something that happens at the nth statement of a load.

    deed: makes it happen. codes: with which the load may end; what a retry may cure, the load
    itself makes up for. of: which statements, by number and text, it is for. sign: the signal that
    is sent to the load once the deed has struck.
    """

    kind: str
    deed: Deed | None = None
    codes: tuple[int, ...] = (0,)
    of: Callable[[int, str], bool] = lambda _nth, _sql: True
    sign: signal.Signals | None = None


def _writes(_nth: int, sql: str) -> bool:
    return sql.startswith(("create temp", "copy ", "lock ", "insert ", "commit"))


def _cut(when: str) -> Strike:
    def deed(on: RigSite, nth: int) -> Fault:
        return on.rig.faults.cut("", when, nth=nth)  # type: ignore[arg-type]

    return Strike(f"connection cut {when} a statement", deed)


def _error(kind: str, error: RedshiftError | None, *codes: int) -> Strike:
    return Strike(kind, lambda on, nth: on.rig.faults.error("", error, nth=nth), codes, _writes)


def _killed(sign: signal.Signals, code: int, turn: int) -> Strike:
    def deed(on: RigSite, nth: int) -> Fault:
        # Time for the signal to come; then the server runs the statement all the same.
        return on.rig.faults.delay("", 0.4, nth=nth)

    return Strike(
        f"{sign.name} of `load` at a statement", deed, (code,), lambda nth, _: nth % 3 == turn, sign
    )


STRIKES = (
    _cut("before"),
    _cut("during"),
    _cut("after"),
    _error("serialization failure (1023)", None, 0),
    _error("warehouse out of disk space", _DISK_FULL, 3),
    _error("statement timed out", _CANCELLED, 3),
    _killed(signal.SIGKILL, -9, 0),
    _killed(signal.SIGTERM, 130, 1),
    _killed(signal.SIGINT, 130, 2),
)


def strike_and_repair(
    on: RigSite, state: str, strike: Strike, nth: int, undisturbed: Disturbed
) -> list[str]:
    """What is wrong after a strike, and after one more load; nothing, it is hoped."""
    on.put_back(state)
    outcome = _struck(on, strike, nth)
    at = f"{strike.kind} {nth} ({state}), {undisturbed.statements[nth - 1][:60]}"
    return repair(on, strike, outcome, undisturbed, at)


def repair(
    on: RigSite, strike: Strike, outcome: Outcome, undisturbed: Disturbed, at: str
) -> list[str]:
    """What is wrong after a load that was struck, and after one more; and counts it."""
    on.rig.calm()
    wrong = _ending(outcome, strike)
    found = on.contents()
    loaded = found.state(undisturbed.before, undisturbed.after)
    if strike.sign is None and on.leftovers():
        wrong.append(f"left: {on.leftovers()}")
    if strike.sign is signal.SIGKILL:
        on.site.clear("work/")  # as the bucket's lifecycle rule does after a week
    again = on.load()
    found = on.contents()
    lost, doubled = found.lost_and_doubled(undisturbed.after)
    wrong += not_made_up_for(loaded, again, lost, doubled)
    if left := on.leftovers():
        wrong.append(f"left after the next one: {left}")
    on.site.commands.close()
    wrong = [f"{at}: {what}" for what in wrong]
    record(Result(strike.kind, "Redshift (rig)", loaded, lost, doubled, tuple(wrong)))
    return wrong


def _struck(on: RigSite, strike: Strike, nth: int) -> Outcome:
    assert strike.deed is not None
    fault = strike.deed(on, nth)
    running = on.start()
    if strike.sign is not None:
        assert wait_for(fault)
        os.kill(running.pid, strike.sign)
    outcome = running.wait()
    assert fault.fired.is_set(), f"no statement {nth} was sent"
    return outcome


def _ending(outcome: Outcome, strike: Strike) -> list[str]:
    """What is wrong with how the load ended."""
    wrong = []
    if outcome.code not in strike.codes:
        wrong.append(f"exit {outcome.code}: {outcome.text[-600:]}")
    if "Traceback" in outcome.text or "unexpected" in outcome.text:
        wrong.append(f"said {outcome.text[-3000:]}")
    if outcome.code > 0 and "error: " not in outcome.err:
        wrong.append("did not say why")
    return wrong
