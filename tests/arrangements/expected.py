"""What the tables must hold of files, in plain Python.

Nothing of the loader or of dbt is used here. Files are given as they are known to be loaded, and
rejected records as they are known to be replayed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from arrangements.cases import File, Record
from arrangements.feeds import FeedShape, nulls_last

__all__ = ["Replayed", "expected_landing", "expected_mart", "expected_quarantine"]

# Rejected records that were replayed, by file and number.
Replayed = frozenset[tuple[str, int]]
Row = tuple[Any, ...]


def expected_landing(feed: FeedShape, files: Iterable[File], replayed: Replayed) -> Counter[Row]:
    """The rows of the landing table: the texts as they came, None for an empty one; the file; the
    record's number where it is kept.
    """
    return Counter(
        (*(text or None for text in record.texts), file.uri, _kept(feed, number))
        for file, number, record in _landed(feed, files, replayed)
    )


def expected_quarantine(files: Iterable[File], replayed: Replayed) -> Counter[Row]:
    """The rows of the quarantine: file, number, raw text, whether replayed."""
    return Counter(
        (file.uri, number, record.line(file.feed), (file.uri, number) in replayed)
        for file in files
        for number, record in enumerate(file.records, start=1)
        if record.fault
    )


def expected_mart(
    feed: FeedShape, files: Iterable[File], replayed: Replayed
) -> dict[Row, tuple[int, set[Row]]]:
    """By key: how many records it has, and the rows between which nothing but the content decides.

    A row is what a record says, in the order of the file's columns, its file, and its number where
    it is kept.
    """
    mart: dict[Row, tuple[int, set[Row]]] = {}
    ranks: dict[Row, Row] = {}
    for file, number, record in _landed(feed, files, replayed):
        said = feed.meaning(record.texts)
        kept = _kept(feed, number)
        key, row = tuple(said[name] for name in feed.key), (*said.values(), file.uri, kept)
        ties = (nulls_last(said[name]) for name in feed.ties)
        rank = (*feed.rank(said, file.time), file.time, file.uri, nulls_last(kept), *ties)
        count, winners = mart.get(key, (0, set()))
        if key not in ranks or rank > ranks[key]:
            ranks[key], winners = rank, {row}
        elif rank == ranks[key]:
            winners.add(row)
        mart[key] = count + 1, winners
    return mart


def _kept(feed: FeedShape, number: int) -> int | None:
    return number if feed.keeps_record else None


def _landed(
    feed: FeedShape, files: Iterable[File], replayed: Replayed
) -> Iterator[tuple[File, int, Record]]:
    for file in files:
        for number, record in enumerate(file.records, start=1):
            if file.feed is feed and (not record.fault or (file.uri, number) in replayed):
                yield file, number, record
