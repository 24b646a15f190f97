"""Landed records judged again, by the rules of today: a contract counts for what comes."""

import csv
from collections import Counter
from collections.abc import Iterator, Sequence

from loader.contract.feed import Feed
from loader.errors import DataRefused
from loader.files.spool import spool_folder
from loader.validation.validator import Validator
from loader.warehouse.connection import Warehouse

# Redshift's driver holds a whole result in memory, so records are read some at a time.
_AT_ONCE = 50_000


def judge_landed(feed: Feed, tables: Warehouse) -> tuple[int, int, Counter[tuple[str | None, str]]]:
    """How many records the landing table has, how many of them would be rejected, and by what.

    They are written as files and judged as such; a column that the table does not have yet is
    empty. By what: column and rule. Raises WarehouseError, ReconciliationError, StorageError.
    """
    there = [row["column_name"].lower() for row in tables.rows("landing_columns")]
    names = feed.file_names
    records, rejected, broken = 0, 0, Counter[tuple[str | None, str]]()
    with spool_folder() as spool, Validator(feed, spool) as validator:
        for query in _pieces(tables, names, there):
            text = spool / "landed.csv"
            with text.open("w", encoding="utf-8", newline="") as out:
                writer = csv.writer(
                    out,
                    delimiter=chr(feed.dialect.delimiter),
                    quotechar=chr(feed.dialect.quote),
                    quoting=csv.QUOTE_ALL,
                    lineterminator="\n",
                )
                writer.writerow(names)
                writer.writerows(row.values() for row in tables.stream(query))
            verdict = validator.validate(tables["landing"], text)
            if verdict.refused:
                raise DataRefused(verdict.refused)
            records, rejected = records + verdict.read, rejected + verdict.rejected
            broken.update(verdict.rejects.by_rule)
    return records, rejected, broken


def _pieces(tables: Warehouse, names: Sequence[str], there: list[str]) -> Iterator[str]:
    """Queries that together have each landed record once, and not many at a time.

    there: the columns of the table, in lower case.
    """
    for loads in tables.rows("landed_pieces", records=_AT_ONCE):
        parts = -(-loads["records"] // _AT_ONCE)
        for part in range(parts):
            # The beginnings of hashes: four hexadecimal digits, the last of which is below g.
            low, high = f"{65536 * part // parts:04x}", f"{65536 * (part + 1) // parts:04x}"
            within = {"low": low, "high": high if part + 1 < parts else "g"} if parts > 1 else {}
            span = loads["first_load"], loads["last_load"]
            yield tables.sql("landed_piece", names=names, there=there, span=span, **within)
