"""Lands validated files: the SQL, the transaction, and the checks before it commits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

from loader.contract import Feed
from loader.copy_source import (
    CopyGroup,
    local_groups,
    manifest_text,
    s3_groups,
    work_folder,
)
from loader.errors import DataRefused, ReconciliationError, WarehouseError, WarehouseTransient
from loader.header import match_header
from loader.project import Project, Warehouse
from loader.records import Dialect, read_header
from loader.storage import Compression, FileVersion, Store, compression_of, plain_head
from loader.validate import Verdict

__all__ = ["LEDGER", "Landing", "LedgerRow"]

LEDGER = "loader._loaded_files"

Files = Sequence[tuple[FileVersion, Verdict]]


@dataclass(frozen=True)
class LedgerRow:
    """One loaded file version, as the ledger has it. bytes: as stored."""

    load_id: int
    uri: str
    etag: str
    version: str | None
    bytes: int
    records_read: int
    records_loaded: int
    records_rejected: int

    @property
    def key(self) -> tuple[str, str]:
        """What a load takes once."""
        return self.uri, self.etag


class Landing:
    """The landing table of one feed, with its ledger, in one warehouse."""

    def __init__(self, project: Project, feed: Feed, warehouse: Warehouse) -> None:
        self._feed = feed
        self._warehouse = warehouse
        self._nodes = (project.source(feed.name), project.source(LEDGER))
        self._table, self._ledger = map(warehouse.relation, self._nodes)
        self._names = list(feed.column_names)

    def loaded_files(self) -> list[LedgerRow]:
        """The file versions whose records are in the landing table."""
        return self._ledger_rows() if self._warehouse.exists(self._nodes[1]) else []

    def _ledger_rows(self) -> list[LedgerRow]:
        query = self._warehouse.render("loaded_files", ledger=self._ledger, feed=self._feed.name)
        return [LedgerRow(**row) for row in self._warehouse.query(query)]

    def land(
        self,
        files: Files,
        replaced: frozenset[tuple[str, str]] | None,
        store: Store,
        spool: Path,
    ) -> list[LedgerRow]:
        """Lands the accepted records of files under one new load id.

        replaced: the keys of all that the table holds, if the files take its place. Raises
        WarehouseTransient if another loader was quicker, FileChanged, ReconciliationError or
        WarehouseError; whatever it raises but CommitUnknown, nothing is landed.
        """
        warehouse = self._warehouse
        for _, verdict in files:
            _expect(verdict.accepted + verdict.rejected, verdict.read, f"{verdict.file}: judged")
        lock = warehouse.render("lock_ledger", ledger=self._ledger)
        ddl = [] if all(map(warehouse.exists, self._nodes)) else self._ddl()
        if lock and ddl:
            # Not in the load's transaction, in which the lock has to come first: what it reads must
            # be newer than any load that committed before the lock was given.
            with warehouse.transaction():
                self._execute(ddl)
        with self._copied_from(files, spool) as groups:
            try:
                for number, group in enumerate(groups, start=1):
                    self._stage(number, group)
            except WarehouseError:
                # If a file was overwritten meanwhile, that is what to tell.
                self._check_unchanged(files, store)
                raise
            with warehouse.transaction():
                self._execute([lock] if lock else ddl)
                self._check_ledger(files, replaced)
                load_id = self._next_load_id()
                rows = [_ledger_row(load_id, file, verdict) for file, verdict in files]
                self._execute(
                    self._load_statements(load_id, len(groups), rows, replaced is not None)
                )
                self._check_landed(load_id, rows)
                self._check_unchanged(files, store)
        return rows

    def remove_abandoned(self) -> None:
        """Removes what killed loads of this feed left where COPY reads. Raises StorageError."""
        settings = self._settings()
        if settings["reads"] != "files":
            work_folder(self._feed, settings["work_location"]).remove_abandoned()

    def statements(
        self, files: Sequence[FileVersion], replaces: bool, store: Store
    ) -> tuple[list[str], dict[str, str]]:
        """The SQL that would land new files, in order, and the manifests it names, by URI.

        Reads the files' headers; changes nothing.

        Takes for granted that every record is accepted as it stands, and names what is yet to be
        fetched, written or counted as it is now. Raises DataRefused for a header that does not fit.
        """
        warehouse = self._warehouse
        load_id = self._next_load_id() if warehouse.exists(self._nodes[1]) else 1
        lock = warehouse.render("lock_ledger", ledger=self._ledger)
        groups = self._assumed_groups(files, store)
        rows = [_ledger_row(load_id, file, Verdict(file.uri)) for file in files]
        staging = [
            statement
            for number, group in enumerate(groups, start=1)
            for statement in self._stage_statements(number, group)
        ]
        ddl, locked = ["begin", *self._ddl(), "commit"], ["begin", lock]
        manifests = {g.manifest: manifest_text(g.paths) for g in groups if lock and g.manifest}
        statements = [
            *([*ddl, *staging, *locked] if lock else [*staging, *ddl[:-1]]),
            warehouse.render("next_load_id", ledger=self._ledger),
            *self._load_statements(load_id, len(groups), rows, replaces),
            warehouse.render("count_load", landing=self._table, load_id=load_id),
            "commit",
        ]
        return statements, manifests

    def _assumed_groups(self, files: Sequence[FileVersion], store: Store) -> list[CopyGroup]:
        options = self._feed.options
        dialect = Dialect(ord(options.delimiter), ord(options.quote))
        layouts: dict[tuple[tuple[str | None, ...], Compression], list[str]] = {}
        for file in files:
            head = plain_head(file.uri, store.head(file), options.compression)
            try:
                header = read_header(BytesIO(head), dialect)
                columns = match_header(header.fields, self._feed).columns
            except DataRefused as error:
                raise DataRefused(f"{file.uri}: {error}") from None
            kind = compression_of(file.uri, options.compression)
            layouts.setdefault((columns, kind), []).append(store.path(file))
        manifest = self._settings()["work_location"] or "s3://<CTI_WORK_LOCATION>/"
        return [
            CopyGroup(
                tuple(paths),
                columns,
                0,
                options.delimiter,
                options.quote,
                kind,
                f"{manifest.rstrip('/')}/{self._feed.name}/<load>/manifest-{number}.json",
            )
            for number, ((columns, kind), paths) in enumerate(layouts.items(), start=1)
        ]

    def _settings(self) -> dict[str, Any]:
        return dict(self._warehouse.render("copy_settings"))

    @contextmanager
    def _copied_from(self, files: Files, spool: Path) -> Iterator[list[CopyGroup]]:
        settings = self._settings()
        if settings["reads"] == "files":
            yield local_groups(self._feed, files)
        else:
            with s3_groups(self._feed, files, settings["work_location"], spool) as groups:
                yield groups

    def _stage(self, number: int, group: CopyGroup) -> None:
        """Puts a group's records where an INSERT can take them; counts them if that is cheap."""
        try:
            self._execute(self._stage_statements(number, group))
        except WarehouseTransient:
            raise
        except WarehouseError as error:
            raise WarehouseError(self._explained(error, group)) from None
        counts = self._warehouse.render("staged_counts", stage=self._stage_name(number))
        for what, query in counts.items():
            staged = int(self._warehouse.query(query)[0]["records"])
            _expect(staged, group.records, f"{self._table}: {what}")

    def _explained(self, error: WarehouseError, group: CopyGroup) -> str:
        """A failed COPY, with what the warehouse's own log has of it."""
        query, rows = self._warehouse.render("copy_errors"), []
        # Without a right to look, or in a session that is gone, the error itself has to do.
        with suppress(WarehouseError):
            self._warehouse.execute("rollback")
            rows = self._warehouse.query(query) if query else []
        if not rows:
            settings = self._settings()
            hint = (
                f" COPY read as {settings['role']} (CTI_COPY_ROLE), region"
                f" {settings['region'] or 'of the cluster'} (CTI_COPY_REGION)."
                if group.manifest
                else ""
            )
            return f"copying {group.manifest or group.paths[0]}: {error} Nothing was loaded.{hint}"
        row = {key: str(value).strip() for key, value in rows[0].items()}
        column = f", column {row['column_name']}" if row["column_name"] else ""
        return (
            f"{row['file_name']}, line {row['line_number']}{column}: COPY"
            f" refused it: {row['error_message']} (code {row['error_code']}). Nothing was loaded."
            " The validator let it pass, so compare the column's type in the warehouse with"
            f" {self._feed.file}."
        )

    def _stage_name(self, number: int) -> str:
        return f"{self._feed.table_name}__load_{number}"

    def _stage_statements(self, number: int, group: CopyGroup) -> list[str]:
        return list(
            self._warehouse.render(
                "stage_files",
                stage=self._stage_name(number),
                landing=self._table,
                columns=self._names,
                group=group.for_macro(),
            )
        )

    def _ddl(self) -> list[str]:
        return [
            sql
            for node in self._nodes
            for sql in self._warehouse.render("landing_ddl", source=node)
        ]

    def _next_load_id(self) -> int:
        query = self._warehouse.render("next_load_id", ledger=self._ledger)
        return int(self._warehouse.query(query)[0]["load_id"])

    def _load_statements(
        self, load_id: int, groups: int, rows: list[LedgerRow], replaces: bool
    ) -> list[str]:
        """What moves the staged records to the landing table and the files into the ledger."""
        warehouse, feed = self._warehouse, self._feed.name
        now = datetime.now(UTC).replace(tzinfo=None).isoformat(" ")
        statements = []
        if replaces:
            statements.append(warehouse.render("empty_landing", landing=self._table))
            statements.append(warehouse.render("mark_replaced", ledger=self._ledger, feed=feed))
        for number in range(1, groups + 1):
            statements.append(
                warehouse.render(
                    "insert_staged",
                    landing=self._table,
                    stage=self._stage_name(number),
                    columns=self._names,
                    load_id=load_id,
                    loaded_at=now,
                )
            )
        files = [asdict(row) for row in rows]
        statements.append(
            warehouse.render(
                "record_files", ledger=self._ledger, feed=feed, loaded_at=now, files=files
            )
        )
        return statements

    def _execute(self, statements: Sequence[str]) -> None:
        for statement in statements:
            self._warehouse.execute(statement)

    def _check_ledger(self, files: Files, replaced: frozenset[tuple[str, str]] | None) -> None:
        """Raises WarehouseTransient if another loader has changed what the plan was made on.

        Asked under the ledger's lock.
        """
        known = {row.key for row in self._ledger_rows()}
        if replaced is not None and known != replaced:
            raise WarehouseTransient(f"{self._feed.name}: another loader replaced it first.")
        for file, _ in files:
            if replaced is None and file.key in known:
                raise WarehouseTransient(f"{file.uri}: another loader took it first.")

    def _check_unchanged(self, files: Files, store: Store) -> None:
        for file, _ in files:
            store.check_unchanged(file)

    def _check_landed(self, load_id: int, rows: list[LedgerRow]) -> None:
        query = self._warehouse.render("count_load", landing=self._table, load_id=load_id)
        landed = int(self._warehouse.query(query)[0]["records"])
        _expect(landed, sum(row.records_loaded for row in rows), f"{self._table}: landed")


def _expect(found: int, expected: int, what: str) -> None:
    """Promise 1: raises ReconciliationError where a count is not what it must be."""
    if found != expected:
        raise ReconciliationError(
            f"{what} {found:,} records, but {expected:,} are expected. Nothing was loaded."
        )


def _ledger_row(load_id: int, file: FileVersion, verdict: Verdict) -> LedgerRow:
    return LedgerRow(
        load_id,
        file.uri,
        file.etag or "",
        file.version,
        file.bytes,
        verdict.read,
        verdict.accepted,
        verdict.rejected,
    )
