"""The loader's exceptions.

    LoaderError                 exit 2, unless a subclass says otherwise
    ├── ConfigError             a person must fix the project, the contract or the options
    ├── StorageError            a file or bucket cannot be read, or the spool cannot be written
    │   └── FileChanged         a file changed between listing and commit; a retry may cure it
    ├── WarehouseError          the warehouse refused a statement or cannot be reached
    │   └── WarehouseTransient  a lock, a conflict, a lost connection; a retry may cure it
    │       └── CommitUnknown   it was lost at COMMIT; the ledger knows whether that was done
    ├── ReconciliationError     counts that must be equal are not; the load was rolled back
    └── DataRefused             exit 1: records or whole files break the contract

Every message says what, where, and what to do next.
"""

from __future__ import annotations

from collections.abc import Iterable

__all__ = [
    "CommitUnknown",
    "ConfigError",
    "DataRefused",
    "FileChanged",
    "LoaderError",
    "ReconciliationError",
    "StorageError",
    "WarehouseError",
    "WarehouseTransient",
]


class LoaderError(Exception):
    """Root of all errors that a user may see. details: further lines, an item each."""

    exit_code = 2

    def __init__(self, message: str, details: Iterable[str] = ()) -> None:
        super().__init__(message)
        self.details = tuple(details)


class ConfigError(LoaderError):
    """The project, the contract or an option is wrong."""


class StorageError(LoaderError):
    """A file, a bucket or the spool folder cannot be used."""


class FileChanged(StorageError):
    """A file is no longer the version that was listed."""


class WarehouseError(LoaderError):
    """The warehouse refused a statement or cannot be reached."""


class WarehouseTransient(WarehouseError):
    """Something stood in the way that may be gone in a moment."""


class CommitUnknown(WarehouseTransient):
    """The connection was lost at COMMIT; whether it was done, only the ledger knows."""


class ReconciliationError(LoaderError):
    """Two counts that must be equal differ; nothing was committed."""


class DataRefused(LoaderError):
    """Records or files break the contract, and the feed does not allow so many rejects."""

    exit_code = 1
