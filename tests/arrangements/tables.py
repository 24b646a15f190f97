"""The tables of a warehouse, seen from outside and compared with what the files say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from arrangements.cases import File
from arrangements.expected import Replayed, expected_landing, expected_mart, expected_quarantine
from arrangements.feeds import INDICATORS, ORDERS, FeedShape

__all__ = ["FEEDS", "LoadedFile", "Query", "Rejected", "Tables"]

FEEDS = (INDICATORS, ORDERS)

Rows = list[tuple[Any, ...]]
# The rows of each of several queries, in one session.
Query = Callable[..., list[Rows]]

_LEDGER = "select feed, uri, status, load_id, batch_id, file_time from raw._loaded_files"
_QUARANTINE = (
    "select feed, uri, record, load_id, replayed_by, raw_text from raw._rejected_records"
    " where part = 1"
)


class LoadedFile(NamedTuple):
    """A row of the ledger."""

    feed: str
    uri: str
    status: str
    load_id: int
    batch_id: int
    time: datetime


class Rejected(NamedTuple):
    """A record in quarantine."""

    feed: str
    uri: str
    record: int
    load_id: int
    replayed_by: int | None
    text: str


@dataclass(frozen=True)
class Tables:
    """What is in a warehouse.

    landed, marts: rows by feed, with the columns of its files, the file, and the record's number in
    it where that is kept. Those of a mart end with occurrences.
    """

    ledger: list[LoadedFile]
    quarantine: list[Rejected]
    landed: dict[str, Rows]
    marts: dict[str, Rows]

    @classmethod
    def read(cls, query: Query) -> Tables:
        """All of it, from a warehouse in which the tables are there."""
        selected = [_LEDGER, _QUARANTINE]
        for feed in FEEDS:
            quoted = ", ".join(f'"{name}"' for name in feed.columns)
            named = ", ".join(name.replace(" ", "_") for name in feed.columns)
            number = "_record" if feed.keeps_record else "null"
            selected.append(
                f"select {quoted}, uri, {number} from raw.{feed.table}"
                " left join raw._loaded_files on load_id = _load_id"
            )
            selected.append(
                f"select {named}, _file, _record, occurrences from analytics.{feed.table}"
            )
        ledger, quarantine, *rows = query(*selected)
        names = [feed.name for feed in FEEDS]
        return cls(
            [LoadedFile(*row) for row in ledger],
            [Rejected(*row) for row in quarantine],
            dict(zip(names, rows[::2], strict=True)),
            {name: sorted(mart, key=repr) for name, mart in zip(names, rows[1::2], strict=True)},
        )

    @property
    def loaded(self) -> set[str]:
        """The files that are loaded. Fails if one is loaded twice."""
        loaded = [row.uri for row in self.ledger if row.status == "loaded"]
        assert len(loaded) == len(set(loaded)), f"loaded twice: {loaded}"
        return set(loaded)

    @property
    def replayed(self) -> Replayed:
        """The rejected records that were replayed."""
        return frozenset(
            (row.uri, row.record) for row in self.quarantine if row.replayed_by is not None
        )

    def compare(self, files: Sequence[File]) -> None:
        """Fails unless all tables are what the loaded ones of these files say."""
        times = {file.uri: file.time for file in files}
        assert [row for row in self.ledger if row.time != times[row.uri]] == []
        loaded = [file for file in files if file.uri in self.loaded]
        found = Counter(
            (row.uri, row.record, row.text, row.replayed_by is not None) for row in self.quarantine
        )
        _same("the quarantine", found, expected_quarantine(loaded, self.replayed))
        for feed in FEEDS:
            landed = Counter(self.landed[feed.name])
            expected = expected_landing(feed, loaded, self.replayed)
            _same(f"the landing table of {feed.name}", landed, expected)
            self._compare_mart(feed, loaded)

    def _compare_mart(self, feed: FeedShape, loaded: Sequence[File]) -> None:
        mart = self.marts[feed.name]
        expected = expected_mart(feed, loaded, self.replayed)
        keys = Counter(feed.key_of(row) for row in mart)
        _same(f"the keys of {feed.name}'s mart", keys, Counter(dict.fromkeys(expected, 1)))
        for *row, occurrences in mart:
            count, winners = expected[feed.key_of(row)]
            assert tuple(row) in winners, f"{feed.name}'s mart has {row}, but {winners} wins"
            assert occurrences == count, f"{row} stands for {occurrences}, not {count}"


def _same(what: str, found: Counter[Any], expected: Counter[Any]) -> None:
    lost, more = dict(expected - found), dict(found - expected)
    assert found == expected, f"{what} lacks {lost} and has {more} too many"
