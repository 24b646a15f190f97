"""The catalogue of rules: what the quarantine stores, and what a person is told."""

from __future__ import annotations

from types import SimpleNamespace
from typing import get_args

import pytest

from loader.contract.column import Column
from loader.records import faults
from loader.records.faults import Rule
from loader.validation import rules

FORM_RULES = [value for value in vars(faults).values() if isinstance(value, Rule)]
ALL = [*FORM_RULES, *rules.VALUE_RULES]


def test_every_rule_is_in_the_catalogue_under_its_own_name() -> None:
    defined = {value for value in vars(rules).values() if isinstance(value, Rule)}
    assert defined <= set(rules.VALUE_RULES)
    assert len({rule.name for rule in ALL}) == len(ALL)


def test_every_type_has_a_rule() -> None:
    kinds = set(get_args(Column.model_fields["kind"].annotation))
    # Any text is a text.
    assert set(rules.TYPES) == kinds - {"text"}


@pytest.mark.parametrize("rule", ALL, ids=lambda rule: rule.name)
def test_a_name_fits_the_quarantine_and_a_message_takes_any_text(rule: Rule) -> None:
    # raw._rejected_records has varchar(64) for it, and people filter by it.
    assert rule.name.replace("_", "").replace("8", "").isalpha()
    assert len(rule.name) <= 64
    # A pattern may have braces in it.
    text = "{x} {"
    column = SimpleNamespace(name=text, max_bytes=3, pattern=text, minimum=text, maximum=text)
    facts = {"size": 5, "fields": 1, "width": 2, "words": text, "error": text}
    facts["missing"] = text
    message = rule.broken(3, "v", column=column, **facts).message
    assert not any(f"{{{name}" in message for name in ("column", *facts))
