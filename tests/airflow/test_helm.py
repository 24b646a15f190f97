"""The values for Airflow's Helm chart, rendered, where helm and the chart are at hand.

AIRFLOW_CHART is the chart, a folder or a packed file (`helm pull apache-airflow/airflow`).
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

VALUES = Path(__file__).parents[2] / "airflow" / "helm-values.yaml"
# What every installation says for itself: where Airflow's own database is.
_OWN = ("--set", "postgresql.enabled=false", "--set", "data.metadataSecretName=db")


@pytest.fixture(scope="module")
def objects() -> list[dict[str, Any]]:
    """What Helm would install in the namespace `etl`."""
    chart, helm = os.environ.get("AIRFLOW_CHART"), shutil.which("helm")
    if not (chart and helm):
        pytest.skip("no helm on PATH, or AIRFLOW_CHART does not name Airflow's chart")
    done = subprocess.run(
        [helm, "template", "air", chart, "--namespace", "etl", "-f", VALUES, *_OWN],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [found for found in yaml.safe_load_all(done.stdout) if found]


def pod(objects: list[dict[str, Any]], component: str) -> dict[str, Any]:
    """What the pods of a component of Airflow are."""
    (found,) = (
        o
        for o in objects
        if o["kind"] in ("Deployment", "StatefulSet")
        and o["metadata"]["name"] == f"air-{component}"
    )
    spec: dict[str, Any] = found["spec"]["template"]["spec"]
    return spec


def test_kubernetes_takes_what_is_rendered(objects: list[dict[str, Any]]) -> None:
    assert {"ConfigMap", "Deployment", "Role", "RoleBinding"} <= {
        found["kind"] for found in objects
    }
    for found in objects:
        kubernetes_validate.validate(found, "1.31", strict=True)


@pytest.mark.parametrize("component", ["scheduler", "dag-processor"])
def test_the_dag_is_told_to_start_pods(objects: list[dict[str, Any]], component: str) -> None:
    # LocalExecutor runs the tasks beside the scheduler; the DAG processor reads which operator.
    containers = pod(objects, component)["containers"]
    airflow = next(c for c in containers if c["name"] == component)
    assert {"name": "CTI_RUN_IN", "value": "kubernetes"} in airflow["env"]
    assert {"name": "CTI_SHARDS", "value": "1"} in airflow["env"]
    assert airflow["image"] == "apache/airflow:3.3.2"


def test_the_dag_is_where_airflow_looks_for_it(objects: list[dict[str, Any]]) -> None:
    (settings,) = (o["data"]["airflow.cfg"] for o in objects if "airflow.cfg" in o.get("data", {}))
    assert "dags_folder = /opt/airflow/dags/repo/airflow/dags\n" in settings
    assert (VALUES.parent / "dags" / "cti_etl.py").exists()


@pytest.mark.parametrize(
    ("launcher", "wanted"),
    [
        (
            "pod-launcher",
            {("pods", verb) for verb in ("create", "list", "watch", "delete")}
            | {("pods/log", "get")},
        ),
        (
            "job-launcher",
            {("jobs", "create"), ("jobs", "delete"), ("jobs/status", "get")},
        ),
    ],
)
def test_the_scheduler_may_start_pods_and_jobs_and_read_their_logs(
    objects: list[dict[str, Any]], launcher: str, wanted: set[tuple[str, str]]
) -> None:
    role = next(o for o in objects if o["kind"] == "Role" and launcher in o["metadata"]["name"])
    rights = {(name, verb) for r in role["rules"] for name in r["resources"] for verb in r["verbs"]}
    assert wanted <= rights
    name = role["metadata"]["name"]
    (binding,) = (o for o in objects if o.get("roleRef", {}).get("name") == name)
    accounts = {subject["name"] for subject in binding["subjects"]}
    assert pod(objects, "scheduler")["serviceAccountName"] in accounts
