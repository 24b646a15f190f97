"""Runs cases in a process of its own, so that a hang or a crash is a finding like any other."""

from __future__ import annotations

import multiprocessing
import tempfile
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from fuzz.cases import Case, Cases
from fuzz.worker import Begun, Ended, Failed, Plan, work

__all__ = ["Finding", "run"]

# A case takes some milliseconds, but the machine may be busy with other things.
_HANG_SECONDS = 60.0
_SHOWN_CHARACTERS = 3000


@dataclass(frozen=True)
class Finding:
    """A case that did not end well; str() says how, and how to see it again."""

    suite: str
    seed: int
    number: int
    problem: str
    case: Case

    def __str__(self) -> str:
        shown = repr(self.case.data)
        if len(shown) > _SHOWN_CHARACTERS:
            path = Path(tempfile.gettempdir()) / f"{self.suite}-{self.seed}-{self.number}.bytes"
            path.write_bytes(self.case.data)
            shown = f"{len(self.case.data):,} bytes, kept in {path}"
        again = f"--fuzz-seed {self.seed} --fuzz-case {self.number} -k {self.suite}"
        return (
            f"case {self.number} of seed {self.seed}, {self.case}:\n{shown}\n\n{self.problem}\n"
            f'again: make test-fuzz FUZZ="{again}"'
        )


def run(kind: type[Cases], plan: Plan, hang_seconds: float = _HANG_SECONDS) -> int | Finding:
    """How many cases ended well, or the first that did not, made small."""
    context = multiprocessing.get_context("spawn")
    pipe, childs_end = context.Pipe(duplex=False)
    child = context.Process(target=work, args=(childs_end, kind, plan), daemon=True)
    child.start()
    childs_end.close()
    number, problem = plan.first, "the process ended before its first case"
    try:
        while True:
            match _told(pipe, hang_seconds):
                case Begun(number):
                    problem = ""
                case Ended(done):
                    return done
                case Failed(number, data, problem):
                    case = kind().make(plan.seed, number).with_data(data)
                    return Finding(kind.name, plan.seed, number, problem, case)
                case None:
                    child.join(0.1 if child.is_alive() else None)
                    problem = problem or _end(child.exitcode, hang_seconds)
                    case = kind().make(plan.seed, number)
                    return Finding(kind.name, plan.seed, number, problem, case)
    finally:
        child.kill()
        child.join()
        pipe.close()


def _told(pipe: Connection, seconds: float) -> Begun | Ended | Failed | None:
    """The child's next message; None if it died or is silent for so long."""
    try:
        message: Begun | Ended | Failed | None = pipe.recv() if pipe.poll(seconds) else None
    except EOFError:
        return None
    return message


def _end(exit_code: int | None, hang_seconds: float) -> str:
    if exit_code is None:
        return f"it hangs: no end in {hang_seconds:g} seconds"
    return f"the process died of it, exit code {exit_code}"
