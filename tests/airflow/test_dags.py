"""The DAG as Airflow sees it, and run: as plain tasks, and in containers if Docker answers."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
import warnings
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
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


# What the templates of a task in Kubernetes name.
_CONTEXT: Any = {
    "var": {"value": VariableAccessor(deserialize_json=False)},
    "dag": SimpleNamespace(dag_id="cti_etl"),
    "run_id": "scheduled__2026-01-01T00:00:00+00:00",
}


def dag(monkeypatch: pytest.MonkeyPatch, run_in: str) -> Any:
    monkeypatch.setenv("CTI_RUN_IN", run_in)
    sys.modules.pop("cti_pods", None)  # it reads CTI_SHARDS when it is imported
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
    task.render_template_fields(_CONTEXT)
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


# `load` in several pods, before a server that answers as Kubernetes does.

_JOB, _POD = "/apis/batch/v1/namespaces/default/jobs", "/api/v1/namespaces/default/pods"


class Kubernetes(ThreadingHTTPServer):
    """What the operator asks of Kubernetes. codes: the exit codes of each shard's pods, in order.

    jobs: what was created. asked: method and path of each request.
    """

    def __init__(self, codes: list[list[int]]) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.codes, self.jobs, self.asked = codes, list[dict[str, Any]](), list[str]()

    def pods(self) -> list[dict[str, Any]]:
        """The pods of the job as they end."""
        return [
            {
                "metadata": {
                    "name": f"pod-{shard}-{number}",
                    "namespace": "default",
                    "annotations": {"batch.kubernetes.io/job-completion-index": str(shard)},
                },
                "status": {
                    "containerStatuses": [
                        {
                            **{"name": "base", "image": "x", "imageID": "x"},
                            **{"ready": False, "restartCount": 0},
                            "state": {"terminated": {"exitCode": code}},
                        }
                    ]
                },
            }
            for shard, codes in enumerate(self.codes)
            for number, code in enumerate(codes)
        ]

    def ended(self) -> dict[str, Any]:
        """The job with its outcome."""
        failed = any(not codes or codes[-1] for codes in self.codes)
        condition = {"type": "Failed" if failed else "Complete", "status": "True"}
        return {**self.jobs[0], "status": {"conditions": [condition | {"reason": "FailedIndexes"}]}}


class _Answers(BaseHTTPRequestHandler):
    server: Kubernetes

    def do_POST(self) -> None:
        job = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.jobs.append(job)
        self._answer(job)

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path.endswith("/log"):
            self._answer(f"a line\nsaid by {path.split('/')[-2]}")
        elif path == _POD:
            assert "batch.kubernetes.io%2Fjob-name%3Djob-" in self.path
            self._answer({"items": self.server.pods()})
        else:
            assert path.startswith(f"{_JOB}/job-")
            self._answer(self.server.ended())

    def _answer(self, answer: Any) -> None:
        self.server.asked.append(f"{self.command} {self.path}")
        body = (answer if isinstance(answer, str) else json.dumps(answer)).encode()
        self.send_response(200)
        kind = "text/plain" if isinstance(answer, str) else "application/json"
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


def _in_job(
    monkeypatch: pytest.MonkeyPatch, codes: list[list[int]]
) -> tuple[Kubernetes, Exception | None]:
    """Runs the task `load` of a DAG with as many shards; the server, and what the task raised."""
    monkeypatch.setenv("CTI_SHARDS", str(len(codes)))
    with Kubernetes(codes) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        clusters = [
            {"name": "none", "cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}
        ]
        extra = {"kube_config": json.dumps({**KUBE_CONFIG, "clusters": clusters})}
        connection = {"conn_type": "kubernetes", "extra": extra}
        monkeypatch.setenv("AIRFLOW_CONN_KUBERNETES_DEFAULT", json.dumps(connection))
        task = dag(monkeypatch, "kubernetes").task_dict["load"]
        task.render_template_fields(_CONTEXT)
        instance = SimpleNamespace(
            **{"dag_id": "cti_etl", "task_id": "load", "map_index": -1, "try_number": 1},
            xcom_push=lambda **_: None,
        )
        try:
            task.execute({**_CONTEXT, "ti": instance})
        except Exception as error:
            return server, error
        finally:
            server.shutdown()
    return server, None


def test_a_load_in_several_pods_is_one_sound_job(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AIRFLOW_VAR_CTI_ETL_IMAGE", "registry.example/cti_etl:7")
    monkeypatch.setenv("CTI_SHARDED_FEEDS", "cti.indicators other")
    # GIVEN four shards, the second of which was killed once
    server, error = _in_job(monkeypatch, [[0], [137, 0], [0], [0]])
    # THEN the task has succeeded, and its log has what each pod has said
    assert error is None
    told = "".join(capfd.readouterr())
    for name in ("pod-0-0", "pod-1-0", "pod-1-1", "pod-2-0", "pod-3-0"):
        assert f"\na line\nsaid by {name} " in told
    # AND the job is what the API server takes: a pod for each index
    (job,) = server.jobs
    kubernetes_validate.validate(job, "1.31", strict=True)
    spec = job["spec"]
    assert (spec["completionMode"], spec["completions"], spec["parallelism"]) == ("Indexed", 4, 4)
    assert (spec["backoffLimitPerIndex"], spec["ttlSecondsAfterFinished"]) == (2, 86400)
    # AND what no retry cures ends its index, and a lost node counts for nothing
    lost, final = spec["podFailurePolicy"]["rules"]
    assert (lost["action"], lost["onPodConditions"][0]["type"]) == ("Ignore", "DisruptionTarget")
    assert (final["action"], final["onExitCodes"]["values"]) == ("FailIndex", [1, 2])
    # AND its pods are as that of the other task, but for what they load, all under one number
    (container,) = spec["template"]["spec"]["containers"]
    assert container["image"] == "registry.example/cti_etl:7"
    feeds = ["--select", "cti.indicators", "--select", "other"]
    assert container["args"] == ["load", "--shard", "/4", *feeds]
    run_id = {"name": "CTI_RUN_ID", "value": "cti_etl scheduled__2026-01-01T00:00:00+00:00"}
    assert container["env"] == [{"name": "CTI_TARGET", "value": "redshift"}, run_id]
    other = dag(monkeypatch, "kubernetes").task_dict["transform"]
    other.render_template_fields(_CONTEXT)
    pod = ApiClient().sanitize_for_serialization(other.build_pod_request_obj())
    for found in (pod["spec"], spec["template"]["spec"]):
        (theirs,) = found["containers"]
        for own in ("args", "env"):
            theirs.pop(own)
    assert spec["template"]["spec"] == pod["spec"]


@pytest.mark.parametrize(
    ("codes", "retried"),
    [
        ([[0], [1]], False),
        ([[2], [2]], False),
        ([[0], [3, 3, 1]], False),
        ([[0], [3, 3, 3]], True),
        # The other shard's files may be loaded by a retry.
        ([[1], [3, 137, 3]], True),
        # So may those of a shard whose pod never ran, or is gone.
        ([[1], []], True),
    ],
)
def test_a_retry_of_a_job_depends_on_what_its_shards_ended_with(
    monkeypatch: pytest.MonkeyPatch, codes: list[list[int]], retried: bool
) -> None:
    _, error = _in_job(monkeypatch, codes)
    assert type(error) is (AirflowException if retried else AirflowFailException)


@pytest.mark.parametrize("shards", ["0", "four", "-1"])
def test_a_number_of_shards_that_is_none_is_told(
    monkeypatch: pytest.MonkeyPatch, shards: str
) -> None:
    monkeypatch.setenv("CTI_RUN_IN", "kubernetes")
    monkeypatch.setenv("CTI_SHARDS", shards)
    sys.modules.pop("cti_pods", None)
    bag = DagBag(DAGS, bundle_path=DAGS, bundle_name="dags-folder")
    assert f"CTI_SHARDS={shards!r}: must be a number of pods" in bag.import_errors.popitem()[1]


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
