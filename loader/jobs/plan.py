"""What a load would do: which files are new, the SQL that would load them, COPY's manifests."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from loader.contract.feed import Feed
from loader.errors import ConfigError
from loader.files.archives import compression_of
from loader.files.store import Store, open_store
from loader.files.version import FileVersion
from loader.validation.rejects import Verdict
from loader.warehouse.connection import Warehouse
from loader.warehouse.copy_source import NUMBER, CopyGroup, as_is, file_group, merged
from loader.warehouse.landing import emptied, ledger_row, load_statements, loading_time
from loader.warehouse.ledger import Key, Versions, file_versions
from loader.warehouse.project import Project
from loader.warehouse.standing import check_tables
from loader.warehouse.work import feed_folder


@dataclass(frozen=True)
class LoadPlan:
    """What a load would do, as far as the listing and the ledger tell.

    versions: what the ledger had of the feed when the plan was made. status: of these, by uri and
    ETag or version, without rolled back ones that are to be loaded again. new: the files to load,
    each with its time. loaded_before, rolled_back: listed files that are not loaded for this
    reason.
    """

    versions: Versions
    status: dict[tuple[str, str | None], str]
    new: Sequence[FileVersion] = ()
    loaded_before: Sequence[FileVersion] = ()
    rolled_back: Sequence[FileVersion] = ()

    @property
    def loaded_keys(self) -> frozenset[Key]:
        """The uri and ETag of every file version in the landing table."""
        return frozenset(row.key for row in self.versions if row.status == "loaded")

    def status_of(self, file: FileVersion) -> str | None:
        """The status of a file, None if the ledger does not have this version of it.

        A local file has no ETag before it is read; until then its size and time speak for it.
        """
        return self.status.get((file.uri, file.etag or file.version))


def make_plan(
    feed: Feed, store: Store, tables: Warehouse, reloads: frozenset[str] = frozenset()
) -> LoadPlan:
    """Compares a feed's location with the ledger. Reads nothing but listings.

    reloads: uris of files to be loaded although they were rolled back. A feed in replace mode takes
    all its current files if any is named, even if none has changed. Raises ConfigError for a uri
    that is not listed and as check_tables, DataRefused for a new file whose name lacks the date
    that it should have.
    """
    versions = file_versions(tables) if tables.exist("ledger") else frozenset()
    files = store.find()
    # 0.1.0 named local files as the location spells them, through links and `..`.
    unlisted = {row.uri for row in versions} - {file.uri for file in files}
    spelled = {store.name(uri): uri for uri in unlisted}
    files = [replace(file, uri=spelled.get(file.uri, file.uri)) for file in files]
    reloads = frozenset(spelled.get(name, name) for name in map(store.name, reloads))
    check_tables(feed, tables, bool(versions))
    listed = {file.uri for file in files}
    if gone := sorted(reloads - listed):
        raise ConfigError(
            f"--reload {gone[0]}: {feed.name} has no such file at {feed.options.location}; name it"
            " as `python -m loader history` does."
        )
    status = {
        (row.uri, mark): row.status
        # What was rolled back and loaded again is loaded.
        for row in sorted(versions, key=lambda row: row.status == "loaded")
        if row.status == "loaded" or row.uri not in reloads
        for mark in (row.etag, row.version)
    }
    plan = LoadPlan(versions, status)
    files_by = defaultdict[str | None, list[FileVersion]](list)
    for file in files:
        files_by[plan.status_of(file)].append(file)
    if feed.options.mode == "replace":
        removed = {uri for uri, _ in plan.loaded_keys} - listed
        unchanged = len(files_by["loaded"]) == len(files) and not (removed or reloads)
        if not files or unchanged:
            return replace(plan, loaded_before=files)
        return replace(plan, new=[_timed(feed, file) for file in files])
    new, loaded, rolled_back = (files_by[state] for state in (None, "loaded", "rolled back"))
    timed = [_timed(feed, file) for file in new]
    return replace(plan, new=timed, loaded_before=loaded, rolled_back=rolled_back)


def _timed(feed: Feed, file: FileVersion) -> FileVersion:
    return replace(file, time=feed.file_time(file.uri, file.time))


def plan_load(
    project: Project, feed: Feed, warehouse: Warehouse, reloads: frozenset[str]
) -> tuple[LoadPlan, list[str], dict[str, str], frozenset[str]]:
    """The plan, the SQL that would load its new files, the manifests it names, by URI, and the
    URIs of the new files that COPY would read as they are.

    Fetches no file and changes nothing. Assumes that every file has the contract's columns in the
    contract's order and that every record is accepted as it stands; what is not known before the
    files are fetched and counted is shown as 0 or null. Raises as make_plan.
    """
    store = open_store(feed.options.location, project.project_dir)
    tables = warehouse.of(feed)
    plan = make_plan(feed, store, tables, reloads)
    outdated = tables.ddl(create=False)
    if not plan.new:
        return plan, outdated, {}, frozenset()
    ids, ddl = {"load_id": 1, "batch_id": 1}, tables.ddl()
    if tables.exist("ledger"):
        batch = "load_id" if any("batch_id" in statement for statement in outdated) else "batch_id"
        (ids,) = tables.rows("next_ids", batch=batch)
    settings, lock = tables.render("copy_settings"), tables.sql("lock_ledger")
    work = settings["work_location"] or "s3://<CTI_WORK_LOCATION>"
    folder = f"{feed_folder(work, feed.name)}<load>/" if lock else ""
    copied, groups, names = set[str](), list[CopyGroup](), feed.landed_names
    numbered = feed.options.record_number
    for number, file in enumerate(plan.new):
        if not lock or as_is(feed, file, settings):
            path = f"<{file.uri}, rewritten>" if numbered else store.path(file)
            copied |= set() if numbered else {file.uri}
            kind = compression_of(file.uri, feed.options.compression)
            groups.append(file_group(feed, path, names, 0, number, kind))
    if lock and len(copied) < len(plan.new):
        parts = (f"{folder}<part>.csv.gz",)
        groups.append(CopyGroup(parts, (*names, NUMBER), 0, names, compression="gzip"))
    groups = merged(feed, groups, folder)
    rows = [ledger_row(ids, n, f, Verdict(f.uri), "loaded") for n, f in enumerate(plan.new)]
    statements = [
        *(["begin", *ddl, "commit"] if ddl else []),
        *(statement for group in groups for statement in tables.sql("stage_files", group=group)),
        *(["begin", lock] if lock else ["begin"]),
        tables.sql("next_ids"),
        *emptied(tables, feed, "loaded"),
        *load_statements(tables, groups, rows, loading_time()),
        tables.sql("miscounted", **ids),
        "commit",
    ]
    manifests = {g.manifest: g.manifest_text() for g in groups if lock}
    return plan, statements, manifests, frozenset(copied)
