"""Tasks that run the loader as a process beside the worker."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path
from typing import Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowException, AirflowFailException
from cti_job import REFUSAL, REFUSED
from cti_variable import current_job

__all__ = ["PlainLoader"]


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
        job = current_job()
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
        if process.returncode == REFUSED:
            raise AirflowFailException(REFUSAL)
        if process.returncode:
            raise AirflowException(f"the loader ended with exit code {process.returncode}")

    def on_kill(self) -> None:
        """Lets the loader roll back and tidy up, as at Ctrl-C."""
        if self._process and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)


def _setting(name: str) -> str:
    value = os.environ.get(name, "")
    if not Path(value).is_absolute() or not Path(value).exists():
        raise AirflowFailException(f"the environment variable {name} is not an absolute path here")
    return value
