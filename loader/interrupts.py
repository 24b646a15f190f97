"""Being asked to stop, by SIGINT, SIGTERM or SIGHUP.

The signal raises KeyboardInterrupt, but that does not always arrive: DuckDB turns it into a
RuntimeError, dbt into an error of its own, and what is raised in a finalizer goes nowhere. So the
request is kept too, and asked for before anything that cannot be undone.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["EXIT_CODE", "check", "held_off", "leave_at_once", "listen", "requested"]

EXIT_CODE = 130

# SIGHUP: a terminal that is closed.
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_requested = False
_held_off = False


def listen() -> None:
    """From now on, these signals end the work in the same way: rolled back, the spool removed."""
    _heed(_request)
    sys.unraisablehook = _unraisable


def leave_at_once() -> None:
    """From now on, these signals end the process on the spot: there is nothing to tidy up."""
    _heed(lambda _number, _frame: os._exit(EXIT_CODE))


def requested() -> bool:
    """Whether one of the signals came."""
    return _requested


def check() -> None:
    """Raises KeyboardInterrupt if one of the signals came, whatever has become of it."""
    if _requested:
        raise KeyboardInterrupt


@contextmanager
def held_off() -> Iterator[None]:
    """Lets something short come to its end first, such as tidying up; the request is kept."""
    global _held_off
    _held_off = True
    try:
        yield
    finally:
        _held_off = False


def _heed(handler: Callable[[int, FrameType | None], object]) -> None:
    for number in _SIGNALS:
        # Under nohup, a terminal that is closed is not to be heeded.
        if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, handler)


def _request(_number: int, _frame: FrameType | None) -> None:
    global _requested
    _requested = True
    if not _held_off:
        raise KeyboardInterrupt


def _unraisable(unraisable: sys.UnraisableHookArgs) -> None:
    """Python would print a traceback of what a signal raises in a finalizer; it is kept anyway."""
    if not (_requested and unraisable.exc_type is KeyboardInterrupt):
        sys.__unraisablehook__(unraisable)
