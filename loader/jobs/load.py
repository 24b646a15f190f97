"""Loading a feed: find what is new, fetch, validate, land; all of it or nothing.

Imports in functions spare a load of nothing new numpy.
"""

from __future__ import annotations

import glob
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loader import errors
from loader.contract.feed import Feed
from loader.files.choice import NEW, Choice
from loader.files.kinds import compression_of
from loader.files.spool import spool_folder
from loader.files.store import Store
from loader.files.version import FileVersion, changed
from loader.jobs.attempts import Observer, retried
from loader.jobs.plan import LoadPlan, make_plan, store_of
from loader.validation.rejects import NotClean, Verdict
from loader.warehouse.connection import Warehouse
from loader.warehouse.copy_source import Files
from loader.warehouse.landing import load_of, restore, work_folder
from loader.warehouse.ledger import Key, LedgerRow
from loader.warehouse.project import Project
from loader.warehouse.work import check_folder, keep

if TYPE_CHECKING:
    from loader.validation.validator import FilePath, Validator

# Where the rejected records of a refused load are written unless an option names another place.
_REJECTS_FOLDER = "rejects"
# In what DuckDB says of a text that it cannot divide among its threads, see records/engine.py.
_UNDIVIDED = "CSV"
# How many files are asked for at once; boto3 keeps ten connections open.
_SIDE_BY_SIDE = 10


@dataclass
class LoadReport:
    """What a load did.

    load: its batch id, None if nothing was new. files: how many were loaded. The files that were
    loaded or rolled back before are those of the location that were not loaded for this reason;
    files_left are the new ones beyond the limit of a load, files_excluded those that are no data,
    by reason, see LeftOut. files_refused: those that were set aside, by uri why, and
    files_refused_before those that were and have not changed. lines_skipped: by the contract's
    word. columns_missing, columns_ignored: of how many files, by name.
    rejects: where the rejected records were written besides the quarantine.
    """

    feed: str
    load: int | None = None
    files: int = 0
    files_loaded_before: int = 0
    files_rolled_back_before: int = 0
    files_left: int = 0
    files_excluded: dict[str, int] = field(default_factory=dict)
    files_refused: dict[str, str] = field(default_factory=dict)
    files_refused_before: list[str] = field(default_factory=list)
    records_read: int = 0
    records_loaded: int = 0
    records_rejected: int = 0
    lines_skipped: Counter[str] = field(default_factory=Counter)
    columns_missing: Counter[str] = field(default_factory=Counter)
    columns_ignored: Counter[str] = field(default_factory=Counter)
    rejects: str | None = None

    def to_json(self) -> dict[str, Any]:
        """For machines."""
        return {name: value for name, value in vars(self).items() if name != "rejects"}


class RecordsRefused(errors.DataRefused):
    """A load that was refused because of what is in the files; verdicts: those on the bad ones."""

    def __init__(self, message: str, verdicts: Sequence[Verdict]) -> None:
        super().__init__(message)
        self.verdicts = [v for v in verdicts if v.refused or v.rejected]


def refused_loads(feed: Feed) -> list[Path]:
    """The files that refused loads have left their rejected records in, the newest last."""
    name = glob.escape(feed.name.replace("/", "-"))
    return sorted(Path(_REJECTS_FOLDER).glob(f"{name}-refused-*.jsonl"))


def judge_file(
    validator: Validator, name: str, path: Path, observer: Observer, feed: Feed | None = None
) -> Verdict:
    """The verdict on one file as it is stored, compressed or not. Raises OSError, FileChanged.

    feed: whose file it is by its name, too.
    """
    size = left = path.stat().st_size

    def advance(count: int) -> None:
        # A compressed file is longer when read than stored, and a dirty one is read twice.
        nonlocal left
        observer.advance(min(count, left))
        left -= min(count, left)

    try:
        if feed:
            feed.file_time(name, "")
        text = validator.plain_text(name, path)
        verdict = validator.numbered(validator.validate(name, text, advance))
        return replace(verdict, stored="none" if text == path else compression_of(path))
    except errors.DataRefused as error:
        return Verdict(name, refused=str(error))
    except FileNotFoundError:
        raise changed(name, "it is gone") from None
    finally:
        advance(size)


