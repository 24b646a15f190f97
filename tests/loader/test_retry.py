"""Trying again: how often, after which errors, and what the caller gets to see."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from loader import interrupts
from loader.retry import retry


class Passing(Exception):
    """An error that a retry may cure."""


def work_that_fails(*errors: Exception) -> tuple[list[Exception], Callable[[], str]]:
    left = list(errors)

    def work() -> str:
        if left:
            raise left.pop(0)
        return "done"

    return left, work


def test_work_is_tried_again_until_it_succeeds() -> None:
    # GIVEN work that fails twice
    noted: list[tuple[str, float]] = []
    _, work = work_that_fails(Passing("one"), Passing("two"))
    # WHEN three tries are allowed THEN the caller gets the result and was told of both failures
    result = retry(work, Passing, (0.0, 0.001), lambda e, wait: noted.append((str(e), wait)))
    assert (result, noted) == ("done", [("one", 0.0), ("two", 0.001)])


def test_the_last_error_is_raised_and_not_noted() -> None:
    noted: list[float] = []
    _, work = work_that_fails(Passing("one"), Passing("two"))
    with pytest.raises(Passing, match="two"):
        retry(work, Passing, (0.0,), lambda _, wait: noted.append(wait))
    assert noted == [0.0]


def test_other_errors_are_raised_at_once() -> None:
    left, work = work_that_fails(ValueError("no"), Passing("unused"))
    with pytest.raises(ValueError, match="no"):
        retry(work, Passing, (0.0,))
    assert len(left) == 1


def test_a_process_that_was_asked_to_stop_does_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interrupts, "_requested", True)
    _, work = work_that_fails(Passing("lost because of the signal"))
    with pytest.raises(KeyboardInterrupt):
        retry(work, Passing, (3600.0,))
