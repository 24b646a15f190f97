"""Trying a job again when the warehouse says that a retry may help."""

from collections.abc import Callable
from typing import TypeVar

from loader.contract.feed import Feed
from loader.errors import WarehouseTransient
from loader.jobs.observer import Observer
from loader.retry import retry

Report = TypeVar("Report")

# Seconds between two tries.
_WAITS = (1.0, 4.0, 15.0)


def retried(feed: Feed, observer: Observer, job: Callable[[], Report]) -> Report:
    """Does a job that leaves the warehouse as it was when it fails, up to four times.

    Raises the WarehouseTransient of the last try, and any other error at once.
    """

    def note(error: Exception, wait: float) -> None:
        observer.note(f"{feed.name}: {error} Trying again in {wait:.0f} s.")

    return retry(job, WarehouseTransient, _WAITS, note)
