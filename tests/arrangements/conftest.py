"""One site for each engine, on which all its arrangements are carried out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from arrangements.feeds import add_orders, allow_rejects
from arrangements.sites import DuckdbSite, RedshiftSite, Site
from conftest import _set_all, copy_files
from redshift.cluster import Cluster
from redshift.commands import Commands, warm_up
from rig.fixtures import pytest_configure

__all__ = ["pytest_configure"]


@contextmanager
def _project(
    files: Path, folder: Path, settings: Mapping[str, str]
) -> Iterator[tuple[Path, Commands]]:
    """A project with both feeds, which is the current folder, and commands of it."""
    project = folder / "project"
    copy_files(files, project)
    add_orders(project)
    allow_rejects(project)
    warm_up(project, folder / "warm")
    commands = Commands(folder / "commands")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(project)
        patch.setenv("CTI_INDICATORS_LOCATION", "indicators/*.csv")
        # dbt's artifacts take longer than a build of two marts.
        patch.setenv("DBT_WRITE_JSON", "false")
        _set_all(patch, settings)
        yield project, commands
    commands.close()


@pytest.fixture(scope="module")
def duckdb_site(project_files: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A warehouse of its own on DuckDB."""
    folder = tmp_path_factory.mktemp("duckdb")
    warehouse = folder / "cti.duckdb"
    with _project(project_files, folder, {"CTI_DUCKDB_PATH": str(warehouse)}) as project:
        yield DuckdbSite(*project, warehouse)


@pytest.fixture(scope="module")
def redshift_site(
    project_files: Path, cluster: Cluster, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """The rig, or the cluster, with nothing loaded."""
    cluster.empty()
    with _project(project_files, tmp_path_factory.mktemp("redshift"), cluster.settings) as project:
        yield RedshiftSite(*project, cluster)
