"""Objects in S3: found by a prefix or a pattern, and downloaded."""

import hashlib
from dataclasses import replace
from fnmatch import fnmatchcase
from io import BytesIO
from pathlib import Path

from loader.errors import ConfigError, StorageError
from loader.files.download import download
from loader.files.s3_client import bucket_and_key, s3_client, s3_errors
from loader.files.version import FileVersion, changed

# Bytes that are enough for a header.
_HEAD = 256 * 1024
_WILDCARDS = "*?["


class S3Store:
    """Objects under a prefix, or those that a pattern such as s3://bucket/raw/*.csv matches.

    In a pattern * stands for any characters, slashes too, as it does elsewhere in S3. Credentials,
    region and endpoint are boto3's usual configuration.
    """

    def __init__(self, location: str) -> None:
        self._bucket, self._pattern = bucket, key = bucket_and_key(location)
        if not bucket or any(c in bucket for c in _WILDCARDS):
            raise ConfigError(f"location {location!r}: name the bucket, as in s3://bucket/prefix*")
        self._prefix = key[: min((key.find(c) for c in _WILDCARDS if c in key), default=len(key))]
        self._client = s3_client(self)

    def find(self) -> list[FileVersion]:
        """Every object of the location, by key. Raises StorageError."""
        plain = self._prefix == self._pattern
        where = f"s3://{self._bucket}/{self._pattern}"
        # By key: one that is written to while pages are listed may be on two of them.
        found: dict[str, FileVersion] = {}
        more = False
        with s3_errors(where):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=self._prefix
            )
            for page in pages:
                more = page.get("IsTruncated", False)
                for entry in page.get("Contents", []):
                    key = entry["Key"]
                    # A key that ends in a slash is how consoles make an empty folder.
                    if key.endswith("/") or not (plain or fnmatchcase(key, self._pattern)):
                        continue
                    uri = f"s3://{self._bucket}/{key}"
                    found[key] = FileVersion(uri, entry["Size"], entry["ETag"].strip('"'))
        if more:
            raise StorageError(f"{where}: the listing ends before its last page; run again.")
        return sorted(found.values(), key=lambda file: file.uri)

    def fetch(self, file: FileVersion, spool: Path) -> tuple[FileVersion, Path]:
        """Download the object if it still has the ETag; return it with its version, and its path.

        Raises FileChanged, StorageError.
        """
        target = spool / hashlib.sha256(file.uri.encode()).hexdigest()[:24]
        with s3_errors(file.uri), target.open("wb") as out:
            version = download(self._client, file, out)
        return replace(file, version=version), target

    def head(self, file: FileVersion) -> bytes:
        """Its first bytes, enough for a header. Raises FileChanged, StorageError."""
        out = BytesIO()
        with s3_errors(file.uri):
            download(self._client, file, out, _HEAD)
        return out.getvalue()

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
