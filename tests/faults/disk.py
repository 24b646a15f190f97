"""Disks that are full or may not be written to."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["can_mount", "limit_file_size", "read_only", "small_disk"]


def limit_file_size(size: int) -> None:
    """No file of this process may grow beyond so many bytes, which is what a full disk comes to."""
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))


def can_mount() -> bool:
    """Whether we may mount a file system, which takes more than being root."""
    if os.geteuid() != 0:
        return False
    with tempfile.TemporaryDirectory() as folder:
        if _mount("-t", "tmpfs", "tmpfs", folder):
            return False
        _unmount(Path(folder))
    return True


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[None]:
    """An empty file system of so many bytes, mounted on a folder."""
    assert _mount("-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)) == 0
    try:
        yield
    finally:
        _unmount(folder)


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Nobody may write to a folder or what is in it; root only if the mount forbids it."""
    paths = [folder, *folder.iterdir()]
    if os.geteuid() == 0:
        _mount("--bind", str(folder), str(folder))
        _mount("-o", "remount,ro,bind", str(folder))
    else:
        for path in paths:
            path.chmod(path.stat().st_mode & ~0o222)
    try:
        yield
    finally:
        if os.geteuid() == 0:
            _unmount(folder)
        else:
            for path in paths:
                path.chmod(path.stat().st_mode | 0o200)


def _mount(*arguments: str) -> int:
    command = [shutil.which("mount") or "mount", *arguments]
    return subprocess.run(command, check=False, capture_output=True).returncode


def _unmount(folder: Path) -> None:
    command = [shutil.which("umount") or "umount", str(folder)]
    subprocess.run(command, check=True, capture_output=True)
