"""Lands validated files: stages them, opens a load's transaction, counts before it commits.

Staging brings records to where an INSERT can take them. On Redshift, COPY does it.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from itertools import accumulate
from pathlib import Path
from typing import Any

from loader import errors
from loader.contract.feed import Feed
from loader.files.version import FileVersion
from loader.validation.rejects import Verdict, short
from loader.warehouse.connection import Warehouse
from loader.warehouse.copy_source import CopyGroup, Files, copy_groups, merged
from loader.warehouse.ledger import LedgerRow, State
from loader.warehouse.quarantine import write_rejected
from loader.warehouse.standing import follow_contract
from loader.warehouse.work import WorkFolder

# How many bytes of names the ledger keeps of a file, less than its column takes.
_NAMES_BYTES = 16_000


@contextmanager
def load_of(
    tables: Warehouse,
    feed: Feed,
    files: Files,
    spool: Path,
    planned: State | None = None,
    advance: Callable[[int], None] = lambda _: None,
    parallel: bool = True,
    run_id: str | None = None,
) -> Iterator[list[LedgerRow]]:
    """Stages files and lands them in one transaction; yields their rows in the ledger.

    It commits when the block ends. planned: the state of the ledger that a load was planned from;
    without it, the load is a replay. advance: called with the number of bytes of unread files as
    they are read. parallel: whether an engine that reads files may divide one among its threads.
    run_id: if the feed has a batch with it, the files join that. Raises ConfigError, StorageError,
    ReconciliationError, WarehouseError, and NotClean for an unread file; nothing is landed then,
    unless it is CommitUnknown.
    """
    # Not in the load's transaction, in which the lock has to come first: what it reads must be
    # newer than any load that committed before the lock was given.
    tables.bring_up_to_date()
    follow_contract(feed, tables)
    with _staged(tables, feed, files, spool, parallel) as groups, tables.locked():
        if planned is not None:
            _check_still_true(tables, feed, planned, files)
        (ids,) = tables.rows("next_ids", run_id=run_id)
        status, now = "replayed" if planned is None else "loaded", loading_time()
        tables.execute_all(emptied(tables, feed, status))
        rows = []
        for number, (file, verdict) in enumerate(files):
            if verdict.unread:
                # Here, since a load of nothing new needs nothing of what it imports.
                from loader.warehouse.read_once import read_once

                at = {"load_id": ids["load_id"], "loaded_at": now}
                verdict = read_once(tables, feed, number, verdict, advance, at)
            rows.append(ledger_row(ids, number, file, verdict, status))
        insert(tables, groups, rows, now)
        yield rows


def _check_still_true(tables: Warehouse, feed: Feed, planned: State, files: Files) -> None:
    """Raises WarehouseTransient if another loader was quicker since the load was planned.

    That is one which loaded any of these file versions, whatever has become of it, or for a feed in
    mode replace one that changed anything. The next try plans anew, and judges no file twice.
    """
    taken = tables.rows("ledger_state") != [planned]
    if taken and feed.options.mode != "replace":
        keys = {file.key for file, _ in files}
        since = tables.stream(tables.sql("file_versions", after=planned["newest"]))
        taken = any((row["uri"], row["etag"]) in keys for row in since)
    if taken:
        raise errors.WarehouseTransient(
            f"{tables['feed']}: another loader changed the ledger of this feed meanwhile."
        )


def insert(
    tables: Warehouse, groups: Sequence[CopyGroup], rows: Sequence[LedgerRow], now: str
) -> None:
    """Moves staged records to their tables and files into the ledger, and counts them.

    Raises WarehouseError, and ReconciliationError if a count is not what it must be.
    """
    tables.execute_all(load_statements(tables, groups, rows, now))
    _count(tables, rows)


def restore(tables: Warehouse, rows: Sequence[LedgerRow]) -> list[LedgerRow]:
    """Gives the archived ones among the files of a load their load ids back; returns all with ids.

    Raises ReconciliationError for a file that has other counts than when it was archived, and
    WarehouseTransient if another loader was quicker.
    """
    if tables.rows("restored_before", load_id=rows[0].load_id):
        raise errors.WarehouseTransient(f"{tables['feed']}: another load brought a file back.")
    tables.run("restore_archived", load_id=rows[0].load_id)
    _count(tables, rows, rows[0].batch_id)
    batch = tables.rows("ledger_rows", batch_id=rows[0].batch_id, uri=None)
    ids = {(r["uri"], r["etag"]): r["load_id"] for r in batch if r["status"] == "loaded"}
    return [row._replace(load_id=ids.get(row.key, row.load_id)) for row in rows]


def _count(tables: Warehouse, rows: Sequence[LedgerRow], restored: int | None = None) -> None:
    """Raises ReconciliationError if the tables do not hold what the ledger says of a load.

    restored: its batch, if that has files with older load ids.
    """
    by = " (of another contract: put that back, load it again, then change it)" if restored else ""
    for row in tables.rows("miscounted", load_id=rows[0].load_id, restored=restored):
        of = f"of {row['uri']}{by}" if row["uri"] else "of no file"
        landed, quarantined = row["records_landed"], row["records_quarantined"]
        expect(landed, row["records_loaded"], f"{tables['landing']}: landed {of}")
        expect(quarantined, row["records_rejected"], f"{tables['quarantine']}: quarantined {of}")


def ledger_row(
    ids: Mapping[str, Any], number: int, file: FileVersion, verdict: Verdict, status: str
) -> LedgerRow:
    """The row of a file, refused or else of this status. ids: as next_ids gives them."""
    counts = verdict.read, verdict.accepted, verdict.rejected
    place = ids["load_id"] + number, *file.key, file.version, file.bytes
    status = "refused" if verdict.refused else status
    skipped = json.dumps(verdict.skipped) if verdict.skipped else None
    told = skipped, _names(verdict.missing), _names(verdict.ignored), short(verdict.refused)
    return LedgerRow(*place, *counts, status, ids["batch_id"], file.time, ids["run_id"], *told)


def _names(names: Sequence[str]) -> str | None:
    """Names as a JSON list, of more than the ledger has room for the first; None for none."""
    texts = [json.dumps(name, ensure_ascii=False) for name in names]
    sizes = accumulate(len(text.encode()) + 2 for text in texts)
    shown = [text for text, size in zip(texts, sizes, strict=True) if size <= _NAMES_BYTES]
    shown += [f'"and {len(texts) - len(shown):,} more"'] if len(texts) > len(shown) else []
    return f"[{', '.join(shown)}]" if shown else None


def loading_time() -> str:
    """When a load runs, UTC as ISO 8601."""
    return datetime.now(UTC).replace(tzinfo=None).isoformat(" ")


def emptied(tables: Warehouse, feed: Feed, status: str) -> list[str]:
    """The statements by which a load in mode replace takes the place of all that was landed.

    None for a feed in another mode, and for a replay.
    """
    if feed.options.mode != "replace" or status != "loaded":
        return []
    return [tables.sql("empty_landing"), tables.sql("mark_replaced")]


def load_statements(
    tables: Warehouse, groups: Sequence[CopyGroup], rows: Sequence[LedgerRow], now: str
) -> list[str]:
    """The statements that move staged records to their tables and write files into the ledger."""
    macros = {"landing": "insert_staged", "quarantine": "quarantine_staged"}
    at = {"load_id": rows[0].load_id, "loaded_at": now}
    moved = [tables.sql(macros[group.table], group=group, **at) for group in groups]
    return [*moved, *tables.sql("record_files", files=rows, loaded_at=now)]


def expect(found: int, expected: int, what: str) -> None:
    """Promise 1: raises ReconciliationError where a count is not what it must be."""
    if found != expected:
        raise errors.ReconciliationError(
            f"{what} {found:,} records, but {expected:,} are expected. Nothing was loaded."
        )


def work_folder(tables: Warehouse, feed: Feed) -> WorkFolder | None:
    """A folder for what COPY reads besides raw files; None where the engine reads local files.

    Raises ConfigError where none is set.
    """
    settings = tables.render("copy_settings")
    if settings["reads"] == "files":
        return None
    return WorkFolder(settings["work_location"], feed.name)


@contextmanager
def _staged(
    tables: Warehouse, feed: Feed, files: Files, spool: Path, parallel: bool
) -> Iterator[list[CopyGroup]]:
    """The accepted and the rejected records of files, in stages.

    Raises ConfigError, StorageError, WarehouseError, ReconciliationError.
    """
    work = work_folder(tables, feed)
    try:
        rejected = write_rejected(spool / "rejected.csv.gz", feed, files, work)
        accepted = copy_groups(feed, files, work, tables.render("copy_settings"), spool)
        groups = merged(feed, [*accepted, *rejected], work.uri if work else "")
        groups = [replace(group, parallel=parallel) for group in groups]
        for group in groups:
            if work:
                work.put(group.manifest, group.manifest_text())
            _stage(tables, feed, group)
        yield groups
    finally:
        if work:
            work.remove()


def _stage(tables: Warehouse, feed: Feed, group: CopyGroup) -> None:
    """Fills the stage of a group; counts its records if that is cheap."""
    try:
        tables.run("stage_files", group=group)
    except errors.WarehouseTransient:
        raise
    except (errors.ConfigError, errors.WarehouseError) as error:
        raise type(error)(_explained(error, tables, feed, group)) from None
    for what, query in tables.render("staged_counts", stage=group.stage).items():
        (row,) = tables.query(query)
        expect(int(row["records"]), group.records, f"{tables[group.table]}: {what}")


def _explained(error: errors.LoaderError, tables: Warehouse, feed: Feed, group: CopyGroup) -> str:
    """A failed COPY, with what the warehouse has logged of it."""
    hint, query = tables.render("copy_errors")
    rows = list[dict[str, Any]]()
    # A COPY that was not let in has logged nothing.
    if query and not isinstance(error, errors.ConfigError):
        # Without the right to read the log, or in a lost session, the error itself has to do.
        with suppress(errors.WarehouseError):
            tables.execute("rollback")
            rows = tables.query(query)
    if not rows:
        return f"copying {group.manifest or group.paths[0]}: {error} Nothing was loaded.{hint}"
    return (
        f"{rows[0]['problem']}. Nothing was loaded. The validator let it pass, so compare the"
        f" column's type in the warehouse with {feed.file}."
    )
