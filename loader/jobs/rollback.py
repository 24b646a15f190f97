"""Rolling back a batch or a file: landing rows, rejected records, and the marks in the ledger."""

from typing import NamedTuple

from loader.contract.feed import Feed
from loader.errors import ConfigError, ReconciliationError
from loader.jobs.attempts import Observer, retried
from loader.warehouse.connection import Warehouse
from loader.warehouse.project import Project


class Taken(NamedTuple):
    """What is taken back: a batch, or all that came from the file of a URI."""

    batch_id: int | None = None
    uri: str | None = None

    def __str__(self) -> str:
        return f"file {self.uri}" if self.batch_id is None else f"load {self.batch_id}"


class LoadRecords(NamedTuple):
    """How many records loads landed, rejected, and took out of quarantine again."""

    landed: int
    rejected: int
    replayed: int

    def __str__(self) -> str:
        replayed = f" ({self.replayed:,} replayed)" if self.replayed else ""
        return f"{self.landed:,} landed and {self.rejected:,} rejected records{replayed}"


class StandingLoads(NamedTuple):
    """Loads that can be rolled back, as the ledger has them.

    files: uri, status, records loaded and rejected of each. records: what the tables should hold.
    """

    feed: str
    files: list[tuple[str, str, int, int]]
    records: LoadRecords


def find_loads(project: Project, taken: Taken, feed: Feed | None = None) -> StandingLoads:
    """The loads, if they can be rolled back. Raises ConfigError that says why not."""
    with project.warehouse(create=False) as tables:
        if not tables.exist("ledger"):
            raise ConfigError(f"the ledger has no {taken}; nothing has been loaded yet")
        tables.refuse_outdated()
        return _standing(project, tables, taken, feed)


def roll_back(
    project: Project, feed: Feed, taken: Taken, observer: Observer, damaged: bool = False
) -> LoadRecords:
    """Deletes what loads landed and rejected, and marks them in the ledger; all of it or nothing.

    Records that they took out of quarantine are put back. damaged: also if the tables hold another
    number of their records than the ledger says. Raises ConfigError, WarehouseError or
    ReconciliationError; in each case the warehouse is as it was.
    """
    found: LoadRecords | None = None
    which = taken._asdict()

    def attempt() -> LoadRecords:
        nonlocal found
        with project.warehouse(feed, create=False) as tables:
            tables.bring_up_to_date()
            with tables.locked():
                rows = tables.rows("ledger_rows", **which) if found else []
                if found and not any(_stands(row) for row in rows if row["feed"] == feed.name):
                    return found  # the try before lost its connection at COMMIT, which was done
                loads = _standing(project, tables, taken, feed)
                (counts,) = tables.rows("count_loads", **which)
                found = LoadRecords(**counts)
                if not damaged and found != loads.records:
                    raise ReconciliationError(
                        f"{taken}: {found} are there, but {loads.records} are expected. Nothing"
                        " was rolled back; `python -m loader check` shows more, and --damaged"
                        " rolls back all the same."
                    )
                tables.run("delete_loads", **which)
                tables.run("mark_rolled_back", **which)
        return found

    return retried(feed, observer, attempt)


def _stands(row: dict[str, str]) -> bool:
    return row["status"] in ("loaded", "replayed")


def _standing(
    project: Project, tables: Warehouse, taken: Taken, feed: Feed | None
) -> StandingLoads:
    """The loads that can be rolled back. feed: whose they have to be.

    Raises ConfigError that says why they cannot.
    """
    rows = tables.rows("ledger_rows", **taken._asdict())
    if not rows:
        raise ConfigError(
            f"the ledger has no {taken}; `python -m loader history` shows what it has"
        )
    names = sorted({row["feed"] for row in rows})
    name = feed.name if feed else names[0]
    if name not in names:
        raise ConfigError(f"{taken} is one of {names[0]}, not of {name}")
    if not feed and len(names) > 1:
        raise ConfigError(f"{taken} is one of {' and '.join(names)}; say which with --select FEED")
    options, what = project.feed(name).options, f"{taken} of {name}"
    again = f"{what}: without it the marts are built anew"
    tables.render("refuse_without_archived", feed=name, what=again)
    rows = [row for row in rows if row["feed"] == name]
    stand = [row for row in rows if _stands(row)]
    if not stand and rows[-1]["status"] == "rolled back":
        raise ConfigError(
            f"{what} was rolled back before; nothing was done. If what depends on it was not built"
            " since, `python -m loader run` does that."
        )
    if not stand and rows[-1]["status"] == "refused":
        raise ConfigError(
            f"{what} was refused as a whole, so it has no record to roll back. `python -m loader"
            " load --reload FILE` tries it again, though neither it nor the contract has changed."
        )
    if not stand:
        raise ConfigError(
            f"{what} was replaced by a later load, so none of its records are left to roll back."
        )
    if options.mode == "replace" and any(row["status"] == "loaded" for row in stand):
        raise ConfigError(
            f"{what}: the feed is in mode replace, so what this load took the place of is gone, and"
            " without it the table would be empty. Put the right files at"
            f" {options.location} and load; they take its place."
        )
    if shared := [str(row["batch_id"]) for row in stand if taken.uri not in (None, row["uri"])]:
        raise ConfigError(
            f"{what}: an early version of the loader gave it and other files one load id, so its"
            f" records cannot be told from theirs. Roll back the whole load: python -m loader"
            f" rollback {shared[-1]}"
        )
    later = tables.of(project.feed(name)).rows("later_replays", **taken._asdict())
    if batches := [str(row["batch_id"]) for row in later]:
        raise ConfigError(
            f"{what}: records that it rejected were replayed by load {', '.join(batches)}. Roll"
            f" that back first: python -m loader rollback {batches[-1]}"
        )
    counts = ("uri", "status", "records_loaded", "records_rejected")
    files = [tuple(row[count] for count in counts) for row in stand]
    replayed = sum(row["records_loaded"] for row in stand if row["status"] == "replayed")
    landed, rejected = (sum(row[count] for row in stand) for count in counts[2:])
    return StandingLoads(name, files, LoadRecords(landed, rejected, replayed))
