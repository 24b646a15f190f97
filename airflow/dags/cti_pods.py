"""Tasks that run the loader in a Kubernetes pod of their own.

Settings and secrets are in the Kubernetes Secret `cti-etl`, under the names of the loader's
environment variables: the pod names it, so Airflow never sees what it holds.
"""

from __future__ import annotations

from typing import Any

from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException
from cti_job import FINAL, FINAL_CAUSE
from kubernetes.client import models as k8s

__all__ = ["PodLoader"]

_SETTINGS = "cti-etl"
# The image's own (Dockerfile).
_USER = 10001
_SCRATCH = "/scratch"


class PodLoader(KubernetesPodOperator):
    """Runs a command of the loader in the image that the variable `cti_etl_image` names."""

    def __init__(self, *, loader_command: str, **arguments: Any) -> None:
        super().__init__(
            image="{{ var.value.get('cti_etl_image', 'cti_etl') }}",
            arguments=[loader_command],
            # Nothing that a pod writes stays, so it has to be Redshift.
            env_vars={"CTI_TARGET": "redshift"},
            env_from=[k8s.V1EnvFromSource(secret_ref=k8s.V1SecretEnvSource(name=_SETTINGS))],
            volumes=[
                k8s.V1Volume(
                    name="scratch", empty_dir=k8s.V1EmptyDirVolumeSource(size_limit="50Gi")
                )
            ],
            volume_mounts=[k8s.V1VolumeMount(name="scratch", mount_path=_SCRATCH)],
            container_resources=k8s.V1ResourceRequirements(
                requests={"cpu": "1", "memory": "2Gi", "ephemeral-storage": "10Gi"},
                limits={"memory": "4Gi", "ephemeral-storage": "50Gi"},
            ),
            security_context=k8s.V1PodSecurityContext(
                run_as_non_root=True,
                run_as_user=_USER,
                run_as_group=_USER,
                fs_group=_USER,
                seccomp_profile=k8s.V1SeccompProfile(type="RuntimeDefault"),
            ),
            container_security_context=k8s.V1SecurityContext(
                allow_privilege_escalation=False,
                read_only_root_filesystem=True,
                capabilities=k8s.V1Capabilities(drop=["ALL"]),
            ),
            automount_service_account_token=False,
            # A new node has to fetch the image first.
            startup_timeout_seconds=600,
            skip_on_exit_code=FINAL,
            **arguments,
        )
        self.loader_command = loader_command

    def execute(self, context: Any) -> Any:
        """Starts the pod and waits for it."""
        try:
            return super().execute(context)
        except AirflowSkipException:
            raise AirflowFailException(FINAL_CAUSE) from None
