"""Fixtures for loads that something goes wrong with."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from faults.s3_feed import S3Feed, hurry
from faults.s3_figures import FIGURES, Figures
from faults.s3_proxy import S3Proxy
from redshift.conftest import cluster, site, whole_site
from rig.fixtures import pytest_configure
from rig.s3 import S3Server

__all__ = ["cluster", "pytest_configure", "site", "whole_site"]

if TYPE_CHECKING:
    from conftest import Lake, Loader


@pytest.fixture(scope="session")
def s3_figures(request: pytest.FixtureRequest) -> Iterator[Figures]:
    """Counts over the whole run; written down if it is `make test-faults`."""
    figures, config = Figures(), request.config
    yield figures
    whole = config.args == ["tests/faults"] and not config.getoption("keyword")
    if config.getoption("--all-faults") and whole:
        FIGURES.write_text(figures.markdown())


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
    shutil.copytree(project_files, folder)
    return folder


@pytest.fixture
def feed(
    proxied: Lake,
    s3_server: S3Server,
    s3_proxy: S3Proxy,
    faults_project: Path,
    loader: Loader,
    s3_figures: Figures,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> S3Feed:
    """Three objects that nobody has loaded."""
    monkeypatch.chdir(faults_project)
    monkeypatch.setenv("CTI_INDICATORS_LOCATION", proxied.uri("raw/*.csv*"))
    secrets = (s3_server.secret_key, "Signature=")
    thorough = bool(request.config.getoption("--all-faults"))
    feed = S3Feed(proxied, s3_proxy, faults_project, loader, s3_figures, secrets, thorough)
    feed.fill()
    return feed
