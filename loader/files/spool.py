"""The spool: a private folder of a load's own, for what is fetched and decompressed."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from loader import interrupts
from loader.errors import ConfigError, StorageError
from loader.files import owner

__all__ = ["private_files", "spool_folder"]

# cti-loader-HOST_PID_RANDOM, in TMPDIR.
_PREFIX = "cti-loader-"


@contextmanager
def spool_folder() -> Iterator[Path]:
    """A private folder for the time of a load, under TMPDIR. Raises StorageError if it fills up.

    Those of killed loads of this host and user are removed first.
    """
    _remove_abandoned()
    try:
        folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{owner.host()}_{os.getpid()}_"))
        folder.chmod(0o700)  # mkdtemp() asks for this, but the umask may take some of it away
    except OSError as error:
        raise StorageError(f"no spool folder can be made: {error}. Set TMPDIR.") from None
    if set("*?[]") & set(str(folder)):
        folder.rmdir()
        raise ConfigError(f"{folder}: set TMPDIR to a folder without * ? [ ] in its name")
    try:
        yield folder
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise
        raise StorageError(
            f"{error.filename or folder}: {error.strerror or error}. The spool folder holds what is"
            " fetched and decompressed; set TMPDIR to a folder with more room."
        ) from None
    finally:
        with interrupts.held_off():
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def private_files() -> Iterator[None]:
    """Files that come to be are the owner's alone, whoever writes them, DuckDB too.

    Only around what is written to the spool: the warehouse's file and what people ask for have the
    rights that they are used to.
    """
    usual = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(usual)


def _remove_abandoned() -> None:
    """Removes what killed loads left. Whatever cannot be removed stays where it is."""
    with suppress(OSError), os.scandir(tempfile.gettempdir()) as entries:
        for entry in entries:
            its_host, pid, _ = (*entry.name.removeprefix(_PREFIX).split("_"), "", "", "")[:3]
            if entry.name.startswith(_PREFIX) and owner.is_dead(its_host, pid) and _is_ours(entry):
                shutil.rmtree(entry.path, ignore_errors=True)


def _is_ours(entry: os.DirEntry[str]) -> bool:
    """Whether it is a folder of this user's, not a link to one: TMPDIR may be shared by many."""
    return (
        entry.is_dir(follow_symlinks=False)
        and entry.stat(follow_symlinks=False).st_uid == os.geteuid()
    )
