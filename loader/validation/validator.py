"""One file against its contract: which records are accepted, and why the others are not.

A file with nothing wrong in it is read as it is: the strict reader and the engine, which screens
it, go over it side by side. Any other is read by segments: while the engine screens the well-formed
records of one, what it did not clear of the one before is judged.
"""

import hashlib
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import replace
from functools import partial
from itertools import groupby, islice
from pathlib import Path
from typing import Any

import numpy as np

from loader.contract.feed import Feed
from loader.errors import DataRefused, LoaderError
from loader.files.archives import plain_text
from loader.files.kinds import head_of, no_text
from loader.files.version import FileVersion
from loader.records import engine
from loader.records.canonical import has_own_line_ends, write_canonical
from loader.records.cut import Positions
from loader.records.dialect import Form
from loader.records.faults import MISPLACED, NOT_UTF8, Fault, words_for
from loader.records.origin import SUFFIX
from loader.records.reader import Block
from loader.validation.header import is_header
from loader.validation.judge import Judge
from loader.validation.reading import Advance, Reading
from loader.validation.rejects import Reject, Verdict
from loader.validation.screening import Screening

# The beginning of a longer file is tried first: a file with rejects mostly has some there.
_TRIED_BYTES = 16 * 1024 * 1024

# So many files of up to so many bytes are judged together, and are in memory meanwhile.
_TOGETHER, _SMALL_BYTES = 100, 64 * 1024

FilePath = tuple[FileVersion, Path]
Segments = Iterable[tuple[list[Block], Positions]]


