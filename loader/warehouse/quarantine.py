"""The quarantine: rejected records on their way into its table, and back to be judged again."""

import csv
import gzip
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, zip_longest
from operator import itemgetter
from pathlib import Path
from typing import Any

from loader.contract.feed import Feed
from loader.errors import WarehouseTransient
from loader.validation import rejects
from loader.validation.rejects import Reject
from loader.warehouse.connection import Warehouse
from loader.warehouse.copy_source import NUMBER, CopyGroup, Files
from loader.warehouse.work import WorkFolder

# Of gzip: it compresses these texts well at any, and costs the least time at this one.
_LEVEL = 1

# What a load stages of each rejected record; load, feed and time come with the INSERT.
COLUMNS = ("uri", "etag", *rejects.COLUMNS, "header", "contract")
_STAGED = (NUMBER, *COLUMNS)


@dataclass(frozen=True)
class Quarantined(Reject):
    """A rejected record as the warehouse has it.

    load_id, batch_id, file_time: of its file, as the ledger has them. header: the header of its
    file, None where it cannot be kept. contract: the fingerprint of the rules that rejected it.
    """

    load_id: int
    batch_id: int
    etag: str
    file_time: str
    header: str | None
    contract: str

    def to_json(self) -> dict[str, Any]:
        """For machines; the record itself as in NAME.rejects.jsonl."""
        more = {"etag": self.etag, "contract": self.contract}
        return {"load": self.batch_id, **super().to_json(), **more}


def write_rejected(
    path: Path, feed: Feed, files: Files, work: WorkFolder | None
) -> list[CopyGroup]:
    """Writes the rejected records of files as gzip CSV; the group of it, if any.

    work: where the engine reads it, if it reads no local files. Raises StorageError.
    """
    count, contract = 0, feed.fingerprint
    with gzip.open(path, "wt", _LEVEL, encoding="utf-8", newline="") as out:
        writer = csv.writer(out, lineterminator="\n", quoting=csv.QUOTE_ALL)
        writer.writerow(_STAGED)
        for number, (file, verdict) in enumerate(files):
            too_long = len(verdict.header.encode()) > rejects.TEXT_BYTES
            header = None if too_long or "\0" in verdict.header else verdict.header
            for row in verdict.rejects.rows():
                writer.writerow((number, file.uri, file.etag, *row, header, contract))
                count += 1
    if not count:
        return []
    place = work.upload(path) if work else str(path)
    return [CopyGroup((place,), _STAGED, count, COLUMNS, compression="gzip", table="quarantine")]


def mark_replayed(
    tables: Warehouse, load_id: int, rejected_by: int, uri: str, records: Sequence[int]
) -> None:
    """Marks records that a load rejected as loaded by a later one.

    Raises WarehouseTransient if some of them are no longer in quarantine.
    """
    of = {"load_id": load_id, "rejected_by": rejected_by, "uri": uri}
    tables.run("mark_replayed", records=records, **of)
    if tables.rows("count_replayed", **of) != [{"records": len(records)}]:
        raise WarehouseTransient(f"{uri}: another replay took records of load {rejected_by} first.")


def quarantined(
    tables: Warehouse, batch_id: int | None = None, uri: str | None = None
) -> Iterator[Quarantined]:
    """Rejected records of loads that stand, of one batch or file if given, not yet replayed.

    In the order of load, file and record, some in memory at a time.
    """
    if tables.exist(*tables.nodes):
        of = {"batch_id": batch_id, "uri": uri}
        pieces = tables.rows("quarantine_pieces", **of)
        for first, beyond in zip_longest(pieces, pieces[1:]):
            rows = tables.rows("quarantined", first=first, beyond=beyond, **of)
            yield from written_out(sorted(rows, key=itemgetter("load_id", "uri", "record", "part")))


def written_out(rows: Iterable[dict[str, Any]]) -> Iterator[Quarantined]:
    """Records from rows of the quarantine, ordered by load, file, record and part."""
    for (load_id, uri, _), parts in groupby(rows, key=itemgetter("load_id", "uri", "record")):
        record = list(parts)
        names = ("batch_id", "etag", "file_time", "header", "contract")
        more = {name: record[0][name] for name in names}
        yield Quarantined.from_rows(uri, record, load_id=load_id, **more)
