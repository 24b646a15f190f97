"""The DAG as Airflow sees it, and run: as plain tasks, and in containers if Docker answers."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
import warnings
from datetime import timedelta
from pathlib import Path
from typing import Any

import docker
import kubernetes_validate
import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException
from airflow.sdk.execution_time.context import VariableAccessor
from kubernetes.client import ApiClient

DAGS = Path(__file__).parents[2] / "airflow" / "dags"
SECRET = "s3cr3t-of-the-test"
EMPTY = dict.fromkeys(("access_key", "iam", "hostname", "port", "database", "username"), "")
VARIABLE: dict[str, Any] = {
    **EMPTY,
    "secret_key": "",
    "password": SECRET,
    "cpus": 1,
    "mem": "2g",
    "shm_size": "64m",
    "table": "indicators",
    "target": "duckdb",
}


KUBE_CONFIG = {
    "apiVersion": "v1",
    "kind": "Config",
    "clusters": [{"name": "none", "cluster": {"server": "https://127.0.0.1:1"}}],
    "users": [{"name": "none", "user": {}}],
    "contexts": [{"name": "none", "context": {"cluster": "none", "user": "none"}}],
    "current-context": "none",
}


def dag(monkeypatch: pytest.MonkeyPatch, run_in: str) -> Any:
    monkeypatch.setenv("CTI_RUN_IN", run_in)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        bag = DagBag(DAGS, bundle_path=DAGS, bundle_name="dags-folder")
    assert bag.import_errors == {}
    assert not bag.captured_warnings
    assert set(bag.dags) == {"cti_etl"}
    return bag.dags["cti_etl"]


def states(run: Any) -> dict[str, tuple[str, int]]:
    return {i.task_id: (str(i.state), i.try_number) for i in run.get_task_instances()}


def variable(monkeypatch: pytest.MonkeyPatch, **changes: Any) -> None:
    monkeypatch.setenv("AIRFLOW_VAR_JOB_SECRET", json.dumps({**VARIABLE, **changes}))


def query(path: Path, sql: str) -> str:
    """One value, by the project's own Python: Airflow's has no DuckDB."""
    code = (
        "import duckdb, sys; print(duckdb.connect(sys.argv[1]).sql(sys.argv[2]).fetchall()[0][0])"
    )
    done = subprocess.run(
        [os.environ["CTI_PYTHON"], "-c", code, path, sql],
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()


@pytest.mark.parametrize(
    ("run_in", "tasks"),
    [
        ("docker", ["docker_load", "docker_transform"]),
        ("plain", ["load", "transform"]),
        ("kubernetes", ["load", "transform"]),
    ],
)
def test_structure(monkeypatch: pytest.MonkeyPatch, run_in: str, tasks: list[str]) -> None:
    monkeypatch.delenv("AIRFLOW_VAR_JOB_SECRET", raising=False)  # parsing reads no variable
    found = dag(monkeypatch, run_in)
    first, second = (found.task_dict[name] for name in tasks)
    assert list(found.task_dict) == tasks
    assert first.downstream_task_ids == {tasks[1]}
    assert (first.loader_command, second.loader_command) == ("load", "run")
    assert (found.catchup, found.max_active_runs, found.tags) == (False, 1, {"cti", "elt"})
    assert found.doc_md
    assert found.default_args["on_failure_callback"]
    # A run that takes too long ends no task of its own, so it has to alert by itself.
    assert found.on_failure_callback
    assert found.dagrun_timeout > 2 * (1 + first.retries) * first.execution_timeout
    for task in (first, second):
        assert task.retries == 3
        assert task.retry_exponential_backoff
        assert task.execution_timeout == timedelta(hours=2)


def test_an_unknown_way_to_run_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CTI_RUN_IN", "podman")
    bag = DagBag(DAGS, bundle_path=DAGS, bundle_name="dags-folder")
    (error,) = bag.import_errors.values()
    assert "CTI_RUN_IN='podman': must be docker, plain or kubernetes" in error


def test_the_pod_is_sound_and_holds_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    variable(monkeypatch)
    monkeypatch.setenv("AIRFLOW_VAR_CTI_ETL_IMAGE", "registry.example/cti_etl:7")
    # A cluster to be named in the request; none is asked.
    connection = {"conn_type": "kubernetes", "extra": {"kube_config": json.dumps(KUBE_CONFIG)}}
    monkeypatch.setenv("AIRFLOW_CONN_KUBERNETES_DEFAULT", json.dumps(connection))
    task = dag(monkeypatch, "kubernetes").task_dict["load"]
    task.render_template_fields({"var": {"value": VariableAccessor(deserialize_json=False)}})
    pod = ApiClient().sanitize_for_serialization(task.build_pod_request_obj())
    # As the API server would judge it.
    kubernetes_validate.validate(pod, "1.31", strict=True)
    (container,) = pod["spec"]["containers"]
    assert container["image"] == "registry.example/cti_etl:7"
    assert container["args"] == ["load"]
    assert "command" not in container or container["command"] == []
    assert container["env"] == [{"name": "CTI_TARGET", "value": "redshift"}]
    assert container["envFrom"] == [{"secretRef": {"name": "cti-etl"}}]
    assert SECRET not in json.dumps(pod)
    # What the image can do with: a read-only root, its own user, one folder to write to.
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert pod["spec"]["securityContext"]["runAsUser"] == 10001
    assert [mount["mountPath"] for mount in container["volumeMounts"]] == ["/scratch"]
    assert pod["spec"]["automountServiceAccountToken"] is False


def test_what_no_retry_cures_fails_at_once_in_a_pod(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the task makes of exit codes 1 and 2, with the pod replaced: no Kubernetes is here."""

    def execute(self: Any, context: Any) -> None:
        assert set(self.skip_on_exit_code) == {1, 2}
        raise AirflowSkipException

    monkeypatch.setattr(KubernetesPodOperator, "execute", execute)
    task = dag(monkeypatch, "kubernetes").task_dict["load"]
    with pytest.raises(AirflowFailException, match="the data was refused"):
        task.execute({})


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    for name, value in {
        "CTI_DUCKDB_PATH": tmp_path / "cti.duckdb",
        "DBT_PROFILES_DIR": tmp_path,
        "DBT_TARGET_PATH": tmp_path / "target",
        "DBT_LOG_PATH": tmp_path / "logs",
        "CTI_REJECTS_LOCATION": tmp_path / "rejects",
    }.items():
        monkeypatch.setenv(name, str(value))
    profile = (DAGS.parents[1] / "profiles.yml.example").read_text()
    (tmp_path / "profiles.yml").write_text(profile)
    return tmp_path


