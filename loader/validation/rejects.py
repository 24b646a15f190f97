"""What validation found in a file: its verdict, and its rejected records.

Rejected records are written once, as rows that the quarantine takes as they are.

What people read, JSON lines and tables, is made from the same rows.
"""

import base64
import csv
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, Self

from loader.files.kinds import Compression

# The columns of a row. A record that is too long for one row has several, numbered by `part`.
COLUMNS = (
    *("record", "part", "line", "column_name", "rule", "value", "message"),
    *("raw_encoding", "raw_text"),
)

# What people and machines are shown of a record besides its text.
SHOWN = ("file", "record", "line", "column", "rule", "value", "message")

# Redshift: "Character types", VARCHAR holds at most 65,535 bytes.
TEXT_BYTES = 65_535
# Enough to see what is wrong; the raw text has it whole.
_SHOWN_CHARACTERS = 1000
# How many rejects of a file a log remembers to show.
_SHOWN_RECORDS = 20


@dataclass(frozen=True)
class Reject:
    """One rejected record.

    record counts from 1, the header left out; line is the physical line it starts on, the
    header's being 1. column and value are None where the record as a whole is at fault. raw is
    its text without the line end. What is read back has value and message in at most 1,000
    characters.
    """

    file: str
    record: int
    line: int
    column: str | None
    rule: str
    value: str | None
    message: str
    raw: bytes

    def to_json(self) -> dict[str, Any]:
        """For machines; a byte that is not UTF-8 is the lone surrogate U+DC80 + byte - 0x80.

        That is PEP 383's surrogateescape, so encoding `raw` back gives the file's bytes.
        """
        shown = {name: getattr(self, name) for name in SHOWN}
        return {**shown, "raw": self.raw.decode("utf-8", "surrogateescape")}

    def rows(self) -> Iterator[tuple[object, ...]]:
        """The values of COLUMNS, for each part of the record."""
        encoding, text = encoded(self.raw)
        value, message = short(self.value), short(self.message)
        # Beyond ASCII a character may have four bytes; base64 divides into groups of four.
        size = TEXT_BYTES // 4 * (4 if text.isascii() else 1)
        if max(len(self.raw), len(text)) <= TEXT_BYTES:
            size = TEXT_BYTES
        for part, start in enumerate(range(0, len(text) or 1, size), start=1):
            place = (self.record, part, self.line, self.column)
            yield (*place, self.rule, value, message, encoding, text[start : start + size])

    @classmethod
    def from_rows(cls, file: str, rows: Sequence[Mapping[str, Any]], **more: Any) -> Self:
        """A record from all its rows, which may come from a warehouse: NULL for an empty text."""
        row = rows[0]
        return cls(
            file=file,
            record=int(row["record"]),
            line=int(row["line"]),
            column=row["column_name"] or None,
            rule=row["rule"],
            value=row["value"] or None,
            message=row["message"],
            raw=decoded(row["raw_encoding"], (row["raw_text"] or "" for row in rows)),
            **more,
        )


class RejectLog:
    """Writes the rejects of a file; remembers the first few, and how many broke which rule.

    path: where to. A log that stays empty needs none.
    """

    def __init__(self, path: Path = Path(), file: str = "") -> None:
        self._path = path
        self._file = file
        self.by_rule: Counter[tuple[str | None, str]] = Counter()
        self.first: list[Reject] = []

    def write(self, rejects: Iterable[Reject]) -> None:
        """Adds rejects at the end."""
        with self._path.open("a", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_ALL)
            for reject in rejects:
                writer.writerows(reject.rows())
                self.by_rule[reject.column, reject.rule] += 1
                if len(self.first) < _SHOWN_RECORDS:
                    self.first.append(reject)

    def rows(self) -> Iterator[list[str]]:
        """The rows of all rejects, in the file's order."""
        if self.by_rule:
            with self._path.open(encoding="utf-8", newline="") as file:
                yield from csv.reader(file)

    def read(self) -> Iterator[Reject]:
        """All rejects, in the file's order."""
        rows = (dict(zip(COLUMNS, row, strict=True)) for row in self.rows())
        for _, parts in groupby(rows, key=itemgetter("record")):
            yield Reject.from_rows(self._file, list(parts))

    def json_lines(self, **more: object) -> Iterator[str]:
        """All rejects, each a line of JSON. more: what each also has."""
        return (f"{json.dumps({**reject.to_json(), **more})}\n" for reject in self.read())


class NotClean(Exception):
    """A file may have records to reject, or the engine cannot read it as it is."""


@dataclass(frozen=True)
class Verdict:
    """What validation found in one file.

    text: a file that holds, after a header line, exactly the accepted records, its fields in the
    order of `columns`; None if the file was refused as a whole. plain: text is the file itself,
    with nothing in it that a reader could take otherwise: no byte order mark, lines ended by LF,
    the header on one of them, no empty ones. header: the file's own, as it came. unread: the file
    begins clean, and is to be read when it is landed; so far nothing is known of it. skipped: how
    many lines were skipped, by the contract's word; they are no records. missing: the contract's
    columns that the file lacks; ignored: the names of its own that are not read. stored: how the
    file is compressed as it is stored, None if nobody looked.
    """

    file: str
    read: int = 0
    accepted: int = 0
    rejects: RejectLog = field(default_factory=RejectLog)
    refused: str | None = None
    text: Path | None = None
    columns: tuple[str | None, ...] = ()
    plain: bool = False
    header: str = ""
    unread: bool = False
    skipped: Counter[str] = field(default_factory=Counter)
    missing: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    stored: Compression | None = None

    @property
    def rejected(self) -> int:
        """How many records were rejected."""
        return self.rejects.by_rule.total()

    def to_json(self) -> dict[str, Any]:
        """For machines: the file, the counts, and why it was refused as a whole, if it was."""
        shown = ("file", "read", "accepted", "rejected", "skipped", "refused")
        return {name: getattr(self, name) for name in shown}


def encoded(raw: bytes) -> tuple[str, str]:
    """How bytes are written as text: themselves where a warehouse can hold them, else base64."""
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        return "base64", base64.b64encode(raw).decode()
    return "utf-8", text


def decoded(encoding: str, parts: Iterable[str]) -> bytes:
    """The bytes that encoded() wrote as text. Raises binascii.Error."""
    if encoding == "base64":
        return b"".join(base64.b64decode(part, validate=True) for part in parts)
    return "".join(parts).encode()


def short(text: str | None) -> str | None:
    """Text that any warehouse holds, cut to what a person reads."""
    if text is None:
        return None
    if not text.isprintable():
        text = text.replace("\0", "\\x00").encode("utf-8", "backslashreplace").decode()
    return text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 1] + "…"
