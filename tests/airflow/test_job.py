"""The variable job_secret: what becomes of each key, and what is said of a wrong one."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import cti_job
import pytest

GOOD: dict[str, Any] = {
    "access_key": "AKIAEXAMPLE",
    "secret_key": "s3cr3t-of-aws",
    "cpus": 2,
    "mem": "4g",
    "shm_size": "1g",
    "iam": "arn:aws:iam::123456789012:role/copy",
    "table": "indicators",
    "hostname": "cluster.example",
    "port": 5439,
    "database": "dev",
    "username": "loader",
    "password": "s3cr3t-of-redshift",
    "work_location": "s3://bucket/work/",
}
PAGE = Path(__file__).parents[2] / "airflow" / "README.md"


def read(**changes: Any) -> cti_job.Job:
    return cti_job.read_job(json.dumps({**GOOD, **changes}))


def test_the_example_on_the_page_is_whole() -> None:
    [example] = re.findall(r"^```json\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    job = cti_job.read_job(json.dumps(json.loads(example)["job_secret"]))
    assert (job.table, job.environment["CTI_TARGET"]) == ("indicators", "redshift")


def test_each_key_reaches_its_setting() -> None:
    job = read(location="s3://bucket/raw/*", region="eu-west-1", endpoint="http://s3", image="x:2")
    assert (job.cpus, job.mem, job.shm_size, job.table, job.image) == (
        2.0,
        "4g",
        "1g",
        "indicators",
        "x:2",
    )
    assert job.environment == {
        "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "s3cr3t-of-aws",
        "CTI_COPY_ROLE": "arn:aws:iam::123456789012:role/copy",
        "REDSHIFT_HOST": "cluster.example",
        "REDSHIFT_PORT": "5439",
        "REDSHIFT_DATABASE": "dev",
        "REDSHIFT_USER": "loader",
        "DBT_ENV_SECRET_REDSHIFT_PASSWORD": "s3cr3t-of-redshift",
        "CTI_TARGET": "redshift",
        "CTI_INDICATORS_LOCATION": "s3://bucket/raw/*",
        "CTI_WORK_LOCATION": "s3://bucket/work/",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "CTI_COPY_REGION": "eu-west-1",
        "AWS_ENDPOINT_URL_S3": "http://s3",
    }


def test_the_page_lists_every_key_and_where_it_goes() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (required|optional) \| (.*?) \|", PAGE.read_text(), re.M)
    listed = {key: (need, re.findall(r"`([^`]+)`", goes)) for key, need, goes in rows}
    settings = {**cti_job.ENVIRONMENT, **{key: (to,) for key, to in cti_job.RESOURCES.items()}}
    assert listed == {
        key: ("optional" if key in cti_job.OPTIONAL else "required", list(names))
        for key, names in settings.items()
    }


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (None, "there is no Airflow Variable"),
        ("{", "is not JSON at line 1"),
        ("[]", "is not a JSON object"),
    ],
)
def test_a_variable_that_is_none(text: str | None, told: str) -> None:
    with pytest.raises(cti_job.JobSecretError, match=told):
        cti_job.read_job(text)


@pytest.mark.parametrize("key", sorted(set(GOOD)))
def test_a_missing_key_is_named(key: str) -> None:
    with pytest.raises(cti_job.JobSecretError, match=f"{key} is missing"):
        cti_job.read_job(json.dumps({k: v for k, v in GOOD.items() if k != key}))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("cpus", "many"),
        ("cpus", 0),
        ("mem", "4 gigs"),
        ("shm_size", ""),
        ("table", "indicators; --yes"),
        ("table", "-x"),
        ("port", "5439x"),
        ("port", 70000),
        ("target", "oracle"),
        ("hostname", ""),
        ("password", {"a": "s3cr3t-in-the-wrong-place"}),
        ("access_key", ""),
        ("work_location", ""),
    ],
)
def test_a_malformed_key_is_named_without_its_value(key: str, value: Any) -> None:
    with pytest.raises(cti_job.JobSecretError, match=key) as caught:
        read(**{key: value})
    assert "s3cr3t" not in str(caught.value)


def test_all_problems_are_told_at_once_and_no_value() -> None:
    with pytest.raises(cti_job.JobSecretError) as caught:
        read(port="s3cr3t", cpus="s3cr3t", s3cr3t_key="s3cr3t")
    assert all(word in str(caught.value) for word in ("port", "cpus", "unknown keys: 1"))
    assert "s3cr3t" not in str(caught.value)


def test_a_job_shows_no_secret() -> None:
    assert "s3cr3t" not in repr(read())


def test_duckdb_needs_nothing_of_redshift() -> None:
    empty = dict.fromkeys(("iam", "hostname", "port", "database", "username", "password"), "")
    assert read(target="duckdb", work_location="", **empty).environment["CTI_TARGET"] == "duckdb"
