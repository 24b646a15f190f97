"""The spool: a private folder of one load, for what it fetches, decompresses and writes.

A load holds a lock on its folder until it ends, however it ends. A later load removes the folders
that nobody holds.
"""

import errno
import fcntl
import glob
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from loader import interrupts
from loader.errors import ConfigError, StorageError

_PREFIX = "cti-spool-"
# A link is not followed: in a folder that all may write to, anybody can put one.
_FOLDER_ONLY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW


@contextmanager
def spool_folder() -> Iterator[Path]:
    """Make a folder under TMPDIR for the time of a load; only its owner can read what is in it.

    The folders of killed loads of this user are removed first. Raises StorageError if the disk is
    full, and ConfigError for a TMPDIR that an engine would read as a pattern.
    """
    _remove_abandoned()
    try:
        folder, lock = _new_folder()
    except OSError as error:
        raise StorageError(f"no spool folder can be made: {error}. Set TMPDIR.") from None
    try:
        if set("*?[]") & set(str(folder)):
            raise ConfigError(f"{folder}: set TMPDIR to a folder without * ? [ ] in its name")
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
            os.close(lock)


def _new_folder() -> tuple[Path, int]:
    """Make a folder and lock it; return its path and the open folder that holds the lock.

    Another load may find the folder before the lock is on it, and remove it. That load holds the
    lock while it removes. So a folder that is still there once this load has the lock is safe, and
    one that is not is made again.
    """
    while True:
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
        with suppress(FileNotFoundError):
            folder.chmod(0o700)  # mkdtemp() asks for this, but the umask may take some of it away
            lock = os.open(folder, _FOLDER_ONLY)
            # On a file system without locks no other load gets one either, and removes nothing.
            with suppress(OSError):
                fcntl.flock(lock, fcntl.LOCK_EX)
            if folder.exists():
                return folder, lock
            os.close(lock)


def _remove_abandoned() -> None:
    """Remove this user's spool folders that no load holds. What cannot be removed stays."""
    for path in glob.glob(f"{glob.escape(tempfile.gettempdir())}/{_PREFIX}*"):
        with suppress(OSError):
            lock = os.open(path, _FOLDER_ONLY)
            try:
                if os.fstat(lock).st_uid == os.geteuid():
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(path, ignore_errors=True)
            finally:
                os.close(lock)
