"""Archiving: landing rows that the marts have counted go; ledger and marts keep their number."""

from typing import Any

from loader.contract.feed import Feed
from loader.errors import ConfigError, ReconciliationError
from loader.jobs.attempts import Observer, retried
from loader.warehouse.project import Project

# Loads as the macro archivable_loads has them.
Loads = list[dict[str, Any]]


def archive(
    project: Project, feed: Feed, before: str, observer: Observer, shown: Loads | None = None
) -> Loads:
    """The loads of before a time (UTC) that every mart has counted; archives them if shown.

    Deletes their landed records, and the text of those that they rejected. Raises ConfigError for a
    feed that others than incremental marts read, or if they are others than shown, WarehouseError,
    and ReconciliationError if a count is not as the ledger says; the warehouse is as it was then.
    """
    found: Loads = []

    def attempt() -> Loads:
        nonlocal found
        with project.warehouse(feed, create=False) as tables:
            tables.sql("refuse_unarchivable")
            if not tables.exist():
                return found
            tables.refuse_outdated()
            tests = [test for test in project.counting_tests(feed) if test.mart]
            for mart in (test.mart for test in tests if not tables.exists(test.mart)):
                raise ConfigError(
                    f"{feed.name}: {mart.relation_name} is not built yet; `python -m loader run`"
                    " builds it."
                )
            marts = [(test.mart.relation_name, project.compiled(test.id)) for test in tests]
            of = {"marts": [mart for mart, _ in marts], "before": before}
            with tables.locked():
                loads = tables.rows("archivable_loads", **of)
                wrong = [mart for mart, test in marts if tables.query(test)]
                counts = "records_landed", "records_loaded"
                wrong += [f"load {n['load']}" for n in loads if n[counts[0]] != n[counts[1]]]
                if wrong:
                    raise ReconciliationError(
                        f"{feed.name}: {wrong[0]} has another number of records than are landed."
                        " Nothing was archived; `python -m loader check` shows more."
                    )
                # None if the try before lost its connection at COMMIT, which was done.
                found = loads or found
                if shown and shown != found:
                    changed = (
                        "the loads are not as shown any more. Nothing was archived; run again."
                    )
                    raise ConfigError(f"{feed.name}: {changed}")
                if shown:
                    tables.run("archive_loads", **of)
        return found

    return retried(feed, observer, attempt)
