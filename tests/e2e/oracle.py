"""What the mart must be, in plain Python: csv, str.strip, a simple lower, and the winner's order.

Nothing of the loader or of dbt is used here.
"""

from __future__ import annotations

import csv
import gzip
import io
import re
import runpy
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

__all__ = ["COLUMNS", "Winner", "expected_mart", "read_aliases", "read_rows"]

COLUMNS = (
    "indicator",
    "indicator_type",
    "source",
    "confidence",
    "first_seen",
    "last_seen",
    "description",
)
_TIMESTAMP = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?:[t ]([0-9]{2}:[0-9]{2})(?::([0-9]{2})(?:\.([0-9]{1,6}))?)?"
    r"(?:z|([+-])([0-9]{2}):?([0-9]{2})?)?)?"
)

Row = Mapping[str, str | None]
Key = tuple[str, str]
# When a file is from, and its address, by batch and the beginning of its name.
Files = Mapping[tuple[int, str], tuple[datetime, str]]
# source, confidence, first_seen, last_seen, description
Facts = tuple[str | None, int | None, datetime | None, datetime | None, str | None]


@dataclass
class Winner:
    """A row of the mart. candidates: those between which nothing but the hash decides."""

    occurrences: int = 0
    last_batch_id: int = 0
    rank: tuple[object, ...] = ()
    candidates: set[Facts] = field(default_factory=set)


def read_rows(path: Path, data: bytes | None = None) -> list[Row]:
    """The records of a file as text, by column, None for an empty field."""
    raw = path.read_bytes() if data is None else data
    if path.suffix == ".gz":
        raw = gzip.decompress(raw)
    lines = csv.reader(io.StringIO(raw.decode("utf-8-sig"), newline=""), strict=True)
    header = [name.strip().lower() for name in next(lines)]
    rows = [line for line in lines if line]
    assert all(len(row) == len(header) for row in rows), path
    found = [dict(zip(header, row, strict=True)) for row in rows]
    file = {"_file": stem(path.name)}
    return [{name: row.get(name) or None for name in COLUMNS} | file for row in found]


def stem(name: str) -> str:
    """What a file's name begins with, which says which file it is when it is packed as well."""
    return name.rpartition("/")[2].partition(".")[0]


def read_sample(path: Path) -> list[Row]:
    """The records of a sample that are to be loaded: all but those that its script breaks."""
    if path.suffix == ".gz":
        return read_rows(path)
    refused = runpy.run_path(str(path.parents[1] / "make_samples.py"))["REFUSED"]
    data = path.read_bytes()
    for line in refused:
        data = data.replace(f"\n{line}\n".encode(), b"\n")
    return read_rows(path, data)


def read_aliases(seed: Path) -> dict[str, str]:
    """The types that aliases stand for."""
    with seed.open(newline="") as file:
        return {row["alias"]: row["indicator_type"] for row in csv.DictReader(file)}


def expected_mart(
    loads: Iterable[tuple[int, Iterable[Row]]], aliases: Mapping[str, str], files: Files
) -> dict[Key, Winner]:
    """The mart by indicator_type and indicator. loads: batch ids and the rows each brought."""
    mart: dict[Key, Winner] = {}
    for batch_id, rows in loads:
        for row in rows:
            kind, name = _clean(row["indicator_type"]), _clean(row["indicator"])
            assert kind is not None
            assert name is not None
            facts = (
                _clean(row["source"]),
                _number(row["confidence"]),
                _moment(row["first_seen"]),
                _moment(row["last_seen"]),
                _clean(row["description"]),
            )
            winner = mart.setdefault((aliases.get(kind, kind), name), Winner())
            winner.occurrences += 1
            winner.last_batch_id = max(winner.last_batch_id, batch_id)
            sighted = max((moment for moment in facts[2:4] if moment), default=None)
            time, uri = files[batch_id, row["_file"] or ""]
            rank = (
                *(_newest(sighted), time, _highest(facts[1]), uri),
                *(_newest(facts[2]), _newest(facts[3])),
            )
            if not winner.rank or rank > winner.rank:
                winner.rank, winner.candidates = rank, {facts}
            elif rank == winner.rank:
                winner.candidates.add(facts)
    return mart


def _newest(moment: datetime | None) -> tuple[bool, datetime]:
    return moment is not None, moment or datetime.min


def _highest(number: int | None) -> tuple[bool, int]:
    return number is not None, number or 0


def _clean(text: str | None) -> str | None:
    return "".join(map(_lower, (text or "").strip())) or None


def _lower(character: str) -> str:
    # The one letter whose small form is two characters to Python and one in the simple mapping.
    return "i" if character == "\u0130" else character.lower()


def _number(text: str | None) -> int | None:
    cleaned = _clean(text)
    return None if cleaned is None else int(cleaned)


def _moment(text: str | None) -> datetime | None:
    cleaned = _clean(text)
    if cleaned is None:
        return None
    match = _TIMESTAMP.fullmatch(cleaned)
    assert match, text
    day, clock, seconds, fraction, sign, hours, minutes = match.groups()
    moment = datetime.fromisoformat(f"{day} {clock or '00:00'}:{seconds or '00'}")
    moment += timedelta(microseconds=int((fraction or "").ljust(6, "0")))
    offset = timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
    return moment + offset if sign == "-" else moment - offset
