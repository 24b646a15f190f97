"""A version of a file: what a listing finds, and what is loaded once."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from loader.errors import FileChanged, StorageError


@dataclass(frozen=True, slots=True)
class FileVersion:
    """One version of one file.

    bytes: its size as stored. etag: S3's, without quotes; for a local file the SHA-256 of its
    bytes, or None until it was read. version: S3's version id, if the bucket keeps versions; for a
    local file its size and time of modification. time: when the file is from, UTC as ISO 8601; of
    one that was listed, when it was last written. stamp: a local file's inode and time of change,
    which no writer can set back.
    """

    uri: str
    bytes: int
    etag: str | None = None
    version: str | None = None
    time: str = field(default="", compare=False)
    stamp: tuple[int, int] | None = field(default=None, compare=False, repr=False)

    @property
    def key(self) -> tuple[str, str]:
        """What a load takes once; only known of a file that was fetched or lies in S3."""
        return self.uri, self.etag or ""


def changed(uri: str, what: str) -> FileChanged:
    """Say what became of a file since it was listed."""
    return FileChanged(
        f"{uri}: {what} since it was listed. Nothing was loaded; run again to take it as it is."
    )


def unreadable(error: OSError, path: object) -> StorageError:
    """Name the file that could not be read or written: the error's, else this path."""
    return StorageError(f"{error.filename or path}: {error.strerror or error}")


@contextmanager
def file_errors(path: object = "the spool folder") -> Iterator[None]:
    """Turns an OSError into a StorageError that names its file, or else this path."""
    try:
        yield
    except OSError as error:
        raise unreadable(error, path) from None
