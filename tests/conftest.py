"""Fixtures that several suites share."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import settings
from rig.s3 import S3Server

from loader.cli.main import cli
from loader.warehouse import dbt_api
from loader.warehouse.project import Project

if TYPE_CHECKING:
    from redshift.cluster import Cluster
    from types_boto3_s3 import S3Client

ROOT = Path(__file__).resolve().parents[1]
PROJECT_FILES = ("dbt_project.yml", "macros", "models", "samples", "seeds", "tests/dbt")

# The same examples in every run, so that a change is what makes a test fail; for other ones
# HYPOTHESIS_PROFILE=explore.
settings.register_profile("repeat", deadline=None, derandomize=True, database=None)
settings.register_profile("explore", deadline=None, max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeat"))


# Under nohup it would be ignored by all that the tests start, some of which are ended by it.
signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_configure(config: pytest.Config) -> None:
    """dbt opens its log file anew for each command and leaves the old one to the collector."""
    config.addinivalue_line("filterwarnings", r"ignore:unclosed file .*dbt\.log:ResourceWarning")


# Files whose tests go to one process, since they share what takes long to make: everything that
# people do on Redshift and on DuckDB; the rig with a warehouse to break.
_TOGETHER = {
    "tests/redshift/test_whole_run.py": "tests/redshift/test_parity.py",
    "tests/faults/test_concurrency.py": "tests/faults/test_warehouse.py",
    "tests/faults/test_s3_redshift.py": "tests/faults/test_warehouse.py",
}


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """With `--dist loadfile` gives a process a file, or files that belong together."""
    from xdist.scheduler import LoadFileScheduling  # type: ignore[import-untyped]

    assert all((ROOT / file).exists() for file in (*_TOGETHER, *_TOGETHER.values()))
    if config.getvalue("dist") != "loadfile":
        return None
    scheduler = LoadFileScheduling(config, log)
    file_of = scheduler._split_scope
    scheduler._split_scope = lambda test: _TOGETHER.get(file_of(test), file_of(test))
    return scheduler


@pytest.fixture(scope="session", autouse=True)
def _bare_stacks() -> Iterator[None]:
    """Spares dbt what the loader spares it; beside the modules of tests it is much more."""
    with dbt_api.bare_stacks():
        yield


@pytest.fixture(scope="session", autouse=True)
def plain_environment() -> Iterator[None]:
    """Keeps a developer's own settings out of the tests, and the tests on this machine."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith(("AWS_", "CTI_", "DBT_", "REDSHIFT_")):
                patch.delenv(name)
        patch.setenv("AWS_CONFIG_FILE", os.devnull)
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        patch.setenv("DBT_SEND_ANONYMOUS_USAGE_STATS", "false")
        yield


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    """A real S3-compatible server with an empty bucket `lake`."""
    with S3Server(buckets=("lake",)) as server:
        yield server


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """The rig with its S3 server, or the cluster that REDSHIFT_E2E_* names."""
    from redshift.cluster import is_remote, remote_cluster, rig_cluster

    with remote_cluster() if is_remote() else rig_cluster() as cluster:
        yield cluster


@dataclass(frozen=True)
class Lake:
    """A folder of one's own in the bucket `lake`."""

    client: S3Client
    prefix: str
    bucket: str = "lake"

    def put(self, name: str, data: bytes) -> str:
        """Writes an object; its address."""
        self.client.put_object(Bucket=self.bucket, Key=self.prefix + name, Body=data)
        return self.uri(name)

    def delete(self, name: str) -> None:
        """Deletes an object."""
        self.client.delete_object(Bucket=self.bucket, Key=self.prefix + name)

    def uri(self, name: str) -> str:
        """The address of an object, or of those that a pattern matches."""
        return f"s3://{self.bucket}/{self.prefix}{name}"


