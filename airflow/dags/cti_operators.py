"""Tasks that run the loader: in a container, or as a process beside the worker.

The variable `job_secret` is read when a task starts, so that no secret is in the DAG as Airflow
keeps it, in rendered fields, in an argument or in a log.
"""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path
from typing import Any

from airflow.providers.docker.operators.docker import DockerOperator
from airflow.sdk import BaseOperator, Variable
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException
from airflow.sdk.log import mask_secret
from cti_job import Job, JobSecretError, read_job
from docker.types import Mount
from docker.utils import parse_bytes

__all__ = ["DockerLoader", "PlainLoader"]

# The loader's exit code for refused data and failed tests, which no retry cures.
_REFUSED = 1
_REFUSAL = "the data was refused, or a test or check of the tables failed; the log says which"


class DockerLoader(DockerOperator):
    """Runs a command of the loader in the image that the variable names."""

    def __init__(self, *, loader_command: str, **arguments: Any) -> None:
        super().__init__(
            image="cti_etl",
            auto_remove="force",
            mount_tmp_dir=False,
            skip_on_exit_code=_REFUSED,
            **arguments,
        )
        self.loader_command = loader_command

    def execute(self, context: Any) -> Any:
        """Starts the container and waits for it."""
        job = _job()
        self.image = job.image
        self.cpus = job.cpus
        self.mem_limit = job.mem
        self.shm_size = parse_bytes(job.shm_size)
        self.command = [self.loader_command, "--select", job.table]
        self.network_mode = job.network
        if job.volume:
            self.mounts = [Mount("/data", job.volume)]
        self._private_environment = dict(job.environment)
        try:
            return super().execute(context)
        except AirflowSkipException:
            raise AirflowFailException(_REFUSAL) from None
        finally:
            self._private_environment = {}


class PlainLoader(BaseOperator):
    """Runs a command of the loader as a process.

    CTI_PYTHON: the Python that has the loader's requirements. CTI_PROJECT_DIR: the project.
    """

    def __init__(self, *, loader_command: str, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.loader_command = loader_command
        self._process: subprocess.Popen[str] | None = None

    def execute(self, context: Any) -> None:
        """Starts the loader, logs what it prints, and waits for it."""
        job = _job()
        python, project = (_setting(name) for name in ("CTI_PYTHON", "CTI_PROJECT_DIR"))
        # Airflow's own settings hold secrets that are none of the loader's business.
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.lstrip("_").startswith("AIRFLOW") and name != "PYTHONPATH"
        }
        self._process = subprocess.Popen(
            [python, "-m", "loader", self.loader_command, "--select", job.table],
            cwd=project,
            env={**environment, **job.environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        with self._process as process:
            assert process.stdout is not None
            for line in process.stdout:
                self.log.info("%s", line.rstrip("\n"))
        if process.returncode == _REFUSED:
            raise AirflowFailException(_REFUSAL)
        if process.returncode:
            raise AirflowException(f"the loader ended with exit code {process.returncode}")

    def on_kill(self) -> None:
        """Lets the loader roll back and tidy up, as at Ctrl-C."""
        if self._process and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)


def _job() -> Job:
    try:
        job = read_job(Variable.get("job_secret", default=None))
    except JobSecretError as error:
        # What is written there will not be right at the next try either.
        raise AirflowFailException(str(error)) from None
    for secret in job.secrets:
        mask_secret(secret)
    return job


def _setting(name: str) -> str:
    value = os.environ.get(name, "")
    if not Path(value).is_absolute() or not Path(value).exists():
        raise AirflowFailException(f"the environment variable {name} is not an absolute path here")
    return value
