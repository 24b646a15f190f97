"""The records of a file: where each lies, and what is wrong with the form of the malformed ones."""

import codecs
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from typing import BinaryIO, NamedTuple

import numpy as np

from loader.errors import DataRefused
from loader.records import faults
from loader.records.cut import Cut, Positions, cut_records
from loader.records.dialect import MAX_RECORD_BYTES, Dialect
from loader.records.faults import Fault, Rule

# Larger ones fall out of the processor's cache between one step over them and the next.
BLOCK_BYTES = 1024 * 1024
_DECODED_BYTES = 64 * 1024
# Most headers are shorter.
_HEADER_BYTES = 64 * 1024
# A record over the limit is rejected if its end is found within this; else the file is refused. To
# cut a text of delimiters or quotes alone takes forty times its size in memory.
_MAX_UNFINISHED_BYTES = 6 * 1024 * 1024


class Header(NamedTuple):
    """The first record of a file and where the data begins after it."""

    raw: bytes
    fields: tuple[str, ...]
    has_crlf: bool
    has_bom: bool
    data_offset: int
    data_line: int


@dataclass(frozen=True)
class Block:
    """Consecutive whole records of a file.

    cut: where in data they are. faults: by position in the block. line_of: which line of the file a
    line of the text was.
    """

    first_record: int
    first_line: int
    data: bytes
    cut: Cut
    faults: dict[int, Fault]
    line_of: Callable[[int], int]

    def __len__(self) -> int:
        return len(self.cut.starts)

    def raw(self, index: int) -> bytes:
        """A record's text without its line end."""
        return self.data[self.cut.starts[index] : self.cut.ends[index]]

    def line(self, index: int) -> int:
        """The physical line on which a record starts; the file's first line is 1."""
        start = self.cut.starts[index]
        return self.line_of(self.first_line + int(self.cut.line_feeds.searchsorted(start)))

    @cached_property
    def sound(self) -> Positions:
        """Which records are well-formed, by their places in the block."""
        return np.delete(np.arange(len(self)), list(self.faults))

    @cached_property
    def has_crlf(self) -> bool:
        """Whether a line here ends in CRLF."""
        return bool((self.cut.nexts - self.cut.ends == len(b"\r\n")).any())

    @cached_property
    def has_empty(self) -> bool:
        """Whether a record here is an empty line."""
        return bool((self.cut.ends == self.cut.starts).any())

    def without(self, dropped: Sequence[int]) -> bytes:
        """The text of all records but some, in ascending order, every line ended by LF."""
        data = memoryview(self.data)
        if self.has_crlf:
            keep = np.ones(len(data), bool)
            keep[self.cut.ends[self.cut.nexts - self.cut.ends == len(b"\r\n")]] = False
            for index in dropped:
                keep[self.cut.starts[index] : self.cut.nexts[index]] = False
            text = np.frombuffer(data, np.uint8)[keep].tobytes()
        elif dropped:
            begins = [0, *self.cut.nexts[dropped].tolist()]
            ends = [*self.cut.starts[dropped].tolist(), len(data)]
            text = b"".join(data[b:e] for b, e in zip(begins, ends, strict=True))
        else:
            text = self.data
        return text if not text or text.endswith(b"\n") else text + b"\n"


