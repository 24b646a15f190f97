"""What strip, lower and the types mean: if wrong, clean data is refused or dirty data loaded."""

from __future__ import annotations

import sys
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loader.contract import text

ALL_CHARACTERS = [chr(c) for c in range(sys.maxunicode + 1) if not 0xD800 <= c < 0xE000]


def test_strip_characters_are_exactly_those_of_str_strip() -> None:
    # One missing, and a value that is blank to Python is data to the warehouse.
    assert sorted(text.STRIP_CHARACTERS) == [c for c in ALL_CHARACTERS if not c.strip()]
    assert len(text.STRIP_CHARACTERS) == 29


def test_lower_is_one_character_for_each() -> None:
    # Unicode 16 brought these. No engine knows them yet, and Python only from 3.14 on.
    newest = {0x1C89, 0xA7CB, 0xA7CC, 0xA7DA, 0xA7DC, *range(0x10D50, 0x10D66)}
    for character in ALL_CHARACTERS:
        lowered = text.simple_lower(character)
        assert len(lowered) == 1
        # Where the full mapping is one character, the simple one is the same.
        if ord(character) in newest:
            assert lowered == character
        elif len(character.lower()) == 1:
            assert lowered == character.lower()


@pytest.mark.parametrize(
    ("given_text", "lowered"),
    [
        ("İstanbul", "istanbul"),
        ("ΟΔΟΣ", "οδοσ"),
        ("STRASSE ẞ", "strasse ß"),
        ("Ⅷ Ⓐ K", "ⅷ ⓐ k"),
        ("ÀÉ", "àé"),
        ("A\u030a", "a\u030a"),
        ("ǅ", "ǆ"),
        ("𐐀", "𐐨"),
    ],
)
def test_lower_knows_no_context_and_no_longer_forms(given_text: str, lowered: str) -> None:
    assert text.simple_lower(given_text) == lowered


@pytest.mark.parametrize(
    ("value", "number"),
    [
        ("0", 0),
        ("-0", 0),
        ("+7", 7),
        ("007", 7),
        ("9223372036854775807", 2**63 - 1),
        ("-9223372036854775808", -(2**63)),
        ("0" * 5000 + "1", 1),
    ],
)
def test_integers_that_a_bigint_holds(value: str, number: int) -> None:
    assert text.parse_integer(value) == number


@pytest.mark.parametrize(
    "value",
    [
        "",
        "+",
        "-",
        "--1",
        "1.0",
        "1e3",
        "1_000",
        "1,000",
        "0x10",
        "٣",
        "\uff11",
        "²",
        "½",
        "1 2",
        "1\n",
        "\u22121",
        "inf",
        "nan",
        "9223372036854775808",
        "-9223372036854775809",
        "9" * 5000,
    ],
)
def test_what_is_no_integer(value: str) -> None:
    # int() takes some of these; a warehouse's cast does not.
    with pytest.raises(
        ValueError, match=r"^(is not a whole number|has groups|does not fit a 64-bit)"
    ):
        text.parse_integer(value)


@given(st.integers(text.BIGINT_MIN, text.BIGINT_MAX), st.sampled_from(["", "+"]), st.integers(0, 9))
def test_every_bigint_is_read_back(number: int, sign: str, zeros: int) -> None:
    digits = f"{'-' if number < 0 else sign}{'0' * zeros}{abs(number)}"
    assert text.parse_integer(digits) == number


@given(
    st.decimals(
        allow_nan=False, allow_infinity=False, places=4, min_value=-999999, max_value=999999
    ),
    st.integers(0, 6),
)
def test_a_decimal_is_accepted_only_if_nothing_is_rounded(number: Decimal, scale: int) -> None:
    value = format(number, "f")
    precision = 6 + scale
    rounds = number != round(number, scale)
    if rounds:
        with pytest.raises(ValueError, match="without rounding"):
            text.parse_decimal(value, precision, scale)
    else:
        assert text.parse_decimal(value, precision, scale) == number


@pytest.mark.parametrize(
    ("value", "number"),
    [
        ("12", "12"),
        ("12.", "12"),
        (".5", "0.5"),
        ("-.5", "-0.5"),
        ("+12.30", "12.3"),
        ("0012.3400000", "12.34"),
        ("-0", "0"),
        ("99.99", "99.99"),
    ],
)
def test_decimals(value: str, number: str) -> None:
    assert text.parse_decimal(value, 4, 2) == Decimal(number)


@pytest.mark.parametrize(
    "value",
    ["", ".", "+", "-.", "1e1", "1E1", "1,5", "1_0", "inf", "NaN", "٣.٣", "1.2.3", "100", "1.234"],
)
def test_what_is_no_decimal(value: str) -> None:
    with pytest.raises(ValueError, match=r"^(is not a decimal|has a decimal comma|does not fit)"):
        text.parse_decimal(value, 4, 2)


