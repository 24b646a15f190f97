"""How many faults are tried: a few by `make test`, all by `make test-faults`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TypeVar

__all__ = ["ALL", "some"]

ALL = os.environ.get("FAULTS") == "all"
T = TypeVar("T")


def some(cases: Sequence[T], number: int) -> Sequence[T]:
    """All cases in the long run, else so many of them, the last one and others spread evenly."""
    return cases if ALL else cases[::-1][:: max(1, len(cases) // number)][:number]
