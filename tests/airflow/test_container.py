"""The image, run: as nobody in particular, with a root that cannot be written to."""

from __future__ import annotations

import os
import time
from typing import Any

import docker


def start(client: docker.DockerClient, volume: str, *command: str, **options: Any) -> Any:
    """A container as airflow/README.md starts it, in the background."""
    return client.containers.run(
        "cti_etl",
        list(command),
        detach=True,
        read_only=True,
        tmpfs={"/scratch": "mode=1777"},
        volumes={volume: {"bind": "/data", "mode": "rw"}},
        network_mode=os.environ.get("CTI_TEST_NETWORK") or None,
        **options,
    )


def run(client: docker.DockerClient, volume: str, *command: str, **options: Any) -> tuple[int, str]:
    """Its exit code and what it printed."""
    container = start(client, volume, *command, **options)
    try:
        code = container.wait(timeout=300)["StatusCode"]
        return code, container.logs().decode()
    finally:
        container.remove(force=True)


def test_it_says_what_it_is(docker_client: docker.DockerClient) -> None:
    image = docker_client.images.get("cti_etl")
    assert image.labels["org.opencontainers.image.title"] == "cti_etl"
    assert image.attrs["Config"]["User"] == "10001:10001"
    assert image.attrs["Config"]["Entrypoint"] == ["python", "-m", "loader"]


def test_it_is_nobody_and_writes_only_where_it_may(
    docker_client: docker.DockerClient, volume: str
) -> None:
    code = (
        "import os, pathlib\n"
        "print(os.getuid())\n"
        "for folder in ('/app', '/venv', '/scratch', '/data'):\n"
        "    try: pathlib.Path(folder, 'x').touch(); print(folder)\n"
        "    except OSError: pass\n"
    )
    done = run(docker_client, volume, "-c", code, entrypoint="python")
    assert done == (0, "10001\n/scratch\n/data\n")


def test_it_loads_and_builds_the_samples(docker_client: docker.DockerClient, volume: str) -> None:
    code, said = run(docker_client, volume, "load")
    assert (code, "6,400 of 6,407 records loaded" in said) == (0, True), said
    code, said = run(docker_client, volume, "build", entrypoint="dbt")
    assert (code, "Completed successfully" in said) == (0, True), said
    code, said = run(docker_client, volume, "check", "--json")
    assert code == 0, said
    assert '"differs"' not in said


def test_it_ends_when_it_is_told_to(docker_client: docker.DockerClient, volume: str) -> None:
    # GIVEN a load that takes a while
    script = (
        "with open('/data/big.csv', 'w') as out:\n"
        "    out.write('indicator,indicator_type,source,first_seen\\n')\n"
        "    for n in range(4_000_000): out.write(f'{n}.example,domain,me,2026-01-01\\n')\n"
    )
    assert run(docker_client, volume, "-c", script, entrypoint="python")[0] == 0
    location = {"CTI_INDICATORS_LOCATION": "/data/big.csv"}
    container = start(docker_client, volume, "load", environment=location)
    try:
        deadline = time.monotonic() + 60
        while b"validating" not in container.logs():
            assert time.monotonic() < deadline, container.logs()
            time.sleep(0.2)
        # WHEN Docker stops it THEN it rolls back and says so, and is not killed
        container.stop(timeout=60)
        assert container.wait()["StatusCode"] == 130
        assert b"interrupted" in container.logs()
    finally:
        container.remove(force=True)
    ended, said = run(docker_client, volume, "history")
    assert ended == 0
    assert "big.csv" not in said


def test_refused_data_is_told_by_the_exit_code(
    docker_client: docker.DockerClient, volume: str
) -> None:
    location = {"CTI_INDICATORS_LOCATION": "/app/dbt_project.yml"}
    assert run(docker_client, volume, "load", environment=location)[0] == 1
