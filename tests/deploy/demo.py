"""The demo as a whole, as airflow/README.md starts it: `make test-demo`. Needs a Docker API.

DEMO_BUILD: the services whose images are built, all if it is not set.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from deploy.composing import compose

AIRFLOW = Path(__file__).parents[2] / "airflow"
RUN_SECONDS = 300
SECRETS = (
    *("S3_ACCESS_KEY", "S3_SECRET_KEY", "POSTGRES_PASSWORD", "JWT_SECRET", "API_SECRET_KEY"),
    *("FERNET_KEY", "admin"),
)


def demo(*arguments: str) -> str:
    """What Docker Compose prints. Raises AssertionError."""
    done = compose("-f", AIRFLOW / "docker-compose.yml", *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def ask(method: str, path: str, body: object = None, token: str = "") -> tuple[int, Any]:
    """What Airflow's API answers: the status and what is in it. Raises OSError, HTTPException."""
    headers = {"Content-Type": "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    connection = HTTPConnection("127.0.0.1", 8080, timeout=30)
    try:
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        answer = connection.getresponse()
        return answer.status, json.load(answer)
    finally:
        connection.close()


def call(method: str, path: str, body: object = None, token: str = "") -> Any:
    """What Airflow's API answers to a call that it allows."""
    status, answer = ask(method, path, body, token)
    assert status < 300, f"{path}: {status}: {answer}"
    return answer


@pytest.fixture(scope="module")
def passwords() -> Iterator[dict[str, str]]:
    """The demo runs; these are its passwords, by name. It is gone afterwards, passwords too."""
    secrets = [AIRFLOW / ".env", AIRFLOW / ".passwords.json"]
    assert not any(path.exists() for path in secrets), (
        "the demo is in use: take it down, and remove airflow/.env and airflow/.passwords.json"
    )
    subprocess.run([AIRFLOW / "demo_env.sh"], check=True)
    try:
        demo("build", *os.environ.get("DEMO_BUILD", "").split())
        demo("up", "--detach")
        # One that was left behind would have the files of this one.
        assert demo("run", "--rm", "--no-deps", "cti_etl", "history") == "", (
            "the volume cti_warehouse is an earlier demo's, which a container must still hold"
        )
        lines = secrets[0].read_text().split()
        yield json.loads(secrets[1].read_text()) | dict(line.split("=", 1) for line in lines)
    finally:
        demo("down", "--volumes")
        for path in secrets:
            path.unlink()


@pytest.fixture(scope="module")
def token(passwords: dict[str, str]) -> str:
    """For Airflow's API, once that answers."""
    login = {"username": "admin", "password": passwords["admin"]}
    deadline = time.monotonic() + RUN_SECONDS
    while True:
        try:
            status, answer = ask("POST", "/auth/token", login)
        except (OSError, HTTPException, ValueError) as error:
            status, answer = 0, error
        if status == 201:
            return str(answer["access_token"])
        assert time.monotonic() < deadline, f"Airflow does not let us in: {status}, {answer}"
        time.sleep(1)


@pytest.fixture(scope="module")
def tasks(token: str) -> list[dict[str, Any]]:
    """The DAG's tasks, after it was unpaused and has run, or one of them has failed."""
    deadline = time.monotonic() + RUN_SECONDS
    while (dags := call("GET", "/api/v2/dags", token=token)["dags"]) == []:
        assert time.monotonic() < deadline, "no DAG came"
        time.sleep(1)
    assert [dag["dag_id"] for dag in dags] == ["cti_etl"]
    call("PATCH", "/api/v2/dags/cti_etl", {"is_paused": False}, token)
    while True:
        runs = call("GET", "/api/v2/dags/cti_etl/dagRuns", token=token)["dag_runs"]
        path = "/api/v2/dags/cti_etl/dagRuns/~/taskInstances"
        found = list(call("GET", path, token=token)["task_instances"])
        ended = {task["state"] for task in found}
        if [run["state"] for run in runs] == ["success"] or ended & {"failed", "up_for_retry"}:
            return found
        assert time.monotonic() < deadline, f"not done: {runs}"
        time.sleep(1)


def log(task: dict[str, Any], token: str) -> str:
    """What a task wrote, at its last try."""
    path = "/api/v2/dags/{dag_id}/dagRuns/{run}/taskInstances/{task_id}/logs/{try_number}"
    path = path.format(run=quote(task["dag_run_id"]), **task)
    return json.dumps(call("GET", f"{path}?full_content=true", token=token))


def test_nobody_gets_in_without_the_password(token: str) -> None:
    assert token
    login = {"username": "admin", "password": "admin"}
    assert ask("POST", "/auth/token", login)[0] == 401
    assert ask("GET", "/api/v2/dags")[0] == 401


def test_both_tasks_end_well_at_once(tasks: list[dict[str, Any]], token: str) -> None:
    ended = {task["task_id"]: (task["state"], task["try_number"]) for task in tasks}
    logs = "\n".join(log(task, token)[-3000:] for task in tasks if task["try_number"])
    assert ended == {"docker_load": ("success", 1), "docker_transform": ("success", 1)}, logs


def test_the_samples_are_in_the_warehouse(tasks: list[dict[str, Any]], token: str) -> None:
    [load] = [task for task in tasks if task["task_id"] == "docker_load"]
    told = log(load, token)
    assert "5 files, 6,400 of 6,407 records loaded, 7 rejected" in told, told
    checked = demo("run", "--rm", "--no-deps", "cti_etl", "check", "--json").splitlines()
    checks = [json.loads(line) for line in checked]
    assert {check["state"] for check in checks} == {"holds"}, checks
    assert "analytics.indicators counts all 6,400 landed records" in [c["what"] for c in checks]


def test_no_secret_is_in_a_log_or_in_what_airflow_shows(
    tasks: list[dict[str, Any]], token: str, passwords: dict[str, str]
) -> None:
    shown = json.dumps(tasks) + "".join(log(task, token) for task in tasks)
    assert "cti.indicators" in shown
    assert [name for name in SECRETS if passwords[name] in shown] == []
    services = demo("logs")
    assert "scheduler-1" in services
    # SeaweedFS tells which key it knows, which opens nothing by itself.
    told = [name for name in SECRETS if passwords[name] in services]
    assert told in ([], ["S3_ACCESS_KEY"])
