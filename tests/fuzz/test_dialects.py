"""Whatever dialect a contract states, records are read as a reader by characters reads them.

Promises 1 and 2: without them a user has rows in the table that no file has, or lacks rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuzz.dialect_cases import DialectCases
from fuzz.dialect_reader import Refused, Unsettled, read
from fuzz.dialects import dialect_file

if TYPE_CHECKING:
    from fuzz.conftest import RunCases


def test_files_in_drawn_dialects_are_read_as_by_characters(run_cases: RunCases) -> None:
    run_cases(DialectCases, usual=200)


def test_the_dialects_are_drawn_in_every_way() -> None:
    # A reader that calls everything unsettled or refused would leave the test above green.
    unsettled = refused = accepted = rejected = 0
    skipped, words = set[str](), set[str]()
    for number in range(600):
        file = dialect_file(1, number)
        words |= set(file.options)
        try:
            verdict = read(file.data, file.options, file.contract.columns)
        except Unsettled:
            unsettled += 1
        except Refused:
            refused += 1
        else:
            accepted += sum(not fate.rules for fate in verdict.fates)
            rejected += sum(bool(fate.rules) for fate in verdict.fates)
            skipped |= set(verdict.skipped)
    assert unsettled < 40
    assert refused < 200
    assert accepted > 800
    assert rejected > 300
    assert skipped == {
        *("comment", "skip_lines", "skip_blank_rows", "skip_rows", "repeated_header"),
        "columns.short",
    }
    assert words >= {"escape", "double_quote", "skip_initial_space", "encoding", "header"}
