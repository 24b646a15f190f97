"""What is in a warehouse, to be compared with what an undisturbed run leaves there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from redshift.commands import Outcome

__all__ = ["Contents", "not_made_up_for", "read_contents"]

Query = Callable[[str], Sequence[Sequence[Any]]]

# Everything but the times at which a load ran, and at which the store took an object.
_TABLES = {
    "raw.indicators": (
        "indicator, indicator_type, source, confidence, first_seen, last_seen, description,"
        " _load_id"
    ),
    "raw._loaded_files": (
        "load_id, batch_id, feed, uri, etag, version, bytes, records_read, records_loaded,"
        " records_rejected, status"
    ),
    "raw._rejected_records": (
        "load_id, feed, uri, etag, record, part, line, column_name, rule, value, message, header,"
        " raw_encoding, raw_text, contract, replayed_by"
    ),
    "analytics.indicators": (
        "indicator, indicator_type, source, confidence, first_seen, last_seen, description,"
        " _file, occurrences, last_load_id"
    ),
}


@dataclass(frozen=True)
class Contents:
    """The rows of landing table, ledger, quarantine and mart, and the names of all relations."""

    rows: Counter[tuple[Any, ...]]
    relations: frozenset[str] = field(default_factory=frozenset)

    def lost_and_doubled(self, expected: Contents) -> tuple[int, int]:
        """How many rows are missing, and how many are there that should not be."""
        return (expected.rows - self.rows).total(), (self.rows - expected.rows).total()

    def state(self, before: Contents, after: Contents) -> str:
        """Whether nothing, all, or part of a load is in the loader's own tables."""
        loaded = self._of_the_loader()
        return (
            "nothing"
            if loaded == before._of_the_loader()
            else "all"
            if loaded == after._of_the_loader()
            else "part"
        )

    def _of_the_loader(self) -> Counter[tuple[Any, ...]]:
        return Counter({row: n for row, n in self.rows.items() if row[0].startswith("raw.")})


def read_contents(query: Query) -> Contents:
    """Reads a warehouse in which some of the tables may not be yet."""
    found = query(
        "select table_schema, table_name from information_schema.tables"
        " where table_schema in ('raw', 'analytics')"
    )
    relations = frozenset(f"{schema}.{name}" for schema, name in found)
    rows: Counter[tuple[Any, ...]] = Counter()
    for table in relations & _TABLES.keys():
        selected = query(f"select {_TABLES[table]} from {table}")
        rows.update((table, *map(str, row)) for row in selected)
    return Contents(rows, relations)


def not_made_up_for(state: str, again: Outcome, lost: int, doubled: int) -> list[str]:
    """What is wrong, in words, with a load that was struck, the next one, and what it left."""
    wrong = []
    if state == "part":
        wrong.append("the load was there in part")
    if again.code:
        wrong.append(f"the next one ended with {again.code}: {again.text[-600:]}")
    if lost or doubled:
        wrong.append(f"{lost} rows lost, {doubled} doubled")
    return wrong
