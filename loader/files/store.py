"""A store: finds a feed's files at its location, pins each to a version and brings it to disk.

Local files are found by a glob, and read where they lie; for those in S3 see s3.py.
"""

import glob
import hashlib
import os
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from loader.errors import ConfigError
from loader.files.s3 import S3Store
from loader.files.version import FileVersion, changed, file_errors


class LocalStore:
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
        """Every file of the location, by name, no ETag. Raises ConfigError, StorageError."""
        # A set: where ** stands twice in a pattern, a path matches in several ways.
        paths = sorted(set(glob.glob(self._pattern, recursive=True)))
        with file_errors():
            files = [self._describe(Path(path)) for path in paths if not os.path.isdir(path)]
        # A link may lead to a file that is listed itself.
        return list({file.uri: file for file in files}.values())

    def fetch(self, file: FileVersion, spool: Path) -> tuple[FileVersion, Path]:
        """Hash the file where it lies; return it with its ETag, and its path.

        Raises FileChanged, StorageError.
        """
        path = self._base / file.uri
        with file_errors(path), path.open("rb") as stream:
            etag = hashlib.file_digest(stream, "sha256").hexdigest()
        self.check_unchanged(file)
        return replace(file, etag=etag), path

    def name(self, spelling: str) -> str:
        """What a file is called, however its path is spelled: resolved, relative to the project.

        A path within the project stays the same file when the project is moved.
        """
        path = self._base / spelling
        resolved = path.resolve()
        if resolved.suffix != path.suffix:
            # A link into a store whose names say nothing, not even how a file is compressed.
            resolved = path.parent.resolve() / path.name
        inside = resolved.is_relative_to(self._base)
        return (resolved.relative_to(self._base) if inside else resolved).as_posix()

    def path(self, file: FileVersion) -> str:
        """Where an engine reads it."""
        return str(self._base / file.uri)

    def check_unchanged(self, file: FileVersion) -> None:
        """Raises FileChanged if the file was written to, moved, or touched, or is gone."""
        try:
            now = self._describe(self._base / file.uri)
        except (ConfigError, OSError):
            raise changed(file.uri, "it is gone") from None
        if (now.version, now.stamp) != (file.version, file.stamp):
            raise changed(file.uri, "it was written to")

    def _describe(self, path: Path) -> FileVersion:
        """Raises ConfigError for what is not a regular file, OSError for what is not there."""
        if path.is_symlink() and not path.exists():
            raise ConfigError(f"{path}: a link that leads nowhere; remove it or restore its target")
        status = path.stat()
        if not path.is_file():
            raise ConfigError(f"{path}: not a regular file; narrow the location so it is left out")
        uri = self.name(str(path))
        try:
            uri.encode()
        except UnicodeEncodeError:
            raise ConfigError(f"{path}: the file's name is not UTF-8; rename it") from None
        version = f"{status.st_size}-{status.st_mtime_ns}"
        stamp = (status.st_ino, status.st_ctime_ns)
        try:
            written = datetime(1970, 1, 1) + timedelta(microseconds=status.st_mtime_ns // 1000)
        except OverflowError:
            raise ConfigError(
                f"{path}: last changed beyond the years 1 to 9999; `touch` it"
            ) from None
        time = written.isoformat(" ")
        return FileVersion(uri, status.st_size, version=version, time=time, stamp=stamp)


Store = LocalStore | S3Store


def open_store(location: str, base: Path) -> Store:
    """The store of a feed's location. base: what relative local paths start from."""
    if location.startswith("s3://"):
        return S3Store(location)
    if "://" in location:
        raise ConfigError(f"location {location!r} is not known; use s3:// or a path")
    return LocalStore(location, base)