def test_plain_tasks_load_and_build_the_samples(
    monkeypatch: pytest.MonkeyPatch, plain: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    variable(monkeypatch)
    run = dag(monkeypatch, "plain").test()
    assert states(run) == {"load": ("success", 1), "transform": ("success", 1)}
    assert query(plain / "cti.duckdb", "select count(*) from analytics.indicators") == "4218"
    assert SECRET not in "".join(capfd.readouterr())


def test_refused_data_fails_without_a_retry(monkeypatch: pytest.MonkeyPatch, plain: Path) -> None:
    (plain / "bad.csv").write_text("no,header,of,this,feed\n1,2,3,4,5\n")
    variable(monkeypatch, location=str(plain / "*.csv"))
    run = dag(monkeypatch, "plain").test()
    assert states(run)["load"] == ("failed", 1)
    assert states(run)["transform"][0] == "upstream_failed"


def test_a_wrong_variable_fails_at_the_start_without_a_retry(
    monkeypatch: pytest.MonkeyPatch, plain: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    variable(monkeypatch, port="x", cpus=SECRET)
    run = dag(monkeypatch, "plain").test()
    assert states(run)["load"] == ("failed", 1)
    assert not (plain / "cti.duckdb").exists()
    told = "".join(capfd.readouterr())
    assert "cpus is not a number of cores above 0; port is not a port" in told


@pytest.mark.parametrize(
    ("code", "error"),
    [(1, AirflowFailException), (2, AirflowFailException), (3, AirflowException)],
)
def test_a_retry_depends_on_the_exit_code(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, code: int, error: type[Exception]
) -> None:
    _stub(tmp_path, monkeypatch, f"sys.exit({code})\n")
    variable(monkeypatch)
    task = dag(monkeypatch, "plain").task_dict["load"]
    with pytest.raises(error) as failed:
        task.execute({})
    # AirflowFailException, which Airflow does not try again, is an AirflowException too.
    assert type(failed.value) is error


def _stub(folder: Path, monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    """A project whose loader is this code."""
    (folder / "loader").mkdir()
    start = "import sys\nif '--version' in sys.argv: sys.exit(0)\n"
    (folder / "loader/__main__.py").write_text(start + code)
    monkeypatch.setenv("CTI_PROJECT_DIR", str(folder))


def test_a_plain_task_that_takes_too_long_ends_the_loader(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # GIVEN a loader that says when it ends by SIGTERM, as after a rollback
    code = (
        "import pathlib, signal, time\n"
        "def end(*_): pathlib.Path('ended').touch(); sys.exit(130)\n"
        "signal.signal(signal.SIGTERM, end)\n"
        "print('begun', flush=True)\n"
        "time.sleep(60)\n"
    )
    _stub(tmp_path, monkeypatch, code)
    variable(monkeypatch)
    task = dag(monkeypatch, "plain").task_dict["load"]
    monkeypatch.setattr(task, "retries", 0)
    monkeypatch.setattr(task, "execution_timeout", timedelta(seconds=3))
    started = time.monotonic()
    run = task.dag.test()
    assert states(run)["load"] == ("failed", 1)
    assert (tmp_path / "ended").exists()
    assert time.monotonic() - started < 40


def test_a_loader_that_does_not_start_is_no_refused_data(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CTI_PROJECT_DIR", str(tmp_path))
    variable(monkeypatch)
    task = dag(monkeypatch, "plain").task_dict["load"]
    with pytest.raises(AirflowFailException, match="No module named loader"):
        task.execute({})


def test_a_plain_task_has_one_identity(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    code = (
        "import json, os, pathlib\npathlib.Path('seen').write_text(json.dumps(dict(os.environ)))\n"
    )
    _stub(tmp_path, monkeypatch, code)
    for name in (
        "AWS_SESSION_TOKEN",
        "AWS_PROFILE",
        "AWS_CONFIG_FILE",
        "AIRFLOW__CORE__FERNET_KEY",
    ):
        monkeypatch.setenv(name, "the-workers")
    variable(monkeypatch, access_key="AKIAEXAMPLE", secret_key=SECRET)
    dag(monkeypatch, "plain").task_dict["load"].execute({})
    seen = json.loads((tmp_path / "seen").read_text())
    assert seen["AWS_ACCESS_KEY_ID"] == "AKIAEXAMPLE"
    assert [name for name, value in seen.items() if value == "the-workers"] == ["AWS_CONFIG_FILE"]


def test_the_demos_password_file_is_one_that_airflow_takes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager

    shutil.copy(DAGS.parent / "demo_env.sh", tmp_path)
    subprocess.run([tmp_path / "demo_env.sh"], check=True, capture_output=True)
    passwords = tmp_path / ".passwords.json"
    drawn = json.loads(passwords.read_text())
    monkeypatch.setenv("AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS", "admin:admin")
    monkeypatch.setenv("AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE", str(passwords))
    SimpleAuthManager().init()
    assert SimpleAuthManager.get_passwords() == drawn


def test_containers_load_and_build_the_samples(
    monkeypatch: pytest.MonkeyPatch, volume: str, capfd: pytest.CaptureFixture[str]
) -> None:
    variable(monkeypatch, volume=volume, network=os.environ.get("CTI_TEST_NETWORK", ""))
    run = dag(monkeypatch, "docker").test()
    told = "".join(capfd.readouterr())
    assert states(run) == {"docker_load": ("success", 1), "docker_transform": ("success", 1)}, told
    assert "4,218" in told
    assert SECRET not in told


def test_data_refused_in_a_container_fails_without_a_retry(
    monkeypatch: pytest.MonkeyPatch, volume: str
) -> None:
    variable(
        monkeypatch,
        volume=volume,
        network=os.environ.get("CTI_TEST_NETWORK", ""),
        location="dbt_project.yml",
    )
    run = dag(monkeypatch, "docker").test()
    assert states(run)["docker_load"] == ("failed", 1)


def test_secrets_go_to_the_container_by_its_environment_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What the task hands to Docker, and what it keeps afterwards, with the API replaced."""
    from airflow.providers.docker.operators.docker import DockerOperator

    seen: dict[str, Any] = {}

    def execute(self: Any, context: Any) -> None:
        seen.update(
            private=self._private_environment, public=self.environment, command=self.command,
            limits=(self.image, self.cpus, self.mem_limit, self.shm_size),
        )  # fmt: skip

    monkeypatch.setattr(DockerOperator, "execute", execute)
    variable(monkeypatch, image="cti_etl:7")
    task = dag(monkeypatch, "docker").task_dict["docker_load"]
    task.execute({})
    assert seen["private"]["DBT_ENV_SECRET_REDSHIFT_PASSWORD"] == SECRET
    assert seen["public"] == {}
    assert seen["command"] == ["load", "--select", "indicators"]
    assert seen["limits"] == ("cti_etl:7", 1.0, "2g", 64 * 2**20)
    assert SECRET not in repr(vars(task))
    assert "_private_environment" not in task.template_fields


def test_a_container_that_takes_too_long_is_stopped_then_removed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What the task asks of Docker when it is interrupted, with the API replaced."""
    from airflow.providers.docker.operators.docker import DockerOperator

    asked: list[tuple[str, dict[str, Any]]] = []

    class Api:
        def stop(self, container: str, **options: Any) -> None:
            asked.append((f"stop {container}", options))

        def remove_container(self, container: str, **options: Any) -> None:
            asked.append((f"remove {container}", options))
            raise docker.errors.NotFound("gone")

    def execute(self: Any, context: Any) -> None:
        self.container = {"Id": "c1"}
        raise TimeoutError

    monkeypatch.setattr(DockerOperator, "execute", execute)
    monkeypatch.setattr(DockerOperator, "cli", Api())
    variable(monkeypatch)
    task = dag(monkeypatch, "docker").task_dict["docker_load"]
    with pytest.raises(TimeoutError):
        task.execute({})
    stopped = [("stop c1", {"timeout": 60}), ("remove c1", {"force": True})]
    assert asked == stopped
    # Airflow calls this afterwards.
    task.on_kill()
    assert asked == stopped
