"""A file while it is validated: its header, its blocks of records, and their totals."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import BinaryIO

from loader.contract.feed import Feed
from loader.records import engine
from loader.records.reader import Block, read_blocks, read_fields, read_header
from loader.validation.header import match_header
from loader.validation.one_table import OneTable

# Takes the number of bytes that were read since it was last called.
Advance = Callable[[int], None]

# How far down a header is looked for, to say that lines were put before it.
_LOOKED_AT_LINES, _LOOKED_AT_BYTES = 20, 16 * 1024


@dataclass
class Totals:
    """What the blocks read so far add up to. end: where in the file the last record ends."""

    end: int
    has_crlf: bool
    has_empty: bool = False
    records: int = 0
    value_bytes: int = 0

    def add(self, block: Block) -> None:
        """Take the next block into account."""
        self.end += len(block.data)
        self.has_crlf |= block.has_crlf
        self.has_empty |= block.has_empty
        self.records += len(block)
        self.value_bytes += int(block.cut.value_bytes.sum())


class Reading:
    """A file that is being validated.

    stem: begins the names of what is written to the spool for it. columns: those of the file, from
    left to right; None for one that the contract lets pass unread.
    """

    def __init__(
        self, name: str, path: Path, file: BinaryIO, stem: Path, feed: Feed, advance: Advance
    ) -> None:
        """Read the header. Raises DataRefused if there is none, or it is not the contract's."""
        self.name, self.path, self.stem, self.feed = name, path, stem, feed
        self._file, self._advance = file, advance
        self.header = read_header(file, feed.dialect)
        file.seek(self.header.data_offset)
        text = file.read(_LOOKED_AT_BYTES).decode("utf-8", "replace")
        lines = text.splitlines()[:_LOOKED_AT_LINES]
        self.columns = match_header(self.header.fields, feed, lines)
        places = {column: place for place, column in enumerate(self.columns)}
        self._places = [places.get(name) for name in feed.column_names]

    def totals(self) -> Totals:
        """The totals before the first block."""
        return Totals(self.header.data_offset, self.header.line_end == b"\r\n")

    def blocks(self) -> Iterator[Block]:
        """All blocks. Raises DataRefused where the file turns out not to be one table."""
        header, table = self.header, OneTable(self.header)
        for block in read_blocks(
            self._file, self.feed.dialect, len(header.fields), header.data_offset, header.data_line
        ):
            table.check_block(block)
            self._advance(len(block.data))
            yield block
        table.check_end()

    def values(self, raw: bytes) -> tuple[str | None, ...]:
        """The values of a well-formed record by the contract's columns, None for what is empty."""
        values = read_fields(raw, self.feed.dialect)
        return tuple(None if place is None else values[place] or None for place in self._places)

    @cached_property
    def link(self) -> Path:
        """The file under a name that no engine takes for a pattern."""
        link = self.stem.with_suffix(".link")
        link.symlink_to(self.path.absolute())
        return link

    def select(self, text: Path) -> str:
        """SQL that reads a text with this file's columns."""
        return engine.select_text([text], self.columns, self.feed.column_names, self.feed.dialect)

    def is_plain(self, totals: Totals) -> bool:
        """Whether every reader of CSV sees the same records in a file without CRLF."""
        header = self.header
        one_line = header.data_line == 2 and b"\n" not in header.raw
        return one_line and not (header.has_bom or totals.has_empty or self._after(totals.end))

    def engine_takes(self, totals: Totals) -> bool:
        """Whether the engine sees no further record in the empty lines after the last."""
        rest = self._after(totals.end)
        # In a file of one column an empty line, even at the end, is a record to the engine.
        return not rest or (len(self.columns) > 1 and b"\r" not in rest)

    def _after(self, end: int) -> bytes:
        self._file.seek(end)
        return self._file.read()
