"""Loading a feed: find what is new, fetch, validate, land; all of it or nothing."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Protocol, TypeVar

from loader import interrupts
from loader.contract.feed import Feed
from loader.errors import (
    CommitUnknown,
    ConfigError,
    DataRefused,
    FileChanged,
    StorageError,
    WarehouseTransient,
)
from loader.files.archives import plain_text
from loader.files.spool import private_files, spool_folder
from loader.files.store import open_store
from loader.files.version import FileVersion
from loader.retry import retry
from loader.validation.validator import Validator
from loader.validation.verdict import Verdict
from loader.warehouse.landing import Landing
from loader.warehouse.ledger import LedgerRow
from loader.warehouse.project import Project
from loader.warehouse.work import check_folder, keep

__all__ = [
    "LoadPlan",
    "LoadReport",
    "Observer",
    "RecordsRefused",
    "judge_file",
    "load",
    "make_plan",
    "retried",
]

# Waits between tries when the warehouse says that a retry may help, in seconds.
_BACKOFF = (1.0, 4.0, 15.0)
# Where the rejects of a load that is refused go if nobody says where.
_REJECTS_FOLDER = "rejects"

Report = TypeVar("Report")


class Observer(Protocol):
    """Told of the progress of long work."""

    def start(self, step: str, total_bytes: int | None) -> None:
        """A step begins that has so many bytes to get through; None if nobody knows."""

    def advance(self, count: int) -> None:
        """So many bytes more are done."""

    def finish(self) -> None:
        """The step is over."""

    def note(self, message: str) -> None:
        """Something happened that a person should know of."""


@dataclass(frozen=True)
class LoadPlan:
    """What a load would do.

    known: how many files of the location are loaded already. rows: the ledger's, of the file
    versions in the landing table. held: files that were rolled back, and nobody asks for again;
    taken_back: uri and ETag of every version of such. reloads: uris that somebody asks for again.
    """

    feed: Feed
    new: list[FileVersion]
    known: int
    rows: list[LedgerRow]
    replaces: bool = False
    held: tuple[FileVersion, ...] = ()
    taken_back: frozenset[tuple[str, str]] = frozenset()
    reloads: frozenset[str] = frozenset()

    @cached_property
    def loaded(self) -> frozenset[tuple[str, str]]:
        """The uri and ETag of every file version in the landing table."""
        return frozenset(row.key for row in self.rows)


@dataclass
class LoadReport:
    """What a load did. load_id is None if nothing was new; rejects is where they were written.

    known: how many files were loaded before; held: how many were rolled back before.
    """

    feed: str
    known: int
    held: int = 0
    load_id: int | None = None
    files: int = 0
    records_read: int = 0
    records_loaded: int = 0
    records_rejected: int = 0
    rejects: str | None = None


class RecordsRefused(DataRefused):
    """A load that was refused because of what is in the files."""

    def __init__(self, feed: Feed, verdicts: Sequence[Verdict], rejects: str | None) -> None:
        self.verdicts = [v for v in verdicts if v.refused or v.rejected]
        records, read = sum(v.rejected for v in verdicts), sum(v.read for v in verdicts)
        whole = sum(1 for verdict in verdicts if verdict.refused)
        parts = [f"{records:,} of {read:,} records"] if records else []
        parts += [f"{whole:,} file{'s' * (whole != 1)} as a whole"] if whole else []
        limit = f" ({feed.file} allows {feed.options.rejects})" if records else ""
        kept = f" The refused records are in {rejects}." if rejects else ""
        super().__init__(
            f"{feed.name}: refused {' and '.join(parts)}{limit}; nothing was loaded.{kept} Correct"
            f" the files, or the rules in {feed.file}, and run again."
        )


def make_plan(
    project: Project, feed: Feed, landing: Landing, reloads: frozenset[str] = frozenset()
) -> LoadPlan:
    """Compares a feed's location with the ledger. Reads nothing but listings.

    reloads: uris of files to be loaded although they were rolled back. A feed in replace mode takes
    all its current files if any is named, though none has changed. Raises ConfigError for one that
    is not there.
    """
    files = open_store(feed.options.location, project.project_dir).find()
    rows = landing.loaded_files()
    if gone := sorted(reloads - {file.uri for file in files}):
        raise ConfigError(
            f"--reload {gone[0]}: {feed.name} has no such file at {feed.options.location}; name it"
            " as `python -m loader history` does."
        )
    keys = {row.key for row in rows}
    # A local file has no ETag before it is read; until then its size and time speak for it.
    stamps = {(row.uri, row.version) for row in rows}

    def is_among(
        file: FileVersion, keys: Collection[tuple[str, str]], stamps: Collection[object]
    ) -> bool:
        return (file.uri, file.version) in stamps if file.etag is None else file.key in keys

    new = [file for file in files if not is_among(file, keys, stamps)]
    if feed.options.mode == "replace":
        gone_files = {row.uri for row in rows} - {file.uri for file in files}
        if not files or not (new or gone_files or reloads):
            return LoadPlan(feed, [], len(files), rows)
        return LoadPlan(feed, files, 0, rows, replaces=True, reloads=reloads)
    back = [file for file in landing.rolled_back_files() if file.uri not in reloads]
    taken_back = frozenset(file.key for file in back)
    stamps = {(file.uri, file.version) for file in back}
    held = tuple(file for file in new if is_among(file, taken_back, stamps))
    return LoadPlan(
        feed,
        [file for file in new if file not in held],
        len(files) - len(new),
        rows,
        held=held,
        taken_back=taken_back,
        reloads=reloads,
    )


def judge_file(
    validator: Validator, feed: Feed, name: str, path: Path, spool: Path, observer: Observer
) -> Verdict:
    """The verdict on one file as it is stored, compressed or not. Raises OSError."""
    size = left = path.stat().st_size

    def advance(count: int) -> None:
        # A compressed file is longer when read than stored, and a dirty one is read twice.
        nonlocal left
        interrupts.check()
        observer.advance(min(count, left))
        left -= min(count, left)

    try:
        with private_files():
            text = plain_text(name, path, spool, feed.options.compression)
            return validator.validate(name, text, advance)
    except DataRefused as error:
        return Verdict(name, refused=str(error))
    except FileNotFoundError:
        raise FileChanged(
            f"{name}: it is gone since it was listed. Nothing was loaded; run again."
        ) from None
    finally:
        advance(size)


def load(
    project: Project,
    feed: Feed,
    observer: Observer,
    rejects_to: str | None = None,
    reloads: frozenset[str] = frozenset(),
) -> LoadReport:
    """Loads what is new of a feed; what it refuses is set aside, if the feed allows so much.

    rejects_to: a folder or s3://bucket/prefix/ for the refused records as JSON lines. Those of a
    load that is refused are always kept, in the folder rejects if nothing else is said. reloads:
    uris of files that were rolled back and are to be loaded again. Raises ConfigError,
    RecordsRefused, StorageError, WarehouseError or ReconciliationError; in each case the warehouse
    is as it was. What a retry may cure is tried again: the ledger knows what a try that lost its
    connection has done, so nothing is loaded twice.
    """
    if rejects_to:
        check_folder(rejects_to)
    judged: dict[tuple[str, str], Verdict] = {}
    lost: dict[tuple[str, str], int] = {}

    def load_once(spool: Path) -> LoadReport:
        return _load_once(project, feed, spool, observer, judged, lost, rejects_to, reloads)

    return retried(feed, observer, load_once)


def retried(feed: Feed, observer: Observer, work: Callable[[Path], Report]) -> Report:
    """Does the work in a spool folder, again if what stood in the way may be gone in a moment."""

    def note(error: Exception, wait: float) -> None:
        observer.note(f"{feed.name}: {error} Trying again in {wait:.0f} s.")

    with spool_folder() as spool:
        return retry(lambda: work(spool), WarehouseTransient, _BACKOFF, note)


def _load_once(
    project: Project,
    feed: Feed,
    spool: Path,
    observer: Observer,
    judged: dict[tuple[str, str], Verdict],
    lost: dict[tuple[str, str], int],
    rejects_to: str | None,
    reloads: frozenset[str],
) -> LoadReport:
    """One try. judged: verdicts, kept for the next.

    lost: files of a try that was lost at COMMIT, and the newest load before it. No connection is
    open while files are fetched and judged, which may take long.
    """
    with project.warehouse() as warehouse:
        landing = Landing(project, feed, warehouse)
        plan = make_plan(project, feed, landing, reloads)
    done = [row for row in plan.rows if row.load_id > lost.get(row.key, row.load_id)]
    if lost and {row.key for row in done} == lost.keys():
        # It was done after all. What has come since is for the next load.
        report = _report(feed, replace(plan, new=[]), done, 0)
        verdicts = [judged[row.key] for row in done]
        return _with_rejects(report, verdicts, rejects_to, spool, observer)
    newest = max((row.load_id for row in plan.rows), default=0)
    files, back = _fetch_and_judge(project, plan, spool, observer, judged)
    verdicts = [verdict for _, verdict in files]
    read, rejected = sum(v.read for v in verdicts), sum(v.rejected for v in verdicts)
    if any(v.refused for v in verdicts) or not feed.options.rejects.allow(rejected, read):
        name = f"{feed.name}-refused-{datetime.now(UTC):%Y%m%dT%H%M%S%f}.jsonl"
        kept = None
        for place in dict.fromkeys((rejects_to or _REJECTS_FOLDER, _REJECTS_FOLDER)):
            kept = kept or _keep(verdicts, place, name, spool, observer)
        raise RecordsRefused(feed, verdicts, kept)
    if not files:
        return _report(feed, plan, [], back)
    store = open_store(feed.options.location, project.project_dir)
    records = sum(verdict.accepted for _, verdict in files)
    observer.start(f"{feed.name}: loading {records:,} records", None)
    try:
        with project.warehouse() as warehouse:
            landing = Landing(project, feed, warehouse)
            replaced = plan.loaded if plan.replaces else None
            rows = landing.land(files, replaced, store, spool, reloads)
            report = _report(feed, plan, rows, back)
    except CommitUnknown:
        lost.clear()
        lost.update((file.key, newest) for file, _ in files)
        raise
    finally:
        observer.finish()
    return _with_rejects(report, verdicts, rejects_to, spool, observer)


def _with_rejects(
    report: LoadReport,
    verdicts: Sequence[Verdict],
    rejects_to: str | None,
    spool: Path,
    observer: Observer,
) -> LoadReport:
    """The report, once the refused records are written where somebody asked for them."""
    if rejects_to:
        name = f"{report.feed}-load-{report.load_id}.jsonl"
        report.rejects = _keep(verdicts, rejects_to, name, spool, observer)
    return report


def _keep(
    verdicts: Sequence[Verdict], location: str, name: str, spool: Path, observer: Observer
) -> str | None:
    """Writes the refused records as JSON lines; where, or None if there are none or it fails."""
    logs = [verdict.rejects for verdict in verdicts if verdict.rejects]
    if not any(log.total for log in logs):
        return None
    # A feed is called what its YAML says, which may be a path.
    name, together = name.replace("/", "-"), spool / "rejects.jsonl"
    with private_files(), together.open("w", encoding="ascii") as out:
        for log in logs:
            out.writelines(log.json_lines())
    try:
        return keep(together, location, name)
    except StorageError as error:
        # The outcome of the load does not depend on it, so it is told but not raised.
        observer.note(f"the refused records cannot be written: {error}")
        return None


def _fetch_and_judge(
    project: Project,
    plan: LoadPlan,
    spool: Path,
    observer: Observer,
    judged: dict[tuple[str, str], Verdict],
) -> tuple[list[tuple[FileVersion, Verdict]], int]:
    """The verdicts on the new files, without those that turn out to be known once they are read.

    Also how many of the latter were rolled back.
    """
    feed, back = plan.feed, 0
    if not plan.new:
        return [], back
    store = open_store(feed.options.location, project.project_dir)
    total = sum(file.bytes for file in plan.new)
    observer.start(f"{feed.name}: validating {len(plan.new):,} files", total)
    files = []
    folder = Path(tempfile.mkdtemp(dir=spool))
    try:
        with Validator(feed, folder) as validator:
            for listed in plan.new:
                with private_files():
                    file, path = store.fetch(listed, spool)
                if not plan.replaces and file.key in plan.loaded | plan.taken_back:
                    back += file.key not in plan.loaded
                    continue
                if file.key not in judged:
                    verdict = judge_file(validator, feed, file.uri, path, folder, observer)
                    judged[file.key] = verdict
                files.append((file, judged[file.key]))
    finally:
        observer.finish()
    # A local file that was only touched shows its old ETag once it is read.
    unchanged = plan.replaces and {file.key for file, _ in files} == plan.loaded
    unchanged = unchanged and not plan.reloads
    return [] if unchanged else files, back


def _report(feed: Feed, plan: LoadPlan, rows: Sequence[LedgerRow], back: int) -> LoadReport:
    return LoadReport(
        feed=feed.name,
        known=plan.known + len(plan.new) - len(rows) - back,
        held=len(plan.held) + back,
        load_id=max((row.load_id for row in rows), default=None),
        files=len(rows),
        records_read=sum(row.records_read for row in rows),
        records_loaded=sum(row.records_loaded for row in rows),
        records_rejected=sum(row.records_rejected for row in rows),
    )
