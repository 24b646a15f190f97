"""A store: finds a feed's files at its location, pins each to a version and brings it to disk.

Local files are found by a glob, and read where they lie; for those in S3 see s3.py.
"""

import glob
import hashlib
import os
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import chain
from pathlib import Path

from loader.errors import ConfigError
from loader.files.left_out import LeftOut
from loader.files.s3 import S3Store
from loader.files.s3_client import bucket_and_key
from loader.files.version import FileVersion, changed, file_errors


class LocalStore:
    """Files that a glob matches, such as data/*.csv; ** matches folders of any depth.

    exclude: such globs, and patterns of names.
    """

    def __init__(self, location: str, base: Path, exclude: Sequence[str] = ()) -> None:
        self._base, self._location = base.resolve(), location
        self._globs = [pattern for pattern in exclude if "/" in pattern]
        self._excluded = set[str]()
        # Only what the location itself has of * ? [ is a pattern, not what its folder is called.
        whole, folder = str(self._base / Path(location).expanduser()), str(self._base)
        start = len(folder) if whole.startswith(folder) else 0
        self.left_out = LeftOut(whole, exclude, lambda path: path in self._excluded, start)
        if os.path.isdir(self._base / Path(location).expanduser()):
            raise ConfigError(
                f"location {location!r} is a folder; say which files in it, such as"
                f" {location.rstrip('/')}/*.csv"
            )

    def find(self) -> list[FileVersion]:
        """Every file of the location that is data, by name, no ETag.

        In the end left_out has the others. Raises ConfigError, StorageError.
        """
        self.left_out.counts.clear()
        paths = [path for path in sorted(self._matches(self._location)) if not os.path.isdir(path)]
        gone = set(map(self.name, self._matches(*self._globs)))
        self._excluded = {path for path in paths if gone and self.name(path) in gone}
        with file_errors():
            data = [
                (path, self._describe(Path(path))) for path in paths if self.left_out.takes(path)
            ]
        files = [file for path, file in data if file.bytes or self.left_out.takes(path, 0)]
        # A link may lead to a file that is listed itself.
        return list({file.uri: file for file in files}.values())

    def _matches(self, *patterns: str) -> set[str]:
        """The paths that globs match, hidden ones too; each once, though ** may match twice."""
        base = Path(glob.escape(str(self._base)))
        wholes = [str(base / Path(pattern).expanduser()) for pattern in patterns]
        found = (glob.iglob(whole, recursive=True, include_hidden=True) for whole in wholes)
        return set(chain.from_iterable(found))

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
            # A link into a store whose names say nothing, not even what kind of file it is.
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


def open_store(location: str, base: Path, exclude: Sequence[str] = ()) -> Store:
    """The store of a feed's location. base: what relative local paths start from.

    exclude: globs of what is left out, as the location has them, or of names if without a slash.
    """
    root = f"s3://{bucket_and_key(location)[0]}/" if location.startswith("s3://") else ""
    if "://" in location and not root:
        raise ConfigError(f"location {location!r} is not known; use s3:// or a path")
    for pattern in exclude:
        if "/" in pattern and not (pattern.startswith(root) and (root or "://" not in pattern)):
            raise ConfigError(
                f"exclude {pattern!r}: begin it as the location, {location!r}, or write what names"
                " are like, without a slash"
            )
    return S3Store(location, exclude) if root else LocalStore(location, base, exclude)
