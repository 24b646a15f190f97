"""An Airflow of its own for the tests: SQLite, in a folder that goes with them."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

PROJECT = Path(__file__).parents[2]

# Before Airflow is imported, for it reads its configuration then.
_home = tempfile.TemporaryDirectory(prefix="airflow-")
os.environ.update(
    {
        "AIRFLOW_HOME": _home.name,
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(PROJECT / "airflow" / "dags"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{_home.name}/airflow.db",
        "CTI_PROJECT_DIR": str(PROJECT),
        "CTI_PYTHON": os.environ.get("CTI_PYTHON", str(PROJECT / ".venv" / "bin" / "python")),
    }
)
subprocess.run(
    [Path(sys.executable).with_name("airflow"), "db", "migrate"], check=True, capture_output=True
)


@pytest.fixture(scope="session")
def docker_client() -> docker.DockerClient:
    """Docker's API, where one answers and has the image."""
    try:
        client = docker.from_env()
        client.ping()
        client.images.get("cti_etl")
    except docker.errors.DockerException as error:
        pytest.skip(f"no Docker API with the image cti_etl (DOCKER_HOST): {type(error).__name__}")
    return client


@pytest.fixture
def volume(docker_client: docker.DockerClient) -> Iterator[str]:
    """A Docker volume for the DuckDB file."""
    name = f"cti-test-{uuid.uuid4().hex[:8]}"
    made = docker_client.volumes.create(name)
    yield name
    made.remove(force=True)
