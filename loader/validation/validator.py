"""One file against its contract: which records are accepted, and why the others are not.

A file with nothing wrong in it is read as it is: the strict reader and the engine, which screens
it, go over it side by side. Any other is read by segments: while the engine screens the well-formed
records of one, what it did not clear of the one before is judged.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np

from loader.contract.feed import Feed
from loader.errors import DataRefused, ReconciliationError
from loader.records import engine
from loader.records.cut import Positions
from loader.records.dialect import Dialect
from loader.records.engine import identifier
from loader.records.faults import Fault
from loader.records.reader import (
    Block,
    Header,
    read_blocks,
    read_fields,
    read_header,
)
from loader.validation.header import Layout, match_header
from loader.validation.judge import Judge
from loader.validation.one_table import OneTable
from loader.validation.rejects import Reject, RejectLog
from loader.validation.screen import predicate

__all__ = ["Validator", "Verdict"]

Advance = Callable[[int], None]

# How far down a header is looked for, to say that lines were put before it.
_LOOKED_AT_LINES, _LOOKED_AT_BYTES = 20, 16 * 1024

# Enough for the engine to be worth asking; two of them are in memory, with 40 bytes a record.
_SEGMENT_BYTES = 32 * 1024 * 1024
_SEGMENT_RECORDS = 300_000
# Of a longer file the beginning is tried first: one that is dirty mostly is from there on.
_TRIED_BYTES = 16 * 1024 * 1024

# No contract has a column of this name.
_ROW = "_loader_row"


class _Seen(NamedTuple):
    """What the engine saw in a text. unclear: how many records the screen does not clear."""

    records: int
    value_bytes: int
    unclear: int


@dataclass(frozen=True)
class _Reading:
    """A file that is being validated.

    stem: begins the names of what is written to the spool. places: where in a record each column
    of the contract stands.
    """

    name: str
    path: Path
    stem: Path
    file: BinaryIO
    header: Header
    layout: Layout
    places: tuple[int | None, ...]
    advance: Advance

    @cached_property
    def link(self) -> Path:
        """The file under a name that no engine takes for a pattern."""
        link = self.stem.with_suffix(".link")
        link.symlink_to(self.path.absolute())
        return link

    def is_plain(self, end: int) -> bool:
        """Whether any reader of CSV sees in the file what the strict reader saw.

        end: where the last record ends. That no line up to there ends in CRLF is known.
        """
        header = self.header
        one_line = header.data_line == 2 and b"\n" not in header.raw
        return one_line and not header.has_bom and not self._after(end)

    def engine_takes(self, end: int) -> bool:
        """Whether the engine sees no further record in the empty lines after the last."""
        rest = self._after(end)
        # Of a single column an empty line, even at the end, is a record to the engine.
        return not rest or (len(self.layout.columns) > 1 and b"\r" not in rest)

    def _after(self, end: int) -> bytes:
        self.file.seek(end)
        return self.file.read()

    def column_at(self, position: int | None) -> str | None:
        """The column at a place of the file; None for none, or beyond the header's last."""
        columns = self.layout.columns
        return columns[position] if position is not None and position < len(columns) else None


@dataclass(frozen=True)
class Verdict:
    """What validation found in one file.

    text: a file that holds, after a header line, exactly the accepted records, its fields in the
    order of `columns`; None if the file was refused as a whole. plain: text is the file itself,
    with nothing in it that a reader could take otherwise: no byte order mark, lines ended by LF,
    the header on one of them, no empty ones. header: the file's own, as it came.
    """

    file: str
    read: int = 0
    accepted: int = 0
    rejects: RejectLog | None = None
    refused: str | None = None
    text: Path | None = None
    columns: tuple[str | None, ...] = ()
    plain: bool = False
    header: str = ""

    @property
    def rejected(self) -> int:
        """How many records were refused."""
        return self.rejects.total if self.rejects else 0

    def to_json(self) -> dict[str, str | int | None]:
        """What is printed of it."""
        return {
            "file": self.file,
            "read": self.read,
            "accepted": self.accepted,
            "rejected": self.rejected,
            "refused": self.refused,
        }


