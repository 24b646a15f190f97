"""Single steps of the way to S3 and back, under faults. Promise 3."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from faults import s3_faults as faults
from faults.s3_proxy import Answer, Deed, Forward, Request, S3Proxy

from loader.errors import LoaderError, StorageError
from loader.files.s3 import S3Store
from loader.warehouse.work import WorkFolder, keep

if TYPE_CHECKING:
    from conftest import Lake

CONTENT = b"a,b\n1,2\n"
SLOW_DOWN = faults.refuse(503, "SlowDown", "Please reduce your request rate.")
DENIED = faults.refuse(403, "AccessDenied", "Access Denied")
PATIENT = 5 + 1  # a request and its retries


@pytest.mark.parametrize("name", ["ü 観測所.csv", "a+b c.csv", "100%.csv", "a&b=c?d.csv", "#.csv"])
def test_the_proxy_itself_changes_nothing(proxied: Lake, tmp_path: Path, name: str) -> None:
    # Else a fault that a test sees may be the proxy's.
    proxied.put(name, CONTENT)
    store = S3Store(proxied.uri("*"))
    (file,) = store.find()
    fetched, path = store.fetch(file, tmp_path)
    assert path.read_bytes() == CONTENT
    store.check_unchanged(fetched)


@pytest.mark.parametrize(
    "header",
    [
        ("x-amz-server-side-encryption", "aws:kms"),
        ("x-amz-server-side-encryption", "aws:kms:dsse"),
        ("x-amz-server-side-encryption-customer-algorithm", "AES256"),
    ],
)
def test_an_etag_that_is_no_md5_does_not_refuse_an_object(
    proxied: Lake, s3_proxy: S3Proxy, tmp_path: Path, header: tuple[str, str]
) -> None:
    # GIVEN an object whose ETag looks like an MD5 and, encrypted so, is none
    def encrypted(request: Request, forward: Forward) -> Answer:
        return faults.flipped(request, forward).with_header(*header)

    proxied.put("a.csv", CONTENT)
    store = S3Store(proxied.uri("a.csv"))
    (file,) = store.find()
    # THEN it is taken as it comes; S3's own checksums, where it sends them, are all there is
    s3_proxy.strike("get", encrypted)
    assert store.fetch(file, tmp_path)[1].read_bytes() != CONTENT
    # AND one that S3 encrypts with keys of its own is compared
    s3_proxy.calm()
    s3_proxy.strike("get", lambda request, forward: faults.flipped(request, forward).with_header(
        "x-amz-server-side-encryption", "AES256"))  # fmt: skip
    with pytest.raises(StorageError, match=r"a\.csv: the bytes that came have the MD5 .* never"):
        store.fetch(file, tmp_path)


def test_an_object_in_parts_is_held_against_its_checksum(
    proxied: Lake, s3_proxy: S3Proxy, tmp_path: Path
) -> None:
    # GIVEN an object that was uploaded in parts, so that its ETag is no MD5
    key = f"{proxied.prefix}parts.csv"
    client, bucket = proxied.client, proxied.bucket
    upload = client.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"]
    part = client.upload_part(
        Bucket=bucket, Key=key, UploadId=upload, PartNumber=1, Body=CONTENT * 1000
    )
    client.complete_multipart_upload(
        Bucket=bucket,
        Key=key,
        UploadId=upload,
        MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]},
    )
    store = S3Store(proxied.uri("parts.csv"))
    (file,) = store.find()
    assert "-" in (file.etag or "")
    assert store.fetch(file, tmp_path)[1].read_bytes() == CONTENT * 1000
    # WHEN it comes with a checksum that is not of its bytes, once and then for ever
    s3_proxy.strike("get", faults.mischecked, times=1)
    assert store.fetch(file, tmp_path)[1].read_bytes() == CONTENT * 1000
    s3_proxy.strike("get", faults.mischecked)
    # THEN it is fetched anew, then refused
    with pytest.raises(StorageError, match=r"Expected checksum .* never came whole"):
        store.fetch(file, tmp_path)


def test_a_download_that_broke_off_leaves_nothing_of_itself(
    proxied: Lake, s3_proxy: S3Proxy, tmp_path: Path
) -> None:
    # What is fetched anew is written from the start, not behind what had come before.
    content = bytes(range(256)) * 20_000
    proxied.put("big.csv", content)
    store = S3Store(proxied.uri("big.csv"))
    (file,) = store.find()
    strike = s3_proxy.strike("get", faults.reset(0.9), times=2)
    assert store.fetch(file, tmp_path)[1].read_bytes() == content
    assert strike.struck == 2


def test_a_key_on_two_pages_is_one_file(proxied: Lake, s3_proxy: S3Proxy) -> None:
    for name in ("a", "b", "c"):
        proxied.put(name, CONTENT)
    s3_proxy.strike("list", faults.paged(repeat=True))
    found = [file.uri for file in S3Store(proxied.uri("*")).find()]
    assert sorted(set(found)) == [proxied.uri(name) for name in ("a", "b", "c")]


def test_a_listing_that_goes_round_ends(proxied: Lake, s3_proxy: S3Proxy) -> None:
    # GIVEN a page that says, again and again, that it is followed by the second
    page = faults.paged()

    def round_and_round(request: Request, forward: Forward) -> Answer:
        asked = replace(request, target=request.target.partition("&continuation-token")[0])
        return page(asked, lambda _: forward(original[0]))

    original: list[Request] = []

    def first(request: Request, forward: Forward) -> Answer:
        original.append(request)
        return page(request, forward)

    for name in ("a", "b", "c"):
        proxied.put(name, CONTENT)
    s3_proxy.strike("list", first, times=1)
    s3_proxy.strike("list", round_and_round)
    with pytest.raises(StorageError, match="same next token"):
        list(S3Store(proxied.uri("*")).find())


# Uploads


def upload(work: WorkFolder, path: Path) -> str:
    return work.upload(path)


def put(work: WorkFolder, path: Path) -> str:
    uri = f"{work.uri}{path.name}"
    work.put(uri, path.read_text())
    return uri


@pytest.mark.parametrize("send", [upload, put])
@pytest.mark.parametrize("fault", [SLOW_DOWN, faults.reset(-1), faults.silent])
def test_an_upload_is_tried_again(
    proxied: Lake,
    s3_proxy: S3Proxy,
    tmp_path: Path,
    send: Callable[[WorkFolder, Path], str],
    fault: Deed,
) -> None:
    path = tmp_path / "part.csv"
    path.write_bytes(CONTENT)
    work = WorkFolder(proxied.uri("work"), "indicators")
    strike = s3_proxy.strike("put", fault, times=1)
    key = send(work, path).removeprefix(f"s3://{proxied.bucket}/")
    assert strike.seen == 2
    assert proxied.client.get_object(Bucket=proxied.bucket, Key=key)["Body"].read() == CONTENT
    work.remove()
    assert keys(proxied) == []


@pytest.mark.parametrize("send", [upload, put])
@pytest.mark.parametrize(
    ("fault", "says", "tries"),
    [
        (DENIED, "access denied.*s3:PutObject", 1),
        (SLOW_DOWN, "SlowDown", PATIENT),
        (faults.reset(-1), "losed", PATIENT),
    ],
)
def test_an_upload_that_fails_is_told_and_leaves_nothing(
    proxied: Lake,
    s3_proxy: S3Proxy,
    tmp_path: Path,
    send: Callable[[WorkFolder, Path], str],
    fault: Deed,
    says: str,
    tries: int,
) -> None:
    path = tmp_path / "part.csv"
    path.write_bytes(CONTENT)
    work = WorkFolder(proxied.uri("work"), "indicators")
    strike = s3_proxy.strike("put", fault)
    with pytest.raises(LoaderError, match=rf"s3://lake/.*part\.csv.*{says}"):
        send(work, path)
    assert strike.struck == tries
    # It may have arrived although the answer did not.
    work.remove()
    assert keys(proxied) == []


def test_a_large_part_leaves_no_upload_half_done(
    proxied: Lake, s3_proxy: S3Proxy, tmp_path: Path
) -> None:
    # An upload in parts that is never completed is stored, and paid for, where no listing has it.
    path = tmp_path / "part.csv"
    path.write_bytes(CONTENT * 1_500_000)
    work = WorkFolder(proxied.uri("work"), "indicators")
    s3_proxy.strike("put", DENIED)
    with pytest.raises(LoaderError, match="access denied"):
        work.upload(path)
    assert "post" not in s3_proxy.seen


def test_refused_records_that_cannot_be_kept_in_s3_are_told(
    proxied: Lake, s3_proxy: S3Proxy, tmp_path: Path
) -> None:
    path = tmp_path / "rejects.jsonl"
    path.write_bytes(CONTENT)
    s3_proxy.strike("put", DENIED)
    with pytest.raises(StorageError, match=r"rejects/x\.jsonl: .*AccessDenied"):
        keep(path, proxied.uri("rejects/"), "x.jsonl")
    s3_proxy.calm()
    assert keep(path, proxied.uri("rejects/"), "x.jsonl") == proxied.uri("rejects/x.jsonl")


def test_what_cannot_be_deleted_does_not_end_a_load(proxied: Lake, s3_proxy: S3Proxy) -> None:
    # It is over by then. The bucket's lifecycle rule deletes it.
    work = WorkFolder(proxied.uri("work"), "indicators")
    work.put(f"{work.uri}manifest.json", "{}")
    strike = s3_proxy.strike("delete", DENIED)
    work.remove()
    assert strike.struck
    assert len(keys(proxied)) == 1
    s3_proxy.calm()
    work.remove()
    assert keys(proxied) == []


def keys(lake: Lake) -> list[str]:
    listed = lake.client.list_objects_v2(Bucket=lake.bucket, Prefix=lake.prefix)
    return [entry["Key"] for entry in listed.get("Contents", [])]
