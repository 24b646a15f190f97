"""What a long job tells whoever waits for it, and when it is tried again."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol

from loader.contract.feed import Feed
from loader.errors import WarehouseTransient
from loader.retry import Result, retry

# Seconds between two tries.
_WAITS = (1.0, 4.0, 15.0)


class Observer(Protocol):
    """Follows the progress of a job."""

    def step(self, name: str, total_bytes: int | None = None) -> AbstractContextManager[None]:
        """Encloses one step of the job. total_bytes is None when unknown."""

    def advance(self, count: int) -> None:
        """Adds to the bytes that the current step is through with."""

    def note(self, message: str) -> None:
        """Reports something that a person should know of."""


def retried(feed: Feed, observer: Observer, job: Callable[[], Result]) -> Result:
    """Does a job that leaves the warehouse as it was when it fails, up to four times.

    Raises the WarehouseTransient of the last try, and any other error at once.
    """

    def note(error: Exception, wait: float) -> None:
        observer.note(f"{feed.name}: {error} Trying again in {wait:.0f} s.")

    return retry(job, WarehouseTransient, _WAITS, note)
