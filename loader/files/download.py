"""The bytes of one version of an object in S3, begun again where they break off."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from loader import interrupts
from loader.errors import FileChanged, StorageError

if TYPE_CHECKING:
    from botocore.response import StreamingBody
    from types_boto3_s3.client import S3Client
    from types_boto3_s3.type_defs import GetObjectOutputTypeDef

__all__ = ["download", "first_bytes"]

T = TypeVar("T")

_CHUNK = 1024 * 1024
_MD5_DIGITS = 32
# Seconds before an object whose body broke off is fetched anew. botocore tries requests again, but
# no longer once it has handed over the body.
_WAITS = (0.5, 2.0, 8.0)


class _Damaged(Exception):
    """The body is not the object's."""


def download(
    client: S3Client, bucket: str, key: str, etag: str, size: int, target: Path
) -> str | None:
    """Writes the version with this ETag to a file; returns its version id, if it has one.

    size: in bytes, as listed. Length, ETag and checksums of what came are compared. Raises
    FileChanged, StorageError, what botocore raises for a request, and OSError of the file.
    """

    def once() -> str | None:
        response = client.get_object(Bucket=bucket, Key=key, IfMatch=f'"{etag}"')
        _check_etag(response, f"s3://{bucket}/{key}", etag)
        digest = hashlib.md5(usedforsecurity=False) if _is_md5(response, bucket, etag) else None
        came = 0
        with target.open("wb") as out, _body(response) as body:
            for chunk in body.iter_chunks(_CHUNK):
                out.write(chunk)
                came += len(chunk)
                if digest:
                    digest.update(chunk)
        _check_length(came, size)
        if digest and digest.hexdigest() != etag:
            raise _Damaged(f"the bytes that came have the MD5 {digest.hexdigest()}, not {etag}")
        return response.get("VersionId")

    return _until_whole(f"s3://{bucket}/{key}", once)


def first_bytes(client: S3Client, bucket: str, key: str, etag: str, count: int) -> bytes:
    """So many bytes from the start of the version with this ETag. Raises as download."""

    def once() -> bytes:
        response = client.get_object(
            Bucket=bucket, Key=key, IfMatch=f'"{etag}"', Range=f"bytes=0-{count - 1}"
        )
        _check_etag(response, f"s3://{bucket}/{key}", etag)
        with _body(response) as body:
            head = body.read()
        _check_length(len(head), count)
        return head

    return _until_whole(f"s3://{bucket}/{key}", once)


def _until_whole(uri: str, once: Callable[[], T]) -> T:
    for wait in (*_WAITS, None):
        try:
            return once()
        except _Damaged as error:
            if wait is None:
                raise StorageError(
                    f"{uri}: {error}. It was fetched {len(_WAITS) + 1} times and never came whole;"
                    " check the network and the object, then run again."
                ) from None
        interrupts.check()
        time.sleep(wait)
    raise AssertionError("the last try returns or raises")


@contextmanager
def _body(response: GetObjectOutputTypeDef) -> Iterator[StreamingBody]:
    """The body, closed in the end; raises _Damaged if it breaks off or a checksum is wrong."""
    from botocore.exceptions import BotoCoreError
    from urllib3.exceptions import HTTPError

    with closing(response["Body"]) as body:
        try:
            yield body
        except (BotoCoreError, HTTPError) as error:
            raise _Damaged(str(error).rstrip(".")) from None


def _check_etag(response: GetObjectOutputTypeDef, uri: str, etag: str) -> None:
    """Raises FileChanged where a store does not know If-Match and sends what it has now."""
    if response.get("ETag", "").strip('"') != etag:
        response["Body"].close()
        raise FileChanged(
            f"{uri}: S3 sent another version than was listed. Nothing was loaded; run again to"
            " take it as it is."
        )


def _check_length(came: int, size: int) -> None:
    if came != size:
        raise _Damaged(f"{came:,} bytes came, not {size:,}")


def _is_md5(response: GetObjectOutputTypeDef, bucket: str, etag: str) -> bool:
    """Whether the ETag is the MD5 of the bytes.

    AWS, API reference, "Object": of objects that were not uploaded in parts and are encrypted with
    S3's own keys or not at all. Directory buckets, whose names end in --x-s3, have other ETags.
    """
    return (
        len(etag) == _MD5_DIGITS
        and set(etag) <= set("0123456789abcdef")
        and response.get("ServerSideEncryption", "AES256") == "AES256"
        and "SSECustomerAlgorithm" not in response
        and not bucket.endswith("--x-s3")
    )
