"""Loading a feed: find what is new, fetch, validate, copy, reconcile, commit."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any, Protocol

from loader.contract import Feed
from loader.errors import DataRefused, ReconciliationError, StorageError
from loader.header import match_header
from loader.project import Project, Warehouse
from loader.records import MAX_RECORD_BYTES, Dialect, read_header
from loader.storage import FileVersion, Store, open_store, plain_head, plain_text
from loader.validate import Validator, Verdict

__all__ = [
    "LoadPlan",
    "LoadReport",
    "Observer",
    "RecordsRefused",
    "judge_file",
    "load",
    "make_plan",
    "plan_statements",
    "spool_folder",
]

Columns = tuple[str | None, ...]

LEDGER = "loader._loaded_files"


class Observer(Protocol):
    """Told of the progress of long work."""

    def start(self, step: str, total_bytes: int) -> None:
        """A step begins that has so many bytes to get through."""

    def advance(self, count: int) -> None:
        """So many bytes more are done."""

    def finish(self) -> None:
        """The step is over."""


@dataclass(frozen=True)
class LoadPlan:
    """What a load would do. known: how many files of the location are loaded already."""

    feed: Feed
    new: list[FileVersion]
    known: int
    replaces: bool

    @property
    def bytes(self) -> int:
        """The size of the new files as stored."""
        return sum(file.bytes for file in self.new)


@dataclass
class LoadReport:
    """What a load did. load_id is None if nothing was new."""

    feed: str
    known: int
    load_id: int | None = None
    files: list[tuple[FileVersion, Verdict]] = field(default_factory=list)

    @property
    def records_read(self) -> int:
        """Records in the new files."""
        return sum(verdict.read for _, verdict in self.files)

    @property
    def records_loaded(self) -> int:
        """Records that were loaded."""
        return sum(verdict.accepted for _, verdict in self.files)

    @property
    def records_rejected(self) -> int:
        """Records that were set aside."""
        return sum(verdict.rejected for _, verdict in self.files)


class RecordsRefused(DataRefused):
    """A load that was refused because of what is in the files."""

    def __init__(self, feed: Feed, verdicts: Sequence[Verdict]) -> None:
        self.verdicts = [v for v in verdicts if v.refused or v.rejected]
        records = sum(verdict.rejected for verdict in verdicts)
        whole = sum(1 for verdict in verdicts if verdict.refused)
        parts = [f"{records:,} record{'s' * (records != 1)}"] if records else []
        parts += [f"{whole:,} file{'s' * (whole != 1)} as a whole"] if whole else []
        super().__init__(
            f"{feed.name}: refused {' and '.join(parts)}; nothing was loaded. Correct the files,"
            f" or the rules in {feed.file}, and run again."
        )


@contextmanager
def spool_folder() -> Iterator[Path]:
    """A private folder for the time of a load, under TMPDIR. Raises StorageError if it fills up."""
    try:
        folder = Path(tempfile.mkdtemp(prefix="cti-loader-"))
    except OSError as error:
        raise StorageError(f"no spool folder can be made: {error}. Set TMPDIR.") from None
    try:
        yield folder
    except OSError as error:
        raise StorageError(
            f"{error.filename or folder}: {error.strerror or error}. The spool folder holds what is"
            " fetched and decompressed; set TMPDIR to a folder with more room."
        ) from None
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def make_plan(project: Project, feed: Feed, warehouse: Warehouse) -> LoadPlan:
    """Compares a feed's location with the ledger. Reads nothing but listings."""
    files = open_store(feed.options.location, project.project_dir).find()
    ledger = project.source(LEDGER)
    known: list[dict[str, Any]] = []
    if warehouse.exists(ledger):
        known = warehouse.query(
            warehouse.render("loaded_files", ledger=warehouse.relation(ledger), feed=feed.name)
        )
    etags = {(row["uri"], row["etag"]) for row in known}
    # A local file has no ETag before it was read; an unchanged size and time speak for it.
    stamps = {(row["uri"], row["version"]) for row in known}
    new = [
        file
        for file in files
        if (file.uri, file.etag) not in etags
        and (file.etag is not None or (file.uri, file.version) not in stamps)
    ]
    if feed.options.mode == "replace":
        gone = {row["uri"] for row in known} - {file.uri for file in files}
        if not files or not (new or gone):
            return LoadPlan(feed, [], len(files), replaces=False)
        return LoadPlan(feed, files, 0, replaces=True)
    return LoadPlan(feed, new, len(files) - len(new), replaces=False)


