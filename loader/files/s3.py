"""Objects in S3: found by a prefix or a pattern, and downloaded, again if that breaks off."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from loader.errors import ConfigError, FileChanged, StorageError
from loader.files.left_out import WILDCARDS, LeftOut, fixed_part
from loader.files.s3_client import bucket_and_key, s3_client, s3_errors
from loader.files.version import FileVersion, changed
from loader.retry import retry

if TYPE_CHECKING:
    from types_boto3_s3.type_defs import GetObjectOutputTypeDef

_CHUNK = 1024 * 1024
# Seconds before an object whose body broke off is fetched anew. botocore tries requests again, but
# no longer once it has handed over the body.
_WAITS = (0.5, 2.0, 8.0)


class _Damaged(Exception):
    """The body is not the object's."""


class S3Store:
    """Objects under a prefix, or those that a pattern such as s3://bucket/raw/*.csv matches.

    In a pattern * stands for any characters, slashes too, as it does elsewhere in S3. Credentials,
    region and endpoint are boto3's usual configuration. exclude: such patterns and prefixes, and
    patterns of names.
    """

    def __init__(self, location: str, exclude: Sequence[str] = ()) -> None:
        self._location = location
        self._bucket, key = bucket_and_key(location)
        if not self._bucket or any(c in self._bucket for c in WILDCARDS):
            raise ConfigError(f"location {location!r}: name the bucket, as in s3://bucket/prefix*")
        self._prefix, self._pattern = key[: fixed_part(key)], _pattern(key)
        uris = [_pattern(glob) for glob in exclude if "/" in glob]
        self.left_out = LeftOut(
            location, exclude, lambda uri: any(fnmatchcase(uri, u) for u in uris)
        )
        self._client = s3_client()

    def find(self) -> Iterator[FileVersion]:
        """Every object of the location that is data, while its pages come. Raises StorageError.

        One that is written to meanwhile may be there twice. In the end left_out has the others.
        """
        self.left_out.counts.clear()
        with s3_errors(self._location):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=self._prefix
            )
            for page in pages:
                for entry in page.get("Contents", []):
                    key = entry["Key"]
                    # A key that ends in a slash is how consoles make an empty folder.
                    if key.endswith("/") or not fnmatchcase(key, self._pattern):
                        continue
                    uri = f"s3://{self._bucket}/{key}"
                    if not self.left_out.takes(uri, entry["Size"]):
                        continue
                    time = entry["LastModified"].astimezone(UTC).replace(tzinfo=None).isoformat(" ")
                    yield FileVersion(uri, entry["Size"], entry["ETag"].strip('"'), time=time)
        if page.get("IsTruncated"):
            raise StorageError(
                f"{self._location}: the listing ends before its last page; run again."
            )

    def fetch(self, file: FileVersion, spool: Path) -> tuple[FileVersion, Path]:
        """Download the object if it still has the ETag; return it with its version, and its path.

        Raises FileChanged, StorageError.
        """
        target = spool / hashlib.sha256(file.uri.encode()).hexdigest()[:24]
        with s3_errors(file.uri):
            try:
                version = retry(lambda: self._download(file, target), _Damaged, _WAITS)
            except _Damaged as error:
                raise StorageError(
                    f"{file.uri}: {error}. It was fetched {len(_WAITS) + 1} times and never came"
                    " whole; check the network and the object, then run again."
                ) from None
        return replace(file, version=version), target

    def name(self, uri: str) -> str:
        """What an object is called."""
        return uri

    def path(self, file: FileVersion) -> str:
        """Where an engine reads it."""
        return file.uri

    def check_unchanged(self, file: FileVersion) -> None:
        """Raises FileChanged if the object has another ETag, or is gone."""
        bucket, key = bucket_and_key(file.uri)
        with s3_errors(file.uri):
            now = self._client.head_object(Bucket=bucket, Key=key)
        if now.get("ETag", "").strip('"') != file.etag or now.get("VersionId") != file.version:
            raise changed(file.uri, "it was overwritten")

    def _download(self, file: FileVersion, target: Path) -> str | None:
        """Write an object to a local file; return its version id, if it has one.

        Only the version with this ETag is taken, and its length, ETag and checksums are compared.
        Raises FileChanged, _Damaged, OSError, and what botocore raises for a request.
        """
        from botocore.exceptions import BotoCoreError
        from urllib3.exceptions import HTTPError

        bucket, key = bucket_and_key(file.uri)
        response = self._client.get_object(Bucket=bucket, Key=key, IfMatch=f'"{file.etag}"')
        with closing(response["Body"]) as body, target.open("wb") as out:
            # Some stores ignore If-Match and send what they have now.
            if response.get("ETag", "").strip('"') != file.etag:
                raise FileChanged(
                    f"{file.uri}: S3 sent another version than was listed. Nothing was loaded;"
                    " run again to take it as it is."
                )
            digest = hashlib.md5(usedforsecurity=False) if _is_md5(response, file) else None
            try:
                for chunk in body.iter_chunks(_CHUNK):
                    out.write(chunk)
                    if digest:
                        digest.update(chunk)
            except (BotoCoreError, HTTPError) as error:
                # It breaks off, or botocore finds that a checksum is wrong.
                raise _Damaged(str(error).rstrip(".")) from None
            if out.tell() != file.bytes:
                raise _Damaged(f"{out.tell():,} bytes came, not {file.bytes:,}")
        if digest and digest.hexdigest() != file.etag:
            raise _Damaged(
                f"the bytes that came have the MD5 {digest.hexdigest()}, not {file.etag}"
            )
        return response.get("VersionId")


def _pattern(place: str) -> str:
    """The pattern of a key or a URI, which without wildcards is a prefix."""
    return f"{place}*" if fixed_part(place) == len(place) else place


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
