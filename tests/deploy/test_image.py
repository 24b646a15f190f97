"""The Dockerfile, what reaches its build, and the compose file."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from deploy.composing import compose

PROJECT = Path(__file__).parents[2]
HADOLINT = Path(sys.executable).with_name("hadolint")


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("path", ["Dockerfile", "airflow/image/Dockerfile"])
def test_hadolint_finds_nothing(path: str) -> None:
    done = run(HADOLINT, PROJECT / path)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_demo_has_the_versions_that_the_dags_are_tested_with() -> None:
    text = (PROJECT / "airflow" / "image" / "Dockerfile").read_text()
    pinned = (PROJECT / "requirements" / "airflow.txt").read_text().split()
    airflow = text.split("apache/airflow:")[1].split()[0]
    [docker] = [word for word in text.split() if word.startswith("apache-airflow-providers-docker")]
    assert f"apache-airflow=={airflow}" in pinned
    assert docker in pinned


def test_hadolint_finds_something_in_a_bad_one(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM python\nRUN cd x; sudo pip install y\n")
    assert run(HADOLINT, tmp_path / "Dockerfile").returncode == 1


def test_nothing_reaches_the_build_but_what_is_named() -> None:
    """A list of what may be there keeps out what nobody thought of, so there is one first `*`."""
    lines = (PROJECT / ".dockerignore").read_text().splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    allowed = [rule[1:] for rule in rules if rule.startswith("!")]
    for name in allowed:
        assert (PROJECT / name).exists()
        assert "*" not in name
    for secret in ("profiles.yml", ".env", ".git", ".venv", "cti.duckdb", "terraform", "airflow"):
        assert not any(Path(name).parts[0] == secret for name in allowed)
    assert {"**/.env*", "**/*.pem", "**/*.key"} <= set(rules[rules.index(f"!{allowed[-1]}") :])


@pytest.fixture
def demo(tmp_path: Path) -> Path:
    """A copy of the demo, with its passwords drawn."""
    folder = tmp_path / "airflow"
    folder.mkdir()
    for name in ("docker-compose.yml", "demo_env.sh"):
        shutil.copy(PROJECT / "airflow" / name, folder)
    subprocess.run([folder / "demo_env.sh"], check=True, capture_output=True)
    return folder


def config(demo: Path) -> dict[str, Any]:
    done = compose("-f", demo / "docker-compose.yml", "config", "--format", "json")
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def test_compose_takes_the_demo_and_ports_are_the_machines_own(demo: Path) -> None:
    services = config(demo)["services"]
    ports = {name: service.get("ports", []) for name, service in services.items()}
    assert {name for name, open_ports in ports.items() if open_ports} == {"api-server", "s3"}
    assert {port["host_ip"] for each in ports.values() for port in each} == {"127.0.0.1"}


def test_the_database_counts_as_healthy_only_once_others_reach_it(demo: Path) -> None:
    # While the official image makes its cluster, a server answers at its socket, and no TCP port.
    check = config(demo)["services"]["postgres"]["healthcheck"]["test"]
    assert check[:4] == ["CMD", "pg_isready", "-h", "127.0.0.1"]


def test_the_demos_variable_is_one_that_the_tasks_take(demo: Path) -> None:
    sys.path.insert(0, str(PROJECT / "airflow" / "dags"))
    try:
        from cti_job import read_job
    finally:
        sys.path.pop(0)
    scheduler = config(demo)["services"]["scheduler"]
    job = read_job(scheduler["environment"]["AIRFLOW_VAR_JOB_SECRET"])
    assert job.environment["AWS_ENDPOINT_URL_S3"] == "http://s3:8333"
    assert (job.volume, job.network) == ("cti_warehouse", "cti_default")


def test_compose_refuses_a_broken_file(demo: Path) -> None:
    path = demo / "docker-compose.yml"
    path.write_text(path.read_text().replace("image: cti_etl\n", "imagge: cti_etl\n", 1))
    assert compose("-f", path, "config", "-q").returncode != 0


def test_only_what_runs_the_tasks_has_dockers_socket(demo: Path) -> None:
    services = config(demo)["services"]
    mounted = {
        name
        for name, service in services.items()
        if any(volume["source"].endswith("docker.sock") for volume in service.get("volumes", []))
    }
    assert mounted == {"scheduler"}
    assert services["scheduler"]["group_add"]
    # One service builds the image that all of Airflow's run; two at a time would be in each
    # other's way.
    built = [s["image"] for s in services.values() if "build" in s]
    assert sorted(built) == ["cti_airflow", "cti_etl"]
    others = [s for s in services.values() if "build" not in s and s["image"] in built]
    assert {s.get("pull_policy") for s in others} == {"never"}


def test_the_password_is_where_airflow_may_write(demo: Path) -> None:
    server = config(demo)["services"]["api-server"]
    path = server["environment"]["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"]
    (secret,) = server["secrets"]
    assert f"cp /run/secrets/{secret['source']} {path}" in server["command"][-1]
    assert json.loads((demo / ".passwords.json").read_text()).keys() == {"admin"}


@pytest.mark.parametrize(
    "name",
    ["POSTGRES_PASSWORD", "S3_SECRET_KEY", "JWT_SECRET", "FERNET_KEY", "API_SECRET_KEY"],
)
def test_no_password_has_a_default(demo: Path, name: str) -> None:
    lines = (demo / ".env").read_text().splitlines()
    (demo / ".env").write_text("\n".join(x for x in lines if not x.startswith(name)))
    done = compose("-f", demo / "docker-compose.yml", "config", "-q")
    assert done.returncode != 0
    assert name in done.stderr


def test_two_demos_draw_different_passwords(demo: Path) -> None:
    first = (demo / ".env").read_text()
    (demo / ".env").unlink()
    subprocess.run([demo / "demo_env.sh"], check=True, capture_output=True)
    assert (demo / ".env").read_text() != first
