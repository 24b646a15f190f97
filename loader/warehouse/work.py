"""What the loader itself writes to S3 or a folder: a load's work folder, refused records kept."""

from __future__ import annotations

import os
import shutil
import time
import uuid
from contextlib import closing, suppress
from pathlib import Path

from loader.errors import ConfigError, StorageError
from loader.files import owner
from loader.files.s3 import new_client, s3_client, s3_errors, unreadable

__all__ = ["WorkFolder", "check_folder", "keep"]

_ABANDONED_SECONDS = 24 * 60 * 60


def check_folder(location: str) -> None:
    """Raises ConfigError if the text is neither a local folder nor s3://bucket/prefix/."""
    scheme, found, rest = location.partition("://")
    if found and (scheme != "s3" or not rest.partition("/")[0]):
        raise ConfigError(f"{location}: neither a folder nor s3://bucket/prefix/")


def keep(source: Path, location: str, name: str) -> str:
    """Copies a file into a folder, local or s3://bucket/prefix/; returns where it is.

    Raises StorageError.
    """
    if not location.startswith("s3://"):
        target = Path(location).expanduser() / name
        try:
            target.parent.mkdir(mode=0o770, parents=True, exist_ok=True)
            # Raw records: for whom the umask lets in of owner and group, and for nobody else.
            mode = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
            with source.open("rb") as data, open(os.open(target, mode, 0o660), "wb") as out:
                shutil.copyfileobj(data, out)
        except OSError as error:
            raise unreadable(error) from None
        return str(target)
    bucket, _, prefix = location.removeprefix("s3://").partition("/")
    key = f"{prefix.rstrip('/')}/{name}".lstrip("/")
    uri = f"s3://{bucket}/{key}"
    with closing(new_client()) as client, s3_errors(uri):
        client.upload_file(str(source), bucket, key)
    return uri


class WorkFolder:
    """A folder in S3 of one load's own, for what COPY reads besides the raw files."""

    def __init__(self, work_location: str, feed: str) -> None:
        bucket, _, prefix = work_location.removeprefix("s3://").partition("/")
        if not work_location.startswith("s3://") or not bucket:
            raise ConfigError(f"work location {work_location!r}: must be s3://bucket/prefix/")
        self._bucket, host = bucket, owner.host()
        self._feed = f"{prefix.rstrip('/')}/{owner.slug(feed)}/".lstrip("/")
        started = f"{time.time():.0f}"
        self._folder = f"{self._feed}{started}_{host}_{os.getpid()}_{uuid.uuid4().hex[:8]}/"
        self._client = s3_client(self)

    def put(self, name: str, text: str) -> str:
        """Writes a small object; returns its URI. Raises StorageError."""
        uri = f"s3://{self._bucket}/{self._folder}{name}"
        with s3_errors(uri):
            self._client.put_object(
                Bucket=self._bucket, Key=f"{self._folder}{name}", Body=text.encode()
            )
        return uri

    def upload(self, path: Path) -> str:
        """Writes a file of up to 5 GB; returns its URI. Raises StorageError.

        As one request: an upload in parts that a kill leaves half done is in no listing.
        """
        uri = f"s3://{self._bucket}/{self._folder}{path.name}"
        with s3_errors(uri), path.open("rb") as body:
            self._client.put_object(
                Bucket=self._bucket, Key=f"{self._folder}{path.name}", Body=body
            )
        return uri

    def remove(self) -> None:
        """Deletes what this load wrote. What cannot be deleted now, a later load deletes."""
        with suppress(StorageError):
            self._delete(self._keys(self._folder))

    def remove_abandoned(self) -> None:
        """Deletes what dead loads left: of this host, or a day old. Raises StorageError."""
        dead = []
        for key in self._keys(self._feed):
            started, host, pid, _ = (
                *key.removeprefix(self._feed).split("/")[0].split("_"),
                *"___",
            )[:4]
            if not started.isdecimal() or not pid.isdecimal():
                continue  # not the loader's
            old = time.time() - int(started) > _ABANDONED_SECONDS
            if old or owner.is_dead(host, pid):
                dead.append(key)
        self._delete(dead)

    def _keys(self, prefix: str) -> list[str]:
        with s3_errors(f"s3://{self._bucket}/{prefix}"):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=prefix
            )
            return [entry["Key"] for page in pages for entry in page.get("Contents", [])]

    def _delete(self, keys: list[str]) -> None:
        for key in keys:
            with s3_errors(f"s3://{self._bucket}/{key}"):
                self._client.delete_object(Bucket=self._bucket, Key=key)
