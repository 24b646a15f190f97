"""The engines that a test of the project runs on, and their tables as seen from outside.

A test takes the engine as the fixture `target`, which is DuckDB unless the test is marked with
`on_both_engines`. What the test does is the same on both: it writes files into `feed_folder`, runs
`loader` and `dbt`, and looks at `tables`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from e2e.oracle import COLUMNS, Row, Winner, expected_mart, read_aliases, stem

if TYPE_CHECKING:
    from redshift.cluster import Cluster

_REDSHIFT = pytest.param("redshift", marks=pytest.mark.slow)
on_both_engines = pytest.mark.parametrize("target", ["duckdb", _REDSHIFT], indirect=True)
# For those that are too long for `make test` on DuckDB too: `make test-slow` runs them on the rig,
# and both engines run the same macros.
slowly_on_both_engines = pytest.mark.parametrize(
    "target", [pytest.param("duckdb", marks=pytest.mark.nightly), _REDSHIFT], indirect=True
)
# For the few that show the main path of the project: `make test` runs them on the rig as well.
quickly_on_both_engines = pytest.mark.parametrize("target", ["duckdb", "redshift"], indirect=True)


class Tables:
    """The warehouse of a project, looked at from outside. This one is DuckDB's."""

    def __init__(self, project: Path) -> None:
        self.path = project / "cti.duckdb"
        self._aliases = read_aliases(project / "seeds/indicator_type_aliases.csv")

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        with duckdb.connect(str(self.path)) as connection:
            return connection.execute(query).fetchall()

    def exists(self) -> bool:
        """Whether there is a database."""
        return self.path.exists()

    def count(self, table: str) -> int:
        """How many rows a table has; 0 if it, or the whole database, is not there."""
        if not self.exists():
            return 0
        schema, name = table.split(".")
        there = self.rows(
            "select 1 from information_schema.tables"
            f" where table_schema = '{schema}' and table_name = '{name}'"
        )
        return int(self.rows(f"select count(*) from {table}")[0][0]) if there else 0

    def assert_nothing_loaded(self) -> None:
        """Neither a record nor a line of the ledger."""
        assert self.count("raw.indicators") == 0
        assert self.count("raw._loaded_files") == 0

    def assert_landed(self, loads: Iterable[tuple[int, list[Row]]]) -> None:
        """The landing table holds exactly these records, raw, each under its batch and file."""
        expected = Counter(
            (*(row[name] for name in COLUMNS), batch_id, row["_file"])
            for batch_id, rows in loads
            for row in rows
        )
        columns = ", ".join(COLUMNS)
        landed = self.rows(
            f"select {columns}, batch_id, uri from raw.indicators"
            " inner join raw._loaded_files on _load_id = load_id"
        )
        assert Counter((*row[:-1], stem(row[-1])) for row in landed) == expected

    def assert_mart(self, loads: Iterable[tuple[int, list[Row]]]) -> None:
        """The mart is what the oracle makes of these batches, row for row."""
        files = {
            (batch_id, stem(uri)): (time, uri)
            for batch_id, uri, time in self.rows(
                "select batch_id, uri, file_time from raw._loaded_files"
            )
        }
        expected = expected_mart(loads, self._aliases, files)
        found = self.rows(
            "select indicator_type, indicator, source, confidence, first_seen, last_seen,"
            " description, occurrences, batch_id from analytics.indicators"
            " left join (select distinct load_id, batch_id from raw._loaded_files) as ledger"
            " on last_load_id = load_id"
        )
        keys = [row[:2] for row in found]
        assert len(keys) == len(set(keys))
        assert set(keys) == set(expected)
        wrong = [
            (row, expected[row[:2]]) for row in found if not _is_winner(row, expected[row[:2]])
        ]
        assert wrong == []


class RedshiftTables(Tables):
    """The tables of a cluster."""

    def __init__(self, project: Path, cluster: Cluster) -> None:
        super().__init__(project)
        self._cluster = cluster

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """The rows of a query, or none of a statement that has none."""
        return self._cluster.query(query)

    def exists(self) -> bool:
        """Whether there is a database, which is always so."""
        return True


def _is_winner(row: tuple[Any, ...], winner: Winner) -> bool:
    return row[2:7] in winner.candidates and row[7:] == (winner.occurrences, winner.last_batch_id)
