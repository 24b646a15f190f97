"""The judge's rules and the messages that a person gets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from loader.records import engine
from loader.validation.judge import Judge

if TYPE_CHECKING:
    from collections.abc import Iterable

    from loader.conftest import MakeFeed


def judge(make_feed: MakeFeed, *rules: dict[str, Any]) -> Judge:
    def matching(values: Iterable[str], pattern: str) -> set[str]:
        with engine.connect() as connection:
            return engine.matching(connection, values, pattern)

    return Judge(make_feed({f"c{n}": rule for n, rule in enumerate(rules, 1)}), matching)


@pytest.mark.parametrize(
    ("rules", "value", "rule", "message"),
    [
        ({"required": True}, None, "required", "is empty, but required"),
        ({"required": True}, " \t\u3000", "required", "is empty, but required"),
        (
            {"required": True, "null_values": ["-", r"\N"]},
            " \\N ",
            "required",
            "is one of null_values, but required",
        ),
        # Raw stays raw, so it has to fit.
        (
            {"data_type": "varchar(3)", "null_values": ["NULL"]},
            "NULL",
            "max_bytes",
            "has 4 bytes; the limit is 3",
        ),
        ({"type": "integer", "null_values": ["NULL"]}, "null", "integer", "is not a whole number"),
        ({"data_type": "varchar(3)"}, "éé", "max_bytes", "has 4 bytes; the limit is 3"),
        # What is landed is the raw text, so blanks count.
        ({"data_type": "varchar(3)"}, " a  ", "max_bytes", "has 4 bytes; the limit is 3"),
        ({"type": "integer"}, "1.5", "integer", "is not a whole number in digits 0 to 9"),
        ({"type": "integer", "minimum": 3}, "2", "minimum", "is below the minimum, 3"),
        ({"type": "integer", "maximum": 3}, "4", "maximum", "is above the maximum, 3"),
        (
            {"type": "decimal(4,2)"},
            "1.234",
            "decimal",
            "does not fit decimal(4,2) without rounding",
        ),
        ({"type": "decimal(4,2)", "minimum": 0}, "-0.01", "minimum", "is below the minimum, 0"),
        (
            {"type": "decimal(9,2)"},
            "922,8",
            "decimal",
            "has a decimal comma: decimal_char ',' in the contract reads it",
        ),
        (
            {"type": "decimal(9,2)"},
            "1.234.567,8",
            "decimal",
            "has a decimal comma: decimal_char ',' and groups of digits: group_char '.' in",
        ),
        (
            {"type": "decimal(9,2)", "decimal_char": ",", "group_char": "."},
            "1.5",
            "decimal",
            "has a decimal point: decimal_char '.' in the contract reads it",
        ),
        (
            {"type": "integer"},
            "1\u202f234",
            "integer",
            r"has groups of digits: group_char '\u202f' in the contract reads it",
        ),
        ({"type": "integer", "group_char": "."}, "1.23", "integer", "is not a whole number in"),
        ({"type": "float"}, "nan", "float", "is not a number in digits 0 to 9, with or without an"),
        ({"type": "float"}, "1e400", "float", "does not fit a double precision number"),
        ({"type": "float", "required": True}, None, "required", "is empty, but required"),
        (
            {"type": "float", "maximum": 1.5},
            "1.5000000000000002",
            "maximum",
            "is above the maximum",
        ),
        ({"type": "boolean"}, "maybe", "boolean", "is not a boolean"),
        ({"type": "date"}, "2024-02-30", "date", "is not a day of the calendar"),
        (
            {"type": "date", "format": "DD/MM/YYYY"},
            "2024-01-01",
            "date",
            "is not a date in the form DD/MM/YYYY",
        ),
        (
            {"type": "date", "format": ["DD/MM/YYYY", "YYYYMMDD"]},
            "2024-01-01",
            "date",
            "is in none of the forms DD/MM/YYYY, YYYYMMDD",
        ),
        (
            {"type": "date", "format": ["DD/MM/YYYY", "YYYYMMDD"]},
            "20240230",
            "date",
            "is not a day of the calendar",
        ),
        ({"type": "timestamp"}, "noon", "timestamp", "is not an ISO 8601 timestamp"),
        (
            {"type": "timestamp", "maximum": "2024-01-01T00:00:00Z"},
            "2024-01-01T00:00+14:00x",
            "timestamp",
            "is not an ISO 8601",
        ),
        (
            {"type": "timestamp", "maximum": "2024-01-01T00:00:00Z"},
            "2024-01-01T00:00-00:01",
            "maximum",
            "is above the maximum, 2024-01-01T00:00:00Z",
        ),
        ({"accepted_values": ["b", "A"]}, "c", "accepted_values", "is none of a, b"),
        (
            {"accepted_values": [f"w{number:03}" for number in range(300)]},
            "c",
            "accepted_values",
            f"is none of {', '.join(f'w{number:03}' for number in range(20))} and 280 more",
        ),
        ({"unicode": "nfc"}, "cafe\u0301", "unicode", "is not in Unicode's normal form C"),
        ({"pattern": "[a-z]+"}, "A", "pattern", "does not match [a-z]+"),
        ({"pattern": "{x} %s"}, "{problem}", "pattern", "does not match {x} %s"),
    ],
)
def test_what_breaks_a_rule(
    make_feed: MakeFeed, rules: dict[str, Any], value: str | None, rule: str, message: str
) -> None:
    (faults,) = judge(make_feed, rules).faults([(value,)])
    assert [(f.column, f.rule.name, f.value) for f in faults] == [(0, rule, value)]
    assert faults[0].message.startswith(f"c1 {message}")


@pytest.mark.parametrize(
    ("rules", "value"),
    [
        ({}, None),
        ({}, "  "),
        ({"required": True}, " x "),
        ({"required": True}, "\u200b"),
        ({"data_type": "varchar(3)"}, "abc"),
        ({"type": "integer", "minimum": 3, "maximum": 3}, " +3\n"),
        ({"type": "integer"}, "\u3000"),
        ({"accepted_values": [" Straße "]}, "STRAẞE\t"),
        ({"pattern": "[a-z]+"}, " abc\u2003"),
        ({"pattern": "a"}, ""),
        ({"pattern": "a", "accepted_values": ["a"], "null_values": ["-"]}, "\u3000-\n"),
        ({"type": "integer", "minimum": 0, "null_values": ["-9999"]}, "-9999"),
        ({"type": "date", "null_values": ["#N/A"]}, " #N/A"),
        ({"unicode": "nfc", "null_values": ["e\u0301"]}, "e\u0301"),
        ({"required": True, "null_values": ["NULL"]}, "null"),
        ({"type": "decimal(9,2)", "decimal_char": ","}, " +922,80 "),
        ({"type": "decimal(9,2)", "decimal_char": ",", "maximum": "1.5"}, ",5"),
        ({"type": "integer", "group_char": "'", "minimum": 1234567}, "1'234'567"),
        ({"type": "date", "minimum": "2024-01-01", "maximum": "2024-01-01"}, "2024-01-01"),
        (
            {"type": "date", "format": ["DD/MM/YYYY", "YYYYMMDD"], "minimum": "20240101"},
            "01/02/2024",
        ),
        ({"type": "date", "format": ["DD/MM/YYYY", "YYYYMMDD"]}, " 20240229"),
        ({"type": "timestamp", "minimum": "2024-01-01"}, "2023-12-31T23:00-01:00"),
        ({"type": "decimal(4,2)", "maximum": "99.999"}, "99.99"),
        ({"type": "float", "minimum": -90.0, "maximum": "9e1"}, " 1.5E1 "),
        ({"type": "float", "decimal_char": ",", "maximum": 1.5}, "1,5"),
    ],
)
def test_what_is_valid(make_feed: MakeFeed, rules: dict[str, Any], value: str | None) -> None:
    assert list(judge(make_feed, rules).faults([(value,)])) == [[]]


def test_every_broken_column_is_found_in_the_contracts_order(make_feed: MakeFeed) -> None:
    rules: list[dict[str, Any]] = [{"type": "integer"}, {}, {"required": True}]
    (faults,) = judge(make_feed, *rules).faults([("x", "y", None)])
    assert [(f.column, f.rule.name) for f in faults] == [(0, "integer"), (2, "required")]


def test_the_engine_is_asked_for_the_patterns_of_many_records_at_once(make_feed: MakeFeed) -> None:
    # A query for each record takes a hundred times as long as the rest of its judging.
    asked: list[str] = []
    # GIVEN records of which every third breaks the first pattern, and every seventh the second
    records = [(f"{n}a{n % 3}", f"{n} b" if n % 7 else "B", None) for n in range(2500)]
    feed = make_feed({"c1": {"pattern": "[0-9]*a[12]"}, "c2": {"pattern": "[0-9]+ b"}, "c3": {}})
    with engine.connect() as connection:

        def matching(values: Iterable[str], pattern: str) -> set[str]:
            asked.append(pattern)
            return engine.matching(connection, values, pattern)

        # WHEN they are judged THEN each is judged by its own values
        found = [[f.column for f in faults] for faults in Judge(feed, matching).faults(records)]
    assert found == [[0] * (n % 3 == 0) + [1] * (n % 7 == 0) for n in range(2500)]
    assert len(asked) <= 2 * 3
