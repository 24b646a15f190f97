"""Staging: brings records to where an INSERT can take them. On Redshift, COPY does it."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from loader.contract.feed import Feed
from loader.errors import ReconciliationError, WarehouseError, WarehouseTransient
from loader.warehouse.copy_source import CopyGroup, Files, local_groups, s3_groups
from loader.warehouse.ledger import Tables
from loader.warehouse.quarantine import write_rejected
from loader.warehouse.work import WorkFolder


def with_stages(feed: Feed, groups: Iterable[CopyGroup]) -> list[CopyGroup]:
    """The groups of a load, each with the name of its stage."""
    return [
        replace(group, stage=f"{feed.table_name}__load_{number}")
        for number, group in enumerate(groups, start=1)
    ]


def expect(found: int, expected: int, what: str) -> None:
    """Promise 1: raises ReconciliationError where a count is not what it must be."""
    if found != expected:
        raise ReconciliationError(
            f"{what} {found:,} records, but {expected:,} are expected. Nothing was loaded."
        )


@contextmanager
def staged(tables: Tables, feed: Feed, files: Files, spool: Path) -> Iterator[list[CopyGroup]]:
    """The accepted and the rejected records of files, in stages.

    Raises ConfigError, StorageError, WarehouseError, ReconciliationError.
    """
    settings = tables.warehouse.render("copy_settings")
    rejected = write_rejected(spool / "rejected.csv.gz", feed, files)
    if settings["reads"] == "files":
        yield _filled(tables, feed, [*local_groups(feed, files), *rejected])
        return
    work = WorkFolder(settings["work_location"], feed.name)
    try:
        yield _filled(tables, feed, s3_groups(feed, files, rejected, work, spool))
    finally:
        work.remove()


def _filled(tables: Tables, feed: Feed, groups: Sequence[CopyGroup]) -> list[CopyGroup]:
    """Fills a stage for each group; counts its records if that is cheap."""
    filled = with_stages(feed, groups)
    for group in filled:
        try:
            tables.execute(tables.sql("stage_files", group=group))
        except WarehouseTransient:
            raise
        except WarehouseError as error:
            raise WarehouseError(_explained(error, tables, feed, group)) from None
        counts = tables.warehouse.render("staged_counts", stage=group.stage)
        for what, query in counts.items():
            (row,) = tables.warehouse.query(query)
            expect(int(row["records"]), group.records, f"{tables[group.table]}: {what}")
    return filled


def _explained(error: WarehouseError, tables: Tables, feed: Feed, group: CopyGroup) -> str:
    """A failed COPY, with what the warehouse has logged of it."""
    warehouse, rows = tables.warehouse, list[dict[str, Any]]()
    query = warehouse.render("copy_errors")
    # Without the right to read the log, or in a session that is lost, the error itself has to do.
    with suppress(WarehouseError):
        warehouse.execute("rollback")
        rows = warehouse.query(query) if query else []
    if not rows:
        settings = warehouse.render("copy_settings")
        hint = (
            f" COPY read as {settings['role']} (CTI_COPY_ROLE), region"
            f" {settings['region'] or 'of the cluster'} (CTI_COPY_REGION)."
            if group.manifest
            else ""
        )
        return f"copying {group.manifest or group.paths[0]}: {error} Nothing was loaded.{hint}"
    row = {key: str(value).strip() for key, value in rows[0].items()}
    column = f", column {row['column_name']}" if row["column_name"] else ""
    return (
        f"{row['file_name']}, line {row['line_number']}{column}: COPY"
        f" refused it: {row['error_message']} (code {row['error_code']}). Nothing was loaded."
        " The validator let it pass, so compare the column's type in the warehouse with"
        f" {feed.file}."
    )
