"""Draws cases: the same one for the same number, in every run."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from arrangements.cases import (
    Arrangement,
    Build,
    Case,
    File,
    Load,
    Record,
    Replay,
    Rollback,
    Step,
)
from arrangements.feeds import INDICATORS, ORDERS, FeedShape

__all__ = ["draw_case"]

_NEW_YEAR = datetime(2026, 1, 1)
# About as many statements as a load of some files, and a build of the marts, have.
_OF_A_LOAD, _OF_A_BUILD = 15, 12


def draw_case(number: int, arrangements: int) -> Case:
    """A case with so many arrangements, the first of which is all at once."""
    draw = random.Random(number)
    names = [f"{letter}.csv" for letter in "abcdef"[: draw.randint(3, 6)]]
    # At least one file of each feed; most files of one, so that they meet.
    main, other = draw.sample([INDICATORS, ORDERS], 2)
    feeds = [main, main, other, *(draw.choice([main, main, other]) for _ in names[3:])]
    draw.shuffle(feeds)
    files = tuple(_file(draw, *named) for named in zip(names, feeds, strict=True))
    drawn = (_arrangement(draw, names) for _ in range(arrangements - 1))
    return Case(files, (Arrangement(whole=_happens(draw, 0.2)), *drawn))


def _happens(draw: random.Random, probability: float) -> bool:
    return draw.random() < probability


def _file(draw: random.Random, name: str, feed: FeedShape) -> File:
    # Few times, so that some are equal.
    time = _NEW_YEAR + draw.randint(0, 2) * timedelta(microseconds=1)
    records = tuple(_record(draw, feed) for _ in range(draw.randint(1, 8)))
    return File(name, feed, time, records)


def _record(draw: random.Random, feed: FeedShape) -> Record:
    texts = tuple(draw.choice(list(spelled)) for spelled in feed.spellings.values())
    fault = draw.choice([*feed.bad, "*"]) if _happens(draw, 0.2) else ""
    return Record(texts, fault, corrected=_happens(draw, 0.8))


def _arrangement(draw: random.Random, names: Sequence[str]) -> Arrangement:
    """Files in any order, one by one or several at once, and what may happen after each."""
    waiting, arrived = draw.sample(names, len(names)), list[str]()
    steps: list[Step] = []
    while waiting:
        some = waiting[: draw.choice([1, 1, 1, 2, 3])]
        del waiting[: len(some)]
        arrived += some
        killed_at = draw.randint(1, _OF_A_LOAD) if _happens(draw, 0.2) else 0
        commit_lost = not killed_at and _happens(draw, 0.2)
        steps.append(Load(tuple(some), commit_lost, killed_at))
        steps += [step for step in _happenings(draw, arrived) if _happens(draw, 0.35)]
        steps += [Build()] if _happens(draw, 0.6) else []
    return Arrangement(tuple(steps), whole=_happens(draw, 0.1))


def _happenings(draw: random.Random, arrived: Sequence[str]) -> Iterator[Step]:
    yield Replay(tuple(draw.sample(arrived, draw.randint(1, len(arrived)))))
    yield Rollback(draw.choice(arrived), alone=_happens(draw, 0.5))
    yield Build(draw.choice([0, 0, draw.randint(1, _OF_A_BUILD)]))
    yield Load(tuple(arrived))
