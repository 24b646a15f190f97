"""Whose something is that a load leaves behind, and whether that process is dead.

Spool folders and folders in S3 carry the host and the process in their names, so that a later load
may remove those of loads that were killed, and no others.
"""

from __future__ import annotations

import os
import socket

__all__ = ["host", "is_dead", "slug"]

_PID_DIGITS = 9


def host() -> str:
    """This machine, or this container of it, in letters, digits, dots and hyphens."""
    return slug(f"{socket.gethostname()}-{_pid_namespace()}")


def is_dead(its_host: str, pid: str) -> bool:
    """Whether the text is a process id of this host and no such process runs.

    What cannot be told, of another host say, is not dead.
    """
    if its_host != host() or not pid.isdecimal() or len(pid) > _PID_DIGITS:
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass
    return False


def slug(name: str) -> str:
    """A name in letters, digits, dots and hyphens."""
    return "".join(c if c.isalnum() or c in "-." else "-" for c in name)


def _pid_namespace() -> str:
    """Tells containers apart that share a host's name but not its processes."""
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""
