"""Tasks that run the loader in a container."""

from __future__ import annotations

from typing import Any

from airflow.providers.docker.operators.docker import DockerOperator
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException
from cti_job import REFUSAL, REFUSED
from cti_variable import current_job
from docker.types import Mount
from docker.utils import parse_bytes

__all__ = ["DockerLoader"]


class DockerLoader(DockerOperator):
    """Runs a command of the loader in the image that the variable names."""

    def __init__(self, *, loader_command: str, **arguments: Any) -> None:
        super().__init__(
            image="cti_etl",
            auto_remove="force",
            mount_tmp_dir=False,
            skip_on_exit_code=REFUSED,
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
            raise AirflowFailException(REFUSAL) from None
        finally:
            self._private_environment = {}
