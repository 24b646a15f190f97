"""Tasks that run the loader as a process beside the worker."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowException, AirflowFailException
from cti_job import FINAL, FINAL_CAUSE
from cti_variable import current_job

__all__ = ["PlainLoader"]

# Seconds in which the loader can roll back and tidy up.
_GRACE = 60


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
        if "AWS_ACCESS_KEY_ID" in job.environment:
            # The worker's own would make one identity of two.
            for name in ("AWS_SESSION_TOKEN", "AWS_PROFILE"):
                environment.pop(name, None)
        environment |= job.environment
        _try(python, project, environment)
        self._process = subprocess.Popen(
            [python, "-m", "loader", self.loader_command, "--select", job.table],
            cwd=project,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        try:
            assert self._process.stdout is not None
            for line in self._process.stdout:
                self.log.info("%s", line.rstrip("\n"))
            code = self._process.wait()
        finally:
            # Of a task that takes too long, Airflow calls on_kill only after this.
            self.on_kill()
        if code in FINAL:
            raise AirflowFailException(FINAL_CAUSE)
        if code:
            raise AirflowException(f"the loader ended with exit code {code}")

    def on_kill(self) -> None:
        """Lets the loader roll back and tidy up, as at Ctrl-C, if it still runs."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.terminate()
        try:
            self._process.wait(_GRACE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _try(python: str, project: str, environment: dict[str, str]) -> None:
    """Raises AirflowFailException if that Python does not start: its own exit code is a 1 too."""
    done = subprocess.run(
        [python, "-m", "loader", "--version"],
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode:
        said = done.stderr.strip().splitlines() or ["nothing"]
        raise AirflowFailException(f"CTI_PYTHON does not run the loader; it says: {said[-1]}")


def _setting(name: str) -> str:
    value = os.environ.get(name, "")
    if not Path(value).is_absolute() or not Path(value).exists():
        raise AirflowFailException(f"the environment variable {name} is not an absolute path here")
    return value
