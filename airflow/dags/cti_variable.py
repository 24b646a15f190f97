"""The variable `job_secret`, read when a task starts.

Not earlier, so that no secret is in the DAG as Airflow keeps it, in rendered fields, in an argument
or in a log.
"""

from __future__ import annotations

from airflow.sdk import Variable
from airflow.sdk.exceptions import AirflowFailException
from airflow.sdk.log import mask_secret
from cti_job import Job, JobSecretError, read_job

__all__ = ["current_job"]


def current_job() -> Job:
    """The job of the task that is about to run. Raises AirflowFailException."""
    try:
        job = read_job(Variable.get("job_secret", default=None))
    except JobSecretError as error:
        # What is written there will not be right at the next try either.
        raise AirflowFailException(str(error)) from None
    for secret in job.secrets:
        mask_secret(secret)
    return job
