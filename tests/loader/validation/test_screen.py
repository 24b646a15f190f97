"""The screen clears records at the engine's speed. What it clears, no one looks at again: so it
must never clear what the judge would refuse. It need not clear all that is valid."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from functools import partial
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from hypothesis import assume, given, reject, settings
from hypothesis import strategies as st

from loader.contract.text import STRIP_CHARACTERS, simple_lower
from loader.records import engine
from loader.validation.judge import Judge
from loader.validation.screen import _BLANKS, predicate

if TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb
    from loader.conftest import MakeFeed


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with engine.connect() as connection:
        yield connection


class Lanes:
    """Both lanes for one column."""

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, make_feed: MakeFeed, rules: dict[str, Any]
    ) -> None:
        feed = make_feed({"v": rules})
        self._connection = connection
        self._clear = predicate(feed.columns)
        self._judge = Judge(feed, partial(engine.matching, connection.cursor()))

    def cleared(self, values: list[str | None]) -> list[bool]:
        """What the screen says of each value."""
        rows = self._connection.execute(
            f"select case when not ({self._clear}) then false else true end"
            ' from (select unnest(?::varchar[]) as "v")',
            [values],
        ).fetchall()
        return [bool(row[0]) for row in rows]

    def accepts(self, value: str | None) -> bool:
        """What the judge says."""
        return not next(self._judge.faults([(value or None,)]))

    def check(self, values: list[str | None]) -> None:
        """The screen clears nothing that the judge refuses."""
        for value, clear in zip(values, self.cleared(values), strict=True):
            assert not clear or self.accepts(value), f"the screen clears {value!r}"


RULES: dict[str, dict[str, Any]] = {
    "text": {},
    "text required": {"required": True},
    "text short": {"data_type": "varchar(4)", "required": True},
    "text accepted": {"accepted_values": ["yes", "Straße", "ΟΔΟΣ", "ok", "it's", "İ", " pad "]},
    "text accepted required": {"accepted_values": ["ok", "K"], "required": True},
    "text accepted blank": {"accepted_values": ["", " ", "ok"], "required": True},
    "text nfc": {"unicode": "nfc"},
    "text pattern": {"pattern": "[a-k]+.?[0-9]*"},
    "text pattern any": {"pattern": "(?i)k.*|", "required": True},
    "text pattern lines": {"pattern": "^a$|(?s)b.+"},
    "text pattern and values": {"pattern": "[A-Z]+", "accepted_values": ["abc", "ABC"]},
    "text null": {"required": True, "null_values": ["-", "\\", "(*)", "K", "yes", "straße"]},
    "text null optional": {
        "pattern": "b.*",
        "null_values": ["-", "\\", "'", "2024-01-01", "1 000"],
    },
    "integer": {"type": "integer"},
    "integer null": {"type": "integer", "minimum": 0, "null_values": ["-1", "5", "inf", "ok"]},
    "integer null required": {"type": "integer", "required": True, "null_values": ["5", "-5"]},
    "date null required": {"type": "date", "required": True, "null_values": ["0001-01-01"]},
    "boolean null": {"type": "boolean", "required": True, "null_values": ["no"]},
    "integer required": {"type": "integer", "required": True},
    "integer bounds": {"type": "integer", "minimum": -5, "maximum": 100},
    "integer low": {"type": "integer", "minimum": -(2**63)},
    "integer high": {"type": "integer", "maximum": 2**63 - 1},
    "integer accepted": {"type": "integer", "accepted_values": ["1", "2", "+3"]},
    "decimal": {"type": "decimal(5,2)"},
    "decimal whole": {"type": "decimal(3,0)", "required": True},
    "decimal fraction": {"type": "decimal(3,3)"},
    "decimal comma": {"type": "decimal(5,2)", "decimal_char": ",", "maximum": "100.005"},
    "decimal signs": {"type": "decimal(9,2)", "decimal_char": ",", "group_char": "."},
    "decimal signs bounds": {
        "type": "decimal(9,2)",
        "group_char": ",",
        "minimum": "-1234",
        "maximum": "1000000.5",
    },
    "decimal whole blanks": {"type": "decimal(7,0)", "group_char": "\u00a0", "maximum": 99999},
    "integer signs": {"type": "integer", "group_char": ".", "maximum": 123456},
    "decimal big": {"type": "decimal(38,10)"},
    "decimal bounds": {"type": "decimal(5,2)", "minimum": "-1.5", "maximum": "100.005"},
    "float": {"type": "float"},
    "float bounds": {"type": "float", "minimum": -1.5, "maximum": "1e3"},
    "float comma": {"type": "float", "decimal_char": ",", "required": True, "maximum": 1.5},
    "boolean": {"type": "boolean"},
    "boolean required": {"type": "boolean", "required": True},
    "date": {"type": "date"},
    "date format": {"type": "date", "format": "DD/MM/YYYY"},
    "date bounds": {"type": "date", "minimum": "2020-01-01", "maximum": "2024-12-31"},
    "timestamp": {"type": "timestamp"},
    "timestamp required": {"type": "timestamp", "required": True},
    "timestamp format": {"type": "timestamp", "format": "YYYYMMDDHH24MISS"},
    "timestamp bounds": {"type": "timestamp", "minimum": "2020-01-01T00:00:00Z"},
    "timestamp bounds late": {
        "type": "timestamp",
        "minimum": "2024-05-30T23:50:00Z",
        "maximum": "2024-06-02T00:10:00Z",
    },
    "timestamp bounds wide": {
        "type": "timestamp",
        "minimum": "0001-01-01T00:00:00Z",
        "maximum": "9999-12-31T23:59:59.999999Z",
    },
    "timestamp format bounds": {
        "type": "timestamp",
        "format": "YYYY-MM-DD HH24:MI:SS",
        "minimum": "2024-02-29 12:00:00",
        "maximum": "2024-05-31 13:45:07",
    },
    "date formats": {"type": "date", "format": ["DD/MM/YYYY", "YYYYMMDD", "YYYY-MM-DD"]},
    "date formats bounds": {
        "type": "date",
        "format": ["YYYYMMDD", "DD/MM/YYYY"],
        "minimum": "20240101",
        "maximum": "30/12/2024",
    },
    "timestamp formats": {
        "type": "timestamp",
        "format": ["YYYYMMDDHH24MISS", "YYYY-MM-DDTHH24:MI"],
        "required": True,
    },
    "date loose": {"type": "date", "format": ["D/M/YYYY", "D-MON-YY", "MONTH D, YYYY", "excel"]},
    "date pivot": {"type": "date", "format": ["D/M/YY", "D-MON-YY"], "pivot_year": 2050},
    "date pivot bounds": {
        "type": "date",
        "format": "D/M/YY",
        "pivot_year": 1950,
        "minimum": "1/3/50",
        "maximum": "1/3/24",
    },
    "date loose bounds": {
        "type": "date",
        "format": ["D/M/YY", "excel"],
        "minimum": "29/2/00",
        "maximum": "45000",
    },
    "timestamp loose": {
        "type": "timestamp",
        "format": ["D/M/YYYY H12:MI AM", "DD/MON/YYYY:HH24:MI:SS TZ", "YYYYMMDDTHH24MISS.FF"],
    },
    "timestamp cut": {
        "type": "timestamp",
        "format": "YYYY-MM-DD HH24:MI:SS.FFTZ",
        "excess_fraction": "cut",
        "maximum": "2024-02-29 13:45:07.1Z",
    },
    "timestamp iso cut": {"type": "timestamp", "excess_fraction": "cut"},
    "timestamp epoch": {"type": "timestamp", "format": "epoch", "minimum": "1700000000"},
    "timestamp epoch_ms": {"type": "timestamp", "format": "epoch_ms", "maximum": "1700000000000"},
    "integer framed": {"type": "integer", "bare_number": False, "group_char": " ", "maximum": 5},
    "integer framed low": {"type": "integer", "bare_number": False, "minimum": 0},
    "decimal framed low": {"type": "decimal(5,2)", "bare_number": False, "minimum": "-0.4"},
    "decimal framed": {
        "type": "decimal(7,2)",
        "bare_number": False,
        "group_char": ",",
        "minimum": "-1250.5",
        "maximum": 1000,
    },
    "float framed": {"type": "float", "bare_number": False, "minimum": -1.5, "required": True},
    "boolean words": {"type": "boolean", "true_values": ["Ja", "x", "*"], "false_values": ["nö"]},
    "date format bounds": {
        "type": "date",
        "format": "DD/MM/YYYY",
        "minimum": "01/02/2024",
        "maximum": "31/12/2024",
    },
}

WORDS = """
0 -0 +0 00 1 +1 -1 --1 +-1 1_000 1e3 1E3 1.0 1. .5 -.5 . - + 0x1f inf -inf infinity nan 5 -5 -6
100 101 9223372036854775807 9223372036854775808 -9223372036854775808 -9223372036854775809
999999999999999999 0000000000000000000001 99999999999999999999 \u0663 \uff11 \u00b2 \u22125
12.345 999.99 1000.00 100.005 100.01 -1.5 -1.51 0.999 12345678901234567890123456789
1234567890123456789012345678.0123456789 12345678901234567890123456789.0 .0000000000
1.234 12.345 123.456 123.457 1234.567 1.2345 1..234 .234 1.234, 1.234,5 1.234.567,89 12.345.678,9
1,5 ,5 1234,5 1,234 1,234.5 1,234,567 1.000.000,50 1,000,000.51 -1,235 1234.567,8 1,234.567 1,2,345
1'234 1_234 1,234e5 12,345,678.9
1e2 1e4 1.5e-3 -1.5e0 -1.51 1E3 1.0001e3 1e+99 1e309 1e-400 5e-324 1,5e0 1,6 15e-1 1e0999 e5 1e 0e0
true TRUE t yes ye\u017f fal\u017fe no on off y n
2024-02-29 2023-02-29 1900-02-29 2000-02-29 2024-02-30 2024-04-31 2024-13-01 2024-00-01 2024-01-00
2024-01-32 0000-01-01 0001-01-01 9999-12-31 10000-01-01 -2024-01-01 2024-1-1 24-01-01 20240101
2024/01/01 31/12/2024 12/31/2024 29/02/2023 2019-12-31 2025-01-01 2024-01-01(BC) epoch
2024-05-31T13:45 2024-05-31t13:45:07z 2024-05-31T24:00 2024-05-31T24:00:00 2024-05-31T23:60
2024-12-31T23:59:60Z 2024-05-31T13:45:07.123456 2024-05-31T13:45:07.1234567 2024-05-31T13:45:07.
2024-05-31T13:45+14:00 2024-05-31T13:45+14:01 2024-05-31T13:45-13:59 2024-05-31T13:45+13:60
2024-05-31T13:45+02 2024-05-31T13:45+0230 2024-05-31T13:45+99:99 2024-05-31Z 2024-05-31T13
2024-05-31T1:2 9999-12-31T23:59-13:00 0001-01-01T00:00+13:00 2024-02-30T00:00
2019-12-31T23:59-00:01 20240229235959 20230229235959 20240229246000
ok OK o\u212a \u212a K k \u0130 i i\u0307 \u0131 STRASSE straße STRAẞE it's pad abc ABC a bx ab1
(*) \\N NULL #N/A n.a. οδος οδοσ ΟΔΟΣ é e\u0301 💸 \U0001f1e9\U0001f1ea \uff57\uff49 a\u200b \ufeff1
1/3/2024 29/2/23 29/2/00 29/2/50 28/2/50 1/3/49 31/4/24 0/1/24 1/13/24 5-JAN-24 29-feb-00 5-Jany-24
45000 45001 61 60 59 0061 45000.0 45000.5 2958465 2958466 1/1/2024 1/1/24 1/1/202
20240229T134507.1234567 20240229T134507.1234560 20240229T134507. 2024-02-29T13:45:07.1234567Z
1700000000 1699999999 1700000000.1234567 -1 -1.5 -9999999999 -10000000000 253402300799 253402300800
1700000000000 1700000000001 -9999999999999 -10000000000000 253402300799999 99999999999999 1e9
$5 $6 -$5 $-6 (5) (6) ($1,250.50) ($1,250.51) $1,250.50 5% 6% 5- (5)- -(5) ((5)) €5EUR 1.5USD ₺1 £ $
-.4 -. $. .994 +.25 .25e3 -.26E1 00123.5 -000123.45 0000.994 $.5 (.5)
$$5 5USDx (-5) +(5) 5eur JA ja X * nö NÖ nein 5#
xxxx xxxxx éé ééé \\ ' " % _
"""
SEEDS = [
    *WORDS.split(),
    *("29/02/2024 1:45 PM", "29/2/2024 12:00 am", "29/2/2024 13:00 am", "29/2/2024 0:10 pm"),
    *("29/Feb/2024:13:45:07 +1500", "29/Feb/2024:13:45:07 +0199"),
    *("29/Feb/2024:13:45:07 +0100", "29/FEB/2024:13:45:07 utc", "29/Feb/2023:13:45:07 GMT"),
    *("2024-02-29 13:45:07.123456789+02", "2024-02-29 13:45:07.1Z", "2024-03-02 13:45:07.1gmt"),
    *("2024-05-31 13:45 UTC", "2024-05-31 13:45:07.1234567 utc", "February 29, 2024"),
    *("may 1, 2024", "$ 5", "- 5", "USD 1 234", "1 234 %", "( 5 )", "$ (5)", "5 -", "1  5"),
    *("-$ 5", "($ 5)", "$ -5", "-$ .5"),
    *("", " ok ", " pad ", "a\n", "b\nc", "k\n", "2024-05-31 13:45:07", "2024-01-01 BC", "1 000"),
    *(
        "1\u00a0234",
        "12\u00a0345\u00a0678",
        "1\u202f234",
        "1\u00a0234.",
        "99\u00a0999",
        "100\u00a0000",
    ),
]
SURROUNDINGS = ["", *STRIP_CHARACTERS, "  ", "\r\n", "\u200b", "\ufeff", "\u180e", "\u2060", "\x1b"]


@pytest.mark.parametrize("name", RULES)
def test_the_screen_clears_nothing_that_the_judge_refuses(
    connection: duckdb.DuckDBPyConnection, make_feed: MakeFeed, name: str
) -> None:
    # GIVEN every hostile value, bare and with every kind of blank before, behind and around it
    values: list[str | None] = [None]
    for seed in SEEDS:
        for blank in SURROUNDINGS:
            values += [blank + seed, seed + blank, blank + seed + blank]
    # WHEN both lanes look at them THEN they never disagree that way
    Lanes(connection, make_feed, RULES[name]).check(sorted(set(values), key=str))


NEAR_NUMBERS = st.text(st.sampled_from("0123456789+-._eE ,xX\u0661\u2003\n"), max_size=24)
NEAR_GROUPS = st.builds(
    lambda groups, sign, rest: sign.join(groups) + rest,
    st.lists(st.from_regex("-?[0-9]{1,3}|[0-9]{3}", fullmatch=True), max_size=6),
    st.sampled_from([".", ",", "\u00a0"]),
    st.from_regex("([.,][0-9]{0,3})?", fullmatch=True),
)
NEAR_DATES = st.from_regex(
    r"[ \t\u3000]?[0-9]{4}-[0-1][0-9]-[0-3][0-9]"
    r"([Tt ][0-2][0-9]:[0-6][0-9](:[0-6][0-9](\.[0-9]{0,7})?)?"
    r"(z|Z|[+-][0-1][0-9](:?[0-6][0-9])?)?)?\n?",
    fullmatch=True,
)
NEAR_WORDS = st.builds(
    lambda words, blanks: blanks.join(words),
    st.lists(st.sampled_from(SEEDS), min_size=1, max_size=2),
    st.sampled_from(SURROUNDINGS),
)
ANYTHING = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)


@settings(max_examples=120)
@given(
    st.sampled_from(sorted(RULES)),
    st.lists(
        st.one_of(NEAR_NUMBERS, NEAR_GROUPS, NEAR_DATES, NEAR_WORDS, ANYTHING, st.none()),
        min_size=1,
        max_size=40,
    ),
)
def test_no_value_slips_past_the_screen(
    connection: duckdb.DuckDBPyConnection,
    make_feed: MakeFeed,
    name: str,
    values: list[str | None],
) -> None:
    Lanes(connection, make_feed, RULES[name]).check(values)


@settings(max_examples=60)
@given(st.integers(-200, 200), st.integers(-200, 200), st.lists(st.integers(-250, 250), min_size=1))
def test_bounds_are_the_same_in_both_lanes(
    connection: duckdb.DuckDBPyConnection,
    make_feed: MakeFeed,
    low: int,
    high: int,
    numbers: list[int],
) -> None:
    rules = {"type": "integer", "minimum": min(low, high), "maximum": max(low, high)}
    lanes = Lanes(connection, make_feed, rules)
    # Plain numbers are the screen's own business: there it is exact.
    plain: list[str | None] = [str(number) for number in numbers]
    assert lanes.cleared(plain) == [lanes.accepts(value) for value in plain]


@pytest.mark.parametrize(
    ("rules", "values"),
    [
        ({"type": "integer", "group_char": "."}, ["1", "12.345", "123.456.789.012.345.678"]),
        (
            {"type": "decimal(9,2)", "decimal_char": ",", "group_char": "."},
            ["1.234.567,8", "1234567,89", "-12,", "+999.999,99", "9.999.999"],
        ),
        (
            {"type": "date", "format": ["DD/MM/YYYY", "YYYYMMDD"], "minimum": "01/01/2000"},
            ["31/12/2024", "20240229"],
        ),
        ({"type": "date", "format": "D/M/YY", "minimum": "1/1/70"}, ["1/3/24", "31/12/99"]),
        ({"type": "date", "format": ["D-MON-YY", "excel"]}, ["1-JAN-24", "45000"]),
        ({"type": "timestamp", "format": "MM/DD/YYYY HH12:MI AM"}, ["02/29/2024 11:59 PM"]),
        (
            {"type": "timestamp", "format": "YYYY-MM-DD HH24:MI:SS.FFTZ", "excess_fraction": "cut"},
            ["2024-02-29 23:59:59.123456789Z", "2024-02-29 23:59:59.1+02:00"],
        ),
        ({"type": "timestamp", "format": "epoch", "minimum": "0"}, ["1700000000", "1700000000.5"]),
        ({"type": "timestamp", "format": "epoch_ms"}, ["1700000000000", "-1"]),
        ({"type": "timestamp"}, ["2024-02-29 13:45:07 UTC"]),
        (
            {"type": "decimal(9,2)", "group_char": ",", "bare_number": False, "minimum": -5000},
            ["$1,250.50", "(1,250.50)", "-12 EUR", "5%"],
        ),
        ({"type": "boolean", "true_values": ["ja"], "false_values": ["nein"]}, ["JA", "nein"]),
        ({"type": "float", "minimum": -90, "maximum": 90}, ["-6.08168983451", "45.391998291E0"]),
        # Some systems write no nought before the point, others fill a width with noughts.
        (
            {"type": "decimal(5,2)", "minimum": -1, "maximum": 200},
            [".5", "-.50", "+.5", "\u3000.5"],
        ),
        ({"type": "decimal(5,2)", "maximum": 200}, ["00123.5", "0000000", "-00.5"]),
        ({"type": "decimal(7,2)", "maximum": "12.5"}, ["12.5000", ".250", "-12.000000", "7.0000"]),
        ({"type": "decimal(2,2)"}, [".5", "-.25", "0.5", "00.25", "0"]),
        ({"type": "decimal(9,2)", "decimal_char": ",", "maximum": 1}, [",8", "-,85", "+,5"]),
        ({"type": "decimal(9,2)", "group_char": ",", "bare_number": False}, ["$.5", "(.5)", ".5%"]),
        ({"type": "float", "minimum": -1, "maximum": 900}, [".5", "-.5", "+.25E3", "00.5"]),
        (
            {"type": "integer", "maximum": 5},
            ["000000000000000000000005", "-0000000000000000000006"],
        ),
        ({"type": "integer", "minimum": 0, "null_values": ["-9999"]}, [" -9999", "7", ""]),
        ({"pattern": "[a-z]+", "null_values": ["N/A", "\\N"]}, ["N/A", "a", "\\N\t"]),
    ],
)
def test_what_is_usual_is_cleared(
    connection: duckdb.DuckDBPyConnection,
    make_feed: MakeFeed,
    rules: dict[str, Any],
    values: list[str | None],
) -> None:
    # What the screen leaves to the judge takes a hundred times as long.
    lanes = Lanes(connection, make_feed, rules)
    assert (
        lanes.cleared(values) == [lanes.accepts(value) for value in values] == [True] * len(values)
    )


MOMENTS = st.datetimes(datetime(1000, 1, 1), datetime(8999, 12, 31))
OFFSETS = st.integers(-14 * 60, 14 * 60).map(lambda m: timezone(timedelta(minutes=m)))


@settings(max_examples=80)
@given(
    MOMENTS,
    st.timedeltas(timedelta(0), timedelta(days=9)),
    st.lists(st.tuples(st.timedeltas(timedelta(days=-5), timedelta(days=14)), OFFSETS), min_size=1),
)
def test_no_moment_outside_the_bounds_is_cleared(
    connection: duckdb.DuckDBPyConnection,
    make_feed: MakeFeed,
    low: datetime,
    span: timedelta,
    moves: list[tuple[timedelta, timezone]],
) -> None:
    # An offset moves a moment to another day than the one that is written.
    assume(datetime(1001, 1, 1) < low < datetime(8999, 1, 1))
    rules = {"minimum": f"{low}Z", "maximum": f"{low + span}Z", "type": "timestamp"}
    values: list[str | None] = [
        (low.replace(tzinfo=UTC) + move).astimezone(zone).isoformat() for move, zone in moves
    ]
    Lanes(connection, make_feed, rules).check(values)


@settings(max_examples=30)
@given(st.text(st.sampled_from("ab.*+?|()[]^$\\d{2}-\u017fk"), max_size=8), st.lists(ANYTHING))
def test_both_lanes_read_a_pattern_alike(
    connection: duckdb.DuckDBPyConnection, make_feed: MakeFeed, pattern: str, values: list[str]
) -> None:
    # GIVEN any pattern that the contract takes
    assume(pattern)
    try:
        engine.matching(connection, [""], pattern)
    except duckdb.Error:
        reject()
    lanes = Lanes(connection, make_feed, {"pattern": pattern})
    lanes.check([*values, "a", "ab", "a.b", "aa", "b\na", "K", "k", "\u017f", "s", "12", "-", " a"])


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("text required", ["x", " x", "é"]),
        ("text accepted", ["ok", "OK", " ok ", "straße"]),
        ("text nfc", ["caf\u00e9", "plain", " \u2000x"]),
        ("text pattern", ["ab1"]),
        ("integer bounds", ["0", "-5", "+7", "100", "\u300042\t", None, "\u00a0 "]),
        ("decimal", ["1", "-12.34", "+1.5 "]),
        ("boolean", ["true", "No", " 1"]),
        ("date", ["2024-02-29", " 2024-01-01"]),
        ("date bounds", ["2020-01-01", " 2024-12-31\u3000"]),
        ("date format bounds", ["01/02/2024", "31/12/2024"]),
        ("timestamp bounds", ["2020-01-03T00:00+14:00", "2024-05-31"]),
        ("timestamp format bounds", ["2024-03-02 12:00:00", "2024-05-29 13:45:07"]),
        (
            "timestamp",
            [
                "2024-05-31T13:45:07Z",
                "2024-05-31 13:45:07.5+02:00",
                "2024-05-31",
                "2024-05-31T00:00+14:00",
                "\t",
            ],
        ),
    ],
)
def test_ordinary_values_are_cleared(
    connection: duckdb.DuckDBPyConnection, make_feed: MakeFeed, name: str, values: list[str | None]
) -> None:
    # If not, every record of a clean file goes row by row through Python.
    assert all(Lanes(connection, make_feed, RULES[name]).cleared(values))


ALL_CHARACTERS = (
    "(select chr(i::int) as c from range(1, 55296) t (i)"
    " union all select chr(i::int) from range(57344, 1114112) t (i))"
)


def test_the_engine_lowers_as_python_does(connection: duckdb.DuckDBPyConnection) -> None:
    # The screen compares lower() with values that Python lowered.
    query = f"select c, lower(c) from {ALL_CHARACTERS} where lower(c) <> c"
    lowered = dict(connection.execute(query).fetchall())
    characters = (chr(c) for c in range(1, 0x110000) if not 0xD800 <= c < 0xE000)
    assert lowered == {c: simple_lower(c) for c in characters if simple_lower(c) != c}


def test_the_screen_strips_what_the_judge_strips(connection: duckdb.DuckDBPyConnection) -> None:
    blank = engine.literal(_BLANKS)
    query = f"select c from {ALL_CHARACTERS} where regexp_full_match(c, {blank})"
    rows = connection.execute(query).fetchall()
    assert sorted(row[0] for row in rows) == sorted(STRIP_CHARACTERS)