def read_header(file: BinaryIO, dialect: Dialect) -> Header:
    """Reads the first record. Raises DataRefused if there is none or it is malformed."""
    for size in (_HEADER_BYTES, MAX_RECORD_BYTES):
        file.seek(0)
        data = file.read(size)
        bom = len(codecs.BOM_UTF8) if data.startswith(codecs.BOM_UTF8) else 0
        text = data[bom:]
        cut = cut_records(text, dialect, final=len(data) < size)
        if len(cut.nexts):
            break
    if not text.strip() and len(data) < size:
        raise DataRefused("the file is empty: it has no header")
    if not len(cut.nexts) or int(cut.nexts[0]) > MAX_RECORD_BYTES:
        raise DataRefused("the first line does not end within 4 MB, so there is no header")
    raw = text[: int(cut.ends[0])]
    if raw[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        raise DataRefused("the file is UTF-16, as spreadsheets save it: say `encoding: utf-16`")
    if b"\r" in raw:
        raise DataRefused(
            "the first line has a carriage return in it; lines must end in LF, CRLF or all in CR"
        )
    try:
        decoded = raw.decode()
    except UnicodeDecodeError:
        raise DataRefused(
            "the first line is not UTF-8, so it is no header; if the file has another encoding,"
            " such as windows-1252, say so with the key encoding"
        ) from None
    if 0 in cut.malformed_starts:
        words = faults.words_for(raw, dialect)
        raise DataRefused(f"the first line is no well-formed header: {decoded[:200]!r}{words}")
    return Header(
        raw=raw,
        fields=tuple(read_fields(raw, dialect)),
        has_crlf=bool(cut.nexts[0] - cut.ends[0] == len(b"\r\n")),
        has_bom=bool(bom),
        data_offset=bom + int(cut.nexts[0]),
        data_line=1 + int(cut.line_feeds.searchsorted(cut.nexts[0])),
    )


def read_blocks(
    file: BinaryIO,
    dialect: Dialect,
    width: int,
    offset: int,
    first_line: int,
    block_bytes: int = BLOCK_BYTES,
    utf8: bool = True,
    line_of: Callable[[int], int] = int,
    header: Sequence[str] = (),
) -> Iterator[Block]:
    """Yields the records that start at an offset of a file, in order, numbered from 1.

    width: how many fields a record must have. utf8: whether to look for bytes that are not UTF-8,
    which takes half of the time for text beyond ASCII. line_of: as Block has it. header: the cells
    of which a record that has them all, whatever their case, is one header more. Empty lines at the
    end of the file are no records. Raises DataRefused where a record cannot be told from the rest
    of the file.
    """
    file.seek(offset)
    record, line, carry, final = 1, first_line, b"", False
    while not final:
        # As much as is left over, so that the work on a long record stays linear in its length.
        wanted = max(block_bytes, len(carry))
        more = file.read(wanted)
        final = len(more) < wanted
        data = carry + more
        cut = cut_records(data, dialect, final)
        consumed = int(cut.nexts[-1]) if len(cut.nexts) else 0
        if consumed:
            text = data[:consumed]
            form = _judge_form(text, dialect, width, cut, utf8)
            form.update(_joined_files(text, dialect, cut, header))
            yield Block(record, line, text, cut, form, line_of)
        carry = data[consumed:]
        record += len(cut.nexts)
        line += int(cut.line_feeds.searchsorted(consumed))
        if len(carry) > _MAX_UNFINISHED_BYTES:
            raise DataRefused(
                f"record {record} on line {line_of(line)} does not end within"
                f" {_MAX_UNFINISHED_BYTES >> 20} MiB; a quote opened in it is probably never closed"
            )
        opened = data[cut.open_at :].rstrip(b"\r\n") if cut.open_at is not None else b""
        if lines := opened.count(b"\n"):
            # Where it should have closed, and so which of the lines are records, nobody can tell.
            raise DataRefused(
                f"record {record - 1} opens a quote that is never closed, and the {lines:,} lines"
                " after it to the end of the file are inside that quote; close or double the quote"
                + faults.words_for(data[int(cut.starts[-1]) :], dialect)
            )


def _judge_form(
    data: bytes, dialect: Dialect, width: int, cut: Cut, utf8: bool
) -> dict[int, Fault]:
    """The faults of a block's records, one each."""
    starts, ends = cut.starts, cut.ends
    found: dict[int, Fault] = {}

    def blame(positions: Positions, rule: Rule) -> None:
        for index in np.unique(cut.nexts.searchsorted(positions, side="right")).tolist():
            found.setdefault(index, rule.broken())

    for start in cut.malformed_starts:
        if start < len(data):
            index = int(starts.searchsorted(start))
            found[index] = _explain(data[start : ends[index]], dialect)
    if 0 in data:
        blame(np.flatnonzero(np.frombuffer(data, np.uint8) == 0), faults.NUL_BYTE)
    for index in _not_utf8(data, cut) if utf8 else ():
        found.setdefault(index, faults.NOT_UTF8.broken())
    for index in np.flatnonzero(ends - starts > MAX_RECORD_BYTES).tolist():
        size = int(ends[index] - starts[index])
        found.setdefault(index, faults.RECORD_TOO_LARGE.broken(size=size))
    blame(cut.bare_returns[cut.bare_returns < len(data)], faults.BARE_CARRIAGE_RETURN)
    for index in np.flatnonzero(cut.fields != width).tolist():
        fields = int(cut.fields[index])
        rule = faults.TOO_FEW_FIELDS if fields < width else faults.TOO_MANY_FIELDS
        found.setdefault(index, rule.broken(fields=fields, width=width))
    return found


def _joined_files(
    data: bytes, dialect: Dialect, cut: Cut, header: Sequence[str]
) -> Iterator[tuple[int, Fault]]:
    """What is wrong with records that began a file, before it was put behind another one."""
    marks = [b""]
    if codecs.BOM_UTF8 in data:
        marks.append(codecs.BOM_UTF8)
        for index in _beginning(data, codecs.BOM_UTF8, cut):
            yield index, faults.BYTE_ORDER_MARK.broken()
    first, lowered = header[0].encode().lower() if header else b"", data.lower() if header else b""
    # Quick to see, and nearly always so.
    if not header or first not in lowered:
        return
    delimiter, quote = bytes([dialect.delimiter]), bytes([dialect.quote])
    cells = [cell.strip().lower() for cell in header]
    for mark in marks:
        for cell in (first, quote + first + quote):
            for index in _beginning(lowered, mark + cell + delimiter, cut):
                raw = data[cut.starts[index] : cut.ends[index]].removeprefix(mark)
                if not is_one_record(raw, dialect):
                    continue
                if [cell.strip().lower() for cell in read_fields(raw, dialect)] == cells:
                    yield index, faults.REPEATED_HEADER.broken()


def _beginning(data: bytes, text: bytes, cut: Cut) -> Iterator[int]:
    """Which records begin with a text."""
    place = 0 if data.startswith(text) else data.find(b"\n" + text) + 1
    while place or data.startswith(text):
        index = int(cut.starts.searchsorted(place))
        if index < len(cut.starts) and cut.starts[index] == place:
            yield index
        if (place := data.find(b"\n" + text, place) + 1) == 0:
            return


def _not_utf8(data: bytes, cut: Cut) -> list[int]:
    """Which records hold bytes that are not UTF-8."""
    found: list[int] = []
    if data.isascii():
        return found
    nexts, text = cut.nexts, memoryview(data)
    # In pieces of whole records: a decoded text of megabytes costs more to allocate than to decode.
    index = position = 0
    while index < len(nexts):
        upto = max(index, int(nexts.searchsorted(position + _DECODED_BYTES)) - 1)
        try:
            codecs.utf_8_decode(text[position : nexts[upto]], "strict", True)
        except UnicodeDecodeError as error:
            upto = int(nexts.searchsorted(position + error.start, side="right"))
            found.append(upto)
        index, position = upto + 1, int(nexts[upto])
    return found


def _explain(raw: bytes, dialect: Dialect) -> Fault:
    """What is wrong with a record whose quotes are misplaced. raw: its text, no line end."""
    quote = bytes([dialect.quote])
    for column, match in enumerate(dialect.one_field.finditer(raw)):
        if match[3] is None:
            start, rest = match.start(), raw[match.end() :]
            if match[1] is not None:
                rule = faults.TEXT_AFTER_QUOTE
            elif raw[start : start + 1] == quote:
                rule = faults.UNTERMINATED_QUOTE
            else:
                rule = faults.STRAY_QUOTE
            end = len(raw) - len(rest) + len(rest.partition(bytes([dialect.delimiter]))[0])
            return rule.broken(column, raw[start:end].decode(errors="backslashreplace"))
        if not match[3]:
            break
    return faults.STRAY_QUOTE.broken()


def read_fields(raw: bytes, dialect: Dialect) -> list[str]:
    """The values of one well-formed record, unquoted."""
    quote = bytes([dialect.quote])
    if quote not in raw:
        return raw.decode().split(chr(dialect.delimiter))
    values = []
    for match in dialect.one_field.finditer(raw):
        value = match[2] if match[1] is None else match[1].replace(quote * 2, quote)
        values.append(value.decode())
        if not match[3]:
            break
    return values


def is_one_record(raw: bytes, dialect: Dialect) -> bool:
    """Whether the bytes are one record, of any number of fields, whatever follows them."""
    try:
        blocks = list(read_blocks(BytesIO(raw + b"\n"), dialect, 1, 0, 1))
    except DataRefused:
        return False  # it opens a quote that it does not close
    alone = [len(block) for block in blocks] == [1]
    found = {fault.rule for block in blocks for fault in block.faults.values()}
    return alone and found <= faults.OTHER_WIDTH and blocks[0].raw(0) == raw
