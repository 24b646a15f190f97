"""Taking one load back: its landing rows, its refused records, and its mark in the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from loader.contract.feed import Feed
from loader.errors import ConfigError, ReconciliationError
from loader.jobs.load import Observer, retried
from loader.warehouse.project import Project
from loader.warehouse.tables import Tables

__all__ = ["Deleted", "StandingLoad", "find_load", "roll_back", "to_json"]


@dataclass(frozen=True)
class StandingLoad:
    """A load as the ledger has it. files: uri, records loaded and rejected of each."""

    load_id: int
    feed: str
    status: str
    files: tuple[tuple[str, int, int], ...]

    @property
    def loaded(self) -> int:
        """How many records it landed."""
        return sum(loaded for _, loaded, _ in self.files)

    @property
    def rejected(self) -> int:
        """How many records it set aside."""
        return sum(rejected for _, _, rejected in self.files)

    @property
    def taken(self) -> int:
        """How many records it took out of quarantine."""
        return self.loaded if self.status == "replayed" else 0


class Deleted(NamedTuple):
    """How many records were deleted, landed and refused ones, and how many are refused again."""

    landed: int
    refused: int
    returned: int


def find_load(project: Project, load_id: int, feed: Feed | None = None) -> StandingLoad:
    """A load that can be taken back. Raises ConfigError that says why one cannot."""
    with project.warehouse(create=False) as warehouse:
        tables = Tables(project, warehouse)
        if not tables.exist("ledger"):
            raise ConfigError(f"there is no load {load_id}; nothing has been loaded yet")
        load = _read(tables, load_id)
        if feed is not None and load.feed != feed.name:
            raise ConfigError(f"load {load_id} is one of {load.feed}, not of {feed.name}")
        _refuse(project, tables, load)
    return load


def roll_back(
    project: Project, feed: Feed, load_id: int, observer: Observer, damaged: bool = False
) -> Deleted:
    """Deletes what a load landed and set aside, and marks it in the ledger; all of it or nothing.

    What it had taken out of quarantine is there again. damaged: also if the tables hold another
    number of its records than the ledger says. Raises ConfigError, WarehouseError or
    ReconciliationError; in each case the warehouse is as it was.
    """
    found: list[Deleted] = []

    def once(_: object) -> Deleted:
        with project.warehouse(create=False) as warehouse:
            tables = Tables(project, warehouse, feed)
            _roll_back_once(project, tables, load_id, damaged, found)
        return found[-1]

    return retried(feed, observer, once)


def _roll_back_once(
    project: Project,
    tables: Tables,
    load_id: int,
    damaged: bool,
    found: list[Deleted],
) -> None:
    """One try. found: what was there to delete is added to it."""

    def counts() -> Deleted:
        return Deleted(
            tables.number("count_load", load_id=load_id),
            tables.number("count_rejected", load_id=load_id),
            tables.number("count_replayed_by", load_id=load_id),
        )

    lock = tables.sql("lock_ledger")
    with tables.warehouse.transaction():
        tables.execute([lock] if lock else [])
        load = _read(tables, load_id)
        if found and load.status == "rolled back":
            return  # the try before was lost at COMMIT, but done
        _refuse(project, tables, load)
        found.append(counts())
        if not damaged:
            _expect(load_id, found[-1], [load.loaded, load.rejected, load.taken])
        for macro in ("delete_landed", "delete_rejected", "unmark_replayed", "mark_rolled_back"):
            tables.run(macro, load_id=load_id)
        _expect(load_id, counts(), [0, 0, 0])


def _read(tables: Tables, load_id: int) -> StandingLoad:
    rows = tables.rows("load_files", load_id=load_id)
    if not rows:
        raise ConfigError(f"there is no load {load_id}; `python -m loader history` shows the loads")
    files = tuple((row["uri"], row["records_loaded"], row["records_rejected"]) for row in rows)
    return StandingLoad(load_id, rows[0]["feed"], rows[0]["status"], files)


def _refuse(project: Project, tables: Tables, load: StandingLoad) -> None:
    """Raises ConfigError for a load that cannot be taken back."""
    name, feed = f"load {load.load_id} of {load.feed}", project.feed(load.feed)
    if load.status == "rolled back":
        raise ConfigError(
            f"{name} was rolled back before; nothing was done. If what depends on it was not built"
            " since, `python -m loader run` does that."
        )
    if load.status == "replaced":
        raise ConfigError(
            f"{name} was replaced by a later load, so none of its records are left to roll back."
        )
    if feed.options.mode == "replace" and load.status == "loaded":
        raise ConfigError(
            f"{name}: the feed is in mode replace, so what this load took the place of is gone, and"
            " without it the table would be empty. Put the right files at"
            f" {feed.options.location} and load; they take its place."
        )
    later = tables.rows("later_replays", load_id=load.load_id)
    if replays := [str(row["load_id"]) for row in later]:
        raise ConfigError(
            f"{name}: records that it refused were replayed by load {', '.join(replays)}. Roll that"
            f" back first: python -m loader rollback {replays[-1]}"
        )


def _expect(load_id: int, found: Sequence[int], expected: Sequence[int]) -> None:
    """Promise 1: raises ReconciliationError where a count is not what it must be."""
    what = ("landed", "refused", "replayed")
    for name, is_there, should_be in zip(what, found, expected, strict=True):
        if is_there != should_be:
            raise ReconciliationError(
                f"load {load_id}: {is_there:,} {name} records are there, but {should_be:,} are"
                " expected. Nothing was rolled back; `python -m loader check` shows more, and"
                " --damaged takes the load back all the same."
            )


def to_json(load: StandingLoad, deleted: Deleted) -> dict[str, Any]:
    """For machines."""
    return {
        "feed": load.feed,
        "load": load.load_id,
        "files": len(load.files),
        "records_deleted": deleted.landed,
        "rejects_deleted": deleted.refused,
        "rejects_returned": deleted.returned,
    }
