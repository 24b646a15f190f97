"""Being asked to stop, by SIGINT or SIGTERM.

The signal raises KeyboardInterrupt, but that does not always arrive: DuckDB turns it into a
RuntimeError, dbt into an error of its own, and what is raised in a finalizer goes nowhere. So the
request is kept too, and asked for before anything that cannot be undone.
"""

from __future__ import annotations

import signal
from types import FrameType

__all__ = ["check", "listen", "requested"]

_requested = False


def listen() -> None:
    """From now on, both signals end the work in the same way: rolled back, the spool removed."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _request)


def requested() -> bool:
    """Whether one of the signals came."""
    return _requested


def check() -> None:
    """Raises KeyboardInterrupt if one of the signals came, whatever has become of it."""
    if _requested:
        raise KeyboardInterrupt


def _request(_number: int, _frame: FrameType | None) -> None:
    global _requested
    _requested = True
    raise KeyboardInterrupt
