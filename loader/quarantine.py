"""Refused records on their way into the warehouse, and back from it to be judged again."""

from __future__ import annotations

import base64
import binascii
import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, TextIO

from loader.contract import Feed
from loader.errors import ConfigError, DataRefused
from loader.records import Dialect, read_blocks
from loader.rejects import Reject, read_rejects
from loader.storage import FileVersion
from loader.validate import Verdict

__all__ = [
    "COLUMNS",
    "QUARANTINE",
    "Corrections",
    "Quarantined",
    "export_cell",
    "is_one_record",
    "print_csv",
    "read_corrections",
    "write_rejected",
    "written_out",
]

QUARANTINE = "loader._rejected_records"

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

# Spreadsheets take a cell that begins with one of these for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "'")

_EXPORTED = (
    *("load", "file", "record", "line", "column", "rule", "value", "message"),
    *("raw_encoding", "raw"),
)

Corrections = dict[tuple[int, str, int], bytes]


@dataclass(frozen=True)
class Quarantined:
    """A refused record as the warehouse has it, its parts put together.

    header: the header of its file, None where it cannot be kept. raw: its bytes without line end.
    replayed_by: the load that took it after all.
    """

    load_id: int
    uri: str
    etag: str
    record: int
    line: int
    column: str | None
    rule: str
    value: str | None
    message: str
    header: str | None
    raw: bytes
    contract: str
    replayed_by: int | None

    def to_json(self) -> dict[str, Any]:
        """For machines; raw as in NAME.rejects.jsonl."""
        return {
            "load": self.load_id,
            "file": self.uri,
            "record": self.record,
            "line": self.line,
            "column": self.column,
            "rule": self.rule,
            "value": self.value,
            "message": self.message,
            "raw": self.raw.decode("utf-8", "surrogateescape"),
            "contract": self.contract,
            "replayed_by": self.replayed_by,
        }

    def to_row(self) -> dict[str, str]:
        """For a spreadsheet, and for read_corrections()."""
        encoding, text = _encoded(self.raw)
        cells = {**self.to_json(), "raw_encoding": encoding, "raw": text}
        return {key: export_cell(value) for key, value in cells.items()}


def write_rejected(path: Path, feed: Feed, files: Iterable[tuple[FileVersion, Verdict]]) -> int:
    """Writes the refused records of files as CSV of COLUMNS; returns how many rows."""
    rows = 0
    with path.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out, lineterminator="\n", quoting=csv.QUOTE_ALL)
        writer.writerow(COLUMNS)
        for file, verdict in files:
            header = _storable(verdict.header)
            for reject in read_rejects(verdict.rejects.path) if verdict.rejects else ():
                for row in _rows(file, reject, header, feed.fingerprint):
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


def _encoded(raw: bytes) -> tuple[str, str]:
    """How the bytes are written as text: themselves where a warehouse can hold them."""
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        return "base64", base64.b64encode(raw).decode()
    return "utf-8", text


def _parts(raw: bytes) -> tuple[str, list[str]]:
    encoding, _ = _encoded(raw)
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


def _decoded(encoding: str, parts: Iterable[str]) -> bytes:
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


def written_out(rows: Iterable[dict[str, Any]]) -> Iterator[Quarantined]:
    """Records from rows of the quarantine, ordered by load, file, record and part."""
    first: dict[str, Any] | None = None
    parts: list[str] = []
    for row in (*rows, None):
        if first is not None and (row is None or row["part"] == 1):
            yield Quarantined(
                raw=_decoded(first["raw_encoding"], parts),
                column=first["column_name"],
                **{name: first[name] for name in _KEPT},
            )
        if row is not None:
            if row["part"] == 1:
                first, parts = row, []
            # An empty text is NULL in the warehouse.
            parts.append(row["raw_text"] or "")


_KEPT = (
    *("load_id", "uri", "etag", "record", "line", "rule", "value"),
    *("message", "header", "contract", "replayed_by"),
)


def is_one_record(raw: bytes, dialect: Dialect, width: int) -> bool:
    """Whether the bytes are one well-formed record of so many fields, whatever follows them."""
    try:
        blocks = list(read_blocks(BytesIO(raw + b"\n"), dialect, width, 0, 1))
    except DataRefused:
        return False  # it opens a quote that it does not close
    alone = [len(block) for block in blocks] == [1]
    return alone and not blocks[0].faults and blocks[0].raw(0) == raw


def export_cell(value: object) -> str:
    """Text for a cell of a CSV file that people open in a spreadsheet: never a formula."""
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def print_csv(records: Iterable[Quarantined], out: TextIO, header: bool = True) -> None:
    """Writes records as CSV that read_corrections() reads."""
    # Lines end in CRLF; with LF alone, Python 3.11 and 3.12 leave a lone CR unquoted.
    writer = csv.DictWriter(out, _EXPORTED, extrasaction="ignore")
    if header:
        writer.writeheader()
    for record in records:
        writer.writerow(record.to_row())


def read_corrections(path: Path) -> Corrections:
    """Corrected records by load, file and number, from a CSV file as `rejects --csv` prints it.

    Raises ConfigError that names file and line.
    """
    needed = ("load", "file", "record", "raw")
    corrections: Corrections = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            if missing := [name for name in needed if name not in (reader.fieldnames or ())]:
                raise ConfigError(
                    f"{path}: no column {', '.join(missing)} in its header; it has to have"
                    f" {', '.join(needed)}, as `python -m loader rejects --csv` prints them"
                )
            for row in reader:
                place = f"{path}, line {reader.line_num}"
                key = _key(row, place)
                if key in corrections:
                    raise ConfigError(f"{place}: record {key[2]} of {key[1]} is there twice")
                corrections[key] = _corrected(row, place)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: not UTF-8; save it as CSV UTF-8") from None
    except csv.Error as error:
        raise ConfigError(f"{path}: no well-formed CSV: {error}") from None
    return corrections


def _key(row: dict[str, str], place: str) -> tuple[int, str, int]:
    try:
        return int(row["load"]), _cell(row["file"]), int(row["record"])
    except (TypeError, ValueError):
        raise ConfigError(f"{place}: load and record have to be whole numbers") from None


def _corrected(row: dict[str, str], place: str) -> bytes:
    encoding = row.get("raw_encoding") or "utf-8"
    try:
        return _decoded(encoding, [_cell(row["raw"])])
    except binascii.Error:
        raise ConfigError(
            f"{place}: raw is not base64, as raw_encoding says; for plain text leave that empty"
        ) from None


def _cell(text: str | None) -> str:
    """The text that export_cell() made a cell of."""
    return (text or "").removeprefix("'")
