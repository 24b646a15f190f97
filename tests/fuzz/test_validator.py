"""Whatever bytes come, every record is accepted as it came or refused with its place and reason.

Promises 1 and 2: without them a user has rows in the table that no file has, or lacks rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuzz.expected import expect
from fuzz.hostile import hostile_file
from fuzz.validator_cases import ValidatorCases

if TYPE_CHECKING:
    from fuzz.conftest import RunCases

# What a record can be refused for for its form, and for a value.
RULES = {
    *("stray_quote", "text_after_quote", "unterminated_quote", "nul_byte", "not_utf8"),
    *("record_too_large", "bare_carriage_return", "too_few_fields", "too_many_fields"),
    *("repeated_header", "byte_order_mark"),
    *("required", "max_bytes", "integer", "minimum", "maximum", "accepted_values"),
}
REFUSALS = {"the header does not fit", "never closed", "another table"}


def test_hostile_files_are_judged_record_by_record(run_cases: RunCases) -> None:
    run_cases(ValidatorCases, usual=700)


def test_the_files_are_hostile_in_every_way() -> None:
    # A mutator that had gone tame would leave the test above green.
    accepted, rules, refusals = 0, set[str](), ""
    for number in range(600):
        expected = expect(hostile_file(1, number))
        refusals += " ".join(expected.refusals)
        if not expected.refusals:
            accepted += sum(not fate.rules for fate in expected.fates)
            rules.update(*(fate.rules for fate in expected.fates))
    assert rules == RULES
    assert accepted > 1000
    for words in REFUSALS:
        assert words in refusals
