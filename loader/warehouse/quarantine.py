"""Refused records on their way into the warehouse, and back from it to be judged again."""

from __future__ import annotations

import base64
import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from loader.contract.feed import Feed
from loader.errors import DataRefused, WarehouseTransient
from loader.files.version import FileVersion
from loader.records.dialect import Dialect
from loader.records.reader import read_blocks
from loader.validation.rejects import Reject, read_rejects
from loader.validation.validator import Verdict
from loader.warehouse.tables import Tables

# An IN list of as many numbers is far below what either engine takes as one statement.
_RECORDS_PER_STATEMENT = 5000

# What a load stages of each refused record; load, feed and time come with the INSERT.
COLUMNS = (
    "uri",
    "etag",
    "record",
    "part",
    "line",
    "column_name",
    "rule",
    "value",
    "message",
    "header",
    "raw_encoding",
    "raw_text",
    "contract",
)

# Redshift: "Character types", VARCHAR holds at most 65,535 bytes; a longer record takes several
# rows. In base64 three bytes are four.
_TEXT_BYTES = 65_535
_BASE64_BYTES = _TEXT_BYTES // 4 * 3
# Enough to see what is wrong; raw_text has it whole.
_SHOWN_CHARACTERS = 1000


@dataclass(frozen=True)
class Quarantined:
    """A refused record as the warehouse has it, its parts put together.

    header: the header of its file, None where it cannot be kept. contract: the fingerprint of the
    rules that refused it.
    """

    load_id: int
    etag: str
    header: str | None
    contract: str
    reject: Reject

    @property
    def raw(self) -> bytes:
        """The record as it came, without its line end."""
        return self.reject.raw.encode("utf-8", "surrogateescape")

    def to_json(self) -> dict[str, Any]:
        """For machines; the reject as in NAME.rejects.jsonl."""
        return {"load": self.load_id, **vars(self.reject), "contract": self.contract}


def write_rejected(path: Path, feed: Feed, files: Iterable[tuple[FileVersion, Verdict]]) -> int:
    """Writes the refused records of files as CSV of COLUMNS; returns how many rows."""
    rows, contract = 0, feed.fingerprint
    with path.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out, lineterminator="\n", quoting=csv.QUOTE_ALL)
        writer.writerow(COLUMNS)
        for file, verdict in files:
            header = _storable(verdict.header)
            for reject in read_rejects(verdict.rejects.path) if verdict.rejects else ():
                for row in _rows(file, reject, header, contract):
                    writer.writerow(row)
                    rows += 1
    return rows


def _rows(
    file: FileVersion, reject: Reject, header: str | None, contract: str
) -> Iterator[tuple[object, ...]]:
    encoding, parts = _parts(reject.raw.encode("utf-8", "surrogateescape"))
    for part, text in enumerate(parts, start=1):
        yield (
            file.uri,
            file.etag,
            reject.record,
            part,
            reject.line,
            reject.column,
            reject.rule,
            _short(reject.value),
            _short(reject.message),
            header,
            encoding,
            text,
            contract,
        )


def encoded(raw: bytes) -> tuple[str, str]:
    """How the bytes are written as text: themselves where a warehouse can hold them."""
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        return "base64", base64.b64encode(raw).decode()
    return "utf-8", text


def _parts(raw: bytes) -> tuple[str, list[str]]:
    encoding, _ = encoded(raw)
    if encoding == "base64":
        cuts = range(0, len(raw), _BASE64_BYTES)
        return encoding, [base64.b64encode(raw[cut : cut + _BASE64_BYTES]).decode() for cut in cuts]
    parts, start = [], 0
    while len(raw) - start > _TEXT_BYTES:
        end = start + _TEXT_BYTES
        # Never within a character: its later bytes begin with the bits 10.
        while raw[end] & 0xC0 == 0x80:
            end -= 1
        parts.append(raw[start:end].decode())
        start = end
    return encoding, [*parts, raw[start:].decode()]


def decoded(encoding: str, parts: Iterable[str]) -> bytes:
    """The bytes that encoded() wrote as text. Raises binascii.Error."""
    if encoding == "base64":
        return b"".join(base64.b64decode(part, validate=True) for part in parts)
    return "".join(parts).encode()


def _short(text: str | None) -> str | None:
    """Text that any warehouse holds, cut to what a person reads."""
    if text is None:
        return None
    text = text.replace("\0", "\\x00").encode("utf-8", "backslashreplace").decode()
    return text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 1] + "…"


def _storable(header: str) -> str | None:
    return None if "\0" in header or len(header.encode()) > _TEXT_BYTES else header


def quarantined(tables: Tables, load_id: int | None, uri: str | None) -> Iterator[Quarantined]:
    """Rejected records of loads that stand, of one load or file if given, not yet replayed."""
    return written_out(tables.rows("quarantined", load_id=load_id, uri=uri))


def mark_replayed(
    tables: Tables, load_id: int, rejected_by: int, uri: str, records: Sequence[int]
) -> None:
    """Marks records that a load rejected as loaded by a later one.

    Raises WarehouseTransient if some of them are no longer in quarantine.
    """
    of = {"load_id": load_id, "rejected_by": rejected_by, "uri": uri}
    for start in range(0, len(records), _RECORDS_PER_STATEMENT):
        some = records[start : start + _RECORDS_PER_STATEMENT]
        tables.run("mark_replayed", records=some, **of)
    if tables.number("count_replayed", **of) != len(records):
        raise WarehouseTransient(f"{uri}: another replay took records of load {rejected_by} first.")


def written_out(rows: Iterable[dict[str, Any]]) -> Iterator[Quarantined]:
    """Records from rows of the quarantine, ordered by load, file, record and part."""
    first: dict[str, Any] | None = None
    parts: list[str] = []
    for row in (*rows, None):
        if first is not None and (row is None or row["part"] == 1):
            yield _put_together(first, parts)
        if row is not None:
            if row["part"] == 1:
                first, parts = row, []
            # An empty text is NULL in the warehouse.
            parts.append(row["raw_text"] or "")


def _put_together(row: dict[str, Any], parts: list[str]) -> Quarantined:
    raw = decoded(row["raw_encoding"], parts).decode("utf-8", "surrogateescape")
    reject = Reject(
        row["uri"],
        row["record"],
        row["line"],
        row["column_name"],
        row["rule"],
        row["value"],
        row["message"],
        raw,
    )
    return Quarantined(row["load_id"], row["etag"], row["header"], row["contract"], reject)


def is_one_record(raw: bytes, dialect: Dialect, width: int) -> bool:
    """Whether the bytes are one well-formed record of so many fields, whatever follows them."""
    try:
        blocks = list(read_blocks(BytesIO(raw + b"\n"), dialect, width, 0, 1))
    except DataRefused:
        return False  # it opens a quote that it does not close
    alone = [len(block) for block in blocks] == [1]
    return alone and not blocks[0].faults and blocks[0].raw(0) == raw
