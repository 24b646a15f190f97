"""One file against its contract: which records are accepted, and why the others are not."""

from __future__ import annotations

import shutil
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import BinaryIO, NamedTuple

import duckdb
import numpy as np

from loader import engine
from loader.contract import Feed
from loader.engine import identifier
from loader.errors import DataRefused, ReconciliationError
from loader.header import Layout, match_header
from loader.judge import Finding, Judge
from loader.records import (
    Block,
    Dialect,
    Header,
    read_blocks,
    read_header,
    reread,
)
from loader.rejects import Reject, RejectLog, in_file_order, read_rejects
from loader.screen import predicate

__all__ = ["Validator", "Verdict"]

Advance = Callable[[int], None]

_OTHER_WIDTH = ("too_few_fields", "too_many_fields")
# How far down a header is looked for, to say that lines were put before it.
_LOOKED_AT_LINES, _LOOKED_AT_BYTES = 20, 16 * 1024

# No contract has a column of this name.
_ROW = "_loader_row"


class _Place(NamedTuple):
    """Where a block of records lies in a file."""

    offset: int
    length: int
    first_record: int
    first_line: int


class _Seen(NamedTuple):
    """What the engine saw in a text. unclear: records that the screen does not clear."""

    records: int
    value_bytes: int
    unclear: int


@dataclass
class _Form:
    """What the strict reader saw. malformed: record numbers, ascending."""

    records: int = 0
    value_bytes: int = 0
    places: list[_Place] = field(default_factory=list)
    malformed: array[int] = field(default_factory=lambda: array("q"))
    line_ends: set[bytes] = field(default_factory=set)

    def count(self, block: Block) -> None:
        """Adds a block."""
        self.records += len(block)
        self.value_bytes += block.value_bytes
        self.places.append(
            _Place(block.offset, len(block.data), block.first_record, block.first_line)
        )
        self.malformed.extend(block.first_record + index for index in sorted(block.faults))
        self.line_ends |= block.line_ends

    @property
    def well_formed(self) -> int:
        """How many records are not malformed."""
        return self.records - len(self.malformed)

    def record_of(self, row: int) -> int:
        """The number of the row-th well-formed record; both count from 1."""
        before = bisect_right(range(len(self.malformed)), row, key=lambda i: self.malformed[i] - i)
        return row + before

    def end(self, header: Header) -> int:
        """Where the last record ends, and empty lines may follow."""
        return sum(self.places[-1][:2]) if self.places else header.data_offset

    def place_of(self, record: int) -> _Place:
        """The block that holds a record."""
        return self.places[bisect_right(self.places, record, key=lambda p: p.first_record) - 1]


@dataclass
class _SecondTable:
    """Looks for an empty line after which no record has the header's number of fields."""

    begun: bool = False
    record: int = 0
    line: int = 0
    records: int = 0

    def look_at(self, block: Block) -> None:
        """Takes the next block into account."""
        faulty = sorted(block.faults)
        well_formed = np.setdiff1d(np.arange(len(block)), faulty)
        last = int(well_formed[-1]) if len(well_formed) else -1
        if last >= 0:
            self.begun, self.record, self.records = True, 0, 0
        for index in faulty[bisect_right(faulty, last) :]:
            if block.faults[index].rule not in _OTHER_WIDTH:
                self.record = self.records = 0
            elif self.record:
                self.records += bool(block.raw(index))
            elif not block.raw(index):
                self.record, self.line = block.first_record + index, block.line(index)

    def refuse(self) -> None:
        """Raises DataRefused if the file ended in such records, more than a closing line."""
        if self.begun and self.records > 1:
            raise DataRefused(
                f"after the empty line {self.line} (record {self.record}) no record has the"
                f" header's number of fields, though {self.records:,} follow: another table seems"
                " to begin there; put it into a file of its own"
            )


@dataclass(frozen=True)
class _Reading:
    """A file that is being validated. stem: begins the names of what is written to the spool."""

    name: str
    path: Path
    stem: Path
    file: BinaryIO
    header: Header
    layout: Layout
    advance: Advance

    def after(self, form: _Form) -> bytes:
        """What follows the last record: the line ends of empty lines."""
        self.file.seek(form.end(self.header))
        return self.file.read()

    def is_plain(self, form: _Form) -> bool:
        """Whether any reader of CSV sees in the file what the strict reader saw."""
        header = self.header
        one_line = header.data_line == 2 and b"\n" not in header.raw
        return one_line and not header.has_bom and not self.after(form)

    def link(self) -> Path:
        """The file under a name that no engine takes for a pattern."""
        link = self.stem.with_suffix(".link")
        link.symlink_to(self.path.absolute())
        return link

    def reject(
        self,
        block: Block,
        index: int,
        column: str | None,
        rule: str,
        value: str | None,
        message: str,
    ) -> Reject:
        """A reject that knows its place."""
        raw = block.raw(index).decode("utf-8", "surrogateescape")
        record, line = block.first_record + index, block.line(index)
        return Reject(self.name, record, line, column, rule, value, message, raw)

    def column_at(self, position: int) -> str | None:
        """The column at a place of the file; None beyond the header's last."""
        columns = self.layout.columns
        return columns[position] if position < len(columns) else None


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


