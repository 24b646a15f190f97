"""What `strip`, `lower` and the types mean, in plain Python.

The macros in macros/clean/ say the same in SQL; the tests hold the two together.
"""

import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache
from operator import itemgetter
from sys import float_info

# The 29 code points that str.strip() removes: White_Space of the Unicode Character Database plus
# U+001C to U+001F, which Python counts by their bidirectional class. The last is U+3000.
STRIP_CHARACTERS = "".join(filter(str.isspace, map(chr, range(0x3001))))

# Redshift: INT8, "Numeric types"; DuckDB: BIGINT.
BIGINT_MIN, BIGINT_MAX = -(2**63), 2**63 - 1

# Letters of Unicode 16 with a lower case, which Python knows from 3.14 on and no engine does.
_NEWEST = "\u1c89\ua7cb\ua7cc\ua7da\ua7dc" + "".join(map(chr, range(0x10D50, 0x10D66)))

_TRUE = frozenset({"true", "t", "yes", "y", "1"})
_FALSE = frozenset({"false", "f", "no", "n", "0"})
BOOLEAN_WORDS = _TRUE | _FALSE

_INTEGER = re.compile(r"[+-]?[0-9]+")
_DECIMAL = re.compile(r"[+-]?(?:([0-9]+)(?:\.([0-9]*))?|\.([0-9]+))")
_FLOAT = re.compile(_DECIMAL.pattern + "(?:[eE][+-]?[0-9]{1,3})?")
# What parts the thousands of a number; also a curly apostrophe, and the blanks that do not break.
_GROUP_CHARS = (".", ",", "'", " ", "\u2019", "\u00a0", "\u202f")
_TIMESTAMP = re.compile(
    r"(?P<YYYY>[0-9]{4})-(?P<MM>[0-9]{2})-(?P<DD>[0-9]{2})"
    r"(?:[Tt ](?P<HH24>[0-9]{2}):(?P<MI>[0-9]{2})(?::(?P<SS>[0-9]{2})(?:\.(?P<f>[0-9]{1,6}))?)?"
    r"(?:[Zz]|(?P<sign>[+-])(?P<hours>[0-9]{2})(?::?(?P<minutes>[0-9]{2}))?)?)?"
)
_MAX_OFFSET = timedelta(hours=14)
# The parts of a layout with their digits, in the order in which datetime() takes them.
_TOKENS = {"YYYY": 4, "MM": 2, "DD": 2, "HH24": 2, "MI": 2, "SS": 2}
_MIDNIGHT = dict.fromkeys(("HH24", "MI", "SS", "f", "hours", "minutes", "sign"), "0")
_numbers = itemgetter(*_TOKENS, "hours", "minutes")
_LAYOUT = re.compile(f"({'|'.join(_TOKENS)})|([-/.: T])|(.)", re.DOTALL)


def simple_lower(text: str) -> str:
    """Lower-case code point by code point, as both engines do, unlike str.lower().

    str.lower() maps U+0130 to two code points and knows a final sigma; the simple mapping of
    UnicodeData.txt does neither. The same on every version of Python.
    """
    if text.isascii():
        return text.lower()
    return "".join("i" if c == "\u0130" else c if c in _NEWEST else c.lower() for c in text)


def plain_number(text: str, decimal_char: str, group_char: str) -> str:
    """A number with a decimal point and without groups; what is no such number stays none.

    decimal_char: empty for a whole number. Groups have three digits, but for the first.
    """
    if group_char:
        fraction = f"(?:[{decimal_char}][0-9]*)?" if decimal_char else ""
        groups = f"[0-9]{{1,3}}(?:[{group_char}][0-9]{{3}})+"
        if re.fullmatch(f"[+-]?{groups}{fraction}", text):
            text = text.replace(group_char, "")
    return text.translate({ord(","): ".", ord("."): ","}) if decimal_char == "," else text


def _unlike(pattern: re.Pattern[str], text: str, decimal_char: str, group_char: str) -> str | None:
    """By which words of the contract a text would be a number; None if by none."""
    for decimal, name in ((decimal_char, ""), (".", "point"), (",", "comma")):
        for group in (group_char, "", *_GROUP_CHARS):
            if decimal != group and pattern.fullmatch(plain_number(text, decimal, group)):
                said = [f"a decimal {name}: decimal_char {decimal!r}"] if name else []
                if group not in ("", group_char):
                    said.append(f"groups of digits: group_char {group!r}")
                return f"has {' and '.join(said)} in the contract reads it"
    return None


def parse_integer(text: str, group_char: str = "") -> int:
    """A 64-bit whole number in ASCII digits with an optional sign. Raises ValueError."""
    plain = plain_number(text, "", group_char)
    if not _INTEGER.fullmatch(plain):
        unlike = _unlike(_INTEGER, text, "", group_char)
        raise ValueError(unlike or "is not a whole number in digits 0 to 9")
    # int() refuses more than 4,300 digits in words of its own.
    number = Decimal(plain)
    if not BIGINT_MIN <= number <= BIGINT_MAX:
        raise ValueError("does not fit a 64-bit integer")
    return int(number)


