"""The DAG cti_etl: loads what is new, then builds and tests the tables."""

from __future__ import annotations

import logging
import os
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import DAG

# What runs the tasks; only its provider has to be installed.
match _RUN_IN := os.environ.get("CTI_RUN_IN") or "docker":
    case "docker":
        from cti_docker import DockerLoader as Loader
    case "plain":
        from cti_plain import PlainLoader as Loader  # type: ignore[assignment]
    case "kubernetes":
        from cti_pods import loader as Loader  # type: ignore[assignment]  # noqa: N812
    case _:
        raise ValueError(f"CTI_RUN_IN={_RUN_IN!r}: must be docker, plain or kubernetes")

_log = logging.getLogger(__name__)

_DOC = """
### cti_etl

`load` judges new files against their contract and loads them, once; `transform` runs `dbt build`
on all that depends on them and checks that no record was lost. All settings are in the Airflow
Variable `job_secret`, on Kubernetes in the Secret `cti-etl`. A task that fails at once, without a
retry, has refused data, a failed test or a wrong setting: its log says which. A system that failed
is tried again, which is safe at any point.
"""


def alert(context: Any) -> None:
    """Called once a task has failed for good, or a run has; the place to send a message from."""
    instance = context.get("task_instance")
    what = f"task {instance.task_id}" if instance else "the run"
    _log.error(
        "cti_etl: %s failed; what is loaded is loaded whole, the rest can be run again", what
    )


with DAG(
    "cti_etl",
    description="Loads new indicator files, then cleans, deduplicates and tests them.",
    doc_md=_DOC,
    schedule="@daily",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    # More than both tasks can take with all their tries.
    dagrun_timeout=timedelta(hours=18),
    on_failure_callback=alert,
    tags=["cti", "elt"],
    default_args={
        "retries": 3,
        "retry_delay": timedelta(minutes=2),
        "retry_exponential_backoff": True,
        "max_retry_delay": timedelta(minutes=30),
        "execution_timeout": timedelta(hours=2),
        "on_failure_callback": alert,
    },
) as dag:
    # The second task is `run`, since it builds and checks, and its exit code tells a failed test
    # (1, no retry) from a failed system (3, retry), which dbt's own does not. First it loads what
    # came since the first task, which mostly is nothing.
    prefix = "docker_" if _RUN_IN == "docker" else ""
    Loader(task_id=f"{prefix}load", loader_command="load") >> Loader(
        task_id=f"{prefix}transform", loader_command="run"
    )
