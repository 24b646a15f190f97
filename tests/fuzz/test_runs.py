"""The runner itself: what goes wrong in a case is told with its bytes, whatever it is."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass

import pytest
from fuzz.runs import Finding, run
from fuzz.worker import Plan


@dataclass(frozen=True)
class Bytes:
    data: bytes

    def with_data(self, data: bytes) -> Bytes:
        return Bytes(data)


class Troubled:
    """Cases 0 to 4 are good; in case 5 something happens."""

    name = "troubled"

    def make(self, seed: int, number: int) -> Bytes:
        return Bytes(b"many bytes of which only one ma%bters" % (b"t" if number < 5 else b"!"))

    def check(self, case: Bytes) -> None:
        if b"!" in case.data:
            self.trouble()

    def trouble(self) -> None:
        raise ValueError("this is what happens")

    def close(self) -> None:
        pass


class Hanging(Troubled):
    def trouble(self) -> None:
        time.sleep(600)


class Crashing(Troubled):
    def trouble(self) -> None:
        os.kill(os.getpid(), signal.SIGSEGV)


def test_cases_that_end_well_are_counted() -> None:
    assert run(Troubled, Plan(seed=7, cases=5)) == 5
    assert run(Troubled, Plan(seed=7, cases=5, seconds=0)) == 0


@pytest.mark.parametrize(
    ("kind", "problem", "data"),
    [
        (Troubled, "ValueError: this is what happens", "b'!'"),
        (Hanging, "it hangs: no end in 5 seconds", "b'many bytes of which only one ma!ters'"),
        (Crashing, "the process died of it, exit code -11", "only one ma!ters'"),
    ],
)
def test_a_finding_says_how_to_see_it_again(kind: type[Troubled], problem: str, data: str) -> None:
    found = run(kind, Plan(seed=7, cases=10), hang_seconds=5)
    assert isinstance(found, Finding)
    shown = str(found)
    assert "case 5 of seed 7" in shown
    assert problem in shown
    assert data in shown
    assert 'make test-fuzz FUZZ="--fuzz-seed 7 --fuzz-case 5 -k troubled"' in shown
