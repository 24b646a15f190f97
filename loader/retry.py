"""The one retry loop: work is tried again after an error that may be gone in a moment."""

import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from loader import interrupts

Result = TypeVar("Result")


def retry(
    work: Callable[[], Result],
    on: type[Exception],
    waits: Sequence[float],
    note: Callable[[Exception, float], object] = lambda _error, _wait: None,
) -> Result:
    """Returns what the work returns, trying again after each wait while it raises `on`.

    waits: seconds between two tries, so there is one try more than waits. note: called with the
    error and the wait before each wait. Raises the error of the last try, any other error at once,
    and KeyboardInterrupt if the process was asked to stop.
    """
    for wait in waits:
        try:
            return work()
        except on as error:
            interrupts.check()
            note(error, wait)
            time.sleep(wait)
    return work()
