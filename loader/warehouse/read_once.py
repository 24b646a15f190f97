"""Reads a file that begins clean once: the engine screens and lands it in one statement, while the
strict reader goes over the same bytes.

Only where the engine reads files itself, and only within the transaction of a load: what turns out
not to be clean is rolled back, and judged record by record.
"""

import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from loader.contract.feed import Feed
from loader.errors import DataRefused
from loader.validation.reading import Advance, Reading
from loader.validation.rejects import NotClean, Verdict
from loader.validation.screen import predicate
from loader.validation.screening import Seen, as_it_is
from loader.warehouse.connection import Warehouse
from loader.warehouse.copy_source import file_group


def read_once(
    tables: Warehouse,
    feed: Feed,
    number: int,
    unread: Verdict,
    advance: Advance,
    at: Mapping[str, Any],
) -> Verdict:
    """Lands a file that nobody has read yet; returns the verdict on it.

    number: the file's own within the batch. at: load_id, the batch's first, and loaded_at. Raises
    NotClean, ReconciliationError, WarehouseError.
    """
    assert unread.text is not None
    stage, clear = f"{feed.table_name}__file_{number}", predicate(feed.columns)
    group = file_group(feed, str(unread.text), unread.columns, 0, number)
    group = replace(group, stage=stage)
    tables.run("stage_files", group=group)
    insert, count = tables.sql("land_screened", group=group, clear=clear, **at)

    def screen() -> tuple[Seen, int]:
        tables.execute(insert)
        (row,) = tables.query(count)
        return Seen(row["records"], row["value_bytes"]), row["unclear"]

    with unread.text.open("rb") as text, suppress(DataRefused):
        # Each try has a folder of its own, beside the one before.
        stem = Path(tempfile.mkdtemp(dir=unread.text.parent)) / stage
        reading = Reading(unread.file, unread.text, text, stem, feed, advance)
        if verdict := as_it_is(reading, screen, tables.interrupter()):
            return verdict
    raise NotClean(unread.file)
