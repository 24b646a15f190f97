"""What S3 refuses is said in words that lead to what must be changed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError
from rig.ports import free_ports

from loader.errors import ConfigError, FileChanged, LoaderError, StorageError
from loader.files.s3_client import s3_errors
from loader.files.store import open_store

if TYPE_CHECKING:
    from conftest import Lake


@pytest.mark.usefixtures("lake")
def test_a_wrong_bucket_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"s3://no-such-lake/x.*no such bucket"):
        list(open_store("s3://no-such-lake/x*", tmp_path).find())


@pytest.mark.parametrize(
    ("variable", "value"),
    [("AWS_ACCESS_KEY_ID", "AKIANOBODY"), ("AWS_SECRET_ACCESS_KEY", "wrong")],
)
def test_wrong_credentials_are_said_to_be_wrong(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigError, match=r"credentials|access denied") as caught:
        list(open_store(lake.uri("*"), tmp_path).find())
    # The secret itself must not be in the message, which ends in logs.
    assert value not in str(caught.value) or variable == "AWS_ACCESS_KEY_ID"


def test_no_credentials_says_where_they_would_be(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(ConfigError, match=r"no AWS credentials found. Set AWS_PROFILE"):
        list(open_store(lake.uri("*"), tmp_path).find())


@pytest.mark.usefixtures("lake")
def test_a_profile_that_is_not_there_is_a_mistake_in_the_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(ConfigError, match=r"nobody.*Check AWS_PROFILE"):
        open_store("s3://lake/x", tmp_path)


@pytest.mark.usefixtures("lake")
def test_a_server_that_is_not_there_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(StorageError, match=r"s3://lake/x.*127\.0\.0\.1:9"):
        list(open_store("s3://lake/x", tmp_path).find())


def test_no_password_of_an_endpoint_is_told(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (port,) = free_ports(1)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://user:hunter2@127.0.0.1:{port}")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(StorageError, match="Check the network and the endpoint") as caught:
        list(open_store(lake.uri("x"), tmp_path).find())
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("code", "kind", "says"),
    [
        ("PreconditionFailed", FileChanged, "it was overwritten or deleted since it was listed"),
        ("404", FileChanged, "it was overwritten or deleted since it was listed"),
        ("403", ConfigError, "access denied. The role needs s3:ListBucket"),
        ("ExpiredToken", ConfigError, "does not accept the credentials (ExpiredToken). Renew"),
        ("301", ConfigError, "in another region (301). Set AWS_DEFAULT_REGION"),
        ("RequestTimeTooSkewed", ConfigError, "too far from S3's (RequestTimeTooSkewed)"),
        ("SlowDown", StorageError, "S3 answered SlowDown: Reduce {your} rate. Try again later."),
    ],
)
def test_an_answer_of_s3_says_what_to_do(code: str, kind: type[LoaderError], says: str) -> None:
    answer = ClientError({"Error": {"Code": code, "Message": "Reduce {your} rate."}}, "GetObject")
    with pytest.raises(LoaderError) as caught, s3_errors("s3://lake/{a}.csv"):
        raise answer
    assert type(caught.value) is kind
    assert str(caught.value).startswith("s3://lake/{a}.csv: ")
    assert says in str(caught.value)
