"""The loader's exceptions, and the exit code that each stands for.

    LoaderError                 exit 2, unless a subclass says otherwise
    ├── ConfigError             exit 2: a person must fix project, options, credentials or rights
    ├── StorageError            exit 3: a file, a bucket or the spool cannot be read or written
    │   └── FileChanged         a file changed between listing and commit
    ├── WarehouseError          exit 3: the warehouse refused a statement or cannot be reached
    │   └── WarehouseTransient  a lock, a conflict, a lost connection: a load tries again by itself
    │       └── CommitUnknown   the connection was lost at COMMIT; the ledger knows the outcome
    ├── ReconciliationError     exit 1: two counts that must be equal differ; nothing was committed
    └── DataRefused             exit 1: records, files or tables break the contract or a test

Exit 1: the data was refused, or a test or check failed. Exit 2: usage or configuration; a retry
cures nothing. Exit 3: a system failed and a retry may help. A ReconciliationError ends with 1,
because a count is a check of the data: the next try would count the same, so a person must look.

Every message says what, where, and what to do next.
"""

from collections.abc import Iterable


class LoaderError(Exception):
    """Root of all errors that a user may see. details: further lines, an item each."""

    exit_code = 2

    def __init__(self, message: str, details: Iterable[str] = ()) -> None:
        super().__init__(message)
        self.details = tuple(details)


class ConfigError(LoaderError):
    """The project, the contract, an option, a credential or a right is wrong."""


class StorageError(LoaderError):
    """A file, a bucket or the spool folder cannot be used."""

    exit_code = 3


class FileChanged(StorageError):
    """A file is no longer the version that was listed."""


class WarehouseError(LoaderError):
    """The warehouse refused a statement or cannot be reached."""

    exit_code = 3


class WarehouseTransient(WarehouseError):
    """A lock, a conflict or a lost connection, which may be gone in a moment."""


class CommitUnknown(WarehouseTransient):
    """The connection was lost at COMMIT; only the ledger knows whether it was done."""


class ReconciliationError(LoaderError):
    """Two counts that must be equal differ; nothing was committed."""

    exit_code = 1


class DataRefused(LoaderError):
    """Records or files break the contract beyond the feed's limit, or a test of them failed."""

    exit_code = 1
