"""What the tests of the whole path share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import duckdb
import pytest
from e2e.oracle import COLUMNS, Row, Winner, expected_mart, read_aliases

from loader.errors import WarehouseTransient
from loader.jobs import load as pipeline
from loader.warehouse.connection import Warehouse


class Tables:
    """The warehouse of a project, looked at from outside."""

    def __init__(self, project: Path) -> None:
        self.path = project / "cti.duckdb"
        self._aliases = read_aliases(project / "seeds/indicator_type_aliases.csv")

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        with duckdb.connect(str(self.path)) as connection:
            return connection.execute(query).fetchall()

    def count(self, table: str) -> int:
        """How many rows a table has; 0 if it, or the whole database, is not there."""
        if not self.path.exists():
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
        """The landing table holds exactly these records, raw, each under its load."""
        expected = Counter(
            (*(row[name] for name in COLUMNS), load_id) for load_id, rows in loads for row in rows
        )
        columns = ", ".join(COLUMNS)
        landed = Counter(self.rows(f"select {columns}, _load_id from raw.indicators"))
        assert landed == expected

    def assert_mart(self, loads: Iterable[tuple[int, list[Row]]]) -> None:
        """The mart is what the oracle makes of these loads, row for row."""
        expected = expected_mart(loads, self._aliases)
        found = self.rows(
            "select indicator_type, indicator, source, confidence, first_seen, last_seen,"
            " description, occurrences, last_load_id from analytics.indicators"
        )
        keys = [row[:2] for row in found]
        assert len(keys) == len(set(keys))
        assert set(keys) == set(expected)
        wrong = [
            (row, expected[row[:2]]) for row in found if not _is_winner(row, expected[row[:2]])
        ]
        assert wrong == []


def _is_winner(row: tuple[Any, ...], winner: Winner) -> bool:
    return row[2:7] in winner.candidates and row[7:] == (winner.occurrences, winner.last_load_id)


@pytest.fixture
def tables(project: Path) -> Tables:
    """The project's warehouse."""
    return Tables(project)


class Dbt:
    """dbt itself, in the current folder."""

    def __call__(self, *arguments: str) -> None:
        """Runs a command, which must succeed."""
        from dbt.adapters.duckdb.connections import DuckDBConnectionManager
        from dbt.cli.main import dbtRunner

        outcome = dbtRunner().invoke(["--quiet", *arguments])
        DuckDBConnectionManager.close_all_connections()
        assert outcome.success, outcome.exception or [
            (result.node.name, result.message)
            for result in outcome.result
            if str(result.status) not in ("success", "pass")
        ]


@pytest.fixture(scope="session")
def dbt() -> Dbt:
    """Runs dbt."""
    return Dbt()


@pytest.fixture
def lose_commit(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
    """Has the next COMMIT done and its answer lost, and something happen just then."""

    def lose(meanwhile: Callable[[], object]) -> None:
        monkeypatch.setattr(pipeline, "_BACKOFF", (0.0,))
        execute, lost = Warehouse.execute, list[str]()

        def broken(self: Warehouse, sql: str) -> None:
            execute(self, sql)
            if sql == "commit" and not lost:
                lost.append(sql)
                meanwhile()
                raise WarehouseTransient("connection reset")

        monkeypatch.setattr(Warehouse, "execute", broken)

    return lose


@pytest.fixture
def feed_folder(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that the example feed reads instead of the samples."""
    folder = project / "feed"
    folder.mkdir()
    monkeypatch.setenv("CTI_INDICATORS_LOCATION", "feed/*.csv*")
    return folder
