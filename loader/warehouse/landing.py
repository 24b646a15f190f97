"""Lands validated files: the transaction of a load, and what is counted before it commits."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from loader.contract.feed import Feed
from loader.errors import ReconciliationError, WarehouseError, WarehouseTransient
from loader.files.store import Store
from loader.files.version import FileVersion
from loader.validation.verdict import Verdict
from loader.warehouse.connection import Warehouse
from loader.warehouse.copy_source import CopyGroup, Files
from loader.warehouse.ledger import Key, LedgerRow, check_not_loaded, file_versions, ledger_row
from loader.warehouse.project import Project
from loader.warehouse.quarantine import Quarantined, mark_replayed, written_out
from loader.warehouse.staging import expect, staged
from loader.warehouse.tables import Tables


@dataclass(frozen=True)
class Replay:
    """Quarantined records of one file of one load that now pass.

    records: their numbers in the file. verdict: of a file that holds them and perhaps others that
    are rejected again.
    """

    load_id: int
    uri: str
    etag: str
    records: tuple[int, ...]
    verdict: Verdict


class Landing:
    """The landing table of one feed in one warehouse, with the ledger and the quarantine."""

    def __init__(self, project: Project, feed: Feed, warehouse: Warehouse) -> None:
        self._feed = feed
        self._warehouse = warehouse
        self._tables = Tables(project, warehouse, feed)

    def file_versions(self) -> list[LedgerRow]:
        """The file versions that are in the landing table (status loaded) or were rolled back."""
        return file_versions(self._tables) if self._tables.exist("ledger") else []

    def quarantined(
        self, load_id: int | None = None, uri: str | None = None
    ) -> Iterator[Quarantined]:
        """Rejected records of loads that stand, of one load or file if given, not yet replayed."""
        if self._tables.exist():
            yield from written_out(self._tables.rows("quarantined", load_id=load_id, uri=uri))

    def land(
        self,
        files: Files,
        replaced: frozenset[Key] | None,
        store: Store,
        spool: Path,
        reloads: frozenset[str] = frozenset(),
    ) -> list[LedgerRow]:
        """Lands accepted records, and the rejected ones in quarantine, under one new load id.

        replaced: the keys of all that the table holds, if the files replace it. reloads: uris that
        may be loaded though they were rolled back. Raises WarehouseTransient if another loader was
        quicker, FileChanged, ConfigError, StorageError, ReconciliationError or WarehouseError;
        nothing is landed then, unless it is CommitUnknown.
        """
        for _, verdict in files:
            expect(verdict.accepted + verdict.rejected, verdict.read, f"{verdict.file}: judged")
        try:
            with self._load_of(files, spool) as (load_id, groups):
                listed = [file for file, _ in files]
                check_not_loaded(self._tables, listed, replaced, reloads)
                rows = [ledger_row(load_id, file, verdict) for file, verdict in files]
                self._insert(groups, rows, replaces=replaced is not None)
                self._check_unchanged(files, store)
        except WarehouseTransient:
            raise
        except (WarehouseError, ReconciliationError):
            # Report a file that was overwritten meanwhile instead: that is why.
            self._check_unchanged(files, store)
            raise
        return rows

    def land_again(self, replays: Sequence[Replay], spool: Path) -> list[LedgerRow]:
        """Lands quarantined records that now pass under one new load id, and marks them.

        Raises WarehouseTransient if another replay was quicker, else as land().
        """
        # Never the original objects: they hold more than what is replayed.
        files = [
            (FileVersion(r.uri, 0, r.etag), replace(r.verdict, plain=False, rejects=None))
            for r in replays
        ]
        with self._load_of(files, spool) as (load_id, groups):
            rows = [
                LedgerRow(
                    load_id, r.uri, r.etag, None, 0, len(r.records), len(r.records), 0, "replayed"
                )
                for r in replays
            ]
            self._insert(groups, rows)
            for replay in replays:
                mark_replayed(self._tables, load_id, replay.load_id, replay.uri, replay.records)
        return rows

    @contextmanager
    def _load_of(self, files: Files, spool: Path) -> Iterator[tuple[int, list[CopyGroup]]]:
        """Stages files, then opens the load's transaction; yields its id and what is staged.

        In the transaction the ledger is locked and every table exists.
        """
        tables, lock = self._tables, self._tables.sql("lock_ledger")
        begin = [] if tables.exist() else tables.ddl()
        if lock:
            if begin:
                # Not in the load's transaction, in which the lock has to come first: what it reads
                # must be newer than any load that committed before the lock was given.
                with self._warehouse.transaction():
                    tables.execute(begin)
            begin = [lock]
        with staged(tables, self._feed, files, spool) as groups, self._warehouse.transaction():
            tables.execute(begin)
            yield tables.number("next_load_id"), groups

    def _insert(
        self, groups: Sequence[CopyGroup], rows: Sequence[LedgerRow], replaces: bool = False
    ) -> None:
        """Moves staged records to their tables and files into the ledger, and counts them."""
        tables, load_id = self._tables, rows[0].load_id
        tables.execute(load_statements(tables, groups, rows, replaces))
        landed = tables.number("count_load", load_id=load_id)
        expect(landed, sum(row.records_loaded for row in rows), f"{tables['landing']}: landed")
        rejected = tables.number("count_rejected", load_id=load_id)
        what = f"{tables['quarantine']}: set aside"
        expect(rejected, sum(row.records_rejected for row in rows), what)

    def _check_unchanged(self, files: Files, store: Store) -> None:
        for file, _ in files:
            store.check_unchanged(file)


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
