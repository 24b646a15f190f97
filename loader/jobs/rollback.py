"""Rolling back one load: its landing rows, its rejected records, and its mark in the ledger."""

from typing import NamedTuple

from loader.contract.feed import Feed
from loader.errors import ConfigError, ReconciliationError
from loader.jobs.attempts import Observer, retried
from loader.warehouse.connection import Warehouse
from loader.warehouse.project import Project

# The statements of a rollback, in order.
_CHANGES = ("delete_landed", "delete_rejected", "unmark_replayed", "mark_rolled_back")


class LoadRecords(NamedTuple):
    """How many records of a load it landed, rejected, and took out of quarantine again."""

    landed: int
    rejected: int
    replayed: int

    def __str__(self) -> str:
        return f"{self.landed:,} landed and {self.rejected:,} rejected records"


class StandingLoad(NamedTuple):
    """A load that can be rolled back, as the ledger has it.

    files: uri, records loaded and rejected of each. records: what the tables should hold of it.
    """

    feed: str
    status: str
    files: list[tuple[str, int, int]]
    records: LoadRecords


def find_load(project: Project, load_id: int, feed: Feed | None = None) -> StandingLoad:
    """The load of this number, if it can be rolled back. Raises ConfigError that says why not."""
    with project.warehouse(create=False) as tables:
        if not tables.exist("ledger"):
            raise ConfigError(f"there is no load {load_id}; nothing has been loaded yet")
        return _standing(project, tables, load_id, feed)


def roll_back(
    project: Project, feed: Feed, load_id: int, observer: Observer, damaged: bool = False
) -> LoadRecords:
    """Deletes what a load landed and rejected, and marks it in the ledger; all of it or nothing.

    Records that it took out of quarantine are put back. damaged: also if the tables hold another
    number of its records than the ledger says. Raises ConfigError, WarehouseError or
    ReconciliationError; in each case the warehouse is as it was.
    """
    found: LoadRecords | None = None

    def attempt() -> LoadRecords:
        nonlocal found
        with project.warehouse(feed, create=False) as tables, tables.transaction():
            tables.run("lock_ledger")
            rows = tables.rows("load_files", load_id=load_id) if found else []
            if found and "rolled back" in (row["status"] for row in rows):
                return found  # the try before lost its connection at COMMIT, which was done
            load = _standing(project, tables, load_id, feed)
            found = _count(tables, load_id)
            if not damaged:
                _expect(load_id, found, load.records)
            for macro in _CHANGES:
                tables.run(macro, load_id=load_id)
            _expect(load_id, _count(tables, load_id), LoadRecords(0, 0, 0))
        return found

    return retried(feed, observer, attempt)


def _count(tables: Warehouse, load_id: int) -> LoadRecords:
    macros = ("count_load", "count_rejected", "count_replayed_by")
    return LoadRecords(*(tables.number(macro, load_id=load_id) for macro in macros))


def _standing(project: Project, tables: Warehouse, load_id: int, feed: Feed | None) -> StandingLoad:
    """A load that can be rolled back. feed: whose it has to be.

    Raises ConfigError that says why one cannot.
    """
    rows = tables.rows("load_files", load_id=load_id)
    if not rows:
        raise ConfigError(f"there is no load {load_id}; `python -m loader history` shows the loads")
    name, status = rows[0]["feed"], rows[0]["status"]
    if feed and feed.name != name:
        raise ConfigError(f"load {load_id} is one of {name}, not of {feed.name}")
    options, load = project.feed(name).options, f"load {load_id} of {name}"
    if status == "rolled back":
        raise ConfigError(
            f"{load} was rolled back before; nothing was done. If what depends on it was not built"
            " since, `python -m loader run` does that."
        )
    if status == "replaced":
        raise ConfigError(
            f"{load} was replaced by a later load, so none of its records are left to roll back."
        )
    if options.mode == "replace" and status == "loaded":
        raise ConfigError(
            f"{load}: the feed is in mode replace, so what this load took the place of is gone, and"
            " without it the table would be empty. Put the right files at"
            f" {options.location} and load; they take its place."
        )
    if later := [str(row["load_id"]) for row in tables.rows("later_replays", load_id=load_id)]:
        raise ConfigError(
            f"{load}: records that it rejected were replayed by load {', '.join(later)}. Roll"
            f" that back first: python -m loader rollback {later[-1]}"
        )
    files = [(row["uri"], row["records_loaded"], row["records_rejected"]) for row in rows]
    landed, rejected = sum(loaded for _, loaded, _ in files), sum(count for _, _, count in files)
    records = LoadRecords(landed, rejected, landed if status == "replayed" else 0)
    return StandingLoad(name, status, files, records)


def _expect(load_id: int, found: LoadRecords, expected: LoadRecords) -> None:
    """Promise 1: raises ReconciliationError where a count is not what it must be."""
    for name, is_there, should_be in zip(found._fields, found, expected, strict=True):
        if is_there != should_be:
            raise ReconciliationError(
                f"load {load_id}: {is_there:,} {name} records are there, but {should_be:,} are"
                " expected. Nothing was rolled back; `python -m loader check` shows more, and"
                " --damaged rolls the load back all the same."
            )
