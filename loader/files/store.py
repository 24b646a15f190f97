"""Files of a feed, local or in S3: found, pinned to a version, brought to disk."""

from __future__ import annotations

import glob
import hashlib
import os
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path

from loader.errors import ConfigError, FileChanged, StorageError
from loader.files.download import download, first_bytes
from loader.files.s3 import changed, s3_client, s3_errors, unreadable

__all__ = ["FileVersion", "LocalStore", "S3Store", "Store", "open_store"]

_HEAD = 256 * 1024
_WILDCARDS = "*?["


@dataclass(frozen=True)
class FileVersion:
    """One version of one file.

    etag: S3's, without quotes; for a local file the SHA-256 of its bytes, or None until it was
    read. version: S3's version id, if the bucket keeps versions; for a local file its size and
    time of modification. bytes: as stored. stamp: of a local file, what no writer can set back.
    """

    uri: str
    bytes: int
    etag: str | None = None
    version: str | None = None
    stamp: tuple[int, int] | None = field(default=None, compare=False, repr=False)

    @property
    def key(self) -> tuple[str, str]:
        """What a load takes once; only known of a file that was fetched or lies in S3."""
        return self.uri, self.etag or ""


class Store:
    """Where files lie."""

    def find(self) -> list[FileVersion]:
        """Every file of the location, by name. Raises StorageError."""
        raise NotImplementedError

    def fetch(self, file: FileVersion, spool: Path) -> tuple[FileVersion, Path]:
        """The very version that was found, on disk, with its ETag known.

        Raises FileChanged, StorageError.
        """
        raise NotImplementedError

    def check_unchanged(self, file: FileVersion) -> None:
        """Raises FileChanged if the file is no longer the version that was fetched."""
        raise NotImplementedError

    def head(self, file: FileVersion) -> bytes:
        """Its first bytes, enough for a header. Raises StorageError."""
        raise NotImplementedError

    def path(self, file: FileVersion) -> str:
        """Where an engine would read it."""
        return file.uri


def open_store(location: str, base: Path) -> Store:
    """The store of a feed's location. base: what relative local paths start from."""
    if location.startswith("s3://"):
        return S3Store(location)
    if "://" in location:
        scheme = location.partition("://")[0]
        raise ConfigError(f"location {location!r}: {scheme}:// is not known; use s3:// or a path")
    return LocalStore(location, base)


