"""The progress of long work on standard error."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from loader.cli.output import say, shown

if TYPE_CHECKING:
    from rich.progress import Progress

_PLAIN_SECONDS = 10.0


class ProgressReport:
    """A bar on a terminal; elsewhere a plain line now and then; nothing if quiet."""

    def __init__(self, quiet: bool = False) -> None:
        self._quiet = quiet
        self._bar: Progress | None = None
        self._step, self._total, self._done, self._said_at = "", 0, 0, 0.0

    @contextmanager
    def step(self, name: str, total_bytes: int | None = None) -> Iterator[None]:
        """Encloses one step of the work. total_bytes is None when unknown."""
        self._step, self._total, self._done = name, total_bytes or 0, 0
        self._said_at = time.monotonic()
        if self._quiet or not sys.stderr.isatty():
            if not self._quiet:
                say(name, error=True)
            yield
            return
        # Here, since only a terminal needs them.
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn

        title = TextColumn("{task.description}", markup=False)
        columns = (title, BarColumn(), DownloadColumn(), TimeElapsedColumn())
        with Progress(*columns, console=Console(stderr=True), transient=True) as self._bar:
            self._bar.add_task(shown(name), total=total_bytes)
            yield
        self._bar = None

    def advance(self, count: int) -> None:
        """Adds to the bytes that the current step is through with."""
        self._done += count
        if self._bar is not None:
            self._bar.advance(self._bar.task_ids[0], count)
        elif not self._quiet and time.monotonic() - self._said_at > _PLAIN_SECONDS:
            self._said_at = time.monotonic()
            done, total = self._done >> 20, self._total >> 20
            say(f"{self._step}: {done:,} of {total:,} MiB", error=True)

    def note(self, message: str) -> None:
        """Reports something that a person should know of."""
        say(message, error=True)
