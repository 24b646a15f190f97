"""The S3 server is the ground under every COPY test: it must start, refuse and forget."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from botocore.exceptions import ClientError

from rig.ports import accepts_connections, free_ports
from rig.s3 import S3Server


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with S3Server(buckets=("one", "two")) as running:
        yield running


def test_objects_come_back_with_their_md5_as_etag(server: S3Server) -> None:
    # The loader pins objects by ETag; a server that invents them would hide a mistake there.
    client = server.client()
    client.put_object(Bucket="one", Key="ein Ordner/ü.csv", Body=b"a")
    answer = client.get_object(Bucket="one", Key="ein Ordner/ü.csv")
    assert answer["Body"].read() == b"a"
    assert answer["ETag"] == '"0cc175b9c0f1b6a831c399e269772661"'


def test_if_match_refuses_a_changed_object(server: S3Server) -> None:
    client = server.client()
    etag = client.put_object(Bucket="one", Key="pinned", Body=b"a")["ETag"]
    client.put_object(Bucket="one", Key="pinned", Body=b"b")
    with pytest.raises(ClientError) as caught:
        client.get_object(Bucket="one", Key="pinned", IfMatch=etag)
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 412


def test_starts_with_empty_buckets(server: S3Server) -> None:
    assert "Contents" not in server.client().list_objects_v2(Bucket="two")


@pytest.mark.parametrize("keys", [("AKIARIGRIGRIGRIGRIG0", "wrong"), ("AKIANOBODY", "wrong")])
def test_wrong_keys_are_refused(server: S3Server, keys: tuple[str, str]) -> None:
    stranger = server.client(access_key=keys[0], secret_key=keys[1])
    with pytest.raises(ClientError) as caught:
        stranger.list_objects_v2(Bucket="one")
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


def test_no_keys_are_refused(server: S3Server) -> None:
    anonymous = http.client.HTTPConnection(server.endpoint_url.removeprefix("http://"), timeout=5)
    anonymous.request("GET", "/one/?list-type=2")
    assert anonymous.getresponse().status == 403
    anonymous.close()


def test_env_points_an_sdk_at_the_server(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in server.env().items():
        monkeypatch.setenv(name, value)
    buckets = boto3.session.Session().client("s3").list_buckets()["Buckets"]
    assert sorted(bucket["Name"] for bucket in buckets) == ["one", "two"]


def test_stop_leaves_nothing() -> None:
    server = S3Server().start()
    ports = [*server._ports]
    folder = server._folder
    assert folder is not None
    assert folder.exists()
    server.stop()
    assert not folder.exists()
    assert not any(accepts_connections(port) for port in ports)
    sockets = Path("/tmp").glob("seaweedfs-*.sock")  # noqa: S108
    assert not [s for s in sockets if any(f"-{port}." in s.name for port in ports)]
    server.stop()


def test_two_servers_that_choose_the_same_ports_both_come_up(
    server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As two processes may that start at once; the later one must not take the other's sockets away.
    taken = list(server._ports)
    choices = iter([taken])
    monkeypatch.setattr("rig.s3.free_ports", lambda count: next(choices, None) or free_ports(count))
    ours = sorted(Path("/tmp").glob("seaweedfs-*.sock"))  # noqa: S108
    with S3Server() as second:
        assert not set(second._ports) & set(taken)
        second.client().put_object(Bucket="lake", Key="a", Body=b"a")
    ours = [path for path in ours if any(f"-{port}." in path.name for port in taken)]
    assert ours
    assert all(path.exists() for path in ours)
