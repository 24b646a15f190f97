"""The bytes of one version of an object in S3, fetched again where they break off."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING, BinaryIO

from loader.errors import FileChanged, StorageError
from loader.files.s3_client import bucket_and_key
from loader.files.version import FileVersion
from loader.retry import retry

if TYPE_CHECKING:
    from botocore.response import StreamingBody
    from types_boto3_s3.client import S3Client
    from types_boto3_s3.type_defs import GetObjectOutputTypeDef, GetObjectRequestTypeDef

_CHUNK = 1024 * 1024
# Seconds before an object whose body broke off is fetched anew. botocore tries requests again, but
# no longer once it has handed over the body.
_WAITS = (0.5, 2.0, 8.0)


class _Damaged(Exception):
    """The body is not the object's."""


def download(
    client: S3Client, file: FileVersion, out: BinaryIO, limit: int | None = None
) -> str | None:
    """Write an object, or its first `limit` bytes; return its version id, if it has one.

    Only the version with this ETag is taken, and its length, ETag and checksums are compared.
    Raises FileChanged, StorageError, what botocore raises for a request, and OSError of `out`.
    """
    bucket, key = bucket_and_key(file.uri)
    count = file.bytes if limit is None else min(limit, file.bytes)
    request: GetObjectRequestTypeDef = {"Bucket": bucket, "Key": key, "IfMatch": f'"{file.etag}"'}
    if count < file.bytes:
        request["Range"] = f"bytes=0-{count - 1}"

    def once() -> str | None:
        response = client.get_object(**request)
        with closing(response["Body"]) as body:
            # Some stores ignore If-Match and send what they have now.
            if response.get("ETag", "").strip('"') != file.etag:
                raise FileChanged(
                    f"{file.uri}: S3 sent another version than was listed. Nothing was loaded; run"
                    " again to take it as it is."
                )
            compare = count == file.bytes and _is_md5(response, file)
            digest = hashlib.md5(usedforsecurity=False) if compare else None
            out.seek(0)
            out.truncate()
            for chunk in _chunks(body):
                out.write(chunk)
                if digest:
                    digest.update(chunk)
        if out.tell() != count:
            raise _Damaged(f"{out.tell():,} bytes came, not {count:,}")
        if digest and digest.hexdigest() != file.etag:
            raise _Damaged(
                f"the bytes that came have the MD5 {digest.hexdigest()}, not {file.etag}"
            )
        return response.get("VersionId")

    try:
        return retry(once, _Damaged, _WAITS)
    except _Damaged as error:
        raise StorageError(
            f"{file.uri}: {error}. It was fetched {len(_WAITS) + 1} times and never came whole;"
            " check the network and the object, then run again."
        ) from None


def _chunks(body: StreamingBody) -> Iterator[bytes]:
    """The body; raises _Damaged if it breaks off or botocore finds that a checksum is wrong."""
    from botocore.exceptions import BotoCoreError
    from urllib3.exceptions import HTTPError

    try:
        yield from body.iter_chunks(_CHUNK)
    except (BotoCoreError, HTTPError) as error:
        raise _Damaged(str(error).rstrip(".")) from None


def _is_md5(response: GetObjectOutputTypeDef, file: FileVersion) -> bool:
    """Whether the ETag is the MD5 of the bytes.

    AWS, API reference, "Object": it is for objects that were not uploaded in parts and are
    encrypted with S3's own keys or not at all. Directory buckets, whose names end in --x-s3, have
    other ETags.
    """
    return (
        re.fullmatch("[0-9a-f]{32}", file.etag or "") is not None
        and response.get("ServerSideEncryption", "AES256") == "AES256"
        and "SSECustomerAlgorithm" not in response
        and not bucket_and_key(file.uri)[0].endswith("--x-s3")
    )
