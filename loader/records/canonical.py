"""Turns a file as its contract describes it into canonical text: UTF-8 that begins with one header.

The strict reader, the engine and COPY read canonical text as they read a file that is written so.
Whole lines are taken out, and only where a record would begin, so no record loses text. What a
contract allows at the end of a record is made good there: a delimiter too many, or fields that are
missing. Which line of the file each line of the text was is kept beside it.
"""

import codecs
import json
import re
from array import array
from collections import Counter
from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from itertools import chain, islice, takewhile, zip_longest
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from loader.errors import DataRefused
from loader.records.cut import CR, Cut, cut_records
from loader.records.dialect import Dialect, Form
from loader.records.encoding import as_utf8
from loader.records.reader import read_fields
from loader.records.spelling import Spelling

_BLOCK_BYTES = 1024 * 1024
# How much of a file tells how its lines end.
_NEAR_BYTES = 64 * 1024
# A record that goes on for longer makes the file be refused.
_MAX_UNFINISHED_BYTES = 6 * 1024 * 1024
# Of a file whose lines end in carriage returns, which are taken for line feeds, and back.
_SWAPPED = bytes.maketrans(b"\r\n", b"\n\r")
_EMPTY_LINES = re.compile(b"[\r\n]*")
# Lines that may stand before the header.
_MAX_PREAMBLE = 1000

# Whether the cells of a line are the contract's header.
IsHeader = Callable[[Sequence[str]], bool]


def write_canonical(
    path: Path,
    text: Path,
    form: Form,
    dialect: Dialect,
    names: Sequence[str],
    is_header: IsHeader,
) -> None:
    """Writes the canonical text of a file, and its Origin beside it.

    text: has the suffix SUFFIX. names: of the contract's columns, which are the header of a file
    that has none. Raises DataRefused for a file that is not written as the form says, OSError.
    """
    with path.open("rb") as file, text.open("wb") as out:
        writer = _Writer(form, dialect, names, is_header, out)
        writer.write(as_utf8(file, form.encoding, _BLOCK_BYTES))
    text.with_suffix(".shifts").write_bytes(writer.shifts.tobytes())
    text.with_suffix(".skipped").write_text(json.dumps(writer.skipped))


def has_own_line_ends(path: Path) -> bool:
    """Whether lines of a file end in CR or CR CR LF, by its beginning. Raises OSError."""
    with path.open("rb") as file:
        data = file.read(_NEAR_BYTES)
    return (b"\r" in data[:-1] and b"\n" not in data) or _returns_twice(data)


def _returns_twice(head: bytes) -> bool:
    """Whether lines end in CR CR LF, as where Windows wrote CRLF to a file of text.

    The first does, or two and more, and all that follow it: the header may come from elsewhere.
    """
    first, *others = head[:_NEAR_BYTES].split(b"\n")[:-1] or [b""]
    return first.endswith(b"\r\r") or (
        len(others) > 1 and all(line.strip(b"\r") and line.endswith(b"\r\r") for line in others)
    )


