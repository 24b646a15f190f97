"""CSV as COPY takes it: whole records, checked, in blocks that PostgreSQL's own COPY may parse.

PostgreSQL reads CSV more freely than a loader's promise allows (a quotation mark may open in the
middle of a field, `\\.` on a line of its own ends the data), so every block passes these checks
first: UTF-8, no NUL, no byte order mark, quotation marks only around whole fields and doubled
inside them, no bare carriage return. They are a few passes over a megabyte in C, not a loop over
records. Where AWS's documentation leaves open what Redshift does, the record is refused.

Sources: AWS, "Data format parameters" (CSV), "Data conversion parameters" (IGNOREHEADER, NULL AS),
"Multibyte character load errors", "Load error reference".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

from rig.copy_command import CopyCommand
from rig.load_log import LoadError

# "Preparing your input data": a single row may hold 4 MB.
MAX_RECORD = 4 << 20
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_BAD_QUOTES = "Invalid quote formatting for CSV"

Reject = Callable[[LoadError], None]


class Records:
    """The records of one file.

    `line` is the number of the first line that blocks() has not given yet; `skipped` the lines of
    the header. With `slow`, every record is looked at on its own, so that bad ones can be left out
    (MAXERROR), and comes with its line number as a first field.
    """

    def __init__(self, command: CopyCommand, columns: list[str], *, slow: bool) -> None:
        self.line = 1
        self._header = command.ignore_header
        self._slow = slow
        self._names = columns
        self._columns = len(columns)
        self._delimiter = command.delimiter.encode()
        self._quote = command.quote.encode()
        d, q = re.escape(self._delimiter), re.escape(self._quote)
        field = rb"(?:%b(?:[^%b]++|%b%b)*+%b|[^%b%b\r\n]*+)" % (q, q, q, q, q, d, q)
        record = rb"%b(?:%b%b)*+\n" % (field, d, field)
        self._field = re.compile(rb"(%b)(?:%b|\n)" % (field, d), re.DOTALL)
        self._record = re.compile(record, re.DOTALL)
        self._records = re.compile(rb"(?:%b)*+" % record, re.DOTALL)

    def blocks(self, chunks: Iterable[bytes], reject: Reject) -> Iterator[bytes]:
        """Yield blocks of whole records. `reject` is told of a bad record and may raise.

        Raises LoadError for a bad record when not `slow`.
        """
        for block in self._cut(_without_byte_order_mark(chunks)):
            body = self._without_header(block)
            if not body:
                continue
            if self._slow:
                good = b"".join(self._one_by_one(body, reject))
                if good:
                    yield good
            else:
                self._check(body)
                self.line += body.count(b"\n")
                yield body

    def _cut(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """Cut the stream where a record ends: at a newline outside quotation marks."""
        rest = b""
        for chunk in chunks:
            data = rest + chunk
            end = self._last_record_end(data)
            rest = data[end:]
            if end:
                yield data[:end]
            if len(rest) > 2 * MAX_RECORD:
                raise LoadError(1216, "Input line is larger than 4 MB", self.line)
        if rest:
            yield rest if rest.endswith(b"\n") else rest + b"\n"

    def _last_record_end(self, data: bytes) -> int:
        """Position behind the last newline that an even number of quotation marks precedes."""
        end = data.rfind(b"\n") + 1
        quotes = data.count(self._quote, 0, end)
        while quotes % 2 and end:
            before = data.rfind(b"\n", 0, end - 1) + 1
            quotes -= data.count(self._quote, before, end)
            end = before
        return end

    def _without_header(self, block: bytes) -> bytes:
        """Drop the lines of the header. They count as lines whatever quotation marks they hold."""
        at = 0
        while self._header and at < len(block):
            end = block.index(b"\n", at) + 1
            if block.count(self._quote, at, end) % 2:
                # A line break inside a quoted name: AWS does not say what IGNOREHEADER counts.
                raise LoadError(1216, "the rig does not imitate line breaks in a header", self.line)
            at = end
            self._header -= 1
            self.line += 1
        return block[at:]

    def _check(self, body: bytes) -> None:
        """Check a block at once; if it fails, find the record that is to blame."""
        sound = (
            b"\0" not in body
            and (body.isascii() or _is_utf8(body))
            and not _ends_data(body)
            and len(body) <= MAX_RECORD
            and not body.startswith(b"\n")
        )
        if sound and self._quote not in body:
            sound = b"\r" not in body and b"\n\n" not in body
        elif sound:
            sound = self._records.fullmatch(body) is not None and self._columns > 1
        if sound:
            return
        for _ in self._one_by_one(body, raise_error, count=False):
            pass

    def _one_by_one(self, body: bytes, reject: Reject, *, count: bool = True) -> Iterator[bytes]:
        """Look at every record; yield the good ones, each behind its line number."""
        at, line = 0, self.line
        while at < len(body):
            match = self._record.match(body, at)
            end = match.end() if match else body.index(b"\n", at) + 1
            record = body[at:end]
            problem = self._problem(record, well_formed=match is not None)
            if problem is None:
                yield b"%d%b%b" % (line, self._delimiter, record)
            else:
                code, message = problem
                raw = record.rstrip(b"\n").decode("utf-8", "replace")[:1024]
                column = self._column_of_bad_utf8(record) if code == _BAD_UTF8 else ""
                reject(LoadError(code, message, line, column, raw=raw))
            line += record.count(b"\n")
            at = end
        if count:
            self.line = line

    def _column_of_bad_utf8(self, record: bytes) -> str:
        try:
            record.decode("utf-8")
        except UnicodeDecodeError as error:
            place = len(self._field.findall(record[: error.start]))
            return self._names[place] if place < len(self._names) else ""
        return ""

    def _problem(self, record: bytes, *, well_formed: bool) -> tuple[int, str] | None:
        """What is wrong with a record: a load error's code and message."""
        if b"\0" in record:
            return 1218, "Invalid null byte - the rig does not imitate NUL in load data"
        bad = _bad_utf8(record)
        if bad is not None:
            return _BAD_UTF8, f"String contains invalid or unsupported UTF8 codepoints. {bad}"
        if len(record) > MAX_RECORD:
            return 1216, "Input line is larger than 4 MB"
        if record in (b"\n", b"\r\n"):
            return 1211, "Input line contained no data"
        if not well_formed:
            if self._quote not in record and b"\r" in record:
                return 1216, "the rig does not imitate carriage returns outside quotes"
            return 1216, _BAD_QUOTES
        if record == b"\\.\n":
            return 1216, "the rig does not imitate a line that is only \\."
        fields = len(self._field.findall(record))
        if fields > self._columns:
            return 1202, "Extra column(s) found"
        if fields < self._columns:
            return 1214, "Delimiter not found"
        return None


