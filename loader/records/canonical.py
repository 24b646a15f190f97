"""Turns a file as its contract describes it into canonical text: UTF-8 that begins with one header.

The strict reader, the engine and COPY read canonical text as they read a file that is written so.
Only whole lines are taken out, and only where a record would begin, so no record is changed. Where
which line of the text was in the file is kept beside it.
"""

import codecs
import json
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from itertools import chain, islice, zip_longest
from pathlib import Path
from typing import BinaryIO

import numpy as np

from loader.errors import DataRefused
from loader.records.cut import cut_records
from loader.records.dialect import Dialect, Form
from loader.records.reader import read_fields

_BLOCK_BYTES = 1024 * 1024
# A record is looked for within this, and else within all that was read.
_NEAR_BYTES = 64 * 1024
# A record that goes on for longer makes the file be refused.
_MAX_UNFINISHED_BYTES = 6 * 1024 * 1024
# Of a file whose lines end in carriage returns, which are taken for line feeds, and back.
_SWAPPED = bytes.maketrans(b"\r\n", b"\n\r")
# Lines that may stand before the header.
_MAX_PREAMBLE = 1000

# Whether the cells of a line are the contract's header.
IsHeader = Callable[[Sequence[str]], bool]


@dataclass(frozen=True)
class Origin:
    """What was taken out of a file to make its canonical text.

    skipped: how many lines, by the contract's word; and, as columns.short, how many records were
    padded. shifts: from which line of the text on how many lines more, or fewer, stand before it in
    the file, in ascending order. canonical: whether there is such a text, or the file is read as it
    is.
    """

    skipped: Counter[str]
    shifts: Sequence[tuple[int, int]]
    canonical: bool = True

    def line(self, number: int) -> int:
        """The line of the file that a line of the text was."""
        index = bisect_right(self.shifts, (number, float("inf")))
        return number + (self.shifts[index - 1][1] if index else 0)

    @classmethod
    def of(cls, text: Path) -> "Origin":
        """That of a text; of one that write_canonical() did not write, nothing was taken out."""
        if not _beside(text).exists():
            return cls(Counter(), [], canonical=False)
        kept = json.loads(_beside(text).read_text())
        return cls(Counter(kept["skipped"]), [(line, shift) for line, shift in kept["shifts"]])


def write_canonical(
    path: Path,
    text: Path,
    form: Form,
    dialect: Dialect,
    names: Sequence[str],
    is_header: IsHeader,
) -> None:
    """Writes the canonical text of a file, and its Origin beside it.

    names: of the contract's columns, which are the header of a file that has none. Raises
    DataRefused for a file that is not written as the form says, OSError.
    """
    with path.open("rb") as file, text.open("wb") as out:
        writer = _Writer(form, dialect, names, is_header, out)
        writer.write(_as_utf8(file, form.encoding))
    kept = {"skipped": writer.skipped, "shifts": writer.shifts}
    _beside(text).write_text(json.dumps(kept))


def has_bare_returns(path: Path) -> bool:
    """Whether lines of a file end in carriage returns alone, by its beginning. Raises OSError."""
    with path.open("rb") as file:
        data = file.read(_NEAR_BYTES)
    return b"\r" in data[:-1] and b"\n" not in data


def _beside(text: Path) -> Path:
    return text.resolve().with_suffix(".origin")


def _as_utf8(file: BinaryIO, encoding: str) -> Iterator[bytes]:
    """The text as UTF-8, without a byte order mark, in blocks of some size.

    A byte that the encoding does not have comes as it is, and so makes its record no UTF-8. Raises
    DataRefused.
    """
    # In these a unit has several bytes, so what stands alone is half of a character.
    wide = codecs.lookup(encoding).name.startswith(("utf-16", "utf-32"))
    errors = "surrogatepass" if wide else "surrogateescape"
    decoder = codecs.getincrementaldecoder(encoding)(errors)
    position, first = 0, True
    while True:
        data = file.read(_BLOCK_BYTES)
        try:
            decoded = decoder.decode(data, final=not data)
        except UnicodeDecodeError as error:
            raise DataRefused(
                f"near byte {position + error.start:,}: {error.reason}; the contract says that the"
                f" file is {encoding} (key encoding)"
            ) from None
        position += len(data)
        if first and decoded:
            decoded, first = decoded.removeprefix("\ufeff"), False
        yield decoded.encode("utf-8", errors)
        if not data:
            return


