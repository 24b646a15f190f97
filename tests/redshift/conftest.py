"""Fixtures: one cluster and one site per run. Commands are started from a warm process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from rig.fixtures import pytest_configure

from redshift.cluster import Cluster
from redshift.commands import Commands, warm_up
from redshift.lab import add_lab
from redshift.site import Site, copy_project
from redshift.whole_run import WholeRun, run_everything

__all__ = ["pytest_configure"]


@pytest.fixture(scope="session")
def whole_site(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Site]:
    """The one site of the run. Tests ask for `site`."""
    folder = tmp_path_factory.mktemp("site")
    project = folder / "project"
    copy_project(project)
    add_lab(project)
    # First, since the servers start while it gets ready.
    warm_up(project, tmp_path_factory.mktemp("warm"))
    cluster: Cluster = request.getfixturevalue("cluster")
    site = Site(cluster, folder, project, Commands(folder / "commands"))
    yield site
    site.empty()


@pytest.fixture(scope="module")
def site(whole_site: Site) -> Site:
    """A site where nothing has been loaded yet: database, folder in S3, project, commands."""
    whole_site.empty()
    return whole_site


@pytest.fixture(scope="session")
def whole_run(whole_site: Site) -> WholeRun:
    """Both engines after the same files. Tables are kept in memory, the site is emptied again."""
    whole_site.empty()
    return run_everything(whole_site)


@pytest.fixture(autouse=True)
def calm(whole_site: Site) -> Iterator[None]:
    """No test leaves a fault behind for the next."""
    yield
    if whole_site.cluster.rig is not None:
        whole_site.cluster.rig.calm()
