"""Archiving: landing rows that the marts have counted go; ledger and marts keep their number."""

from typing import Any

from loader.contract.feed import Feed
from loader.errors import ConfigError, ReconciliationError
from loader.jobs.attempts import Observer, retried
from loader.warehouse.connection import Warehouse
from loader.warehouse.project import Project

# A load as the macro archivable_loads has it.
Loads = list[dict[str, Any]]


def archivable(project: Project, feed: Feed, before: str) -> Loads:
    """The loads of before a time (UTC) that can be archived. Raises as archive()."""
    with project.warehouse(feed, create=False) as tables:
        if not tables.exist(*tables.nodes):
            return []
        tables.refuse_outdated()
        return _archivable(tables, _marts(project, feed, tables), before)


def archive(project: Project, feed: Feed, before: str, observer: Observer) -> Loads:
    """Deletes the landed records of such loads, and the text of rejected ones; all or nothing.

    Raises ConfigError for a feed that others than incremental marts read, WarehouseError, and
    ReconciliationError if a count is not as the ledger says; the warehouse is as it was then.
    """
    found: Loads = []

    def attempt() -> Loads:
        nonlocal found
        with project.warehouse(feed, create=False) as tables:
            tables.bring_up_to_date()
            marts = _marts(project, feed, tables)
            with tables.locked():
                # None if the try before lost its connection at COMMIT, which was done.
                found = _archivable(tables, marts, before) or found
                tables.run("archive_loads", marts=list(marts), before=before)
        return found

    return retried(feed, observer, attempt)


def _marts(project: Project, feed: Feed, tables: Warehouse) -> dict[str, str]:
    """The marts that count a feed, each with the SQL of its counting test.

    Raises ConfigError for a feed that cannot be archived. Not for use in a transaction.
    """
    tables.sql("refuse_unarchivable")
    tests = [test for test in project.counting_tests(feed) if test.mart]
    for mart in (test.mart for test in tests if not tables.exists(test.mart)):
        raise ConfigError(f"{mart.relation_name} is not built yet; `python -m loader run` does it")
    return {test.mart.relation_name: project.compiled(test.id) for test in tests}


def _archivable(tables: Warehouse, marts: dict[str, str], before: str) -> Loads:
    """The loads, once everything is counted. Raises ReconciliationError."""
    loads = tables.rows("archivable_loads", marts=list(marts), before=before)
    wrong = [mart for mart, test in marts.items() if tables.query(test)]
    wrong += [f"load {n['load']}" for n in loads if n["records_landed"] != n["records_loaded"]]
    if wrong:
        raise ReconciliationError(
            f"{tables['feed']}: {wrong[0]} has another number of records than are landed. Nothing"
            " was archived; `python -m loader check` shows more."
        )
    return loads