class Validator(AbstractContextManager["Validator"]):
    """Validates the files of one feed, leaving what it writes in a folder of its own."""

    def __init__(self, feed: Feed, spool: Path, leave: bool = False) -> None:
        """spool: where its folder is made.

        leave: whether to leave a large file that begins clean to whoever lands it.
        """
        self._feed = feed
        self._spool = Path(tempfile.mkdtemp(dir=spool))
        # What is left must come into the table whole, to be counted there.
        self._leave = leave and not feed.options.record_number
        self._connection = engine.connect(self._spool)
        self._judge = Judge(feed, partial(engine.matching, self._connection))
        # With a cursor of its own: it screens in another thread while the judge asks for patterns.
        self._screening = Screening(feed, self._connection.cursor())
        self._count = 0
        self._ahead: dict[Path, Verdict] = {}
        # What canonical texts were made from.
        self._sources: dict[Path, Path] = {}

    def __exit__(self, *_: object) -> None:
        self._connection.close()  # and with it the screen's cursor

    def plain_text(self, name: str, path: Path) -> Path:
        """The canonical text of a stored file. Raises DataRefused, ConfigError, OSError."""
        text = plain_text(name, path, self._spool, self._feed.options.compression)
        if form := self._feed.options.form or (Form() if has_own_line_ends(text) else None):
            # The same for a file that was judged ahead.
            target = self._spool / (hashlib.sha256(str(text).encode()).hexdigest()[:24] + SUFFIX)
            if not target.exists():
                feed, named = self._feed, partial(is_header, feed=self._feed)
                try:
                    write_canonical(text, target, form, feed.dialect, feed.file_names, named)
                except DataRefused as error:
                    target.unlink()
                    raise _refusal(text, error) from None
            self._sources[target] = text
            return target
        return text

    def validate(self, name: str, path: Path, advance: Advance = lambda _: None) -> Verdict:
        """Judge every record of a plain text file.

        name: what messages call the file. advance: called with the number of bytes as they are
        read. A file that is no delimited text of this feed gives a verdict with `refused`. Raises
        ReconciliationError if the engine reads it unlike the strict reader, OSError if it cannot be
        read or the spool cannot be written.
        """
        if known := self._ahead.pop(path, None):
            return known
        try:
            with self._reading(name, path, advance) as reading:
                large = path.stat().st_size >= _TRIED_BYTES
                if not large or self._begins_clean(reading):
                    if large and self._leave and all(map(engine.is_named, reading.columns)):
                        return reading.unread()
                    if verdict := self._screening.as_it_is(reading):
                        return verdict
                return self._judged(reading, self._screening.by_segments(reading))
        except DataRefused as error:
            return Verdict(name, refused=str(error))

    def ahead(self, files: Iterable[FilePath], known: Container[object]) -> Iterator[FilePath]:
        """The same files, as they are stored; small ones are judged together, ahead of validate().

        It returns their verdicts when it is called for them. The engine takes longer to start than
        to read a small file. known: keys of files that need no verdict.
        """
        for small, group in groupby(files, lambda pair: pair[0].bytes <= _SMALL_BYTES):
            while members := list(islice(group, _TOGETHER if small else 1)):
                if small:
                    self._judge_ahead([pair for pair in members if pair[0].key not in known])
                yield from members

    def _judge_ahead(self, files: Sequence[FilePath]) -> None:
        """Judge small files; the engine screens those whose columns are in the same places at once.

        validate() judges those that are left out, and says why: they are refused, or the engine
        reads one of them unlike the strict reader, or they cannot be read.
        """
        alike = defaultdict[Any, list[tuple[Reading, list[Block]]]](list)
        for file, path in files:
            with suppress(DataRefused, OSError):
                text = self.plain_text(file.uri, path)
                if text.stat().st_size <= _SMALL_BYTES:
                    with self._reading(file.uri, text, lambda _: None) as reading:
                        blocks = list(reading.blocks())
                        as_it_is = reading.engine_takes() and not reading.has_crlf
                        as_it_is &= not any(block.faults for block in blocks)
                        alike[reading.columns, as_it_is].append((reading, blocks))
        for (_, as_they_are), members in alike.items():
            blocks = [block for _, blocks in members for block in blocks]
            links = [reading.link for reading, _ in members if as_they_are]
            with suppress(LoaderError), engine.errors_explained(self._feed.name):
                rows = self._screening.unclear_rows(members[0][0], blocks, links)
                for reading, blocks in members:
                    self._ahead[reading.path] = self._judged(reading, [(blocks, rows)])
                    rows = rows - sum(len(block.sound) for block in blocks)

    @contextmanager
    def _reading(self, name: str, path: Path, advance: Advance) -> Iterator[Reading]:
        """Begin to read a file. Raises as validate(), and DataRefused."""
        self._count += 1
        stem = self._spool / f"{self._count:06d}"
        with path.open("rb") as file, engine.errors_explained(name):
            try:
                reading = Reading(name, path, file, stem, self._feed, advance)
            except DataRefused as error:
                raise _refusal(self._sources.get(path, path), error) from None
            yield reading

    def numbered(self, verdict: Verdict, records: Sequence[int] | None = None) -> Verdict:
        """The verdict with what else the feed keeps of each accepted record in its text.

        That is its number, and what the contract has no column for. records: these numbers, in
        order; without them the records are those of the file, less the rejected ones. Raises
        StorageError, ReconciliationError.
        """
        counted = self._feed.options.record_number
        kept = any(isinstance(name, engine.Extra) for name in verdict.columns)
        if not (counted or kept) or verdict.text is None:
            return verdict
        if records is None:
            rejected = sorted({int(row[0]) for row in verdict.rejects.rows()})
            # From this place on, an accepted record's number is its place and n + 1.
            shifts = {record - n: n + 1 for n, record in enumerate(rejected)}
        else:
            shifts = {n: record - n for n, record in enumerate(records, start=1)}
        text, names = verdict.text.with_suffix(".numbered"), self._feed.column_names
        first, shift = np.array([(0, 0), *shifts.items()], np.int64).T
        self._connection.register("jumps", {"first": first, "shift": shift})
        read = engine.select_text([verdict.text], verdict.columns, names, self._feed.dialect)
        query = (
            read
            if not counted
            else (
                "select text.* exclude (_record), text._record + jumps.shift as _record"
                f" from (select *, row_number() over () as _record from ({read})) as text"
                " asof join jumps on text._record >= jumps.first"
            )
        )
        dialect, columns = self._feed.dialect, self._feed.landed_names
        quote = engine.literal(chr(dialect.quote))
        options = f", delimiter {engine.literal(chr(dialect.delimiter))}"
        options += f", quote {quote}, escape {quote}"
        with engine.errors_explained(verdict.file):
            engine.write_text(self._connection, query, columns, text, options)
        return replace(verdict, text=text, columns=columns, plain=False)

    def write_accepted(self, verdict: Verdict, target: Path) -> None:
        """Write the accepted records as RFC 4180 text, its header in the contract's order.

        Raises StorageError, OSError.
        """
        assert verdict.text is not None
        names = self._feed.column_names
        query = engine.select_text([verdict.text], verdict.columns, names, self._feed.dialect)
        # The engine would take some characters of the target's name for a pattern.
        written = self._spool / "accepted.csv"
        with engine.errors_explained(verdict.file):
            engine.write_text(self._connection, query, names, written)
        shutil.move(written, target)

    def _begins_clean(self, reading: Reading) -> bool:
        """Whether it may be worth it to read the file as it is."""
        block = next(reading.blocks(), None)
        if block is None or block.faults or block.has_crlf:
            return block is None
        return not len(self._screening.unclear_rows(reading, [block]))

    def _judged(self, reading: Reading, segments: Segments) -> Verdict:
        """The verdict on a file that has, or may have, records to reject.

        segments: its blocks; rows of them, counted from 1, that the screen does not clear.
        """
        text = reading.stem.with_suffix(".csv")
        with text.open("wb") as out:
            out.write(reading.header.raw + b"\n")
            for blocks, unclear in segments:
                first = 0
                for block in blocks:
                    rows = unclear[(unclear > first) & (unclear <= first + len(block.sound))]
                    places = block.sound[rows - first - 1].tolist()
                    found = self._rejects(reading, block, places)
                    if found:
                        reading.rejects.write(found.values())
                    out.write(block.without(list(found)))
                    first += len(block.sound)
        if reading.rejects.by_rule or reading.has_crlf or not reading.engine_takes():
            return reading.verdict(text)
        text.unlink()
        return reading.verdict()

    def _in_words(self, fault: Fault, raw: bytes) -> Fault:
        """The fault, its message with the word of the contract that may help."""
        options, message = self._feed.options, fault.message
        if fault.rule == NOT_UTF8 and options.encoding != "utf-8":
            # What was no text of the file's encoding is no UTF-8 now.
            message = message.replace("UTF-8", options.encoding)
        elif fault.rule == NOT_UTF8:
            message += "; if the file is windows-1252 or another, say so with the key encoding"
        elif fault.rule in MISPLACED and not (options.escape or options.skip_initial_space):
            message += words_for(raw, self._feed.dialect)
        return fault._replace(message=message)

    def _rejects(self, reading: Reading, block: Block, unclear: list[int]) -> dict[int, Reject]:
        """The rejects of a block, by place, in order. unclear: which records are to be judged."""
        found: dict[int, Reject] = {}
        judged = self._judge.faults(reading.values(block.raw(place)) for place in sorted(unclear))
        for place in sorted([*block.faults, *unclear]):
            raw = block.raw(place)
            if place in block.faults:
                names, faults = reading.columns, [self._in_words(block.faults[place], raw)]
            else:
                names, faults = self._feed.column_names, next(judged)
            if not faults:
                continue
            first, *others = faults
            also = ", ".join(f"{_column(names, fault)} ({fault.rule.name})" for fault in others)
            found[place] = Reject(
                reading.name,
                block.first_record + place,
                block.line(place),
                _column(names, first),
                first.rule.name,
                first.value,
                first.message + (f"; also rejected: {also}" if also else ""),
                raw,
            )
        return found


def _refusal(path: Path, error: DataRefused) -> DataRefused:
    """Why a file without a header of its feed is refused: it may be no text at all."""
    with path.open("rb") as file:
        return DataRefused(no_text(head_of(file)) or str(error))


def _column(names: Sequence[str | None], fault: Fault) -> str | None:
    """The contract's name of the column at fault; None for none, or for one that it does not name.

    What a file calls such a column may be longer than the quarantine's column, or be no text.
    """
    name = None if fault.column is None or fault.column >= len(names) else names[fault.column]
    return name if engine.is_named(name) else None
