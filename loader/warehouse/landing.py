"""Lands validated files: the transaction of a load, and what is counted before it commits."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from loader.contract.feed import Feed
from loader.files.version import FileVersion
from loader.validation.verdict import Verdict
from loader.warehouse.copy_source import CopyGroup, Files
from loader.warehouse.ledger import LedgerRow, Tables
from loader.warehouse.staging import expect, staged


@contextmanager
def load_of(
    tables: Tables, feed: Feed, files: Files, spool: Path
) -> Iterator[tuple[int, list[CopyGroup]]]:
    """Stages files, then opens the load's transaction; yields its id and what is staged.

    In the transaction the ledger is locked and every table exists. It commits when the block ends.
    Raises ConfigError, StorageError, ReconciliationError or WarehouseError; nothing is landed
    then, unless it is CommitUnknown.
    """
    for _, verdict in files:
        expect(verdict.accepted + verdict.rejected, verdict.read, f"{verdict.file}: judged")
    lock = tables.sql("lock_ledger")
    begin = [] if tables.exist() else tables.ddl()
    if lock:
        if begin:
            # Not in the load's transaction, in which the lock has to come first: what it reads
            # must be newer than any load that committed before the lock was given.
            with tables.warehouse.transaction():
                tables.execute(begin)
        begin = [lock]
    with staged(tables, feed, files, spool) as groups, tables.warehouse.transaction():
        tables.execute(begin)
        yield tables.number("next_load_id"), groups


def insert(
    tables: Tables, groups: Sequence[CopyGroup], rows: Sequence[LedgerRow], replaces: bool = False
) -> None:
    """Moves staged records to their tables and files into the ledger, and counts them.

    replaces: whether they take the place of all that the landing table holds. Raises
    WarehouseError, and ReconciliationError if a count is not what it must be.
    """
    load_id = rows[0].load_id
    tables.execute(load_statements(tables, groups, rows, replaces))
    landed = tables.number("count_load", load_id=load_id)
    expect(landed, sum(row.records_loaded for row in rows), f"{tables['landing']}: landed")
    rejected = tables.number("count_rejected", load_id=load_id)
    what = f"{tables['quarantine']}: set aside"
    expect(rejected, sum(row.records_rejected for row in rows), what)


def ledger_row(
    load_id: int, file: FileVersion, verdict: Verdict, status: str = "loaded"
) -> LedgerRow:
    """The row of a file that is loaded."""
    counts = verdict.read, verdict.accepted, verdict.rejected
    return LedgerRow(load_id, *file.key, file.version, file.bytes, *counts, status)


def load_statements(
    tables: Tables, groups: Sequence[CopyGroup], rows: Sequence[LedgerRow], replaces: bool = False
) -> list[str]:
    """The statements that move staged records to their tables and write files into the ledger."""
    load_id, now = rows[0].load_id, datetime.now(UTC).replace(tzinfo=None).isoformat(" ")
    macros = {"landing": "insert_staged", "quarantine": "quarantine_staged"}
    return [
        *([tables.sql("empty_landing"), tables.sql("mark_replaced")] if replaces else []),
        *(
            tables.sql(macros[group.table], group=group, load_id=load_id, loaded_at=now)
            for group in groups
        ),
        tables.sql("record_files", files=rows, loaded_at=now),
    ]