@pytest.fixture
def target(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The engine that every command of a test uses: DuckDB, unless the test names another.

    On Redshift the warehouse is empty, and boto3 is led to the bucket that its COPY reads.
    """
    name: str = getattr(request, "param", "duckdb")
    if name == "redshift":
        cluster: Cluster = request.getfixturevalue("cluster")
        cluster.empty()
        _set_all(monkeypatch, cluster.settings)
    return name


def _set_all(patch: pytest.MonkeyPatch, variables: Mapping[str, str]) -> None:
    for name, value in variables.items():
        patch.setenv(name, value)
    # boto3 keeps the credentials that a process used first.
    patch.setattr("boto3.DEFAULT_SESSION", None)


@pytest.fixture
def lake(target: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Lake:
    """A folder in S3 that nobody else uses, and boto3's usual settings pointing at its server."""
    folder = f"{uuid.uuid4().hex[:12]}/"
    if target == "redshift":
        cluster: Cluster = request.getfixturevalue("cluster")
        return Lake(cluster.s3, cluster.prefix + folder, cluster.bucket)
    server: S3Server = request.getfixturevalue("s3_server")
    _set_all(monkeypatch, server.env())
    return Lake(server.client(), folder)


@pytest.fixture(scope="session")
def project_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The dbt project without anything that running it leaves behind. Not to be written to."""
    folder = tmp_path_factory.mktemp("files") / "project"
    for name in PROJECT_FILES:
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, target)
    shutil.copy(ROOT / "profiles.yml.example", folder / "profiles.yml")
    # What dbt remembers of a parse spares each copy seconds.
    with contextlib.chdir(folder):
        assert Project(folder).contracts
    shutil.rmtree(folder / "logs", ignore_errors=True)
    return folder


def copy_files(project: Path, folder: Path) -> None:
    """Copies a project with what dbt remembers of it, which is older than the copies otherwise."""
    shutil.copytree(project, folder, dirs_exist_ok=True)
    for parsed in folder.glob("target/**/partial_parse.msgpack"):
        parsed.touch()


@pytest.fixture(scope="session")
def redshift_project_files(
    project_files: Path, cluster: Cluster, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The same, parsed with the settings of the cluster. Not to be written to."""
    folder = tmp_path_factory.mktemp("redshift") / "project"
    copy_files(project_files, folder)
    with pytest.MonkeyPatch.context() as patch:
        _set_all(patch, cluster.settings)
        patch.chdir(folder)
        assert Project(folder).contracts
    return folder


@pytest.fixture
def project(
    target: str, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A copy of the project to work in; the current folder."""
    files = {"duckdb": "project_files", "redshift": "redshift_project_files"}[target]
    folder = tmp_path / "project"
    copy_files(request.getfixturevalue(files), folder)
    monkeypatch.chdir(folder)
    return folder


def let_go_of_the_database() -> None:
    """Closes what dbt-duckdb would keep open for the next command of the same process."""
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager

    DuckDBConnectionManager.close_all_connections()


class Loader:
    """`python -m loader` in this process."""

    def __call__(self, *arguments: str | Path, code: int = 0) -> Result:
        """Runs a command, which must end with this exit code and without a traceback."""
        result = CliRunner().invoke(cli, [str(argument) for argument in arguments])
        let_go_of_the_database()
        shown = f"{' '.join(map(str, arguments))}: {result.exit_code}\n{result.output}"
        assert result.exception is None or isinstance(result.exception, SystemExit), shown
        assert result.exit_code == code, shown
        assert "Traceback" not in result.output, shown
        assert "unexpected:" not in result.output, shown
        return result


@pytest.fixture(scope="session")
def loader() -> Loader:
    """Runs the command line and checks how it ends."""
    return Loader()


def pytest_make_parametrize_id(val: object) -> str | None:
    """Names no test by an archive: it may hold the time, and all processes collect the same."""
    return "archive" if isinstance(val, bytes) and val[:2] in (b"PK", b"\x1f\x8b") else None
