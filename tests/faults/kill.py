"""Kills a run, runs it again, and compares the warehouse with one that nothing disturbed."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from itertools import cycle

from faults.contents import Contents, not_made_up_for
from faults.duckdb_site import DuckdbSite
from faults.steps import (
    ADD_QUERY,
    EXECUTE,
    OF_A_NODE,
    STEPS,
    Step,
    at_default,
    end_at,
    write_statements,
)
from faults.tally import Result, record
from redshift.commands import Outcome, Running

__all__ = ["Kill", "Undisturbed", "build_kills", "kill_and_repair", "random_kills", "step_kills"]

_MESSAGE = "error: interrupted; a load that had not committed left nothing"
_TURNS = (signal.SIGTERM, signal.SIGINT)
_SIGNS = (signal.SIGKILL, *_TURNS)
_BEGIN_SECONDS = 60.0


@dataclass(frozen=True)
class Kill:
    """A command, the warehouse it starts from, and a step or a moment at which a signal comes."""

    command: str
    start: str
    sign: signal.Signals
    step: Step | None = None
    seconds: float = 0.0

    def __str__(self) -> str:
        when = f"{self.step.when}: {self.step.name}" if self.step else f"{self.seconds:.2f} s"
        return f"{self.command} ({self.start}), {self.sign.name} {when}"

    @property
    def kind(self) -> str:
        """What it is called in the table."""
        where = "at a step" if self.step else "at a random moment"
        return f"{self.sign.name} of `{self.command}` {where}"


@dataclass(frozen=True)
class Undisturbed:
    """What a command leaves behind that nothing disturbs: before it, after it, and how it went."""

    before: Contents
    after: Contents
    statements: list[str]
    seconds: float

    @classmethod
    def of(
        cls, site: DuckdbSite, command: str, start: str, target: str = EXECUTE, matching: str = ""
    ) -> Undisturbed:
        """Runs it once. target, matching: the statements that are of interest."""
        path = site.folder / f"{command}-{start}.sql"
        path.unlink(missing_ok=True)
        site.put_back(start)
        before = site.contents()
        outcome = site.do(
            "loader", command, prepare=partial(write_statements, path, target, matching)
        )
        return cls(before, site.contents(), path.read_text().splitlines(), outcome.seconds)


def step_kills(command: str, start: str, undisturbed: Undisturbed) -> list[Kill]:
    """Every named step, before and inside each statement, and the end of the last.

    The signals take turns; at the rest of a later load SIGKILL and one of the others.
    """
    turns, signs = cycle(_TURNS), cycle(_SIGNS)
    kills = []
    for number, sql in enumerate(undisturbed.statements, start=1):
        step = Step(f"statement {number}, {sql[:60]}", EXECUTE, nth=number)
        kills.append(Kill(command, start, next(signs), step))
        kills.append(Kill(command, start, next(signs), replace(step, when="inside")))
    # After a statement is before the next one; after the last it is committed.
    for named in (*STEPS, replace(step, when="after")):
        both = (signal.SIGKILL, next(turns)) if start == "loaded" else (next(signs),)
        kills += [Kill(command, start, sign, named) for sign in both]
    return kills


def build_kills(start: str, undisturbed: Undisturbed, number: int) -> list[Kill]:
    """At so many of the statements of a run's dbt build, evenly spread."""
    signs = cycle(_SIGNS)
    total = len(undisturbed.statements)
    kills = []
    for nth in range(1, total + 1, max(1, total // number)):
        step = Step(f"statement {nth} of dbt build", ADD_QUERY, nth=nth, matching=OF_A_NODE)
        kills.append(Kill("run", start, next(signs), step))
    return kills


def random_kills(
    command: str, start: str, undisturbed: Undisturbed, moments: Sequence[float]
) -> list[Kill]:
    """At parts, from 0 to 1, of the time that the command takes; the signals take turns."""
    signs = cycle(_SIGNS)
    return [
        Kill(command, start, next(signs), seconds=undisturbed.seconds * moment)
        for moment in moments
    ]


def kill_and_repair(site: DuckdbSite, kill: Kill, undisturbed: Undisturbed) -> list[str]:
    """What is wrong after a kill, and after the command was run once more; nothing, it is hoped."""
    site.put_back(kill.start)
    outcome = _killed(site, kill)
    if kill.step is None and outcome.code == 0:
        return []  # it was done before the signal came: no kill, and not counted as one
    state = site.contents().state(undisturbed.before, undisturbed.after)
    wrong = _ending(site, kill, outcome)
    again = site.start("loader", kill.command, "--json").wait()
    found = site.contents()
    lost, doubled = found.lost_and_doubled(undisturbed.after)
    wrong += not_made_up_for(state, again, lost, doubled)
    if found.relations != undisturbed.after.relations:
        wrong.append(f"other relations: {found.relations ^ undisturbed.after.relations}")
    if any(site.spool.iterdir()):
        wrong.append("a spool folder is left after the next one")
    site.commands.close()
    wrong = [f"{kill}: {what}" for what in wrong]
    record(Result(kill.kind, "DuckDB", state, lost, doubled, tuple(wrong)))
    return wrong


def _killed(site: DuckdbSite, kill: Kill) -> Outcome:
    if kill.step:
        prepare = partial(end_at, kill.step, kill.sign)
        return site.start("loader", kill.command, prepare=prepare).wait()
    running = site.start("loader", kill.command, prepare=at_default)
    _wait_for_begin(running)
    time.sleep(kill.seconds)
    with suppress(ProcessLookupError):
        os.kill(running.pid, kill.sign)
    return running.wait()


def _wait_for_begin(running: Running) -> None:
    deadline = time.monotonic() + _BEGIN_SECONDS
    while not running.has_begun and time.monotonic() < deadline:
        time.sleep(0.005)


def _ending(site: DuckdbSite, kill: Kill, outcome: Outcome) -> list[str]:
    """What is wrong with how it ended."""
    if kill.sign == signal.SIGKILL:
        # It can say nothing and tidy up nothing; the next command does.
        return [] if outcome.code == -kill.sign else [f"exit {outcome.code}: not killed"]
    wrong = []
    not_begun = kill.step is None and outcome.code == -kill.sign and not outcome.text
    if outcome.code != 130 and not not_begun:
        wrong.append(f"exit {outcome.code}")
    if "Traceback" in outcome.text or "unexpected" in outcome.text:
        wrong.append(f"said {outcome.text[-3000:]}")
    if outcome.err and _MESSAGE not in outcome.err:
        wrong.append(f"said on stderr {outcome.err[-600:]}")
    if any(site.spool.iterdir()):
        wrong.append("a spool folder is left")
    return wrong
