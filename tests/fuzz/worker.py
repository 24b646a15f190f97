"""The process that runs cases, and makes the one that fails smaller."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection

from fuzz.cases import Case, Cases

__all__ = ["Begun", "Ended", "Failed", "Plan", "work"]

_SHRINK_SECONDS = 20.0


@dataclass(frozen=True)
class Plan:
    """Which cases to run. seconds: when to stop if they are not done by then."""

    seed: int
    cases: int
    first: int = 0
    seconds: float = float("inf")


@dataclass(frozen=True)
class Begun:
    """A case is about to be run; so it is known if nothing more is heard."""

    number: int


@dataclass(frozen=True)
class Failed:
    """A case did not end well. data: as few of its bytes as show it."""

    number: int
    data: bytes
    problem: str


@dataclass(frozen=True)
class Ended:
    """All cases ended well."""

    done: int


def work(pipe: Connection, kind: type[Cases], plan: Plan) -> None:
    """Runs the plan up to the first case that fails."""
    cases, until, done = kind(), time.monotonic() + plan.seconds, 0
    try:
        while done < plan.cases and time.monotonic() < until:
            number = plan.first + done
            pipe.send(Begun(number))
            case = cases.make(plan.seed, number)
            if problem := _problem(cases, case):
                data = _shrunk(case.data, _still_fails(pipe, number, cases, case))
                problem = _problem(cases, case.with_data(data)) or problem
                pipe.send(Failed(number, data, problem))
                return
            done += 1
    finally:
        cases.close()
    pipe.send(Ended(done))


def _problem(cases: Cases, case: Case) -> str | None:
    try:
        cases.check(case)
    except Exception:
        return traceback.format_exc(limit=-3)
    return None


def _still_fails(
    pipe: Connection, number: int, cases: Cases, case: Case
) -> Callable[[bytes], bool]:
    """Whether other bytes fail at the same place."""

    def place(data: bytes) -> tuple[object, ...] | None:
        pipe.send(Begun(number))
        try:
            cases.check(case.with_data(data))
        except Exception as error:
            *_, (frame, line) = traceback.walk_tb(error.__traceback__)
            return type(error), frame.f_code.co_filename, line
        return None

    first = place(case.data)
    return lambda data: first is not None and place(data) == first


def _shrunk(data: bytes, fails: Callable[[bytes], bool]) -> bytes:
    """As few of the bytes as still fail, as far as a few seconds go."""
    until = time.monotonic() + _SHRINK_SECONDS
    size = len(data) // 2
    while size:
        position = 0
        while position < len(data) and time.monotonic() < until:
            shorter = data[:position] + data[position + size :]
            if fails(shorter):
                data = shorter
            else:
                position += size
        size //= 2
    return data
