"""What the tests of the whole path share."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from conftest import copy_files
from e2e.engines import RedshiftTables, Tables
from rig.fixtures import pytest_configure

from loader.errors import WarehouseTransient
from loader.warehouse.connection import Warehouse

if TYPE_CHECKING:
    from redshift.cluster import Cluster

__all__ = ["pytest_configure"]

BeginWith = Callable[[Callable[[], object]], None]


@pytest.fixture(scope="module", autouse=True)
def no_artifacts() -> Iterator[None]:
    """Has dbt write no artifacts, which takes longer than many a test; who reads them asks."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DBT_WRITE_JSON", "false")
        yield


@pytest.fixture
def artifacts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Has dbt write its artifacts, as it does for people."""
    monkeypatch.delenv("DBT_WRITE_JSON")


@pytest.fixture
def tables(project: Path, target: str, request: pytest.FixtureRequest) -> Tables:
    """The project's warehouse."""
    if target == "redshift":
        return RedshiftTables(project, request.getfixturevalue("cluster"))
    return Tables(project)


class Dbt:
    """dbt itself, in the current folder."""

    def __call__(self, *arguments: str) -> int:
        """Runs a command, which must succeed; returns how many tests it ran."""
        from dbt.adapters.duckdb.connections import DuckDBConnectionManager
        from dbt.cli.main import dbtRunner

        outcome = dbtRunner().invoke(["--quiet", *arguments])
        DuckDBConnectionManager.close_all_connections()
        assert outcome.success, outcome.exception or [
            (result.node.name, result.message)
            for result in outcome.result
            if str(result.status) not in ("success", "pass")
        ]
        results = outcome.result if hasattr(outcome.result, "__iter__") else ()
        return sum(result.node.resource_type == "test" for result in results)


@pytest.fixture(scope="session")
def dbt() -> Dbt:
    """Runs dbt."""
    return Dbt()


@pytest.fixture
def lose_commit(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
    """Has the next COMMIT done and its answer lost, and something happen just then."""

    def lose(meanwhile: Callable[[], object]) -> None:
        monkeypatch.setattr("loader.jobs.attempts._WAITS", (0.0,))
        execute, changed, lost = Warehouse.execute, list[str](), list[str]()

        def broken(self: Warehouse, sql: str) -> None:
            execute(self, sql)
            # Not that of tables that are created before.
            changed.extend([sql] if sql.startswith(("insert", "delete", "update")) else [])
            if sql == "commit" and changed and not lost:
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


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Path]]:
    """Projects that a module's tests begin with, by the name under which a rig keeps its tables."""
    projects = dict[str, Path]()
    yield projects
    for project in projects.values():
        shutil.rmtree(project)


@pytest.fixture
def begin_with(
    project: Path,
    target: str,
    kept: dict[str, Path],
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
) -> BeginWith:
    """Makes what several tests of a module begin with: the first makes it, the others get copies.

    What is made is the project's folder and its warehouse.
    """
    cluster: Cluster | None = request.getfixturevalue("cluster") if target == "redshift" else None

    def begin(make: Callable[[], object]) -> None:
        name = f"kept_{request.module.__name__.rpartition('.')[2]}_{target}"
        if cluster is not None and cluster.rig is None:
            make()  # a cluster copies no database
        elif name in kept:
            copy_files(kept[name], project)
            if cluster is not None:
                cluster.put_back(name)
        else:
            make()
            folder = tmp_path_factory.mktemp("kept") / "project"
            copy_files(project, folder)
            if cluster is not None:
                cluster.keep(name)
            kept[name] = folder

    return begin
