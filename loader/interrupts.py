"""Stops the process in good order at SIGINT, SIGTERM or SIGHUP.

A signal raises KeyboardInterrupt, but that does not always arrive: DuckDB turns it into a
RuntimeError, dbt into an error of its own, and Python drops what is raised in a finalizer. So the
request is kept as well, and check() looks for it before anything that cannot be undone.
"""

# sys.UnraisableHookArgs exists for type checkers alone.
from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

EXIT_CODE = 130

# SIGHUP comes when a terminal is closed.
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_requested = False
_held_off = False


def listen() -> None:
    """Makes these signals end the work in good order: rolled back, the spool removed."""
    _heed(_request)
    sys.unraisablehook = _unraisable


def leave_at_once() -> None:
    """Makes these signals end the process on the spot, for when there is nothing to tidy up."""
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
    """Lets something short, such as tidying up, finish first; the request is kept."""
    global _held_off
    _held_off = True
    try:
        yield
    finally:
        _held_off = False


def _heed(handler: Callable[[int, FrameType | None], object]) -> None:
    for number in _SIGNALS:
        # Under nohup, the process goes on when the terminal is closed.
        if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, handler)


def _request(_number: int, _frame: FrameType | None) -> None:
    global _requested
    _requested = True
    if not _held_off:
        raise KeyboardInterrupt


def _unraisable(unraisable: sys.UnraisableHookArgs) -> None:
    """Keeps Python from printing a traceback of what a signal raises in a finalizer."""
    if not (_requested and unraisable.exc_type is KeyboardInterrupt):
        sys.__unraisablehook__(unraisable)
