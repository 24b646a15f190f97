"""The Airflow Variable `job_secret`, as environment and resources of the loader's container.

Knows nothing of Airflow, so it can be used, and tested, without it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = [
    "ENVIRONMENT",
    "FINAL",
    "FINAL_CAUSE",
    "OPTIONAL",
    "RESOURCES",
    "SECRETS",
    "Job",
    "JobSecretError",
    "read_job",
]

# The loader's exit codes that no retry cures: 1 refused data or a failed test, 2 configuration.
FINAL = (1, 2)
FINAL_CAUSE = (
    "the data was refused, a test or check of the tables failed, or the configuration is wrong; the"
    " log says which, and a retry cures none of them"
)

# Key of the variable: the environment variables that it becomes.
ENVIRONMENT: Mapping[str, tuple[str, ...]] = {
    "access_key": ("AWS_ACCESS_KEY_ID",),
    "secret_key": ("AWS_SECRET_ACCESS_KEY",),
    "iam": ("CTI_COPY_ROLE",),
    "hostname": ("REDSHIFT_HOST",),
    "port": ("REDSHIFT_PORT",),
    "database": ("REDSHIFT_DATABASE",),
    "username": ("REDSHIFT_USER",),
    "password": ("DBT_ENV_SECRET_REDSHIFT_PASSWORD",),
    "target": ("CTI_TARGET",),
    "location": ("CTI_INDICATORS_LOCATION",),
    "work_location": ("CTI_WORK_LOCATION",),
    "rejects_location": ("CTI_REJECTS_LOCATION",),
    "region": ("AWS_DEFAULT_REGION", "CTI_COPY_REGION"),
    "endpoint": ("AWS_ENDPOINT_URL_S3",),
    "session_token": ("AWS_SESSION_TOKEN",),
    "sslmode": ("REDSHIFT_SSLMODE",),
    "duckdb_path": ("CTI_DUCKDB_PATH",),
    "raw_schema": ("CTI_RAW_SCHEMA",),
}
# Key: what of the task or its container it sets.
RESOURCES: Mapping[str, str] = {
    "cpus": "cpus",
    "mem": "mem_limit",
    "shm_size": "shm_size",
    "table": "--select",
    "image": "image",
    "volume": "mounts",
    "network": "network_mode",
}
OPTIONAL = frozenset(
    {
        *("target", "location", "work_location", "rejects_location", "region", "endpoint"),
        *("session_token", "sslmode", "duckdb_path", "raw_schema", "image", "volume", "network"),
    }
)
SECRETS = frozenset({"access_key", "secret_key", "session_token", "password"})

_REDSHIFT = ("iam", "hostname", "port", "database", "username", "password")
_SIZE = re.compile(r"[1-9][0-9]*[bkmg]?", re.IGNORECASE)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*")


class JobSecretError(Exception):
    """All that is wrong with the variable, without any of its values."""


@dataclass(frozen=True)
class Job:
    """What a task needs to run the loader. Its text shows no secret.

    cpus: in cores. mem, shm_size: bytes, or a number with b, k, m or g. table: the feed to select.
    volume: of Docker, for the DuckDB file, at /data.
    """

    cpus: float
    mem: str
    shm_size: str
    table: str
    image: str
    volume: str | None
    network: str | None
    environment: Mapping[str, str] = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)


def read_job(text: str | None) -> Job:
    """The job that the variable's JSON describes. Raises JobSecretError."""
    if text is None:
        raise JobSecretError("there is no Airflow Variable job_secret; see airflow/README.md")
    try:
        found = json.loads(text)
    except ValueError as error:
        where = f" at line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        raise JobSecretError(f"the Airflow Variable job_secret is not JSON{where}") from None
    if not isinstance(found, dict):
        raise JobSecretError("the Airflow Variable job_secret is not a JSON object")
    problems = [*_unknown(found), *_malformed(found)]
    if problems:
        raise JobSecretError(f"the Airflow Variable job_secret: {'; '.join(problems)}")
    values = {key: str(value) for key, value in found.items() if value not in (None, "")}
    values.setdefault("target", "redshift")
    return Job(
        cpus=float(values["cpus"]),
        mem=values["mem"],
        shm_size=values["shm_size"],
        table=values["table"],
        image=values.get("image", "cti_etl"),
        volume=values.get("volume"),
        network=values.get("network"),
        environment={
            name: values[key]
            for key, names in ENVIRONMENT.items()
            if key in values
            for name in names
        },
        secrets=tuple(values[key] for key in sorted(SECRETS) if key in values),
    )


def _unknown(found: Mapping[str, Any]) -> list[str]:
    known = {*ENVIRONMENT, *RESOURCES}
    missing = [f"{key} is missing" for key in sorted(known - OPTIONAL - set(found))]
    # An unknown key may be a secret put in the wrong place, so it is counted and not shown.
    extra = len(set(found) - known)
    return [*missing, *([f"unknown keys: {extra}; see airflow/README.md"] if extra else [])]


def _malformed(found: Mapping[str, Any]) -> list[str]:
    problems = [
        f"{key} is neither text nor a number"
        for key, value in sorted(found.items())
        if key in {*ENVIRONMENT, *RESOURCES}
        and (isinstance(value, bool) or not isinstance(value, str | int | float | None))
    ]
    texts = {
        key: "" if value is None else str(value)
        for key, value in found.items()
        if not isinstance(value, dict | list | bool)
    }

    def wants(key: str, good: bool, what: str) -> None:
        if key in texts and not good:
            problems.append(f"{key} is not {what}")

    wants("cpus", _is_positive(texts.get("cpus", "")), "a number of cores above 0")
    for key in ("mem", "shm_size"):
        good = _SIZE.fullmatch(texts.get(key, "")) is not None
        wants(key, good, "a size such as 4g, 512m or a number of bytes")
    wants("table", _NAME.fullmatch(texts.get("table", "")) is not None, "the name of a feed")
    port = texts.get("port", "")
    wants("port", not port or (port.isdecimal() and 0 < int(port) < 65536), "a port, 1 to 65535")
    target = texts.get("target", "") or "redshift"
    wants("target", target in ("duckdb", "redshift"), "duckdb or redshift")
    if bool(texts.get("access_key")) != bool(texts.get("secret_key")):
        problems.append("access_key and secret_key have to be given both, or left empty both")
    if target == "redshift":
        problems += [f"{key} is empty" for key in _REDSHIFT if texts.get(key, "x") == ""]
        if not texts.get("work_location"):
            problems.append("work_location is missing; Redshift needs it, as s3://bucket/work/")
    return problems


def _is_positive(text: str) -> bool:
    return re.fullmatch(r"[0-9]+(\.[0-9]+)?", text) is not None and float(text) > 0