def judge_file(validator: Validator, feed: Feed, name: str, path: Path, spool: Path) -> Verdict:
    """The verdict on one file as it is stored, compressed or not."""
    try:
        text = plain_text(name, path, spool, feed.options.compression)
    except DataRefused as error:
        return Verdict(name, refused=str(error))
    return validator.validate(name, text)


def _fetch_and_judge(
    feed: Feed, store: Store, files: Sequence[FileVersion], spool: Path, observer: Observer
) -> list[tuple[FileVersion, Verdict]]:
    results = []
    observer.start(f"{feed.name}: validating", sum(file.bytes for file in files))
    try:
        with Validator(feed, spool) as validator:
            for file in files:
                fetched, path = store.fetch(file, spool)
                results.append((fetched, judge_file(validator, feed, file.uri, path, spool)))
                observer.advance(file.bytes)
    finally:
        observer.finish()
    return results


def load(project: Project, feed: Feed, warehouse: Warehouse, observer: Observer) -> LoadReport:
    """Loads what is new of a feed, all of it or nothing.

    Raises RecordsRefused, StorageError, WarehouseError or ReconciliationError; in each case the
    warehouse is as it was.
    """
    plan = make_plan(project, feed, warehouse)
    report = LoadReport(feed.name, plan.known)
    if not plan.new:
        return report
    store = open_store(feed.options.location, project.project_dir)
    with spool_folder() as spool:
        files = _fetch_and_judge(feed, store, plan.new, spool, observer)
        if any(verdict.refused or verdict.rejected for _, verdict in files):
            raise RecordsRefused(feed, [verdict for _, verdict in files])
        with warehouse.transaction():
            _commit_files(project, plan, warehouse, store, files, report)
    return report


def _commit_files(
    project: Project,
    plan: LoadPlan,
    warehouse: Warehouse,
    store: Store,
    files: list[tuple[FileVersion, Verdict]],
    report: LoadReport,
) -> None:
    """The transaction: tables, lock, load id, records, ledger, checks."""
    feed = plan.feed
    landing = warehouse.relation(project.source(feed.name))
    ledger = warehouse.relation(project.source(LEDGER))
    for statement in _ddl(project, plan, warehouse):
        warehouse.execute(statement)
    if lock := warehouse.render("lock_ledger", ledger=ledger):
        warehouse.execute(lock)
    files = _not_loaded_meanwhile(plan, warehouse, ledger, files, report)
    if not files:
        return
    load_id = _next_load_id(warehouse, ledger)
    loaded_at = datetime.now(UTC).replace(tzinfo=None).isoformat(" ")
    groups = _groups(feed, [(verdict.columns, str(verdict.text)) for _, verdict in files])
    for statement in _copy_statements(project, plan, warehouse, groups, load_id, loaded_at):
        warehouse.execute(statement)
    warehouse.execute(
        warehouse.render(
            "record_files",
            ledger=ledger,
            feed=feed.name,
            load_id=load_id,
            loaded_at=loaded_at,
            files=[_ledger_row(file, verdict) for file, verdict in files],
        )
    )
    _reconcile(warehouse, landing, load_id, [verdict for _, verdict in files])
    for file, _ in files:
        store.check_unchanged(file)
    report.load_id, report.files = load_id, files


def _not_loaded_meanwhile(
    plan: LoadPlan,
    warehouse: Warehouse,
    ledger: Any,
    files: list[tuple[FileVersion, Verdict]],
    report: LoadReport,
) -> list[tuple[FileVersion, Verdict]]:
    """The files but for those that the ledger has by now, asked under its lock.

    Another loader may have been quicker; and a local file that was only touched shows its old ETag
    once it is read.
    """
    if plan.replaces:
        return files
    known = {
        (row["uri"], row["etag"])
        for row in warehouse.query(
            warehouse.render("loaded_files", ledger=ledger, feed=plan.feed.name)
        )
    }
    new = [(file, verdict) for file, verdict in files if (file.uri, file.etag) not in known]
    report.known += len(files) - len(new)
    return new


def _next_load_id(warehouse: Warehouse, ledger: Any) -> int:
    return int(warehouse.query(warehouse.render("next_load_id", ledger=ledger))[0]["load_id"])


def _ddl(project: Project, plan: LoadPlan, warehouse: Warehouse) -> list[str]:
    nodes = (project.source(plan.feed.name), project.source(LEDGER))
    return [sql for node in nodes for sql in warehouse.render("landing_ddl", source=node)]