@dataclass
class _Writer:
    """Writes one text, and counts the lines that are skipped, with where the others came from."""

    form: Form
    dialect: Dialect
    names: Sequence[str]
    is_header: IsHeader
    out: BinaryIO

    def __post_init__(self) -> None:
        self.skipped = Counter[str]()
        # Pairs, one behind the other.
        self.shifts = array("q")
        self._read = self._written = 0
        self._pattern = self.form.skipped(self.dialect)
        self._reshapes = self.form.drop_trailing or self.form.pad_short
        self._width: int | None = None
        # Blank cells at the end of the header.
        self._nameless = 0
        self._row, self._header = b"", list[str]()
        self._keeps_bytes = codecs.lookup(self.form.encoding).name == "utf-8"

    def write(self, blocks: Iterator[bytes]) -> None:
        """Writes header and records."""
        head, lines, whole = b"", (self.form.skip_rows or 0) + self.form.header_rows, True
        for block in blocks:
            head += block
            # Room for what stands before the header, and the header.
            ends = head.count(b"\n") or head.count(b"\r")
            if len(head) >= _BLOCK_BYTES and ends >= lines and not head.endswith(b"\r"):
                whole = False
                break
            if len(head) > _MAX_UNFINISHED_BYTES:
                raise DataRefused(
                    f"the first {lines:,} lines do not end within {_MAX_UNFINISHED_BYTES >> 20} MiB"
                )
        self._swaps = b"\n" not in head and b"\r" in head
        if self._swaps:
            head, blocks = head.translate(_SWAPPED), (b.translate(_SWAPPED) for b in blocks)
        self._spelling = Spelling(self.form, self.dialect, _returns_twice(head))
        blocks = chain([self._behind_header(head, whole)], blocks)
        spells = self._spelling.changes
        if not (self._pattern or self._reshapes or self._swaps or self._row or spells):
            for block in blocks:
                self._write(block)
            return
        carry = b""
        for block in blocks:
            carry = self._records(carry + block, final=False)
        self._records(carry, final=True)

    def _skip(self, reason: str, lines: int = 1) -> None:
        self.skipped[reason] += lines
        self._read += lines
        self._shift()

    def _shift(self) -> None:
        """Notes where the next line to be written comes from."""
        line, shift = self._written + 1, self._read - self._written
        if self.shifts and self.shifts[-2] == line:
            del self.shifts[-2:]
        if shift != (self.shifts[-1] if self.shifts else 0):
            self.shifts.extend((line, shift))

    def _keep(self, text: bytes) -> None:
        """Writes whole records."""
        if self._row and (text.startswith(self._row) or b"\n" + self._row in text):
            raise DataRefused(
                f"behind line {self._read} the first row of the header comes once more; a file with"
                " header_rows is one export"
            )
        text = self._spelling.canonical(text)
        text = self._of_width(text) if self._reshapes else text
        written = self._swapped_back(text) if self._swaps else text
        self._write(written)
        self._read += text.count(b"\n")
        self._written += written.count(b"\n")

    def _write(self, text: bytes) -> None:
        """Writes text; a byte that is no UTF-8 as it came."""
        if self._keeps_bytes and b"\xed" in text:
            text = text.decode("utf-8", "surrogatepass").encode("utf-8", "surrogateescape")
        self.out.write(text)

    def _behind_header(self, head: bytes, whole: bool) -> bytes:
        """Writes a header that is not as it came; returns what is to be read behind it.

        head: the beginning of the file; whole: whether there is no more. Raises DataRefused.
        """
        lines = BytesIO(head).readlines()
        place = self.form.skip_rows
        if place is None:
            place = self._header_place(lines)
        if len(lines) < place:
            raise DataRefused(f"the file has {len(lines)} lines; the contract skips {place}")
        if place:
            self._refuse_returns(lines[:place])
            self._skip("skip_rows", place)
        rest = iter(lines[place:])
        if self.form.skip_rows is None:
            found, rows = [next(rest)], 1
        else:
            # One that is to be read as it came is a record like others here.
            rows = self.form.header_rows if self.form.header_rows > 1 else 0
            rows = max(rows, self.form.skip_repeated_header and self.form.header_rows)
            found = list(islice(self._unskipped(rest), rows))
        if not whole and (len(found) < rows or (not head.endswith(b"\n") and found == lines[-1:])):
            raise DataRefused(f"the header does not end within {_BLOCK_BYTES >> 20} MiB")
        self._read += len(found)
        quote = bytes([self.dialect.quote])
        if any(self._spelling.shadow(line).count(quote) & 1 for line in found):
            raise DataRefused(
                f"the header on line {self._read} has a quote that goes on in the next line; with"
                " header_rows, repeated_header or skip_rows: to_header it must be of whole lines"
            )
        header = self._bare(found[0]) if found else b""
        if not self.form.header_rows:
            self._refuse_header(lines[place:])
            header = self._header_of(self.names)
        elif len(found) > 1:
            self._row = found[0].rstrip(b"\r\n")
            columns = zip_longest(*map(self._cells, found), fillvalue="")
            header = self._header_of([" ".join(filter(None, map(str.strip, c))) for c in columns])
        if header:
            cells = self._fields(header)
            self._pattern = self.form.skipped(self.dialect, cells)
            self._width, self._nameless = len(cells), _blanks_at_end(cells)
            self._header = list(map(str.lower, cells))
            self._write(header)
            self._written += 1
            self._shift()
        return b"".join(rest)

    def _refuse_returns(self, lines: Sequence[bytes]) -> None:
        """Raises DataRefused for lines that another reader would take for several."""
        if any(b"\r" in self._without_end(line) for line in lines):
            raise DataRefused(
                "a line that the contract skips (skip_rows) has a carriage return in it; lines must"
                " end in LF, CRLF or all in CR"
            )

    def _unskipped(self, lines: Iterator[bytes]) -> Iterator[bytes]:
        for line in lines:
            if reason := self._reason(line):
                self._skip(reason)
            else:
                yield line

    def _header_place(self, lines: Sequence[bytes]) -> int:
        """How many lines stand before the one with the contract's names. Raises DataRefused."""
        for place, line in enumerate(lines[:_MAX_PREAMBLE]):
            if self.is_header(self._cells(line)):
                return place
        for place, line in enumerate(lines[:_MAX_PREAMBLE], start=1):
            names = line.lstrip(b"#;!%/* ")
            if self.is_header(self._cells(names)):
                mark = line[: len(line) - len(names)].decode().strip()
                raise DataRefused(
                    f"line {place} has the contract's names behind {mark!r}; `comment: {mark!r}`"
                    " beside `skip_rows: to_header` reads them"
                )
        raise DataRefused(
            f"none of the first {min(len(lines), _MAX_PREAMBLE):,} lines has the contract's names,"
            " up to which `skip_rows: to_header` skips; correct the names or the delimiter"
        )

    def _refuse_header(self, lines: Sequence[bytes]) -> None:
        """Raises DataRefused for a file that has a header after all."""
        first = next((line for line in lines if not self._reason(line)), b"")
        if self.is_header(self._cells(first)):
            raise DataRefused(
                f"{first[:120].decode(errors='backslashreplace').rstrip()!r} has the contract's"
                " names, but the contract says `header: false`; take that out of it"
            )

    def _reason(self, line: bytes) -> str | None:
        """Why a line is skipped; None if it is not."""
        line = self._without_end(line)
        # What another reader takes for several lines is not skipped as one.
        match = self._pattern.fullmatch(line) if self._pattern and b"\r" not in line else None
        return match.lastgroup if match else None

    def _without_end(self, line: bytes) -> bytes:
        line = line.removesuffix(b"\n").removesuffix(b"\r")
        return line.removesuffix(b"\r") if self._spelling.twice else line

    def _bare(self, line: bytes) -> bytes:
        """A header's line in canonical text, without the mark of a comment behind which `to_header`
        may find it.
        """
        mark = (self.form.comment or "").encode()
        commented = self.form.skip_rows is None and mark and line.startswith(mark)
        return self._spelling.canonical(line.removeprefix(mark).lstrip(b" ") if commented else line)

    def _cells(self, line: bytes) -> list[str]:
        return self._fields(self._bare(line))

    def _fields(self, header: bytes) -> list[str]:
        with suppress(UnicodeDecodeError):
            return read_fields(header.rstrip(b"\r\n"), self.dialect)
        return []

    def _header_of(self, names: Sequence[str]) -> bytes:
        quote = chr(self.dialect.quote)
        quoted = (quote + name.replace(quote, quote * 2) + quote for name in names)
        return chr(self.dialect.delimiter).join(quoted).encode() + b"\n"

    def _records(self, data: bytes, final: bool) -> bytes:
        """Writes what begins with a record, without skipped lines; returns what is not finished."""
        kept = place = 0  # up to where all is written or skipped, and looked at
        stop = len(data) if final else data.rfind(b"\n") + 1
        begins, last, empty = self._cut(data, 0, final)
        pattern = self._pattern
        while pattern and place < stop and (match := pattern.search(data, place, stop)):
            found, reason = match.start(), match.lastgroup
            if found == stop:
                break
            place = end = data.find(b"\n", found) + 1 or len(data)
            if match.end() >= end or data.find(b"\r", found, end - 2) >= 0:
                # A pattern may go on into the next line, where it does not hold of this one.
                reason = self._reason(data[found:end])
            behind = last < found <= empty
            if not reason or not (found in begins or behind):
                continue
            self._keep(data[kept:found])
            self._refuse_other_header(data[found:end])
            self._skip(reason)
            kept = end
            if behind and not data[found:end].strip(b"\r\n"):
                last = end
            elif end not in begins:
                # It has a quote that the lines after it were taken into.
                begins, last, empty = self._cut(data, end, final)
        last = len(data) if final else max(last, kept)
        self._keep(data[kept:last])
        if len(data) - last > _MAX_UNFINISHED_BYTES:
            # As the strict reader does: what follows is not known to be records.
            raise DataRefused(
                f"the record on line {self._read + 1} does not end within"
                f" {_MAX_UNFINISHED_BYTES >> 20} MiB; a quote opened in it is probably never closed"
            )
        return data[last:]

    def _cut(self, data: bytes, start: int, final: bool) -> tuple[Container[int], int, int]:
        """Where records begin from one place on, at which one does; where the last one ends; and up
        to where empty lines follow it, before a record that is not finished.
        """
        shadow = self._spelling.shadow(data[start:])
        if self.dialect.quote not in shadow and not self._spelling.escapes(data):
            # Every line is a record.
            last = max(start, data.rfind(b"\n", start) + 1)
            return range(len(data) + 1), last, last
        nexts = (cut_records(shadow, self.dialect, final).nexts + start).tolist()
        last = nexts[-1] if nexts else start
        empty = _EMPTY_LINES.match(data, last)
        return {start, *nexts}, last, empty.end() if empty else last

    def _refuse_other_header(self, line: bytes) -> None:
        """Raises DataRefused for a line that is skipped and tells of columns in another order."""
        cells = self._cells(line) if self.form.skip_rows is None and self.form.comment else []
        if self.is_header(cells) and list(map(str.lower, cells)) != self._header:
            raise DataRefused(
                f"line {self._read + 1} is another header, {line[:120].decode(errors='replace')!r};"
                " the columns behind it are others"
            )

    def _of_width(self, text: bytes) -> bytes:
        """Records with as many fields as the header, if they may; the first of all is that."""
        cut = cut_records(text, self.dialect, final=True)
        if not len(cut.starts):
            return text
        if self._width is None:
            self._width = int(cut.fields[0])
            self._nameless = _blanks_at_end(self._read_fields(text[cut.starts[0] : cut.ends[0]]))
        data = np.frombuffer(text, np.uint8)
        usable = (cut.ends > cut.starts) & ~np.isin(cut.starts, list(cut.malformed_starts))
        missing = np.where(usable, self._width - cut.fields, 0)
        added = dropped = np.zeros(0, np.int64)
        shifted = usable & False
        if self.form.drop_trailing:
            shifted = self._shifted(text, cut, usable)
            one_more = (missing == -1) & (data[cut.ends - 1] == self.dialect.delimiter) & ~shifted
            # Without it a carriage return would end the line.
            one_more &= data[cut.ends - 2] != CR
            dropped = cut.ends[one_more] - 1
            # One more field makes it too wide for the strict reader.
            added = cut.ends[shifted & (missing == 0)]
        if self.form.pad_short:
            short = np.where(shifted, 0, np.maximum(missing, 0))
            added = np.sort(np.concatenate((added, np.repeat(cut.ends, short))))
            self.skipped.update({"columns.short": n} if (n := int((short > 0).sum())) else {})
        if not len(added) + len(dropped):
            return text
        dropped += added.searchsorted(dropped, side="right")
        padded = np.insert(data, added, self.dialect.delimiter)
        return np.delete(padded, dropped).tobytes()

    def _shifted(
        self, text: bytes, cut: Cut, usable: npt.NDArray[np.bool_]
    ) -> npt.NDArray[np.bool_]:
        """Which records have a value below the blank cells at the end of the header, or behind it.

        So does one in which a delimiter that is part of a value is not quoted; without its last
        values it would be another record.
        """
        data = np.frombuffer(text, np.uint8)
        delimiter, quote = self.dialect.delimiter, self.dialect.quote
        beyond = np.clip(cut.fields - ((self._width or 0) - self._nameless), 0, self._nameless + 1)
        shifted = usable & (beyond > 0)
        for count in np.unique(beyond[shifted]).tolist():
            for empty in (bytes([delimiter]), bytes([delimiter, quote, quote])):
                # Without a look at each field: the record ends in so many empty ones.
                indexes = np.flatnonzero(shifted & (beyond == count))
                fits = np.ones(len(indexes), np.bool_)
                for place, byte in enumerate(reversed(empty * count), start=1):
                    fits &= data[cut.ends[indexes] - place] == byte
                shifted[indexes[fits]] = False
        for index in np.flatnonzero(shifted).tolist():
            fields = self._read_fields(text[cut.starts[index] : cut.ends[index]])
            shifted[index] = _blanks_at_end(fields) < beyond[index]
        return shifted

    def _read_fields(self, record: bytes) -> Sequence[str]:
        return read_fields(record.decode("utf-8", "replace").encode(), self.dialect)

    def _swapped_back(self, text: bytes) -> bytes:
        """The text with line feeds at the ends of records alone, as it came within quotes."""
        cut = cut_records(text, self.dialect, final=True)
        # A quote that is never closed swallows lines, so they stay lines.
        nexts = cut.nexts if cut.open_at is None else cut.nexts[:-1]
        end = int(nexts[-1]) if len(nexts) else 0
        # Lines within quotes are none of the text's.
        more = cut.line_feeds.searchsorted(nexts) - np.arange(1, len(nexts) + 1)
        for index in np.flatnonzero(np.diff(more, prepend=0)).tolist():
            shift = self._read - self._written + int(more[index])
            self.shifts.extend((self._written + index + 2, shift))
        back = np.frombuffer(text[:end].translate(_SWAPPED), np.uint8).copy()
        back[nexts - 1] = np.frombuffer(text, np.uint8)[nexts - 1]
        return back.tobytes() + text[end:]


def _blanks_at_end(cells: Sequence[str]) -> int:
    """How many of a record's last cells are blank."""
    return sum(1 for _ in takewhile(lambda cell: not cell.strip(), reversed(cells)))
