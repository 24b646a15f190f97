"""Counts what became of loads under faults, for the table in s3_figures.md."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable
from pathlib import Path
from typing import Literal, TypeVar

__all__ = ["FIGURES", "Figures", "Outcome"]

FIGURES = Path(__file__).with_suffix(".md")

T = TypeVar("T", bound=Hashable)
Outcome = Literal["loaded", "refused"]
_HEAD = """\
| fault in S3 | loads | right, after retries | refused, nothing loaded | lost | doubled |
| --- | ---: | ---: | ---: | ---: | ---: |
"""


class Figures:
    """Loads by kind of fault and by outcome; records that were lost or doubled."""

    def __init__(self) -> None:
        self._outcomes: dict[str, Counter[Outcome]] = defaultdict(Counter)
        self._lost: Counter[str] = Counter()
        self._doubled: Counter[str] = Counter()

    def load(self, kind: str, outcome: Outcome) -> None:
        """A load that a fault struck came to an end."""
        self._outcomes[kind][outcome] += 1

    def compare(self, kind: str, landed: Counter[T], expected: Counter[T]) -> None:
        """What is in the landing table is compared with what must be. Records, with their loads."""
        self._lost[kind] += (expected - landed).total()
        self._doubled[kind] += (landed - expected).total()

    def markdown(self) -> str:
        """A row a kind, and one of sums."""
        rows = [self._row(kind, [kind]) for kind in self._outcomes]
        return _HEAD + "".join([*rows, self._row("all", list(self._outcomes))])

    def _row(self, name: str, kinds: list[str]) -> str:
        right = sum(self._outcomes[kind]["loaded"] for kind in kinds)
        refused = sum(self._outcomes[kind]["refused"] for kind in kinds)
        lost = sum(self._lost[kind] for kind in kinds)
        doubled = sum(self._doubled[kind] for kind in kinds)
        cells = (name, right + refused, right, refused, lost, doubled)
        return f"| {' | '.join(map(str, cells))} |\n"
