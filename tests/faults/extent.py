"""How many faults are tried: all by `make test-faults`, a few by the other targets."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TypeVar

__all__ = ["ALL", "PARTS", "part_of", "some"]

ALL = os.environ.get("FAULTS") == "all"
# A long row of faults is so many tests, for the processes that share the work.
PARTS = range(4 if ALL else 1)
T = TypeVar("T")


def some(cases: Sequence[T], number: int) -> Sequence[T]:
    """All cases in the long run, else so many of them, the last one and others spread evenly."""
    return cases if ALL else cases[::-1][:: max(1, len(cases) // number)][:number]


def part_of(cases: Sequence[T], part: int, number: int) -> Sequence[T]:
    """A part of all cases in the long run, else some of them."""
    return some(cases, number)[part :: len(PARTS)]
