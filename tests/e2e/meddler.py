"""Somebody who touches the files in the middle of a load."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["Meddler"]


class Meddler:
    """Told of the progress of a load, it does something at one of its steps."""

    def __init__(self, step: str, deed: Callable[[], object]) -> None:
        self._step, self._deed = step, deed

    def start(self, step: str, total_bytes: int | None) -> None:
        """A step begins."""
        if self._step in step:
            self._deed()

    def advance(self, count: int) -> None:
        """Bytes are done."""

    def finish(self) -> None:
        """The step is over."""

    def note(self, message: str) -> None:
        """Something happened."""
