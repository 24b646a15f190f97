"""Tasks that run the loader in Kubernetes: in a pod, or its load in several pods side by side.

Settings and secrets are in the Kubernetes Secret `cti-etl`, under the names of the loader's
environment variables: the pod names it, so Airflow never sees what it holds.
"""

from __future__ import annotations

import os
from collections import defaultdict
from typing import Any

from airflow.providers.cncf.kubernetes.operators.job import KubernetesJobOperator
from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException
from cti_job import FINAL, FINAL_CAUSE
from kubernetes.client import models as k8s
from kubernetes.client.exceptions import ApiException

__all__ = ["JobLoader", "PodLoader", "loader"]

_SETTINGS = "cti-etl"
# The image's own (Dockerfile).
_USER = 10001
_SCRATCH = "/scratch"
# How often a job starts a pod again by itself; how long it can be looked at afterwards, in seconds.
_TRIES, _KEPT = 2, 86_400
_SHARDS = os.environ.get("CTI_SHARDS") or "1"
if not (_SHARDS.isdecimal() and int(_SHARDS)):
    raise ValueError(f"CTI_SHARDS={_SHARDS!r}: must be a number of pods, 1 or more")
_FEEDS = (os.environ.get("CTI_SHARDED_FEEDS") or "").split()


def loader(*, loader_command: str, **arguments: Any) -> KubernetesPodOperator:
    """The task for a command: a job of CTI_SHARDS pods for `load`, if these are several."""
    if loader_command == "load" and int(_SHARDS) > 1:
        return JobLoader(shards=int(_SHARDS), **arguments)
    return PodLoader(loader_command=loader_command, **arguments)


def _pod(*arguments: str, **environment: str) -> dict[str, Any]:
    """What a pod is: the image that the variable `cti_etl_image` names, with a loader's command."""
    return {
        "image": "{{ var.value.get('cti_etl_image', 'cti_etl') }}",
        "arguments": list(arguments),
        # Nothing that a pod writes stays, so it has to be Redshift.
        "env_vars": {"CTI_TARGET": "redshift", **environment},
        "env_from": [k8s.V1EnvFromSource(secret_ref=k8s.V1SecretEnvSource(name=_SETTINGS))],
        "volumes": [
            k8s.V1Volume(name="scratch", empty_dir=k8s.V1EmptyDirVolumeSource(size_limit="50Gi"))
        ],
        "volume_mounts": [k8s.V1VolumeMount(name="scratch", mount_path=_SCRATCH)],
        "container_resources": k8s.V1ResourceRequirements(
            requests={"cpu": "1", "memory": "2Gi", "ephemeral-storage": "10Gi"},
            limits={"memory": "4Gi", "ephemeral-storage": "50Gi"},
        ),
        "security_context": k8s.V1PodSecurityContext(
            run_as_non_root=True,
            run_as_user=_USER,
            run_as_group=_USER,
            fs_group=_USER,
            seccomp_profile=k8s.V1SeccompProfile(type="RuntimeDefault"),
        ),
        "container_security_context": k8s.V1SecurityContext(
            allow_privilege_escalation=False,
            read_only_root_filesystem=True,
            capabilities=k8s.V1Capabilities(drop=["ALL"]),
        ),
        "automount_service_account_token": False,
    }


class PodLoader(KubernetesPodOperator):
    """Runs a command of the loader in a pod."""

    def __init__(self, *, loader_command: str, **arguments: Any) -> None:
        super().__init__(
            # A new node has to fetch the image first.
            startup_timeout_seconds=600,
            skip_on_exit_code=FINAL,
            **_pod(loader_command),
            **arguments,
        )
        self.loader_command = loader_command

    def execute(self, context: Any) -> Any:
        """Starts the pod and waits for it."""
        try:
            return super().execute(context)
        except AirflowSkipException:
            raise AirflowFailException(FINAL_CAUSE) from None


class JobLoader(KubernetesJobOperator):
    """Runs `load` as an Indexed Job: each pod loads its shard of the new files.

    A pod that fails is started again, unless no retry can cure it, and does not stop the others.
    All that a run of the DAG loads so is one load, whichever try of the task loads it.
    """

    def __init__(self, *, shards: int, **arguments: Any) -> None:
        super().__init__(
            completion_mode="Indexed",
            completions=shards,
            parallelism=shards,
            ttl_seconds_after_finished=_KEPT,
            wait_until_job_complete=True,
            full_job_spec=k8s.V1Job(spec=_failing()),
            # Not by the operator, which reads those of the pods that it has found at the start.
            get_logs=False,
            **_pod(
                *("load", "--shard", f"/{shards}"),
                *(word for feed in _FEEDS for word in ("--select", feed)),
                CTI_RUN_ID="{{ dag.dag_id }} {{ run_id }}",
            ),
            **arguments,
        )
        self.loader_command = "load"

    def execute(self, context: Any) -> Any:
        """Starts the job, waits for it, and logs what its pods have said."""
        try:
            result = super().execute(context)
        except AirflowException:
            codes = self._codes() if self.job else []
            # As the loader does with several feeds: what a retry may cure is tried again.
            curable = [found for found in codes if found.isdisjoint((0, *FINAL))]
            # A shard without a code has not begun, or its pod is gone.
            curable += [set()] * (self.completions - len(codes))
            if not curable and not set().union(*codes).isdisjoint(FINAL):
                raise AirflowFailException(FINAL_CAUSE) from None
            raise
        self._codes()
        return result

    def get_pods(self, *_: Any, **__: Any) -> list[k8s.V1Pod]:
        """None, as the operator asks for them before there are any, and fails (Airflow 70585)."""
        return []

    def _codes(self) -> list[set[int]]:
        """The exit codes of the pods of each shard. Logs what each pod has said."""
        name, namespace = self.job.metadata.name, self.job.metadata.namespace
        label, codes = f"batch.kubernetes.io/job-name={name}", defaultdict[str, set[int]](set)
        for pod in self.client.list_namespaced_pod(namespace, label_selector=label).items:
            for status in pod.status.container_statuses or []:
                if status.state.terminated:
                    index = pod.metadata.annotations["batch.kubernetes.io/job-completion-index"]
                    codes[index].add(status.state.terminated.exit_code)
                    self.log.info("%s:\n%s", pod.metadata.name, self._said(pod))
        return list(codes.values())

    def _said(self, pod: k8s.V1Pod) -> str:
        """The log of a pod. Why the task ends is more important than one that is gone."""
        try:
            # Text as such: the client's own decoding leaves b'…' and escaped line feeds.
            answer = self.client.read_namespaced_pod_log(
                pod.metadata.name, pod.metadata.namespace, _preload_content=False
            )
            return answer.data.decode(errors="replace")
        except ApiException as error:
            return f"no log: {error.reason}"


def _failing() -> k8s.V1JobSpec:
    """What becomes of the pods of a job that fail."""
    disrupted = k8s.V1PodFailurePolicyOnPodConditionsPattern(type="DisruptionTarget", status="True")
    codes = k8s.V1PodFailurePolicyOnExitCodesRequirement(operator="In", values=list(FINAL))
    return k8s.V1JobSpec(
        backoff_limit_per_index=_TRIES,
        pod_failure_policy=k8s.V1PodFailurePolicy(
            rules=[
                k8s.V1PodFailurePolicyRule(action="Ignore", on_pod_conditions=[disrupted]),
                k8s.V1PodFailurePolicyRule(action="FailIndex", on_exit_codes=codes),
            ]
        ),
        template=k8s.V1PodTemplateSpec(),
    )
