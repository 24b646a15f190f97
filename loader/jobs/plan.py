"""What a load would do: which files are new, the SQL that would load them, COPY's manifests."""

from collections import defaultdict
from collections.abc import Callable, Collection, Set
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import chain, islice
from operator import itemgetter
from typing import Any

from loader.contract.feed import Feed
from loader.errors import ConfigError, DataRefused
from loader.files.choice import Choice
from loader.files.kinds import named_compression
from loader.files.store import Store, open_store
from loader.files.version import FileVersion
from loader.validation.rejects import Verdict
from loader.warehouse.connection import Warehouse
from loader.warehouse.copy_source import (
    NUMBER,
    READ_AS_IS,
    CopyGroup,
    as_is,
    file_group,
    is_rewritten,
    merged,
)
from loader.warehouse.landing import emptied, ledger_row, load_statements, loading_time
from loader.warehouse.ledger import EMPTY, State
from loader.warehouse.project import Project
from loader.warehouse.standing import check_tables
from loader.warehouse.work import feed_folder

# How many files the ledger is asked for at once. With the longest keys of S3 that is 10 MB of SQL,
# and Redshift takes 16. With fewer, either engine would look through the ledger more often.
_AT_ONCE = 10_000

# The ledger's versions of files that it knows by another path, by the one of today.
Renamed = dict[str, list[dict[str, Any]]]
Status = dict[tuple[str, str | None], str]


@dataclass
class LoadPlan:
    """What a load would do, as far as the listing and the ledger tell.

    ledger: its state when the plan was made. new: the files to load, each with its time; left: how
    many more there are. loaded_before: how many listed files are not loaded for this reason.
    rolled_back, refused: those that are not for this one, the latter by the contract of today.
    status: of every version that the ledger has of the new files, by uri and ETag or version,
    without those not landed that are to be loaded again.
    excluded: how many files of the location are no data, by reason, see LeftOut. changes: the
    statements by which the landing table follows its contract first.
    """

    ledger: State
    new: list[FileVersion] = field(default_factory=list)
    left: int = 0
    loaded_before: int = 0
    rolled_back: list[FileVersion] = field(default_factory=list)
    refused: list[FileVersion] = field(default_factory=list)
    status: Status = field(default_factory=dict)
    excluded: dict[str, int] = field(default_factory=dict)
    changes: list[str] = field(default_factory=list)

    def status_of(self, file: FileVersion) -> str | None:
        """The status of a new file, None if the ledger does not have this version of it.

        A local file has no ETag before it is read; until then its size and time speak for it.
        """
        return self.status.get((file.uri, file.etag or file.version))

    def is_landed(self, files: Collection[FileVersion]) -> bool:
        """Whether the landing table holds these of the new files and no others."""
        same = all(self.status_of(file) == "loaded" for file in files)
        return same and len(files) == self.ledger["loaded"]


def store_of(feed: Feed, project: Project) -> Store:
    """Where a feed's files are. Raises ConfigError."""
    return open_store(feed.options.location, project.project_dir, feed.options.exclude)


def make_plan(feed: Feed, store: Store, tables: Warehouse, choice: Choice) -> LoadPlan:
    """Compares a feed's location with the ledger. Reads nothing but listings.

    A feed in replace mode takes all its current files if any is to be reloaded, even if none has
    changed. With max_files the plan has all new files, in the order to take them. Raises
    ConfigError for a file to reload that is not listed, for a part of what cannot be divided, and
    as check_tables; DataRefused for a new file whose name lacks the date that it should have.
    """
    replaces = feed.options.mode == "replace"
    if replaces and (choice.max_files or choice.shard):
        problem = "divides no feed in mode replace; --select FEED names others."
        raise ConfigError(f"{feed.name}: {'--shard' if choice.shard else '--max-files'} {problem}")
    if choice.shard and not tables.sql("lock_ledger"):
        raise ConfigError("--shard is for Redshift; DuckDB has a single writer, so leave it out.")
    plan = LoadPlan(tables.rows("ledger_state")[0] if tables.exist("ledger") else EMPTY)
    known = plan.ledger["rows_of_feed"] > 0
    plan.changes = check_tables(feed, tables, known)
    reloads = frozenset(filter(choice.allows, map(store.name, choice.reloads)))
    listing = (file for file in store.find() if choice.allows(file.uri))
    new, gone = dict[str, FileVersion](), set(reloads)
    # A file that is set aside for its name is refused when it is judged.
    aside = (DataRefused,) if feed.options.unreadable == "set_aside" else ()

    @cache
    def renamed() -> Renamed:
        found: Renamed = defaultdict(list)
        for row in tables.rows("file_versions"):
            if (name := store.name(row["uri"])) != row["uri"]:
                found[name].append(row)
        return found

    # Of a million files no more than these are in memory at once, and those that are new.
    while files := list(islice(listing, _AT_ONCE)):
        gone.difference_update(file.uri for file in files)
        files, status = _known(tables, files, reloads, renamed) if known else (files, {})
        for file in files:
            of_file = status.get((file.uri, file.etag or file.version))
            if of_file is None or replaces:
                # By uri: an object that is written to meanwhile may be listed twice.
                new[file.uri] = file
                with suppress(*aside):
                    new[file.uri] = replace(file, time=feed.file_time(file.uri, file.time))
            elif of_file == "rolled back":
                plan.rolled_back.append(file)
            elif of_file == "refused":
                plan.refused.append(file)
            else:
                plan.loaded_before += 1
        plan.status |= {key: value for key, value in status.items() if key[0] in new}
    plan.excluded = dict(sorted(store.left_out.counts.items()))
    if gone:
        raise ConfigError(
            f"--reload {min(gone)}: {feed.name} has no such file at {feed.options.location}; name"
            " it as `python -m loader history` does."
        )
    if replaces and plan.is_landed(new.values()) and not reloads:
        plan.loaded_before, new = len(new), {}
    plan.new = sorted(new.values(), key=lambda file: file.uri)
    if choice.max_files:
        plan.new.sort(key=lambda file: (store.name(file.uri) not in reloads, file.time))
    return plan