class LocalStore(Store):
    """Files that a glob matches, such as data/*.csv; ** matches folders of any depth."""

    def __init__(self, location: str, base: Path) -> None:
        self._base = base.resolve()
        # Only what the location itself has of * ? [ is a pattern, not what its folder is called.
        self._pattern = str(Path(glob.escape(str(self._base))) / Path(location).expanduser())
        if os.path.isdir(self._base / Path(location).expanduser()):
            raise ConfigError(
                f"location {location!r} is a folder; say which files in it, such as"
                f" {location.rstrip('/')}/*.csv"
            )

    def find(self) -> list[FileVersion]:
        """Every file of the location, by name. Raises StorageError."""
        # Once: where ** stands twice in a pattern, a path matches in several ways.
        paths = sorted(set(glob.glob(self._pattern, recursive=True)))
        try:
            return [self.describe(Path(path)) for path in paths if not os.path.isdir(path)]
        except OSError as error:
            raise unreadable(error) from None

    def describe(self, path: Path) -> FileVersion:
        """A file without its ETag. Raises StorageError for what is not a regular file."""
        status = path.stat()
        if not path.is_file():
            raise StorageError(f"{path}: not a regular file; narrow the location so it is left out")
        inside = path.is_relative_to(self._base)
        # A path within the project stays the same file when the project is moved.
        uri = path.relative_to(self._base).as_posix() if inside else path.as_posix()
        try:
            uri.encode()
        except UnicodeEncodeError:
            raise StorageError(f"{path}: the file's name is not UTF-8; rename it") from None
        version = f"{status.st_size}-{status.st_mtime_ns}"
        stamp = (status.st_ino, status.st_ctime_ns)
        return FileVersion(uri, status.st_size, version=version, stamp=stamp)

    def fetch(self, file: FileVersion, spool: Path) -> tuple[FileVersion, Path]:
        """The file where it lies, its bytes hashed. Raises FileChanged, StorageError."""
        path = self._base / file.uri
        try:
            with path.open("rb") as stream:
                etag = hashlib.file_digest(stream, "sha256").hexdigest()
        except OSError as error:
            raise StorageError(f"{path}: {error.strerror or error}") from None
        self.check_unchanged(file)
        return replace(file, etag=etag), path

    def head(self, file: FileVersion) -> bytes:
        """Its first bytes, enough for a header. Raises StorageError."""
        path = self._base / file.uri
        try:
            with path.open("rb") as stream:
                return stream.read(_HEAD)
        except OSError as error:
            raise StorageError(f"{path}: {error.strerror or error}") from None

    def path(self, file: FileVersion) -> str:
        """Where an engine would read it."""
        return str(self._base / file.uri)

    def check_unchanged(self, file: FileVersion) -> None:
        """Raises FileChanged if the file was written to, moved, or touched, or is gone."""
        try:
            now = self.describe(self._base / file.uri)
        except OSError:
            raise FileChanged(changed(file.uri, "it is gone")) from None
        if (now.version, now.stamp) != (file.version, file.stamp):
            raise FileChanged(changed(file.uri, "it was written to"))


class S3Store(Store):
    """Objects under a prefix, or those that a pattern such as s3://bucket/raw/*.csv matches.

    In a pattern * stands for any characters, slashes too, as it does elsewhere in S3. Credentials,
    region and endpoint are boto3's usual configuration.
    """

    def __init__(self, location: str) -> None:
        bucket, _, key = location.removeprefix("s3://").partition("/")
        if not bucket or any(c in bucket for c in _WILDCARDS):
            raise ConfigError(f"location {location!r}: name the bucket, as in s3://bucket/prefix*")
        self._bucket, self._pattern = bucket, key
        self._prefix = key[: min((key.find(c) for c in _WILDCARDS if c in key), default=len(key))]
        self._client = s3_client(self)

    def find(self) -> list[FileVersion]:
        """Every object of the location, by key. Raises StorageError."""
        plain = self._prefix == self._pattern
        where = f"s3://{self._bucket}/{self._pattern}"
        # By key: one that is written to while pages are listed may be on two of them.
        found: dict[str, FileVersion] = {}
        with s3_errors(where):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=self._prefix
            )
            more = False
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
        """Downloads the object if it still has the ETag. Raises FileChanged, StorageError."""
        target = spool / hashlib.sha256(file.uri.encode()).hexdigest()[:24]
        with s3_errors(file.uri):
            version = download(
                self._client, self._bucket, self._key(file), file.etag or "", file.bytes, target
            )
        return replace(file, version=version), target

    def head(self, file: FileVersion) -> bytes:
        """Its first bytes, enough for a header. Raises StorageError."""
        if not file.bytes:
            return b""
        count = min(_HEAD, file.bytes)
        with s3_errors(file.uri):
            return first_bytes(self._client, self._bucket, self._key(file), file.etag or "", count)

    def check_unchanged(self, file: FileVersion) -> None:
        """Raises FileChanged if the object has another ETag, or is gone."""
        with s3_errors(file.uri):
            now = self._client.head_object(Bucket=self._bucket, Key=self._key(file))
        if now.get("ETag", "").strip('"') != file.etag or now.get("VersionId") != file.version:
            raise FileChanged(changed(file.uri, "it was overwritten"))

    def _key(self, file: FileVersion) -> str:
        return file.uri.removeprefix(f"s3://{self._bucket}/")