@dataclass
class Load:
    """One load of a feed, with what a try leaves to the next.

    run_id: the load joins the batch of the feed's loads that had the same. rejects_to: a folder or
    s3://bucket/prefix/ for the rejected records as JSON lines. Those of a load that is refused are
    always written, to the folder rejects unless another is given. verdicts: of the files judged so
    far. landed: the ledger's rows of the last try that landed its files; the answer to its COMMIT
    may have been lost. copies: whether the warehouse copies from S3.
    """

    project: Project
    feed: Feed
    observer: Observer
    choice: Choice = NEW
    run_id: str | None = None
    rejects_to: str | None = None
    store: Store = field(init=False)
    spool: Path = field(init=False)
    copies: bool = field(init=False)
    report: LoadReport = field(init=False)
    verdicts: dict[Key, Verdict] = field(default_factory=dict, init=False)
    landed: list[LedgerRow] = field(default_factory=list, init=False)

    def run(self) -> LoadReport:
        """Loads what is new, with rejected records in quarantine if the feed allows so many.

        Raises ConfigError, RecordsRefused, StorageError, WarehouseError or ReconciliationError; in
        each case the warehouse is as it was. Tries again what a retry may cure: the ledger knows
        what a try that lost its connection has done, so nothing is loaded twice.
        """
        if self.rejects_to:
            check_folder(self.rejects_to)
        self.store = store_of(self.feed, self.project)
        with spool_folder() as self.spool:
            return retried(self.feed, self.observer, self._attempt)

    def _attempt(self) -> LoadReport:
        """One try. No connection is open while files are fetched and judged, which may be long."""
        with self.project.warehouse(self.feed) as tables:
            tables.bring_up_to_date(create=False)
            if self._is_committed(tables):
                # What is new since then is left to the next load.
                return self._reported(self.landed, [self.verdicts[row.key] for row in self.landed])
            plan = make_plan(self.feed, self.store, tables, self.choice)
            # A mistake in its location is told before anything is fetched.
            self.copies = work_folder(tables, self.feed) is not None
        self.report = LoadReport(self.feed.name, files_loaded_before=plan.loaded_before)
        self.report.files_rolled_back_before = len(plan.rolled_back)
        self.report.files_excluded = plan.excluded
        self.report.files_refused_before = [file.uri for file in plan.refused]
        return self._landed(plan, self._fetched_and_judged(plan) if plan.new else [])

    def _fetched_and_judged(self, plan: LoadPlan) -> list[tuple[FileVersion, Verdict]]:
        """The new files and their verdicts, without files that are not new once they are read."""
        from loader.validation.validator import Validator

        files, left = list[tuple[FileVersion, Verdict]](), iter(plan.new)
        wanted = [file.bytes for file in plan.new[: self.choice.max_files]]
        name = f"{self.feed.name}: validating {len(wanted):,} files"
        step = self.observer.step(name, sum(wanted))
        # Where the engine reads files itself, a large one that begins clean is read as it lands.
        with step, Validator(self.feed, self.spool, leave=not self.copies) as validator:
            fetched = islice(self._fetched(plan, left), self.choice.max_files)
            for file, path in validator.ahead(fetched, self.verdicts):
                if file.key not in self.verdicts:
                    found = judge_file(validator, file.uri, path, self.observer, self.feed)
                    self.verdicts[file.key] = found
                files.append((file, self.verdicts[file.key]))
        self.report.files_left = len(list(left))
        replaces = self.feed.options.mode == "replace"
        if replaces and plan.is_landed([file for file, _ in files]) and not self.choice.reloads:
            self.report.files_loaded_before += len(files)
            return []
        return files

    def _fetched(self, plan: LoadPlan, new: Iterator[FileVersion]) -> Iterator[FilePath]:
        """The new files of a plan, without those that are not new once they are read."""
        for listed in new:
            file, path = self.store.fetch(listed, self.spool)
            # A local file that was only touched shows its old ETag once it is read.
            status = None if self.feed.options.mode == "replace" else plan.status_of(file)
            if status == "rolled back":
                self.report.files_rolled_back_before += 1
            elif status == "refused":
                self.report.files_refused_before.append(file.uri)
            elif status:
                self.report.files_loaded_before += 1
            else:
                yield file, path

    def _refuse_too_many(self, files: Files) -> None:
        """Raises RecordsRefused for more in a file than the feed allows, once they are written."""
        feed, limit = self.feed, self.feed.options.rejects
        verdicts = [verdict for _, verdict in files]
        over = [v for v in verdicts if not (v.refused or limit.allow(v.rejected, v.read))]
        whole = sum(1 for v in verdicts if v.refused and feed.options.unreadable == "refuse")
        if not (whole or over):
            return
        name = f"{feed.name}-refused-{datetime.now(UTC):%Y%m%dT%H%M%S%f}.jsonl"
        places = dict.fromkeys((self.rejects_to or _REJECTS_FOLDER, _REJECTS_FOLDER))
        found = [(file.etag, verdict) for file, verdict in files]
        kept = next(filter(None, (self._write_rejects(found, p, name) for p in places)), None)
        parts = [f"{v.rejected:,} of {v.read:,} records of {v.file}" for v in over[:1]]
        parts += [f"too many records of {len(over) - 1:,} more files"] if len(over) > 1 else []
        parts += [f"{whole:,} file{'s' * (whole != 1)} as a whole"] if whole else []
        allowed = f" ({feed.file} allows {limit} of a file)" if over else ""
        where = f" The rejected records are in {kept}." if kept else ""
        raise RecordsRefused(
            f"{feed.name}: refused {' and '.join(parts)}{allowed}; nothing was loaded.{where}"
            f" Correct the files, or the rules in {feed.file}, and run again.",
            verdicts,
        )

    def _landed(self, plan: LoadPlan, files: Files) -> LoadReport:
        """The report on the files, once they are committed. Raises as _land(), RecordsRefused."""
        parallel = True
        while files:
            self._refuse_too_many(files)
            try:
                return self._land(plan, files, parallel)
            except NotClean:
                files = self._judged_after_all(files)
            except errors.WarehouseError as error:
                if self.copies or not parallel or _UNDIVIDED not in str(error):
                    raise
                parallel = False
        return self._reported([], [])

    def _land(self, plan: LoadPlan, files: Files, parallel: bool) -> LoadReport:
        """The report on the files, once they are committed.

        Raises as load_of, WarehouseTransient if another loader was quicker, and FileChanged.
        """
        verdicts = [verdict for _, verdict in files]
        unread = sum(v.text.stat().st_size for v in verdicts if v.unread and v.text)
        name = f"{self.feed.name}: loading {sum(v.accepted for v in verdicts):,} records"
        if unread:
            name = f"{self.feed.name}: validating and loading {len(files):,} files"
        try:
            to, how = (self.feed, files, self.spool, plan.ledger), (self.observer.advance, parallel)
            step = self.observer.step(name, unread or None)
            with step, self.project.warehouse(self.feed) as tables:
                with load_of(tables, *to, *how, self.run_id) as rows:
                    self.landed = rows
                    self._check_unchanged(files)
                    if self.choice.reloads and plan.ledger["archived"]:
                        self.landed = restore(tables, rows)
                # Without these notes it is as well loaded.
                with suppress(errors.WarehouseError):
                    self._tell_of_others(tables, rows)
            return self._reported(self.landed, verdicts)
        except errors.WarehouseTransient:
            raise
        except (errors.ConfigError, errors.WarehouseError, errors.ReconciliationError):
            # Report a file that was overwritten meanwhile instead: that is why.
            self._check_unchanged(files)
            raise

    def _judged_after_all(self, files: Files) -> Files:
        """The same files, with verdicts on those that were to be read as they land."""
        from loader.validation.validator import Validator

        unread = {file: v.text for file, v in files if v.unread and v.text}
        name = f"{self.feed.name}: judging {len(unread):,} files, which do not all go on clean"
        step = self.observer.step(name, sum(text.stat().st_size for text in unread.values()))
        with step, Validator(self.feed, self.spool) as validator:
            for file, text in unread.items():
                self.verdicts[file.key] = validator.validate(file.uri, text, self.observer.advance)
        return [(file, self.verdicts[file.key]) for file, _ in files]

    def _is_committed(self, tables: Warehouse) -> bool:
        """Whether the try that lost its connection at COMMIT has committed."""
        if not self.landed:
            return False
        rows = tables.rows("ledger_rows", batch_id=self.landed[0].batch_id, uri=None)
        stands = [row for row in rows if row["status"] in ("loaded", "refused")]
        there = {(row["load_id"], row["uri"], row["etag"]) for row in stands}
        return there.issuperset((row.load_id, *row.key) for row in self.landed)

    def _tell_of_others(self, tables: Warehouse, files: Sequence[LedgerRow]) -> None:
        """Notes which files were loaded before, with other bytes or under another name."""
        rows = tables.rows("seen_before", load_id=files[0].load_id, files=len(files))
        # Another load may have an id by now that a file which was archived has given back.
        ours = {file.uri for file in files}
        for uri, row in {row["new_uri"]: row for row in rows if row["new_uri"] in ours}.items():
            other, load_id = row["uri"], row["load_id"]
            told = f"has the same bytes as {other}, loaded with load_id {load_id}; both count."
            if other == uri:
                told = (
                    f"was loaded before with other bytes (load_id {load_id}); both versions count."
                    f" To keep this one alone: `python -m loader rollback --file {uri}`, then `load"
                    " --reload` of it."
                )
            self.observer.note(f"{uri} {told}")

    def _check_unchanged(self, files: Files) -> None:
        """Raises FileChanged. Side by side: the ledger is locked, and S3 takes time for each."""
        with ThreadPoolExecutor(_SIDE_BY_SIDE) as pool:
            list(pool.map(self.store.check_unchanged, (file for file, _ in files)))

    def _reported(self, rows: Sequence[LedgerRow], verdicts: Sequence[Verdict]) -> LoadReport:
        """The report on what was committed, once the rejected records are written as asked."""
        self.report.load = max((row.batch_id for row in rows), default=None)
        self.report.files_refused = {r.uri: r.refused_reason for r in rows if r.refused_reason}
        self.report.files = len(rows) - len(self.report.files_refused)
        self.report.records_read = sum(row.records_read for row in rows)
        self.report.records_loaded = sum(row.records_loaded for row in rows)
        self.report.records_rejected = sum(row.records_rejected for row in rows)
        for row in rows:
            self.report.lines_skipped.update(json.loads(row.skipped or "{}"))
            self.report.columns_missing.update(json.loads(row.columns_missing or "[]"))
            self.report.columns_ignored.update(json.loads(row.columns_ignored or "[]"))
        if self.rejects_to:
            # Loads that share a number write a file each.
            own = f"-{rows[0].load_id}" if rows and self.run_id else ""
            name = f"{self.feed.name}-load-{self.report.load}{own}.jsonl"
            found = [(row.etag, verdict) for row, verdict in zip(rows, verdicts, strict=True)]
            self.report.rejects = self._write_rejects(found, self.rejects_to, name)
        return self.report

    def _write_rejects(
        self, found: Sequence[tuple[str | None, Verdict]], place: str, name: str
    ) -> str | None:
        """Writes the rejected records as JSON lines. found: the ETag of each file and its verdict.

        Returns where, None if there are none or they cannot be written.
        """
        if not any(verdict.rejected for _, verdict in found):
            return None
        # A feed is called what its YAML says, which may be a path.
        name, together = name.replace("/", "-"), self.spool / "rejects.jsonl"
        with together.open("w", encoding="ascii") as out:
            for etag, verdict in found:
                out.writelines(verdict.rejects.json_lines(etag=etag))
        try:
            return keep(together, place, name)
        except (errors.ConfigError, errors.StorageError) as error:
            # The outcome of the load does not depend on it, so it is noted but not raised.
            self.observer.note(f"the rejected records cannot be written: {error}")
            return None
