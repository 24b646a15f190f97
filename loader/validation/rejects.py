"""Refused records: one JSON object a line, in the file's order."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Reject", "RejectLog", "read_rejects"]

_SHOWN = 20


@dataclass(frozen=True)
class Reject:
    """One refused record.

    record counts from 1, the header left out; line is the physical line it starts on, the
    header's being 1. column and value are None where the record as a whole is at fault. raw is
    its text without the line end; a byte that is not UTF-8 stands in it as the lone surrogate
    U+DC80 + byte - 0x80 (PEP 383), so that encoding it back gives the file's bytes.
    """

    file: str
    record: int
    line: int
    column: str | None
    rule: str
    value: str | None
    message: str
    raw: str

    def to_json(self) -> str:
        """One line."""
        return json.dumps(vars(self))


class RejectLog:
    """Writes rejects to a file and remembers the first few and how many broke which rule."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.by_rule: Counter[tuple[str | None, str]] = Counter()
        self.first: list[Reject] = []

    @property
    def total(self) -> int:
        """How many records were refused."""
        return self.by_rule.total()

    def write(self, rejects: Iterable[Reject]) -> None:
        """Adds rejects at the end."""
        with self.path.open("a", encoding="ascii") as file:
            for reject in rejects:
                file.write(reject.to_json() + "\n")
                self.by_rule[reject.column, reject.rule] += 1
                if len(self.first) < _SHOWN:
                    self.first.append(reject)


def read_rejects(path: Path) -> Iterator[Reject]:
    """The rejects of a file that RejectLog wrote."""
    with path.open(encoding="ascii") as file:
        for line in file:
            yield Reject(**json.loads(line))
