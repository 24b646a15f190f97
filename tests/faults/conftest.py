"""Fixtures for loads that something goes wrong with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from conftest import copy_files
from faults.duckdb_site import DuckdbSite, duckdb_site
from faults.extent import ALL
from faults.rig_site import RigSite, rig_site
from faults.s3_feed import S3Feed, hurry
from faults.s3_proxy import S3Proxy
from rig.fixtures import pytest_configure
from rig.s3 import S3Server

__all__ = ["pytest_configure"]

if TYPE_CHECKING:
    from conftest import Lake, Loader


@pytest.fixture(scope="session")
def s3_proxy(s3_server: S3Server) -> Iterator[S3Proxy]:
    """A proxy before the S3 server."""
    with S3Proxy(s3_server.endpoint_url) as proxy:
        yield proxy


@pytest.fixture
def proxied(lake: Lake, s3_proxy: S3Proxy, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lake]:
    """A folder of one's own in S3, which the loader reaches through the proxy and in a hurry."""
    hurry(monkeypatch)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", s3_proxy.url)
    s3_proxy.calm()
    yield lake
    s3_proxy.calm()


@pytest.fixture(scope="session")
def faults_project(project_files: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One copy of the project for all faults in S3; each begins with its warehouse deleted."""
    folder = tmp_path_factory.mktemp("faults") / "project"
    copy_files(project_files, folder)
    return folder


@pytest.fixture
def feed(
    proxied: Lake,
    s3_server: S3Server,
    s3_proxy: S3Proxy,
    faults_project: Path,
    loader: Loader,
    monkeypatch: pytest.MonkeyPatch,
) -> S3Feed:
    """Three objects that nobody has loaded."""
    monkeypatch.chdir(faults_project)
    monkeypatch.setenv("CTI_INDICATORS_LOCATION", proxied.uri("raw/*.csv*"))
    secrets = (s3_server.secret_key, "Signature=")
    feed = S3Feed(proxied, s3_proxy, faults_project, loader, secrets, thorough=ALL)
    feed.fill()
    return feed


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DuckdbSite]:
    """A project with a feed, on DuckDB."""
    with duckdb_site(tmp_path_factory.mktemp("duckdb")) as site:
        yield site


@pytest.fixture(scope="session")
def on(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RigSite]:
    """A project on the rig."""
    with rig_site(tmp_path_factory.mktemp("rig")) as site:
        yield site
