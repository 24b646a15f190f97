"""Cases: a few files of both feeds, and several arrangements in which they are loaded.

A case that fails is made small by leaving things out of it. Whatever is left is a case too, since
every arrangement ends with loading and replaying all that is not yet.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

from arrangements.feeds import FeedShape

__all__ = ["Arrangement", "Build", "Case", "File", "Load", "Record", "Replay", "Rollback", "Step"]

_Thing = TypeVar("_Thing")


@dataclass(frozen=True)
class Record:
    """A record of a file. texts: what is right. fault: the column whose text is bad, or "*" for a
    field too many; the record is rejected then. corrected: whether a replay brings what is right.
    """

    texts: tuple[str, ...]
    fault: str = ""
    corrected: bool = True

    def line(self, feed: FeedShape, right: bool = False) -> str:
        """The record as it stands in its file, or as it is corrected."""
        texts = list(self.texts)
        if self.fault in feed.bad and not right:
            texts[feed.columns.index(self.fault)] = feed.bad[self.fault]
        texts += ["too many"] * (self.fault == "*" and not right)
        return feed.delimiter.join(texts)


@dataclass(frozen=True)
class File:
    """A file of a feed. time: when it was last modified, UTC."""

    name: str
    feed: FeedShape
    time: datetime
    records: tuple[Record, ...]

    @property
    def uri(self) -> str:
        """What the ledger calls it."""
        return f"{self.feed.table}/{self.name}"

    @property
    def text(self) -> str:
        """The whole file."""
        lines = [self.feed.delimiter.join(self.feed.columns)]
        lines += [record.line(self.feed) for record in self.records]
        return "\n".join(lines) + "\n"

    @property
    def corrected(self) -> set[int]:
        """The numbers of the rejected records that a replay corrects."""
        numbered = enumerate(self.records, start=1)
        return {number for number, record in numbered if record.fault and record.corrected}

    def correction(self, number: int) -> bytes:
        """What a record should have been."""
        return self.records[number - 1].line(self.feed, right=True).encode()


@dataclass(frozen=True)
class Load:
    """Files arrive, or are asked for again after a rollback, and what is new is loaded.

    commit_lost: the answer to its COMMIT is lost. killed_at: the number of the statement before
    which its process is killed.
    """

    files: tuple[str, ...]
    commit_lost: bool = False
    killed_at: int = 0

    def __str__(self) -> str:
        lost = ", the answer to COMMIT is lost" * self.commit_lost
        return f"load {' '.join(self.files)}{lost}{_killed(self.killed_at)}"


@dataclass(frozen=True)
class Build:
    """The marts are built.

    killed_at: the number of the statement before which it is killed. whole: all that depends on the
    feeds is built, and tested.
    """

    killed_at: int = 0
    whole: bool = False

    def __str__(self) -> str:
        return f"build{_killed(self.killed_at)}"


@dataclass(frozen=True)
class Rollback:
    """The load that brought a file is rolled back, or the file alone."""

    file: str
    alone: bool = False

    def __str__(self) -> str:
        return f"roll back {'' if self.alone else 'the load of '}{self.file}"


@dataclass(frozen=True)
class Replay:
    """Corrections of rejected records of these files are replayed."""

    files: tuple[str, ...]

    def __str__(self) -> str:
        return f"replay {' '.join(self.files)}"


Step = Load | Build | Rollback | Replay


@dataclass(frozen=True)
class Arrangement:
    """Steps; then all that is not loaded yet is, all corrections are replayed, the marts are built.

    whole: so is all that depends on the feeds, and tested.
    """

    steps: tuple[Step, ...] = ()
    whole: bool = False


@dataclass(frozen=True)
class Case:
    """Files, and arrangements that must all come to the same."""

    files: tuple[File, ...]
    arrangements: tuple[Arrangement, ...]

    def __str__(self) -> str:
        lines = []
        for file in self.files:
            lines += [f"{file.uri}, modified at {file.time}:", *file.text.splitlines()]
            lines += [
                f"  record {number} corrected: {file.correction(number).decode()}"
                for number in sorted(file.corrected)
            ]
        for arrangement in self.arrangements:
            lines.append(f"arrangement{', and all tests' * arrangement.whole}:")
            lines += [f"  {step}" for step in arrangement.steps] or ["  all at once"]
        return "\n".join(lines)

    def smaller(self) -> Iterator[Case]:
        """Cases with something less, what takes the longest first."""
        for less in filter(None, _less(self.arrangements)):
            yield replace(self, arrangements=less)
        for number, arrangement in enumerate(self.arrangements):
            if arrangement.whole:  # which takes the longest
                yield self._with(number, replace(arrangement, whole=False))
        for less_files in _less(self.files):
            yield replace(self, files=less_files)
        for number, arrangement in enumerate(self.arrangements):
            for steps in _less(arrangement.steps):
                yield self._with(number, replace(arrangement, steps=steps))
            for place, step in enumerate(arrangement.steps):
                calm = Load(step.files) if isinstance(step, Load) else Build()
                if isinstance(step, (Load, Build)) and step != calm:
                    steps = (*arrangement.steps[:place], calm, *arrangement.steps[place + 1 :])
                    yield self._with(number, replace(arrangement, steps=steps))
        for number, file in enumerate(self.files):
            for records in _less(file.records):
                changed = replace(file, records=records)
                yield replace(
                    self, files=(*self.files[:number], changed, *self.files[number + 1 :])
                )

    def _with(self, number: int, arrangement: Arrangement) -> Case:
        changed = (*self.arrangements[:number], arrangement, *self.arrangements[number + 1 :])
        return replace(self, arrangements=changed)


def _killed(statement: int) -> str:
    return f", killed at statement {statement}" if statement else ""


def _less(things: tuple[_Thing, ...]) -> Iterator[tuple[_Thing, ...]]:
    """These things without half of them, a quarter, an eighth and so on, and without one."""
    size = (len(things) + 1) // 2
    while size:
        for start in range(0, len(things), size):
            yield things[:start] + things[start + size :]
        size //= 2