class Validator:
    """Validates the files of one feed, leaving what it writes in a spool folder."""

    def __init__(self, feed: Feed, spool: Path) -> None:
        self._feed = feed
        self._spool = spool
        self._dialect = Dialect(ord(feed.options.delimiter), ord(feed.options.quote))
        self._connection = engine.connect(spool)
        # Cursors of their own: the connections are busy screening while patterns are asked.
        self._screens = self._connection.cursor()
        self._judge = Judge(feed, partial(engine.pattern_matches, self._connection))
        self._clear = predicate(feed.columns)
        self._count = 0

    def __enter__(self) -> Validator:
        return self

    def __exit__(self, *_: object) -> None:
        self._screens.close()
        self._connection.close()

    def validate(self, name: str, path: Path, advance: Advance = lambda _: None) -> Verdict:
        """Judges every record of a plain text file.

        name: what messages call the file. advance: told of bytes as they are read. A file that is
        no delimited text of this feed gives a verdict with `refused`. Raises ReconciliationError
        if the engine reads it unlike the strict reader, OSError if it cannot be read or the spool
        cannot be written.
        """
        self._count += 1
        try:
            with path.open("rb") as file, engine.errors_explained(name):
                header = read_header(file, self._dialect)
                layout = match_header(header.fields, self._feed, _next_lines(file, header))
                stem = self._spool / f"{self._count:06d}"
                places = layout.places(self._feed.column_names)
                reading = _Reading(name, path, stem, file, header, layout, places, advance)
                verdict = self._as_it_is(reading) if self._begins_clean(reading) else None
                return verdict or self._by_segments(reading)
        except DataRefused as error:
            return Verdict(name, refused=str(error))

    def write_accepted(self, verdict: Verdict, target: Path) -> None:
        """Writes the accepted records as RFC 4180 text, its header in the contract's order.

        Raises StorageError, OSError.
        """
        assert verdict.text is not None
        # The engine would take some characters of the target's name for a pattern.
        written = self._spool / "accepted.csv"
        with engine.errors_explained(verdict.file):
            engine.write_text(
                self._connection,
                self._select(verdict.text, Layout(verdict.columns)),
                self._feed.column_names,
                written,
            )
        shutil.move(written, target)

    # A file that is clean

    def _begins_clean(self, reading: _Reading) -> bool:
        """Whether it may be worth it to read the file as it is."""
        if reading.path.stat().st_size < _TRIED_BYTES:
            return True
        block = next(self._blocks(reading), None)
        if block is None or block.faults or block.has_crlf:
            return block is None
        return not len(self._screen_segment(reading, [block]))

    def _as_it_is(self, reading: _Reading) -> Verdict | None:
        """The verdict on a file that is wholly accepted and that the engine reads as it is.

        None if some record is malformed or not cleared by the screen, or some line ends in CRLF:
        the engine loses records whose quotes hold an LF where lines end in CRLF.
        """
        if reading.header.line_end == b"\r\n":
            return None
        read, value_bytes, has_empty = 0, 0, False
        end = reading.header.data_offset
        table = OneTable(reading.header)
        with self._screening(reading) as screening:
            for block in self._blocks(reading):
                table.look_at(block)
                reading.advance(len(block.data))
                if block.faults or block.has_crlf:
                    return None
                read += len(block)
                value_bytes += int(block.value_bytes.sum())
                end += len(block.data)
                has_empty |= block.has_empty
            if not reading.engine_takes(end):
                return None
            seen = screening.result()
        self._reconcile(reading, seen, _Seen(read, value_bytes, seen.unclear))
        if seen.unclear:
            return None
        return Verdict(
            reading.name,
            read=read,
            accepted=read,
            text=reading.link,
            columns=reading.layout.columns,
            plain=reading.is_plain(end) and not has_empty,
            header=reading.header.raw.decode(),
        )

    @contextmanager
    def _screening(self, reading: _Reading) -> Iterator[Future[_Seen]]:
        """Screens a file beside other work; given up at the end if it is not done by then."""
        with ThreadPoolExecutor(1) as pool:
            screening = pool.submit(self._screen, reading)
            try:
                yield screening
            finally:
                if not screening.done():
                    screening.cancel()
                    self._screens.interrupt()

    def _screen(self, reading: _Reading) -> _Seen:
        """What the engine sees in the file as it is."""
        row = self._screens.execute(
            f"select count(*), coalesce(sum({self._size(reading)}), 0),"
            f" count(*) filter (where not ({self._clear}))"
            f" from ({self._select(reading.link, reading.layout)})"
        ).fetchone()
        assert row is not None
        return _Seen(row[0], int(row[1]), row[2])

    # Any other file

    def _by_segments(self, reading: _Reading) -> Verdict:
        """The verdict on a file that has, or may have, records to refuse."""
        rejects = RejectLog(reading.stem.with_suffix(".rejects"), reading.name)
        text, read, end = reading.stem.with_suffix(".csv"), 0, reading.header.data_offset
        has_crlf, has_empty = reading.header.line_end == b"\r\n", False
        with text.open("wb") as out:
            out.write(reading.header.raw + b"\n")
            for blocks, unclear in self._screened(reading):
                first = 0
                for block in blocks:
                    rows = unclear[(unclear > first) & (unclear <= first + len(block.sound))]
                    places = block.sound[rows - first - 1].tolist()
                    refused = self._refused(reading, block, places)
                    if refused:
                        rejects.write(refused.values())
                    out.write(block.without(list(refused)))
                    first += len(block.sound)
                    read += len(block)
                    end += len(block.data)
                    has_crlf |= block.has_crlf
                    has_empty |= block.has_empty
        as_it_is = not (rejects.total or has_crlf) and reading.engine_takes(end)
        if as_it_is:
            text.unlink()
        return Verdict(
            reading.name,
            read=read,
            accepted=read - rejects.total,
            rejects=rejects if rejects.total else None,
            text=reading.link if as_it_is else text,
            columns=reading.layout.columns,
            plain=as_it_is and reading.is_plain(end) and not has_empty,
            header=reading.header.raw.decode(),
        )

    def _screened(self, reading: _Reading) -> Iterator[tuple[list[Block], Positions]]:
        """The segments of a file with the rows of each that the screen does not clear.

        Rows are well-formed records, counted from 1 in each segment. While a segment is dealt with,
        the next is screened.
        """
        table = OneTable(reading.header)
        ahead: tuple[list[Block], Future[Positions]] | None = None
        with ThreadPoolExecutor(1) as pool:
            for blocks in _segments(self._blocks(reading)):
                for block in blocks:
                    table.look_at(block)
                    reading.advance(len(block.data))
                screening = pool.submit(self._screen_segment, reading, blocks)
                if ahead:
                    yield ahead[0], ahead[1].result()
                ahead = blocks, screening
            table.end()
            if ahead:
                yield ahead[0], ahead[1].result()

    def _screen_segment(self, reading: _Reading, blocks: list[Block]) -> Positions:
        """Which rows of the blocks the screen does not clear, in ascending order.

        Raises ReconciliationError unless the engine reads the very rows of the strict reader.
        """
        text = reading.stem.with_suffix(f".{blocks[0].first_record}")
        with text.open("wb") as out:
            out.write(reading.header.raw + b"\n")
            for block in blocks:
                out.write(block.without(sorted(block.faults)))
        row = self._screens.execute(
            f"select count(*), coalesce(sum({_ROW} * size), 0),"
            f" list({_ROW}) filter (where not clear)"
            f" from (select row_number() over () as {_ROW}, {self._size(reading)} as size,"
            f" {self._clear} as clear from ({self._select(text, reading.layout)}))"
        ).fetchone()
        assert row is not None
        text.unlink()
        unclear = np.sort(np.array(row[2] or [], np.int64))
        sizes = np.concatenate([block.value_bytes[block.sound] for block in blocks])
        # Each size times its row, so that the order counts too.
        due = _Seen(len(sizes), int(sizes @ np.arange(1, len(sizes) + 1)), len(unclear))
        self._reconcile(reading, _Seen(row[0], int(row[1]), len(unclear)), due)
        return unclear

    def _refused(self, reading: _Reading, block: Block, unclear: list[int]) -> dict[int, Reject]:
        """The rejects of a block, by place, in order. unclear: which records are to be judged."""
        found: dict[int, Reject] = {}
        for place in sorted([*block.faults, *unclear]):
            fault = block.faults.get(place)
            if fault:
                column, message = reading.column_at(fault.column), fault.message
            else:
                faults = self._judge.faults(self._values(reading, block.raw(place)))
                if not faults:
                    continue
                fault = faults[0]
                column, message = self._name(fault), self._message(faults)
            found[place] = Reject(
                reading.name,
                block.first_record + place,
                block.line(place),
                column,
                fault.rule.name,
                fault.value,
                message,
                block.raw(place),
            )
        return found

    def _name(self, fault: Fault) -> str:
        """The contract's column in which the judge found a fault."""
        return self._feed.columns[fault.column or 0].name

    def _message(self, faults: list[Fault]) -> str:
        """The first of the judge's faults in full, the others by name."""
        first, *others = faults
        also = ", ".join(f"{self._name(fault)} ({fault.rule.name})" for fault in others)
        also = f"; also refused: {also}" if also else ""
        return f"{self._name(first)} {first.message}{also}"

    def _values(self, reading: _Reading, raw: bytes) -> tuple[str | None, ...]:
        """The values of a well-formed record by the contract's columns, None for what is empty."""
        values = read_fields(raw, self._dialect)
        return tuple(None if n is None else values[n] or None for n in reading.places)

    # What the strict reader and the engine read

    def _blocks(self, reading: _Reading) -> Iterator[Block]:
        header, width = reading.header, len(reading.header.fields)
        return read_blocks(reading.file, self._dialect, width, header.data_offset, header.data_line)

    def _select(self, text: Path, layout: Layout) -> str:
        options = self._feed.options
        return engine.select_text(
            str(text), layout.columns, self._feed.column_names, options.delimiter, options.quote
        )

    def _size(self, reading: _Reading) -> str:
        """SQL of the bytes of a record's values."""
        columns = (
            engine.unnamed(place) if name is None else identifier(name)
            for place, name in enumerate(reading.layout.columns)
        )
        return " + ".join(f"coalesce(strlen({column}), 0)" for column in columns)

    def _reconcile(self, reading: _Reading, seen: _Seen, due: _Seen) -> None:
        """Raises ReconciliationError unless the engine saw what the strict reader did."""
        if seen != due:
            raise ReconciliationError(
                f"{reading.name}: the engine reads {seen.records:,} records with"
                f" {seen.value_bytes:,} bytes of values, the strict reader {due.records:,}"
                f" with {due.value_bytes:,}. Nothing was loaded; please report this with the file."
            )


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


def _next_lines(file: BinaryIO, header: Header) -> list[str]:
    """The first lines after the header."""
    file.seek(header.data_offset)
    text = file.read(_LOOKED_AT_BYTES).decode("utf-8", "replace")
    return text.splitlines()[:_LOOKED_AT_LINES]
