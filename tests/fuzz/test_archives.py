"""A damaged archive is refused in words; never is half of it, or something else, taken for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuzz.archive_cases import ArchiveCases

if TYPE_CHECKING:
    from fuzz.conftest import RunCases


def test_damaged_archives_are_refused_or_read_right(run_cases: RunCases) -> None:
    run_cases(ArchiveCases, usual=1000)