def raise_error(error: LoadError) -> None:
    """Take no bad record."""
    raise error


def _without_byte_order_mark(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Refuse a byte order mark: AWS speaks of it for UTF-16 only."""
    start = b""
    for chunk in chunks:
        if len(start) < len(_BYTE_ORDER_MARK):
            start += chunk[: len(_BYTE_ORDER_MARK)]
            if start.startswith(_BYTE_ORDER_MARK):
                raise LoadError(1216, "the rig does not imitate a byte order mark in UTF-8", 1)
        yield chunk


def _ends_data(body: bytes) -> bool:
    """Say whether a line is `\\.`, which PostgreSQL takes for the end of the data."""
    return body.startswith(b"\\.\n") or b"\n\\.\n" in body


def _is_utf8(body: bytes) -> bool:
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


_BAD_UTF8 = 1220


def _bad_utf8(record: bytes) -> str | None:
    """Redshift's words for the first invalid bytes; its error numbers are on AWS's page."""
    try:
        record.decode("utf-8")
    except UnicodeDecodeError as error:
        bad = record[error.start : error.end]
        number = 2 if "unexpected end" in error.reason else 3 if bad[0] >= 0xF8 else 4
        return f"Bad UTF8 hex sequence: {bad.hex(' ')} (error {number})"
    return None
