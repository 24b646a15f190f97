"""Tasks that run the loader in a container."""

from __future__ import annotations

from typing import Any

from airflow.providers.docker.operators.docker import DockerOperator
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException
from cti_job import FINAL, FINAL_CAUSE
from cti_variable import current_job
from docker.errors import DockerException
from docker.types import Mount
from docker.utils import parse_bytes
from requests.exceptions import RequestException

__all__ = ["DockerLoader"]

# Seconds in which the loader can roll back and tidy up; Docker's own default is 10.
_GRACE = 60


class DockerLoader(DockerOperator):
    """Runs a command of the loader in the image that the variable names."""

    def __init__(self, *, loader_command: str, **arguments: Any) -> None:
        super().__init__(
            image="cti_etl",
            # Not by the operator, which would kill a loader that takes too long.
            auto_remove="never",
            mount_tmp_dir=False,
            skip_on_exit_code=FINAL,
            **arguments,
        )
        self.loader_command = loader_command

    def execute(self, context: Any) -> Any:
        """Starts the container and waits for it."""
        job = current_job()
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
            raise AirflowFailException(FINAL_CAUSE) from None
        finally:
            self._private_environment = {}
            self._end()

    def on_kill(self) -> None:
        """Ends the loader as Ctrl-C does."""
        self._end()

    def _end(self) -> None:
        """Stops the container if it still runs, and removes it; once."""
        if self.container is None:
            return
        container, self.container = self.container["Id"], None
        try:
            self.cli.stop(container, timeout=_GRACE)
            self.cli.remove_container(container, force=True)
        except (DockerException, RequestException) as error:
            # Why the task ends is more important.
            self.log.warning("the container %s may still be there: %s", container[:12], error)