def _known(
    tables: Warehouse, files: list[FileVersion], reloads: Set[str], renamed: Callable[[], Renamed]
) -> tuple[list[FileVersion], Status]:
    """The files under the names that the ledger has for them, and the status of its versions."""
    listed = {file.uri for file in files}
    rows = tables.rows("file_versions", uris=listed)
    strange = listed - {row["uri"] for row in rows}
    spelled = dict[str, str]()
    if any(file.version and file.uri in strange for file in files):
        # A local file that the ledger may know by another path, one that was a link or that leads
        # through one now: 0.1.0 named files as the location spells them, and folders are moved.
        others = {name: rows for name, rows in renamed().items() if name in strange}
        spelled = {name: max(row["uri"] for row in rows) for name, rows in others.items()}
        rows += chain(*others.values())
    again = {spelled.get(uri, uri) for uri in reloads}
    status = {
        (row["uri"], mark): row["status"]
        # In this order the last counts: rolled back, refused, loaded or archived.
        for row in sorted(rows, key=itemgetter("status"), reverse=True)
        if row["status"] == "loaded" or row["uri"] not in again
        for mark in (row["etag"], row["version"])
    }
    return [replace(file, uri=spelled.get(file.uri, file.uri)) for file in files], status


def plan_load(
    project: Project, feed: Feed, warehouse: Warehouse, choice: Choice
) -> tuple[LoadPlan, list[str], dict[str, str], frozenset[str]]:
    """The plan, the SQL that would load its new files, the manifests it names, by URI, and the
    URIs of the new files that COPY would read as they are.

    Fetches no file and changes nothing. Assumes that every file is compressed as its name has it
    and has the contract's columns in the contract's order, and that every record is accepted; what
    is not known before the files are fetched and counted is shown as 0 or null. Raises as
    make_plan.
    """
    store = store_of(feed, project)
    tables = warehouse.of(feed)
    plan = make_plan(feed, store, tables, choice)
    most = choice.max_files or len(plan.new)
    plan.new, plan.left = plan.new[:most], len(plan.new[most:])
    outdated = tables.ddl(create=False)
    if not plan.new:
        return plan, [*outdated, *plan.changes], {}, frozenset()
    restores = choice.reloads and plan.ledger["archived"]
    ids, ddl = {"load_id": 1, "batch_id": 1, "run_id": None}, tables.ddl()
    if tables.exist("ledger"):
        batch = "load_id" if any("batch_id" in statement for statement in outdated) else "batch_id"
        (ids,) = tables.rows("next_ids", batch=batch)
    settings, lock = tables.render("copy_settings"), tables.sql("lock_ledger")
    work = settings["work_location"] or "s3://<CTI_WORK_LOCATION>"
    folder = f"{feed_folder(work, feed.name)}<load>/" if lock else ""
    copied, groups, names = set[str](), list[CopyGroup](), feed.landed_names
    numbered = feed.options.record_number
    for number, file in enumerate(plan.new):
        kind = feed.options.compression or named_compression(file.uri)
        if not lock or as_is(feed, file, kind, settings):
            rewritten = is_rewritten(feed) or kind not in READ_AS_IS
            path = f"<{file.uri}, rewritten>" if rewritten else store.path(file)
            copied |= set() if rewritten else {file.uri}
            kind = "none" if rewritten else kind
            columns = names if numbered else feed.file_names
            groups.append(replace(file_group(feed, path, columns, 0, number), compression=kind))
    if lock and len(copied) < len(plan.new):
        parts = (f"{folder}<part>.csv.gz",)
        groups.append(CopyGroup(parts, (*names, NUMBER), 0, names, compression="gzip"))
    groups = merged(feed, groups, folder)
    rows = [ledger_row(ids, n, f, Verdict(f.uri), "loaded") for n, f in enumerate(plan.new)]
    statements = [
        *(["begin", *ddl, "commit"] if ddl else []),
        *plan.changes,
        *(statement for group in groups for statement in tables.sql("stage_files", group=group)),
        *(["begin", lock] if lock else ["begin"]),
        tables.sql("next_ids"),
        *emptied(tables, feed, "loaded"),
        *load_statements(tables, groups, rows, loading_time()),
        *(tables.sql("restore_archived", load_id=ids["load_id"]) if restores else ()),
        tables.sql("miscounted", load_id=ids["load_id"]),
        "commit",
    ]
    manifests = {g.manifest: g.manifest_text() for g in groups if lock}
    return plan, statements, manifests, frozenset(copied)
