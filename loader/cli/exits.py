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
        code, message = _explained(error)
        if message:
            _say_error(message, getattr(error, "details", ()))
        sys.exit(code)


def for_each(feeds: Sequence[Item], work: Callable[[Item], object]) -> None:
    """Does the work for every feed; a failed feed does not stop the others.

    Raises the error of the only feed, or for several one that has the highest of their exit codes:
    then whatever a retry may cure is retried.
    """
    errors: list[LoaderError] = []
    for feed in feeds:
        interrupts.check()
        try:
            work(feed)
        except BrokenPipeError:
            raise  # nobody listens any more
        except (LoaderError, OSError) as caught:
            if len(feeds) == 1:
                raise
            error = unreadable(caught, "system") if isinstance(caught, OSError) else caught
            errors.append(error)
            _say_error(str(error), error.details)
    if errors:
        failed = LoaderError(f"{len(errors)} of {len(feeds)} feeds failed; see above")
        failed.exit_code = max(error.exit_code for error in errors)
        raise failed


def _say_error(message: str, details: Sequence[str]) -> None:
    # Where nobody can be told, the exit code still has its meaning.
    with suppress(OSError):
        say(f"error: {message}", details, error=True)


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
