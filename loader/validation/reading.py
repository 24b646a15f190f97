"""A file while it is validated: its header, its blocks of records, and whether it is one table."""

import json
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import BinaryIO

from loader import interrupts
from loader.contract.feed import Feed
from loader.errors import DataRefused
from loader.records import engine
from loader.records.faults import OTHER_WIDTH
from loader.records.origin import Origin
from loader.records.reader import Block, read_blocks, read_fields, read_header
from loader.validation.header import match_header
from loader.validation.rejects import RejectLog, Verdict

# Takes the number of bytes that were read since it was last called.
Advance = Callable[[int], None]

# How far down a header is looked for, to say that lines were put before it.
_LOOKED_AT_LINES, _LOOKED_AT_BYTES = 20, 16 * 1024


class Reading:
    """A file that is being validated.

    stem: begins the names of what is written to the spool for it. columns: those of the file, from
    left to right; None for one that the contract lets pass unread, Extra for one that it keeps
    without a column of its own. rejects: the validator writes
    them. The totals are of the blocks read so far: records, value_bytes, has_crlf and has_empty,
    and end, where the last record ends.
    """

    def __init__(
        self, name: str, path: Path, file: BinaryIO, stem: Path, feed: Feed, advance: Advance
    ) -> None:
        """Read the header. Raises DataRefused if there is none, or it is not the contract's."""
        self.name, self.path, self.stem, self.feed = name, path, stem, feed
        self._file, self._advance = file, advance
        self.rejects = RejectLog(stem.with_suffix(".rejects"), name)
        self.header = read_header(file, feed.dialect)
        file.seek(self.header.data_offset)
        text = file.read(_LOOKED_AT_BYTES).decode("utf-8", "replace")
        lines = text.splitlines()[:_LOOKED_AT_LINES]
        self.columns = match_header(self.header.fields, feed, lines)
        places = {column: place for place, column in enumerate(self.columns)}
        self._places = [places.get(name) for name in feed.column_names]
        self._extra = {c: n for n, c in enumerate(self.columns) if isinstance(c, engine.Extra)}

    def blocks(self, utf8: bool = True) -> Iterator[Block]:
        """All blocks, added up anew. Raises DataRefused where the file is not one table.

        utf8: whether to look for bytes that are not UTF-8.
        """
        header = self.header
        self.records = self.value_bytes = 0
        self.end, self.has_crlf, self.has_empty = header.data_offset, header.has_crlf, False
        width, start = len(header.fields), (header.data_offset, header.data_line)
        blocks = read_blocks(
            self._file,
            self.feed.dialect,
            width,
            *start,
            utf8=utf8,
            line_of=self.origin.line,
            # In a file of one column, the column's name may well be a value too.
            header=header.fields if width > 1 else (),
        )
        for block in _one_table(blocks):
            interrupts.check()
            self._advance(len(block.data))
            self.records += len(block)
            self.value_bytes += int(block.cut.value_bytes.sum())
            self.end += len(block.data)
            self.has_crlf |= block.has_crlf
            self.has_empty |= block.has_empty
            yield block

    def values(self, raw: bytes) -> tuple[str | None, ...]:
        """The values of a well-formed record by the contract's columns, None for what is empty."""
        values = read_fields(raw, self.feed.dialect)
        found = [None if place is None else values[place] or None for place in self._places]
        if self._extra:
            # As the engine writes it; the two may differ in the case of an escape.
            kept = {name: values[place] or None for name, place in self._extra.items()}
            found[-1] = json.dumps(kept, ensure_ascii=False, separators=(",", ":"))
        return tuple(found)

    def verdict(self, text: Path | None = None) -> Verdict:
        """What was found, once all blocks were read.

        text: where the accepted records were written, None if the file holds no others.
        """
        return Verdict(
            self.name,
            read=self.records,
            accepted=self.records - self.rejects.by_rule.total(),
            rejects=self.rejects,
            text=text or self.link,
            columns=self.columns,
            plain=text is None and self.is_plain(),
            header=self.header.raw.decode(),
            skipped=self.origin.skipped,
            missing=tuple(name for name in self.feed.file_names if name not in self.columns),
            ignored=self._ignored(),
        )

    def _ignored(self) -> tuple[str, ...]:
        """The names in the header of columns that the contract lets pass unread."""
        cells = zip(self.header.fields, self.columns, strict=True)
        return tuple(name.strip() for name, column in cells if column is None and name.strip())

    def unread(self) -> Verdict:
        """What there is before any block was read."""
        return Verdict(self.name, text=self.link, columns=self.columns, unread=True)

    @cached_property
    def origin(self) -> Origin:
        """What was taken out of the file before it was read."""
        return Origin.of(self.path)

    @cached_property
    def link(self) -> Path:
        """The file under a name that no engine takes for a pattern."""
        link = self.stem.with_suffix(".link")
        link.symlink_to(self.path.absolute())
        return link

    def select(self, *texts: Path) -> str:
        """SQL that reads texts with this file's columns."""
        return engine.select_text(texts, self.columns, self.feed.column_names, self.feed.dialect)

    def is_plain(self) -> bool:
        """Whether every reader of CSV sees the same records in a file without CRLF."""
        one_line = self.header.data_line == 2 and not self.origin.canonical
        return one_line and not (self.header.has_bom or self.has_empty or self._rest)

    def engine_takes(self) -> bool:
        """Whether the engine sees no further record in the empty lines after the last."""
        rest = self._rest
        # In a file of one column an empty line, even at the end, is a record to the engine.
        return not rest or (len(self.columns) > 1 and b"\r" not in rest)

    @cached_property
    def _rest(self) -> bytes:
        """What follows the last record; first asked for while the file is open."""
        self._file.seek(self.end)
        return self._file.read()


def _one_table(blocks: Iterator[Block]) -> Iterator[Block]:
    """The blocks as they come.

    Raises DataRefused for a file that ends in an empty line and more than one record of another
    width after it. One such record is a closing line, such as a total.
    """
    begun, record, line, records = False, 0, 0, 0
    for block in blocks:
        last = int(block.sound[-1]) if len(block.sound) else -1
        if last >= 0:
            begun, record, records = True, 0, 0
        for index in range(last + 1, len(block)):
            if block.faults[index].rule not in OTHER_WIDTH:
                record = records = 0
            elif record:
                records += bool(block.raw(index))
            elif not block.raw(index):
                record, line = block.first_record + index, block.line(index)
        yield block
    if begun and records > 1:
        raise DataRefused(
            f"after the empty line {line} (record {record}) no record has the"
            f" header's number of fields, though {records:,} follow: another table seems"
            " to begin there; put it into a file of its own"
        )