class Validator:
    """Validates the files of one feed, leaving what it writes in a spool folder."""

    def __init__(self, feed: Feed, spool: Path) -> None:
        self._feed = feed
        self._spool = spool
        self._dialect = Dialect(ord(feed.options.delimiter), ord(feed.options.quote))
        self._connection = engine.connect(spool)
        # A cursor of its own: the connection is busy handing out records while patterns are asked.
        patterns = self._connection.cursor()
        self._judge = Judge(feed, partial(engine.pattern_matches, patterns))
        self._clear = predicate(feed.columns)
        self._count = 0

    def __enter__(self) -> Validator:
        return self

    def __exit__(self, *_: object) -> None:
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
                return self._validate(_Reading(name, path, stem, file, header, layout, advance))
        except DataRefused as error:
            return Verdict(name, refused=str(error))

    def _validate(self, reading: _Reading) -> Verdict:
        link = reading.link()
        with self._screening(link, reading.layout) as screening:
            form, text, malformed = self._check_form(reading, link)
            seen = screening.result() if text == link else None
        clear = self._all_clear(form, text, seen or self._screen(text, reading.layout))
        judged = array("q")
        rejects = malformed
        if not clear:
            rejects = RejectLog(reading.stem.with_suffix(".rejects.jsonl"))
            first = read_rejects(malformed.path) if malformed else ()
            rejects.write(in_file_order(first, self._judged(reading, form, text, judged)))
        if judged:
            accepted = reading.stem.with_suffix(".accepted.csv")
            self._copy_without(judged, text, accepted)
            text = accepted
        return Verdict(
            reading.name,
            read=form.records,
            accepted=form.well_formed - len(judged),
            rejects=rejects,
            text=text,
            columns=reading.layout.columns,
            plain=text.is_symlink() and reading.is_plain(form),
            header=reading.header.raw.decode(),
        )

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

    # The strict reading

    def _check_form(self, reading: _Reading, link: Path) -> tuple[_Form, Path, RejectLog | None]:
        """Reads the file strictly; the path is of a text with its well-formed records alone.

        That is the link to the file if the engine reads it the same way: every record well-formed,
        and every line ended by LF. (It loses records whose quotes hold an LF where lines end in
        CRLF.)
        """
        form = _Form(line_ends={reading.header.line_end})
        for block in self._blocks(reading):
            form.count(block)
            reading.advance(len(block.data))
            if block.faults or b"\r\n" in form.line_ends:
                break
        else:
            rest = reading.after(form)
            # Of a single column an empty line, even at the end, is a record to the engine.
            if not rest or (len(reading.layout.columns) > 1 and b"\r" not in rest):
                return form, link, None
        form, text = _Form(), reading.stem.with_suffix(".csv")
        malformed = RejectLog(reading.stem.with_suffix(".malformed.jsonl"))
        with text.open("wb") as out:
            malformed.write(self._rewrite(reading, form, out))
        return form, text, malformed if malformed.total else None

    def _rewrite(self, reading: _Reading, form: _Form, out: BinaryIO) -> Iterator[Reject]:
        """Copies the well-formed records and yields the others."""
        out.write(reading.header.raw + b"\n")
        table = _SecondTable()
        for block in self._blocks(reading):
            form.count(block)
            table.look_at(block)
            faulty = sorted(block.faults)
            out.write(block.without(faulty))
            for index in faulty:
                fault = block.faults[index]
                column = None if fault.column is None else reading.column_at(fault.column)
                yield reading.reject(block, index, column, fault.rule, fault.value, fault.message)
        table.refuse()

    def _blocks(self, reading: _Reading) -> Iterator[Block]:
        header, width = reading.header, len(reading.header.fields)
        blocks = read_blocks(
            reading.file, self._dialect, width, header.data_offset, header.data_line
        )
        for block in blocks:
            # Of a single column the name may well be a value too.
            if width > 1 and (index := block.find(header.raw)) is not None:
                raise DataRefused(
                    f"record {block.first_record + index} on line {block.line(index)} is the header"
                    " once more: the file has several header rows, or is several files put"
                    " together; remove the repeated ones"
                )
            yield block

    # The two lanes

    @contextmanager
    def _screening(self, text: Path, layout: Layout) -> Iterator[Future[_Seen]]:
        """Screens a text beside other work; given up at the end if it is not done by then.

        Most files are well-formed, and then the strict reader and the engine read the same text.
        """
        cursor = self._connection.cursor()
        with closing(cursor), ThreadPoolExecutor(1) as pool:
            screening = pool.submit(self._screen, text, layout, cursor)
            try:
                yield screening
            finally:
                screening.cancel()
                cursor.interrupt()

    def _screen(
        self, text: Path, layout: Layout, cursor: duckdb.DuckDBPyConnection | None = None
    ) -> _Seen:
        """What the engine sees in a text."""
        columns = [
            engine.unnamed(place) if name is None else identifier(name)
            for place, name in enumerate(layout.columns)
        ]
        size = " + ".join(f"coalesce(strlen({column}), 0)" for column in columns)
        unclear = f"count(*) filter (where not ({self._clear}))"
        row = (
            (cursor or self._connection)
            .execute(
                f"select count(*), coalesce(sum({size}), 0), {unclear}"
                f" from ({self._select(text, layout)})"
            )
            .fetchone()
        )
        assert row is not None
        return _Seen(row[0], int(row[1]), row[2])

    def _all_clear(self, form: _Form, text: Path, seen: _Seen) -> bool:
        """Whether the screen clears every record of the text.

        Checks that the engine read as many records and bytes as the strict reader did.
        """
        if (seen.records, seen.value_bytes) != (form.well_formed, form.value_bytes):
            raise ReconciliationError(
                f"{text.name}: the engine reads {seen.records:,} records with"
                f" {seen.value_bytes:,} bytes of values, the strict reader {form.well_formed:,}"
                f" with {form.value_bytes:,}. Nothing was loaded; please report this with the file."
            )
        return seen.unclear == 0

    def _judged(
        self, reading: _Reading, form: _Form, text: Path, judged: array[int]
    ) -> Iterator[Reject]:
        """Judges what the screen does not clear; notes the refused rows of the text in `judged`."""
        names = ", ".join(identifier(name) for name in self._feed.column_names)
        cursor = self._connection.execute(
            f"select {_ROW}, {names} from (select row_number() over () as {_ROW}, *"
            f" from ({self._select(text, reading.layout)})) where not ({self._clear})"
        )
        block: Block | None = None
        while rows := cursor.fetchmany(2048):
            for row, *values in rows:
                findings = self._judge.findings(tuple(values))
                if not findings:
                    continue
                judged.append(row)
                record = form.record_of(row)
                if block is None or not 0 <= record - block.first_record < len(block):
                    block = reread(reading.file, self._dialect, *form.place_of(record))
                first, index = findings[0], record - block.first_record
                yield reading.reject(
                    block, index, first.column, first.rule, first.value, _message(findings)
                )

    # What the engine reads and writes

    def _select(self, text: Path, layout: Layout) -> str:
        options = self._feed.options
        return engine.select_text(
            str(text), layout.columns, self._feed.column_names, options.delimiter, options.quote
        )

    def _copy_without(self, rows: array[int], text: Path, target: Path) -> None:
        """Copies a text of well-formed records to a file, but for some of its rows."""
        with text.open("rb") as file, target.open("wb") as out:
            header = read_header(file, self._dialect)
            out.write(header.raw + b"\n")
            width, done = len(header.fields), 0
            for block in read_blocks(
                file, self._dialect, width, header.data_offset, header.data_line
            ):
                until = bisect_left(rows, block.first_record + len(block))
                out.write(block.without([row - block.first_record for row in rows[done:until]]))
                done = until


def _message(findings: list[Finding]) -> str:
    """The first finding in full, the others by name."""
    first, *others = findings
    also = ", ".join(f"{finding.column} ({finding.rule})" for finding in others)
    return f"{first.column} {first.message}" + (f"; also refused: {also}" if also else "")


def _next_lines(file: BinaryIO, header: Header) -> list[str]:
    """The first lines after the header."""
    file.seek(header.data_offset)
    text = file.read(_LOOKED_AT_BYTES).decode("utf-8", "replace")
    return text.splitlines()[:_LOOKED_AT_LINES]