@dataclass
class _Writer:
    """Writes one text. line: how many lines were read, and written: how many were written."""

    form: Form
    dialect: Dialect
    names: Sequence[str]
    is_header: IsHeader
    out: BinaryIO

    def __post_init__(self) -> None:
        self.skipped = Counter[str]()
        self.shifts: list[tuple[int, int]] = []
        self._read = self._written = 0
        self._pattern = self.form.skipped(self.dialect)
        self._reshapes = self.form.drop_trailing or self.form.pad_short
        self._width: int | None = None

    def write(self, blocks: Iterator[bytes]) -> None:
        """Writes header and records."""
        head, lines = b"", (self.form.skip_rows or 0) + self.form.header_rows
        for block in blocks:
            head += block
            # Room for what stands before the header, and the header.
            ends = head.count(b"\n") or head.count(b"\r")
            if len(head) >= _BLOCK_BYTES and ends >= lines and not head.endswith(b"\r"):
                break
            if len(head) > _MAX_UNFINISHED_BYTES:
                raise DataRefused(
                    f"the first {lines:,} lines do not end within {_MAX_UNFINISHED_BYTES >> 20} MiB"
                )
        self._swaps = b"\n" not in head and b"\r" in head
        if self._swaps:
            head, blocks = head.translate(_SWAPPED), (b.translate(_SWAPPED) for b in blocks)
        blocks = chain([self._behind_header(head)], blocks)
        if not (self._pattern or self._reshapes or self._swaps):
            for block in blocks:
                self.out.write(block)
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
        if self.shifts and self.shifts[-1][0] == line:
            self.shifts.pop()
        if shift != (self.shifts[-1][1] if self.shifts else 0):
            self.shifts.append((line, shift))

    def _keep(self, text: bytes) -> None:
        """Writes whole records."""
        text = self._of_width(text) if self._reshapes else text
        self.out.write(self._swapped_back(text) if self._swaps else text)
        lines = text.count(b"\n")
        self._read += lines
        self._written += lines

    def _behind_header(self, head: bytes) -> bytes:
        """Writes a header that is not as it came; returns what is to be read behind it."""
        lines = BytesIO(head).readlines()
        place = self.form.skip_rows
        if place is None:
            place = self._header_place(lines)
        if lines[:place]:
            self._skip("skip_rows", len(lines[:place]))
        rest = iter(lines[place:])
        if self.form.skip_rows is None:
            found = [next(rest)]
        else:
            # One that is to be read as it came is a record like others here.
            rows = self.form.header_rows if self.form.header_rows > 1 else 0
            rows = max(rows, self.form.skip_repeated_header and self.form.header_rows)
            found = list(islice(self._unskipped(rest), rows))
        self._read += len(found)
        if not self.form.header_rows:
            self._refuse_header(lines[place:])
            found = [self._header_of(self.names)]
        elif len(found) > 1:
            cells = zip_longest(*map(self._cells, found), fillvalue="")
            found = [self._header_of([" ".join(filter(None, map(str.strip, c))) for c in cells])]
        if found:
            self._pattern = self.form.skipped(self.dialect, self._cells(found[0]))
            self._width = len(self._cells(found[0]))
        for line in found:
            self.out.write(self._bare(line))
            self._written += 1
            self._shift()
        return b"".join(rest)

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
        line = line.removesuffix(b"\n").removesuffix(b"\r")
        match = self._pattern.fullmatch(line) if self._pattern else None
        return match.lastgroup if match else None

    def _bare(self, line: bytes) -> bytes:
        """A header's line without the mark of a comment, behind which `to_header` may find it."""
        mark = (self.form.comment or "").encode()
        commented = self.form.skip_rows is None and mark and line.startswith(mark)
        return line.removeprefix(mark).lstrip() if commented else line

    def _cells(self, line: bytes) -> list[str]:
        with suppress(UnicodeDecodeError):
            return read_fields(self._bare(line).rstrip(b"\r\n"), self.dialect)
        return []

    def _header_of(self, names: Sequence[str]) -> bytes:
        quote = chr(self.dialect.quote)
        quoted = (quote + name.replace(quote, quote * 2) + quote for name in names)
        return chr(self.dialect.delimiter).join(quoted).encode() + b"\n"

    def _records(self, data: bytes, final: bool) -> bytes:
        """Writes what begins with a record, without skipped lines; returns what is not finished."""
        start = place = 0  # where a record begins, and up to where all is looked at
        kept = 0
        stop = len(data) if final else data.rfind(b"\n") + 1
        pattern = self._pattern
        while pattern and place < stop and (match := pattern.search(data, place, stop)):
            found = match.start()
            if found == stop:
                break
            end = data.find(b"\n", found) + 1 or len(data)
            # A pattern may go on into the next line, where it does not hold of this one.
            reason = self._reason(data[found:end])
            if not reason:
                place = end
            elif self._begins(data, start, found):
                self._keep(data[kept:found])
                self._skip(reason)
                kept = start = place = end
            else:
                start, end = self._around(data, start, found, final)
                if not end:
                    break
                start = place = end
        if final:
            self._keep(data[kept:])
            return b""
        end = self._last_end(data, start)
        self._keep(data[kept:end])
        if len(data) - end > _MAX_UNFINISHED_BYTES:
            # As the strict reader does: what follows is not known to be records.
            raise DataRefused(
                f"the record on line {self._read + 1} does not end within"
                f" {_MAX_UNFINISHED_BYTES >> 20} MiB; a quote opened in it is probably never closed"
            )
        return data[end:]

    def _of_width(self, text: bytes) -> bytes:
        """Records with as many fields as the header, if they may; the first of all is that."""
        cut = cut_records(text, self.dialect, final=True)
        if not len(cut.starts):
            return text
        self._width = self._width or int(cut.fields[0])
        data = np.frombuffer(text, np.uint8)
        usable = (cut.ends > cut.starts) & ~np.isin(cut.starts, list(cut.malformed_starts))
        missing = np.where(usable, self._width - cut.fields, 0)
        added = dropped = np.zeros(0, np.int64)
        if self.form.pad_short:
            added = np.repeat(cut.ends, np.maximum(missing, 0))
            self.skipped.update({"columns.short": n} if (n := int((missing > 0).sum())) else {})
        if self.form.drop_trailing:
            one_more = (missing == -1) & (data[cut.ends - 1] == self.dialect.delimiter)
            dropped = cut.ends[one_more] - 1
        if not len(added) + len(dropped):
            return text
        dropped += added.searchsorted(dropped, side="right")
        padded = np.insert(data, added, self.dialect.delimiter)
        return np.delete(padded, dropped).tobytes()

    def _swapped_back(self, text: bytes) -> bytes:
        """The text with line feeds at the ends of records alone, as it came within quotes."""
        nexts = cut_records(text, self.dialect, final=True).nexts
        end = int(nexts[-1]) if len(nexts) else 0
        back = np.frombuffer(text[:end].translate(_SWAPPED), np.uint8).copy()
        back[nexts - 1] = np.frombuffer(text, np.uint8)[nexts - 1]
        return back.tobytes() + text[end:]

    def _begins(self, data: bytes, start: int, place: int) -> bool:
        """Whether a record begins at a line's begin, as one does at start."""
        return not data[self._last_end(data, start, place) : place].strip(b"\r\n")

    def _last_end(self, data: bytes, start: int, stop: int | None = None) -> int:
        """Where the last record ends that is whole between two places."""
        stop = len(data) if stop is None else stop
        if data.find(self.dialect.quote, start, stop) < 0:
            return max(start, data.rfind(b"\n", start, stop) + 1)
        nexts = cut_records(data[start:stop], self.dialect, final=False).nexts
        return start + (int(nexts[-1]) if len(nexts) else 0)

    def _around(self, data: bytes, start: int, place: int, final: bool) -> tuple[int, int]:
        """The record around a place: where it begins and ends, 0 if it does not end here."""
        for stop in (min(len(data), place + _NEAR_BYTES), len(data)):
            nexts = cut_records(
                data[start:stop], self.dialect, final=final and stop == len(data)
            ).nexts
            index = int(nexts.searchsorted(place - start, side="right"))
            if index:
                start, nexts = start + int(nexts[index - 1]), nexts[index:] - nexts[index - 1]
            elif not len(nexts):
                continue
            if len(nexts):
                return start, start + int(nexts[0])
        return start, 0