def parse_decimal(
    text: str, precision: int, scale: int, decimal_char: str = ".", group_char: str = ""
) -> Decimal:
    """A number that decimal(precision, scale) holds without rounding. Raises ValueError."""
    match = _DECIMAL.fullmatch(plain_number(text, decimal_char, group_char))
    if not match:
        unlike = _unlike(_DECIMAL, text, decimal_char, group_char)
        raise ValueError(unlike or "is not a decimal number in digits 0 to 9")
    whole = (match[1] or "").lstrip("0")
    fraction = (match[2] or match[3] or "").rstrip("0")
    if len(whole) > precision - scale or len(fraction) > scale:
        raise ValueError(f"does not fit decimal({precision},{scale}) without rounding")
    return Decimal(f"{'-' if text.startswith('-') else ''}{whole or '0'}.{fraction or '0'}")


def parse_float(text: str, decimal_char: str = ".") -> float:
    """A number of double precision, with an exponent of up to three digits or without one.

    Raises ValueError, also for what would be infinite, or has fewer digits than others because it
    is next to nought: engines differ in what they make of that.
    """
    plain = plain_number(text, decimal_char, "")
    if not _FLOAT.fullmatch(plain):
        unlike = _unlike(_FLOAT, text, decimal_char, "")
        raise ValueError(unlike or "is not a number in digits 0 to 9, with or without an exponent")
    number = float(plain)
    if not (float_info.min <= abs(number) <= float_info.max or not Decimal(plain)):
        raise ValueError("does not fit a double precision number")
    return number


def parse_boolean(text: str) -> bool:
    """One of true, t, yes, y, 1 or false, f, no, n, 0, in any case. Raises ValueError."""
    word = simple_lower(text)
    if word not in _TRUE and word not in _FALSE:
        raise ValueError("is not a boolean (true, t, yes, y, 1, false, f, no, n, 0)")
    return word in _TRUE


def parse_date(text: str, layout: str | None = None) -> date:
    """A calendar day, ISO 8601 (YYYY-MM-DD) or in the given layout. Raises ValueError."""
    layout = layout or "YYYY-MM-DD"
    match = format_pattern(layout).fullmatch(text)
    if not match:
        raise ValueError(f"is not a date in the form {layout}")
    try:
        return date(int(match["YYYY"]), int(match["MM"]), int(match["DD"]))
    except ValueError:
        raise ValueError("is not a day of the calendar") from None


def parse_timestamp(text: str, layout: str | None = None) -> datetime:
    """An instant in UTC, from ISO 8601 or the given layout; no zone means UTC.

    ISO 8601 here is YYYY-MM-DD, or that and T or a blank and HH:MM[:SS[.f]] with at most six
    digits of fraction, then nothing, Z, +HH, +HHMM or +HH:MM (or with a minus sign), at most 14
    hours. Raises ValueError.
    """
    match = (format_pattern(layout) if layout else _TIMESTAMP).fullmatch(text)
    if not match:
        iso = "an ISO 8601 timestamp such as 2024-05-31 13:45:00+02:00"
        raise ValueError(f"is not {f'a timestamp in the form {layout}' if layout else iso}")
    parts = _MIDNIGHT | match.groupdict("0")
    year, month, day, hour, minute, second, hours, minutes = map(int, _numbers(parts))
    offset = timedelta(hours=hours, minutes=minutes)
    if offset > _MAX_OFFSET or minutes > 59:
        raise ValueError("has a UTC offset beyond 14 hours")
    fraction = int(parts["f"].ljust(6, "0"))
    try:
        local = datetime(year, month, day, hour, minute, second, fraction, UTC)
        return local + offset if parts["sign"] == "-" else local - offset
    except (ValueError, OverflowError):
        raise ValueError("is not a moment of the calendar") from None


@cache
def format_pattern(layout: str) -> re.Pattern[str]:
    """The pattern of a layout made of YYYY, MM, DD, HH24, MI, SS and separators.

    Each token stands for its full width of ASCII digits. Raises ValueError for anything else, for
    a token given twice and for a layout without a full date.
    """
    pattern, missing = "", set(_TOKENS)
    for token, separator, other in _LAYOUT.findall(layout):
        if other:
            raise ValueError(f"has {other!r}, which is neither a token nor a separator")
        if token and token not in missing:
            raise ValueError(f"has {token} twice")
        missing.discard(token)
        pattern += f"(?P<{token}>[0-9]{{{_TOKENS[token]}}})" if token else re.escape(separator)
    if missing := missing & {"YYYY", "MM", "DD"}:
        raise ValueError(f"lacks {', '.join(sorted(missing))}")
    return re.compile(pattern)