@pytest.mark.parametrize(
    ("value", "signs", "number"),
    [
        ("1.234.567,8", ",.", "1234567.8"),
        ("1234567,8", ",.", "1234567.8"),
        ("-1.234", ",.", "-1234"),
        ("1.234,", ",.", "1234"),
        (",5", ",.", "0.5"),
        ("0.000.001", ",.", "1"),
        ("1,234.50", ".,", "1234.5"),
        ("+12\u202f345,6", ",\u202f", "12345.6"),
        ("1'234.5", ".'", "1234.5"),
        ("922,8", ",", "922.8"),
        ("1.5", ",.", None),
        ("1.5", ",", None),
        ("1.23,4", ",.", None),
        ("1234.567", ",.", None),
        (".234", ",.", None),
        ("1.234.56", ",.", None),
        ("1..234", ",.", None),
        ("1.234,567.8", ",.", None),
        ("1,234,567", ",.", None),
        ("1\u00a0234", ",\u202f", None),
        ("1.\u0662\u0663\u0664", ",.", None),
    ],
)
def test_decimals_of_other_signs(value: str, signs: str, number: str | None) -> None:
    decimal_char, group_char = signs[0], signs[1:]
    if number is None:
        with pytest.raises(ValueError, match=r"^(is not a decimal|has a decimal|has groups)"):
            text.parse_decimal(value, 12, 2, decimal_char, group_char)
    else:
        assert text.parse_decimal(value, 12, 2, decimal_char, group_char) == Decimal(number)


def test_a_decimal_keeps_all_of_its_38_digits() -> None:
    # Decimal's own context has 28.
    digits = "1234567890123456789012345678.0123456789"
    assert str(text.parse_decimal(digits, 38, 10)) == digits


@pytest.mark.parametrize(
    ("value", "number"),
    [
        ("145.391998291E0", 145.391998291),
        ("-6.08168983451", -6.08168983451),
        ("5.e+3", 5000.0),
        (".5e-1", 0.05),
        ("0e999", 0.0),
        ("1.7976931348623157e308", 1.7976931348623157e308),
        ("2.2250738585072014e-308", 2.2250738585072014e-308),
        ("0" * 400 + "1", 1.0),
    ],
)
def test_floats(value: str, number: float) -> None:
    assert text.parse_float(value) == number
    assert text.parse_float(value.replace(".", ","), ",") == number


@pytest.mark.parametrize(
    "value",
    [
        *(
            "",
            ".",
            "e5",
            "nan",
            "inf",
            "-Infinity",
            "1e",
            "1e1.5",
            "0x1p3",
            "1_0",
            "1 e5",
            "\u0663",
        ),
        *("1e0999", "1e309", "-1e309", "1.8e308", "1e-308", "5e-324", "1e-999", "1,5", "1f"),
    ],
)
def test_what_is_no_float(value: str) -> None:
    with pytest.raises(ValueError, match=r"^(is not a number|has a decimal comma|does not fit)"):
        text.parse_float(value)


@pytest.mark.parametrize("value", ["true", "T", "Yes", "y", "1", "FALSE", "f", "nO", "N", "0"])
def test_booleans(value: str) -> None:
    assert text.parse_boolean(value) == (value.lower() in ("true", "t", "yes", "y", "1"))


@pytest.mark.parametrize(
    "value", ["", "on", "off", "2", "01", "ja", "ye\u017f", "fal\u017fe", "\uff11"]
)
def test_what_is_no_boolean(value: str) -> None:
    with pytest.raises(ValueError, match="is not a boolean"):
        text.parse_boolean(value)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (
            "$1,250.50",
            "signs around the number: bare_number false and groups of digits: group_char ','",
        ),
        ("(1250.50)", "has signs around the number: bare_number false in the contract reads it"),
        ("1.250,50 €", "a decimal comma: decimal_char ',' and groups of digits: group_char '.'"),
        ("1,250.50", "has groups of digits: group_char ',' in the contract reads it"),
        ("12,5", "has a decimal comma: decimal_char ',' in the contract reads it"),
    ],
)
def test_the_words_that_read_a_number_are_named(value: str, words: str) -> None:
    with pytest.raises(ValueError, match=r"^has ") as caught:
        text.parse_decimal(value, 9, 2)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("value", "number"),
    [
        ("$5", "5"), ("-$5", "-5"), ("$-5", "-5"), ("$ - 5", "-5"), ("(5)", "-5"), ("($5)", "-5"),
        ("$ (5)", "-5"), ("(5) usd", "-5"), ("5-", "-5"), ("5 -", "-5"), ("5- EUR", "-5"),
        ("5 EUR -", "-5"), ("+5%", "5"), ("12.5 %", "12.5"), ("%5", "5"), ("$5 USD", "5"),
        ("\u20ac\u00a05", "5"), ("5\u202f\u20ac", "5"), ("-5", "-5"), ("5", "5"),
        ("-(5)", None), ("(-5)", None), ("-5-", None), ("+5-", None), ("(5", None), ("5)", None),
        ("((5))", None), ("$", None), ("()", None), ("$$5", None), ("5 5", None), ("5usd5", None),
        ("#5", None), ("5 kg", None), ("USDX 5", None), ("", None),
    ],
)  # fmt: skip
def test_what_may_stand_around_a_number(value: str, number: str | None) -> None:
    assert text.bare_number(value) == (value if number is None else number)


@pytest.mark.parametrize(
    ("value", "group_char", "number"),
    [
        ("$ 1 234", " ", "1 234"), ("1 234 $", " ", "1 234"), ("1\u00a0234 $", " ", None),
        ("1 234\u00a0$", " ", "1 234"), ("1\u202f234 \u20ac", "\u202f", "1\u202f234"),
        ("$ 1\u00a0234", "\u00a0", "1\u00a0234"), ("1_234 $", " ", None), ("$1_234", "", None),
        ("$.5", ".", ".5"), ("$1'234-", "'", "-1'234"),
    ],
)  # fmt: skip
def test_only_its_own_character_parts_the_thousands_of_a_number(
    value: str, group_char: str, number: str | None
) -> None:
    assert text.bare_number(value, group_char) == (value if number is None else number)
