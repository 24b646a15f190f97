"""Turn any exception into one message and one exit code."""

import os
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TypeVar

import click

from loader import interrupts
from loader.cli.output import say, say_text
from loader.errors import LoaderError
from loader.files.version import unreadable

INTERRUPTED = "interrupted; a load that had not committed left nothing"

Item = TypeVar("Item")


@contextmanager
def errors_explained(debug: bool) -> Iterator[None]:
    """Ends the process with one message and the right exit code whatever is raised."""
    try:
        yield
        interrupts.check()
    except (click.ClickException, click.exceptions.Exit):
        raise
    except (KeyboardInterrupt, Exception) as error:
        if debug:
            say_text("".join(traceback.format_exception(error)), error=True)
        sys.exit(_told(error))


def for_each(feeds: Sequence[Item | LoaderError], work: Callable[[Item], object]) -> None:
    """Does the work for every feed; a failed feed, or one that is an error, stops no other.

    Raises the error of the only feed, or for several one that has the highest of their exit codes:
    then whatever a retry may cure is retried.
    """
    codes: list[int] = []
    for feed in feeds:
        interrupts.check()
        try:
            if isinstance(feed, LoaderError):
                raise feed
            work(feed)
        except BrokenPipeError:
            raise  # nobody listens any more
        except (LoaderError, OSError) as error:
            if len(feeds) == 1:
                raise
            codes.append(_told(error))
    if codes:
        failed = LoaderError(f"{len(codes)} of {len(feeds)} feeds failed; see above")
        failed.exit_code = max(codes)
        raise failed


def _told(error: BaseException) -> int:
    """Says what went wrong; returns the exit code."""
    code, message = _explained(error)
    # Where nobody can be told, the exit code still has its meaning.
    with suppress(OSError):
        if message:
            say(f"error: {message}", getattr(error, "details", ()), error=True)
    return code


def _explained(error: BaseException) -> tuple[int, str]:
    """Exit code and message of whatever ended the work.

    An error that nobody foresaw ends with 3: a retry is always safe, and may help.
    """
    # Once asked to stop, what else goes wrong comes of that.
    if interrupts.requested() or isinstance(error, KeyboardInterrupt):
        return interrupts.EXIT_CODE, INTERRUPTED
    match error:
        case LoaderError():
            return error.exit_code, str(error)
        case BrokenPipeError():
            # Whoever read our output has gone; there is nobody to tell.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 3, ""
        case OSError():
            return 3, str(unreadable(error, "system"))
        case MemoryError():
            return 3, "out of memory; give the process more"
        case _:
            problem = f"{type(error).__name__}: {error}"
            return 3, f"unexpected: {problem}. Run again with --debug, and report."
