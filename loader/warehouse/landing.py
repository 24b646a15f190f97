"""Lands validated files: the SQL, the transaction, and the checks before it commits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

from loader.contract.feed import Feed
from loader.errors import DataRefused, ReconciliationError, WarehouseError, WarehouseTransient
from loader.files import owner
from loader.files.archives import Compression, compression_of, plain_head
from loader.files.spool import private_files
from loader.files.store import FileVersion, Store
from loader.records.reader import Dialect, read_header
from loader.validation.header import match_header
from loader.validation.validator import Verdict
from loader.warehouse.connection import Warehouse
from loader.warehouse.copy_source import (
    CopyGroup,
    local_groups,
    manifest_text,
    s3_groups,
    work_folder,
)
from loader.warehouse.project import Project
from loader.warehouse.quarantine import (
    COLUMNS,
    QUARANTINE,
    Quarantined,
    write_rejected,
    written_out,
)

__all__ = ["LEDGER", "Landing", "LedgerRow", "Replay"]

LEDGER = "loader._loaded_files"

Files = Sequence[tuple[FileVersion, Verdict]]

# An IN list of as many numbers is far below what either engine takes as one statement.
_RECORDS_PER_STATEMENT = 5000


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


@dataclass(frozen=True)
class Replay:
    """Quarantined records of one file of one load that now pass.

    records: their numbers in the file. verdict: of a file that holds just them and, it may be,
    others that are refused again.
    """

    load_id: int
    uri: str
    etag: str
    records: tuple[int, ...]
    verdict: Verdict


@dataclass(frozen=True)
class _Staged:
    """What is staged: groups of files, and rows for the quarantine. ddl: what is still to run."""

    groups: int
    rejected_rows: int = 0
    ddl: list[str] = field(default_factory=list)


class Landing:
    """The landing table of one feed, with its ledger, in one warehouse."""

    def __init__(self, project: Project, feed: Feed, warehouse: Warehouse) -> None:
        self._feed = feed
        self._warehouse = warehouse
        self._nodes = tuple(map(project.source, (feed.name, LEDGER, QUARANTINE)))
        self._table, self._ledger, self._quarantine = map(warehouse.relation, self._nodes)
        self._lock = warehouse.render("lock_ledger", ledger=self._ledger)
        self._names = list(feed.column_names)

    def loaded_files(self) -> list[LedgerRow]:
        """The file versions whose records are in the landing table."""
        return self._ledger_rows() if self._warehouse.exists(self._nodes[1]) else []

    def _ledger_rows(self) -> list[LedgerRow]:
        query = self._warehouse.render("loaded_files", ledger=self._ledger, feed=self._feed.name)
        return [LedgerRow(**row) for row in self._warehouse.query(query)]

    def rolled_back_files(self) -> list[FileVersion]:
        """The file versions that were loaded and taken back; bytes are not known."""
        return self._rolled_back_rows() if self._warehouse.exists(self._nodes[1]) else []

    def _rolled_back_rows(self) -> list[FileVersion]:
        query = self._warehouse.render(
            "rolled_back_files", ledger=self._ledger, feed=self._feed.name
        )
        return [FileVersion(bytes=0, **row) for row in self._warehouse.query(query)]

    def land(
        self,
        files: Files,
        replaced: frozenset[tuple[str, str]] | None,
        store: Store,
        spool: Path,
        reloads: frozenset[str] = frozenset(),
    ) -> list[LedgerRow]:
        """Lands accepted records, and the refused ones in quarantine, under one new load id.

        replaced: the keys of all that the table holds, if the files take its place. reloads: uris
        that may be loaded though they were rolled back. Raises WarehouseTransient if another loader
        was quicker, FileChanged, ReconciliationError or WarehouseError; whatever it raises but
        CommitUnknown, nothing is landed.
        """
        for _, verdict in files:
            _expect(verdict.accepted + verdict.rejected, verdict.read, f"{verdict.file}: judged")
        with ExitStack() as stack:
            try:
                staged = stack.enter_context(self._staged(files, spool))
            except WarehouseError:
                # If a file was overwritten meanwhile, that is what to tell.
                self._check_unchanged(files, store)
                raise
            stack.enter_context(self._locked(staged))
            self._check_ledger(files, replaced, reloads)
            load_id = self._next_load_id()
            rows = [_ledger_row(load_id, file, verdict) for file, verdict in files]
            try:
                self._execute(self._load_statements(load_id, staged, rows, replaced is not None))
                self._check_landed(load_id, rows)
            except WarehouseTransient:
                raise
            except (WarehouseError, ReconciliationError):
                self._check_unchanged(files, store)
                raise
            self._check_unchanged(files, store)
        return rows

    def quarantined(
        self, load_id: int | None = None, uri: str | None = None
    ) -> Iterator[Quarantined]:
        """Refused records of loads that stand, of one load or file if given, not yet replayed."""
        if not all(map(self._warehouse.exists, self._nodes)):
            return
        query = self._warehouse.render(
            "quarantined",
            quarantine=self._quarantine,
            ledger=self._ledger,
            feed=self._feed.name,
            load_id=load_id,
            uri=uri,
        )
        yield from written_out(self._warehouse.query(query))

    def land_again(self, replays: Sequence[Replay], spool: Path) -> list[LedgerRow]:
        """Lands quarantined records that now pass under one new load id, and marks them.

        Raises WarehouseTransient if another replay was quicker, ReconciliationError or
        WarehouseError; whatever it raises but CommitUnknown, nothing is landed.
        """
        # Never the original objects: they hold more than what is replayed.
        files = [(FileVersion(r.uri, 0, r.etag), replace(r.verdict, plain=False)) for r in replays]
        accepted = [(file, replace(verdict, rejects=None)) for file, verdict in files]
        with self._staged(accepted, spool) as staged, self._locked(staged):
            load_id = self._next_load_id()
            rows = [
                LedgerRow(load_id, r.uri, r.etag, None, 0, len(r.records), len(r.records), 0)
                for r in replays
            ]
            self._execute(self._load_statements(load_id, staged, rows, False, "replayed"))
            for replay in replays:
                self._execute(self._mark_statements(load_id, replay))
                self._check_marked(load_id, replay)
            self._check_landed(load_id, rows)
        return rows

    @contextmanager
    def _staged(self, files: Files, spool: Path) -> Iterator[_Staged]:
        """The records of files where INSERTs can take them, counted if that is cheap."""
        ddl = [] if all(map(self._warehouse.exists, self._nodes)) else self._ddl()
        if ddl and self._lock:
            # Not in the load's transaction, in which the lock has to come first: what it reads must
            # be newer than any load that committed before the lock was given.
            with self._warehouse.transaction():
                self._execute(ddl)
            ddl = []
        written = spool / "rejected.csv"
        with private_files():
            rows = write_rejected(written, self._feed, files)
        rejected = CopyGroup((str(written),), COLUMNS, rows) if rows else None
        with self._copied_from(files, rejected, spool) as (groups, rejected):
            for number, group in enumerate(groups, start=1):
                self._stage(group, self._stage_name(number), self._table, self._names)
            if rejected:
                self._stage(rejected, self._stage_name(0), self._quarantine, list(COLUMNS))
            yield _Staged(len(groups), rows, ddl)

    @contextmanager
    def _locked(self, staged: _Staged) -> Iterator[None]:
        """The transaction of a load, with the ledger locked and every table there."""
        with self._warehouse.transaction():
            self._execute([self._lock] if self._lock else staged.ddl)
            yield

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
        lock = self._lock
        groups = self._assumed_groups(files, store)
        rows = [_ledger_row(load_id, file, Verdict(file.uri)) for file in files]
        staging = [
            statement
            for number, group in enumerate(groups, start=1)
            for statement in self._stage_statements(
                group, self._stage_name(number), self._table, self._names
            )
        ]
        ddl, locked = ["begin", *self._ddl(), "commit"], ["begin", lock]
        manifests = {g.manifest: manifest_text(g.paths) for g in groups if lock and g.manifest}
        statements = [
            *([*ddl, *staging, *locked] if lock else [*staging, *ddl[:-1]]),
            warehouse.render("next_load_id", ledger=self._ledger),
            *self._load_statements(load_id, _Staged(len(groups)), rows, replaces),
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
                f"{manifest.rstrip('/')}/{owner.slug(self._feed.name)}/<load>/manifest-{number}.json",
            )
            for number, ((columns, kind), paths) in enumerate(layouts.items(), start=1)
        ]

    def _settings(self) -> dict[str, Any]:
        return dict(self._warehouse.render("copy_settings"))

    @contextmanager
    def _copied_from(
        self, files: Files, rejected: CopyGroup | None, spool: Path
    ) -> Iterator[tuple[list[CopyGroup], CopyGroup | None]]:
        settings = self._settings()
        if settings["reads"] == "files":
            yield local_groups(self._feed, files), rejected
        else:
            work = settings["work_location"]
            with s3_groups(self._feed, files, rejected, work, spool) as groups:
                yield groups

    def _stage(self, group: CopyGroup, stage: str, table: Any, names: list[str]) -> None:
        """Puts a group's records where an INSERT into the table can take them."""
        try:
            self._execute(self._stage_statements(group, stage, table, names))
        except WarehouseTransient:
            raise
        except WarehouseError as error:
            raise WarehouseError(self._explained(error, group)) from None
        counts = self._warehouse.render("staged_counts", stage=stage)
        for what, query in counts.items():
            staged = int(self._warehouse.query(query)[0]["records"])
            _expect(staged, group.records, f"{table}: {what}")

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

    def _stage_statements(
        self, group: CopyGroup, stage: str, table: Any, names: list[str]
    ) -> list[str]:
        return list(
            self._warehouse.render(
                "stage_files", stage=stage, landing=table, columns=names, group=group.for_macro()
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
        self,
        load_id: int,
        staged: _Staged,
        rows: list[LedgerRow],
        replaces: bool,
        status: str = "loaded",
    ) -> list[str]:
        """What moves the staged records to their tables and the files into the ledger."""
        warehouse, feed = self._warehouse, self._feed.name
        now = datetime.now(UTC).replace(tzinfo=None).isoformat(" ")
        statements = []
        if replaces:
            statements.append(warehouse.render("empty_landing", landing=self._table))
            statements.append(warehouse.render("mark_replaced", ledger=self._ledger, feed=feed))
        for number in range(1, staged.groups + 1):
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
        if staged.rejected_rows:
            statements.append(
                warehouse.render(
                    "quarantine_staged",
                    quarantine=self._quarantine,
                    stage=self._stage_name(0),
                    columns=list(COLUMNS),
                    load_id=load_id,
                    feed=feed,
                    rejected_at=now,
                )
            )
        files = [{**asdict(row), "status": status} for row in rows]
        statements.append(
            warehouse.render(
                "record_files", ledger=self._ledger, feed=feed, loaded_at=now, files=files
            )
        )
        return statements

    def _mark_statements(self, load_id: int, replay: Replay) -> list[str]:
        return [
            self._warehouse.render(
                "mark_replayed",
                quarantine=self._quarantine,
                feed=self._feed.name,
                load_id=load_id,
                rejected_by=replay.load_id,
                uri=replay.uri,
                records=list(replay.records[start : start + _RECORDS_PER_STATEMENT]),
            )
            for start in range(0, len(replay.records), _RECORDS_PER_STATEMENT)
        ]

    def _check_marked(self, load_id: int, replay: Replay) -> None:
        """Raises WarehouseTransient if some records were no longer in quarantine to be marked."""
        query = self._warehouse.render(
            "count_replayed",
            quarantine=self._quarantine,
            load_id=load_id,
            rejected_by=replay.load_id,
            uri=replay.uri,
        )
        if int(self._warehouse.query(query)[0]["records"]) != len(replay.records):
            raise WarehouseTransient(
                f"{replay.uri}: another replay took records of load {replay.load_id} first."
            )

    def _execute(self, statements: Sequence[str]) -> None:
        for statement in statements:
            self._warehouse.execute(statement)

    def _check_ledger(
        self,
        files: Files,
        replaced: frozenset[tuple[str, str]] | None,
        reloads: frozenset[str],
    ) -> None:
        """Raises WarehouseTransient if another loader has changed what the plan was made on.

        Asked under the ledger's lock.
        """
        known = {row.key for row in self._ledger_rows()}
        if replaced is not None and known != replaced:
            raise WarehouseTransient(f"{self._feed.name}: another loader replaced it first.")
        if replaced is not None:
            return
        taken_back = {file.key for file in self._rolled_back_rows() if file.uri not in reloads}
        for file, _ in files:
            if file.key in known:
                raise WarehouseTransient(f"{file.uri}: another loader took it first.")
            if file.key in taken_back:
                raise WarehouseTransient(f"{file.uri}: it was loaded and rolled back meanwhile.")

    def _check_unchanged(self, files: Files, store: Store) -> None:
        for file, _ in files:
            store.check_unchanged(file)

    def _check_landed(self, load_id: int, rows: list[LedgerRow]) -> None:
        query = self._warehouse.render("count_load", landing=self._table, load_id=load_id)
        landed = int(self._warehouse.query(query)[0]["records"])
        _expect(landed, sum(row.records_loaded for row in rows), f"{self._table}: landed")
        query = self._warehouse.render(
            "count_rejected", quarantine=self._quarantine, load_id=load_id
        )
        set_aside = int(self._warehouse.query(query)[0]["records"])
        _expect(
            set_aside, sum(row.records_rejected for row in rows), f"{self._quarantine}: set aside"
        )


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
