"""What the loader writes to S3 or a folder: a load's work folder, and rejected records."""

import re
import shutil
import uuid
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from loader.errors import ConfigError, StorageError
from loader.files.s3_client import bucket_and_key, s3_client, s3_errors
from loader.files.version import file_errors


def check_folder(location: str) -> None:
    """Raises ConfigError if the text is neither a local folder nor s3://bucket/prefix/."""
    if "://" in location and not re.match("s3://[^/]", location):
        raise ConfigError(f"{location}: neither a folder nor s3://bucket/prefix/")


def keep(source: Path, location: str, name: str) -> str:
    """Copies a file into a folder, local or s3://bucket/prefix/; returns the copy's address.

    Raises StorageError.
    """
    if not location.startswith("s3://"):
        target = Path(location).expanduser() / name
        with file_errors():
            # Raw records: for owner and group, as far as the umask lets them, and for nobody else.
            target.parent.mkdir(mode=0o770, parents=True, exist_ok=True)
            target.touch(mode=0o660)
            shutil.copyfile(source, target)
        return str(target)
    uri = f"{location.rstrip('/')}/{name}"
    bucket, key = bucket_and_key(uri)
    with s3_errors(uri):
        s3_client().upload_file(str(source), bucket, key)
    return uri


def feed_folder(work_location: str, feed: str) -> str:
    """Where the loads of a feed have their work folders: s3://bucket/prefix/feed/."""
    name = "".join(c if c.isalnum() or c in "-." else "-" for c in feed)
    return f"{work_location.rstrip('/')}/{name}/"


class WorkFolder:
    """A folder in S3 of one load's own, for what COPY reads besides the raw files.

    The load removes it when it ends. That of a load that was killed stays, until the bucket's
    lifecycle rule deletes it (terraform/bucket.tf has one).
    """

    def __init__(self, work_location: str, feed: str) -> None:
        """Raises ConfigError unless the location is s3://bucket/prefix/."""
        if not re.match("s3://[^/]", work_location):
            raise ConfigError(
                f"{work_location!r} is no place for COPY's manifests: set CTI_WORK_LOCATION to a"
                " prefix that the loader may write and the COPY role may read, such as"
                " s3://bucket/work/"
            )
        self.uri = f"{feed_folder(work_location, feed)}{uuid.uuid4().hex}/"
        self._client = s3_client()

    def put(self, uri: str, body: str | BinaryIO) -> None:
        """Writes an object of up to 5 GB in this folder. Raises StorageError.

        As one request: an upload in parts that a kill leaves half done is in no listing.
        """
        bucket, key = bucket_and_key(uri)
        with s3_errors(uri):
            self._client.put_object(Bucket=bucket, Key=key, Body=body)

    def upload(self, path: Path) -> str:
        """Writes a file under its own name, as put() does; returns its URI."""
        uri = f"{self.uri}{path.name}"
        with path.open("rb") as body:
            self.put(uri, body)
        return uri

    def remove(self) -> None:
        """Deletes what this load wrote, as far as S3 lets it."""
        bucket, prefix = bucket_and_key(self.uri)
        with suppress(ConfigError, StorageError), s3_errors(self.uri):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=bucket, Prefix=prefix
            )
            for entry in (entry for page in pages for entry in page.get("Contents", [])):
                self._client.delete_object(Bucket=bucket, Key=entry["Key"])
