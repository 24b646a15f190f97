"""What a long job tells whoever waits for it."""

from contextlib import AbstractContextManager
from typing import Protocol


class Observer(Protocol):
    """Follows the progress of a job."""

    def step(self, name: str, total_bytes: int | None = None) -> AbstractContextManager[None]:
        """Encloses one step of the job. total_bytes is None when unknown."""

    def advance(self, count: int) -> None:
        """Adds to the bytes that the current step is through with."""

    def note(self, message: str) -> None:
        """Reports something that a person should know of."""
