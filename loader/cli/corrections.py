"""Quarantined records as CSV for people: printed, corrected in a spreadsheet, and read again."""

import binascii
import csv
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TextIO

from loader.cli.output import shown
from loader.errors import ConfigError
from loader.jobs.replay import Corrections, Key
from loader.records.dialect import MAX_RECORD_BYTES
from loader.validation.rejects import SHOWN, decoded, encoded
from loader.warehouse.quarantine import Quarantined

# In base64 a record is a third longer; beyond that, what was corrected may have grown.
_MAX_CELL = 4 * MAX_RECORD_BYTES

_NEEDED = ("load", "file", "record", "raw")
_EXPORTED = ("load", *SHOWN, "raw_encoding", "raw")

# Spreadsheets take a cell that begins with one of these for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠", "'")  # noqa: RUF001


def export_cell(value: object) -> str:
    """Text for a cell of a CSV file that people open in a spreadsheet: never a formula."""
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def print_csv(records: Iterable[Quarantined], out: TextIO, header: bool = True) -> None:
    """Writes records as CSV that read_corrections() reads; on a terminal, safe to look at."""
    safe = shown if out.isatty() else str
    # Lines end in CRLF; with LF alone, Python 3.11 and 3.12 leave a lone CR unquoted.
    writer = csv.DictWriter(out, _EXPORTED, extrasaction="ignore")
    if header:
        writer.writeheader()
    for record in records:
        encoding, text = encoded(record.raw)
        cells = {**record.to_json(), "raw_encoding": encoding, "raw": text}
        writer.writerow({name: safe(export_cell(value)) for name, value in cells.items()})


def read_corrections(path: Path) -> Corrections:
    """Corrected records by load or ETag, file and number.

    path: a CSV file as `rejects --csv` prints it, or the JSON lines of a load's rejected records.
    Raises ConfigError that names file and line.
    """
    corrections: Corrections = {}
    csv.field_size_limit(_MAX_CELL)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = file.read(1) == "{"
            file.seek(0)
            for place, key, raw in (_json_corrections if lines else _csv_corrections)(path, file):
                if key in corrections:
                    raise ConfigError(f"{place}: record {key[2]} of {key[1]} is there twice")
                corrections[key] = raw
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: not UTF-8; save it as CSV UTF-8") from None
    except csv.Error as error:
        raise ConfigError(f"{path}: no well-formed CSV: {error}") from None
    return corrections


def _json_corrections(path: Path, file: TextIO) -> Iterator[tuple[str, Key, bytes]]:
    """The place of each record, its file's ETag, file and number, and its text."""
    for number, line in enumerate(file, start=1):
        place = f"{path}, line {number}"
        try:
            row = json.loads(line)
            key = str(row["etag"]), str(row["file"]), int(row["record"])
            yield place, key, row["raw"].encode("utf-8", "surrogateescape")
        except (ValueError, LookupError, TypeError, AttributeError):
            raise ConfigError(
                f"{place}: no record as a load writes it; it has to have etag, file, record and raw"
            ) from None


def _csv_corrections(path: Path, file: TextIO) -> Iterator[tuple[str, Key, bytes]]:
    """The place of each record, its load, file and number, and its text."""
    reader = csv.DictReader(file, strict=True)
    if missing := [name for name in _NEEDED if name not in (reader.fieldnames or ())]:
        raise ConfigError(
            f"{path}: no column {', '.join(missing)} in its header; it has to have"
            f" {', '.join(_NEEDED)}, as `python -m loader rejects --csv` prints them"
        )
    for row in reader:
        place = f"{path}, line {reader.line_num}"
        yield place, *_correction(row, place)


def _correction(row: dict[str, str], place: str) -> tuple[tuple[int, str, int], bytes]:
    """Load, file and number of a record, and its corrected text."""
    try:
        # DictReader puts what is too many under None, and None for what is missing.
        if None in row or None in row.values():
            raise LookupError
        key = int(row["load"]), row["file"].removeprefix("'"), int(row["record"])
        return key, decoded(row.get("raw_encoding") or "utf-8", [row["raw"].removeprefix("'")])
    except LookupError:
        problem = "it has more or fewer cells than the header; quote a cell that holds a comma"
    except binascii.Error:
        problem = "raw is not base64, as raw_encoding says; for plain text leave that empty"
    except (TypeError, ValueError):
        problem = "load and record have to be whole numbers"
    raise ConfigError(f"{place}: {problem}")
