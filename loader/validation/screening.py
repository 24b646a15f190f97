"""Runs the screen: the engine reads a text, and has to see what the strict reader sees in it."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import NamedTuple

import duckdb
import numpy as np

from loader.contract.feed import Feed
from loader.errors import ReconciliationError
from loader.records import engine
from loader.records.cut import Positions
from loader.records.reader import Block
from loader.validation.reading import Reading
from loader.validation.rejects import Verdict
from loader.validation.screen import predicate

# Enough for the engine to be worth asking; two of them are in memory, with 40 bytes a record.
_SEGMENT_BYTES = 32 * 1024 * 1024
_SEGMENT_RECORDS = 300_000

# No contract has a column of this name.
_ROW = "_loader_row"


class Seen(NamedTuple):
    """What a reader sees in a text. value_bytes: of its values, unquoted, or a sum made of them."""

    records: int
    value_bytes: int


class Screening:
    """Screens the files of one feed."""

    def __init__(self, feed: Feed, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self._clear = predicate(feed.columns)

    def as_it_is(self, reading: Reading) -> Verdict | None:
        """The verdict on a file that is wholly accepted as it is; None for any other."""

        def screen() -> tuple[Seen, int]:
            engine.limit_threads(self._connection, len(reading.columns))
            [(records, value_bytes, unclear)] = self._connection.execute(
                f"select count(*), coalesce(sum({_size(reading)}), 0),"
                f" count(*) filter (where not ({self._clear}))"
                f" from ({reading.select(reading.link)})"
            ).fetchall()
            return Seen(records, int(value_bytes)), unclear

        return as_it_is(reading, screen, self._connection.interrupt)

    def by_segments(self, reading: Reading) -> Iterator[tuple[list[Block], Positions]]:
        """The segments of a file, each with the rows that the screen does not clear.

        Rows are well-formed records, counted from 1 in each segment. While a segment is dealt with,
        the next is screened. Raises DataRefused, ReconciliationError.
        """
        ahead: tuple[list[Block], Future[Positions]] | None = None
        with ThreadPoolExecutor(1) as pool:
            for blocks in _segments(reading.blocks()):
                screening = pool.submit(self.unclear_rows, reading, blocks)
                if ahead:
                    yield ahead[0], ahead[1].result()
                ahead = blocks, screening
            if ahead:
                yield ahead[0], ahead[1].result()

    def unclear_rows(
        self, reading: Reading, blocks: Sequence[Block], files: Sequence[Path] = ()
    ) -> Positions:
        """Which rows of the blocks the screen does not clear, in ascending order.

        files: hold the blocks and nothing else, so the engine reads them as they are. Without any,
        it reads the well-formed records from a text that is written for it. Raises
        ReconciliationError unless the engine reads the very rows of the strict reader.
        """
        text = reading.stem.with_suffix(".segment")
        engine.limit_threads(self._connection, len(reading.columns))
        if not files:
            with text.open("wb") as out:
                out.write(reading.header.raw + b"\n")
                for block in blocks:
                    out.write(block.without(sorted(block.faults)))
        [(records, size, unclear)] = engine.run(
            self._connection,
            f"select count(*), coalesce(sum({_ROW} * size), 0),"
            f" list({_ROW}) filter (where not clear)"
            f" from (select row_number() over () as {_ROW}, {_size(reading)} as size,"
            f" {self._clear} as clear from ({reading.select(*(files or [text]))}))",
        ).fetchall()
        text.unlink(missing_ok=True)
        sizes = np.concatenate([np.zeros(0, int), *(b.cut.value_bytes[b.sound] for b in blocks)])
        # Each size times its row, so that the order counts too.
        expected = Seen(len(sizes), int(sizes @ np.arange(1, len(sizes) + 1)))
        reconcile(reading.name, Seen(records, int(size)), expected)
        return np.sort(np.array(unclear or [], np.int64))


def as_it_is(
    reading: Reading, screen: Callable[[], tuple[Seen, int]], stop: Callable[[], object]
) -> Verdict | None:
    """The verdict on a file that is wholly accepted as it is, read by both readers side by side.

    screen: lets the engine read the file; returns what it sees, and how many records the screen
    does not clear. stop: interrupts that, from another thread. None if some record is malformed or
    not cleared, if the engine cannot read the file, or if some line ends in CRLF: it loses records
    whose quotes hold an LF where lines end in CRLF. Raises DataRefused, ReconciliationError.
    """
    if reading.header.has_crlf:
        return None
    given_up = Event()
    with ThreadPoolExecutor(1) as pool:
        reader = pool.submit(_is_clean, reading, stop, given_up)
        try:
            seen, unclear = screen()
        except Exception:
            given_up.set()
        if not reader.result() or given_up.is_set() or unclear:
            return None
    reconcile(reading.name, seen, Seen(reading.records, reading.value_bytes))
    return reading.verdict()


def _is_clean(reading: Reading, stop: Callable[[], object], given_up: Event) -> bool:
    """Whether the strict reader has nothing against a file; if it has, it stops the engine."""
    clean = False
    try:
        # The engine reads no text that is not UTF-8; tests/loader/records/test_utf8.py holds it to
        # that.
        for block in reading.blocks(utf8=False):
            if block.faults or block.has_crlf or given_up.is_set():
                return False
        clean = reading.engine_takes()
        return clean
    finally:
        if not clean:
            stop()


def reconcile(name: str, seen: Seen, expected: Seen) -> None:
    """Raises ReconciliationError unless the engine saw in a file what the strict reader did."""
    if seen != expected:
        raise ReconciliationError(
            f"{name}: the engine reads {seen.records:,} records with {seen.value_bytes:,} bytes of"
            f" values, the strict reader {expected.records:,} with {expected.value_bytes:,}."
            " Nothing was loaded; please report this with the file."
        )


def _size(reading: Reading) -> str:
    """SQL of the bytes of a record's values, NULL if it has none."""
    columns = (
        engine.identifier(str(name)) if engine.is_named(name) else engine.unnamed(place)
        for place, name in enumerate(reading.columns)
    )
    # The engine takes a chain of additions to be nested, and allows 1,000 levels.
    return f"list_sum([{', '.join(f'strlen({column})' for column in columns)}])"


def _segments(blocks: Iterator[Block]) -> Iterator[list[Block]]:
    """Consecutive blocks, together large enough to be screened."""
    segment: list[Block] = []
    size = records = 0
    for block in blocks:
        segment.append(block)
        size, records = size + len(block.data), records + len(block)
        if size >= _SEGMENT_BYTES or records >= _SEGMENT_RECORDS:
            yield segment
            segment, size, records = [], 0, 0
    if segment:
        yield segment
