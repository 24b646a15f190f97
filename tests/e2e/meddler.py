"""Somebody who touches the files in the middle of a load."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["Meddler"]


class Meddler:
    """Told of the progress of a load, it does something at one of its steps."""

    def __init__(self, step: str, deed: Callable[[], object]) -> None:
        self._step, self._deed = step, deed

    @contextmanager
    def step(self, name: str, total_bytes: int | None = None) -> Iterator[None]:
        """Encloses a step."""
        if self._step in name:
            self._deed()
        yield

    def advance(self, count: int) -> None:
        """Bytes are done."""

    def note(self, message: str) -> None:
        """Something happened."""