def _copy_statements(
    project: Project,
    plan: LoadPlan,
    warehouse: Warehouse,
    groups: list[dict[str, Any]],
    load_id: int,
    loaded_at: str,
) -> list[str]:
    """The statements that land the records."""
    feed, statements = plan.feed, []
    landing = warehouse.relation(project.source(feed.name))
    if plan.replaces:
        ledger = warehouse.relation(project.source(LEDGER))
        statements.append(warehouse.render("empty_landing", landing=landing))
        statements.append(warehouse.render("mark_replaced", ledger=ledger, feed=feed.name))
    for number, group in enumerate(groups, start=1):
        staged = {"stage": f"{feed.table_name}__load_{number}", "columns": list(feed.column_names)}
        statements += warehouse.render("stage_files", group=group, **staged)
        statements.append(
            warehouse.render(
                "insert_staged", landing=landing, load_id=load_id, loaded_at=loaded_at, **staged
            )
        )
    return statements


def _groups(feed: Feed, files: Iterable[tuple[Columns, str]]) -> list[dict[str, Any]]:
    """Files that have their columns in the same places, for the macro stage_files."""
    by_columns: dict[Columns, list[str]] = {}
    for columns, path in files:
        by_columns.setdefault(columns, []).append(path)
    return [
        {
            "paths": paths,
            "columns": list(columns),
            "delimiter": feed.options.delimiter,
            "quote": feed.options.quote,
            "max_record_bytes": MAX_RECORD_BYTES,
        }
        for columns, paths in by_columns.items()
    ]


def plan_statements(project: Project, plan: LoadPlan, warehouse: Warehouse) -> list[str]:
    """The SQL of a load, in order. Reads the new files' headers.

    What only the load will know is assumed: the ledger's counts are 0, and a file that has to be
    fetched or decompressed first is named as it is now. Raises DataRefused for a header that does
    not fit.
    """
    ledger = warehouse.relation(project.source(LEDGER))
    load_id = 1
    if warehouse.exists(project.source(LEDGER)):
        load_id = _next_load_id(warehouse, ledger)
    store = open_store(plan.feed.options.location, project.project_dir)
    dialect = Dialect(ord(plan.feed.options.delimiter), ord(plan.feed.options.quote))
    heads = []
    for file in plan.new:
        head = plain_head(file.uri, store.head(file), plan.feed.options.compression)
        try:
            header = read_header(BytesIO(head), dialect)
            heads.append((match_header(header.fields, plan.feed).columns, store.path(file)))
        except DataRefused as error:
            raise DataRefused(f"{file.uri}: {error}") from None
    loaded_at = datetime.now(UTC).replace(tzinfo=None).isoformat(" ")
    lock = warehouse.render("lock_ledger", ledger=ledger)
    files = [_ledger_row(file, Verdict(file.uri)) for file in plan.new]
    return [
        "begin",
        *_ddl(project, plan, warehouse),
        *([lock] if lock else []),
        warehouse.render("next_load_id", ledger=ledger),
        *_copy_statements(project, plan, warehouse, _groups(plan.feed, heads), load_id, loaded_at),
        warehouse.render(
            "record_files",
            ledger=ledger,
            feed=plan.feed.name,
            load_id=load_id,
            loaded_at=loaded_at,
            files=files,
        ),
        warehouse.render(
            "count_load",
            landing=warehouse.relation(project.source(plan.feed.name)),
            load_id=load_id,
        ),
        "commit",
    ]


def _ledger_row(file: FileVersion, verdict: Verdict) -> dict[str, Any]:
    return {
        "uri": file.uri,
        "etag": file.etag,
        "version": file.version,
        "bytes": file.bytes,
        "records_read": verdict.read,
        "records_loaded": verdict.accepted,
        "records_rejected": verdict.rejected,
    }


def _reconcile(
    warehouse: Warehouse, landing: Any, load_id: int, verdicts: Sequence[Verdict]
) -> None:
    """Promise 1, before commit: read = accepted + rejected, and accepted = landed."""
    for verdict in verdicts:
        if verdict.read != verdict.accepted + verdict.rejected:
            raise ReconciliationError(
                f"{verdict.file}: {verdict.read:,} records were read, but {verdict.accepted:,}"
                f" accepted and {verdict.rejected:,} rejected. Nothing was loaded."
            )
    accepted = sum(verdict.accepted for verdict in verdicts)
    query = warehouse.render("count_load", landing=landing, load_id=load_id)
    landed = int(warehouse.query(query)[0]["records"])
    if landed != accepted:
        raise ReconciliationError(
            f"{landing}: {accepted:,} records were accepted, but {landed:,} landed for load"
            f" {load_id}. It was rolled back; nothing was loaded."
        )
