"""Dates and moments: ISO 8601, and the forms that a contract names, such as `D/M/YYYY HH24:MI`.

The macros in macros/staging/forms.sql say the same in SQL; the tests hold the two together.
"""

import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import pairwise, product

from loader.contract.text import any_case

# Words that are a form by themselves: seconds and milliseconds since 1970, days of a spreadsheet.
SERIALS = {
    "epoch": r"(?P<epoch>-[0-9]{1,10}|[0-9]{1,12})(?:\.(?P<f>[0-9]{1,9}))?",
    "epoch_ms": r"(?P<epoch_ms>-[0-9]{1,13}|[0-9]{1,15})",
    "excel": r"(?P<excel>[1-9][0-9]{1,6})(?:\.0*)?",
}
# YY is of the hundred years from this one on, as in POSIX.
PIVOT_YEAR = 1969

_MONTHS = (
    *("january", "february", "march", "april", "may", "june", "july", "august", "september"),
    *("october", "november", "december"),
)
_SHORT = tuple(name[:3] for name in _MONTHS)
_OFFSET = "(?P<sign>[+-])(?P<hours>[0-9]{2})(?::?(?P<minutes>[0-9]{2}))?"
_ZONE = f"(?:[Zz]|{any_case(['utc', 'gmt'])}|{_OFFSET})"
_ZONES = (sign + rest for sign in "+-" for rest in ("00", "0000", "00:00"))
# Each token with the part of a moment that it is, its pattern, and the shapes of its texts.
_TOKENS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "YYYY": ("year", "[0-9]{4}", ("0000",)),
    "YY": ("short_year", "[0-9]{2}", ("00",)),
    "MONTH": ("name", any_case(_MONTHS), _MONTHS),
    "MON": ("name", any_case(_SHORT), _SHORT),
    "MM": ("month", "[0-9]{2}", ("00",)),
    "M": ("month", "[0-9]{1,2}", ("0", "00")),
    "DD": ("day", "[0-9]{2}", ("00",)),
    "D": ("day", "[0-9]{1,2}", ("0", "00")),
    "HH24": ("hour", "[0-9]{2}", ("00",)),
    "H24": ("hour", "[0-9]{1,2}", ("0", "00")),
    "HH12": ("hour12", "0[1-9]|1[0-2]", ("00",)),
    "H12": ("hour12", "0?[1-9]|1[0-2]", ("0", "00")),
    "AM": ("half", "[AaPp][Mm]", ("am", "pm")),
    "MI": ("minute", "[0-9]{2}", ("00",)),
    "SS": ("second", "[0-9]{2}", ("00",)),
    "FF": ("f", "[0-9]{1,9}", tuple("0" * n for n in range(1, 10))),
    "TZ": ("zone", _ZONE, ("z", "utc", "gmt", *_ZONES)),
}
TOKENS = " ".join(_TOKENS)
LAYOUT = re.compile(
    f"({'|'.join(sorted(_TOKENS, key=len, reverse=True))})|([-/.,: T])|(.)", re.DOTALL
)
_TIMESTAMP = re.compile(
    r"(?P<year>[0-9]{4})-(?P<month>[0-9]{2})-(?P<day>[0-9]{2})"
    r"(?:[Tt ](?P<hour>[0-9]{2}):(?P<minute>[0-9]{2})"
    r"(?::(?P<second>[0-9]{2})(?:\.(?P<f>[0-9]{1,9}))?)?"
    rf"(?:[Zz]| ?{any_case(['utc'])}|{_OFFSET})?)?"
)
# What a text may be that is in none of the contract's forms, for the message.
_DAYS = [
    form.replace(" ", separator)
    for separator in "/-. "
    for form in (
        *("D M YYYY", "M D YYYY", "D M YY", "M D YY", "YYYY M D", "D MON YYYY", "D MON YY"),
        "D MONTH YYYY",
    )
] + ["YYYYMMDD", "DDMONYYYY", "MON D, YYYY", "MONTH D, YYYY"]
_TIMES = [
    f"{before}{time}{zone}"
    for before in " T:"
    for time in ("H24:MI", "H24:MI:SS", "H24:MI:SS.FF", "H12:MI AM", "H12:MI:SS AM", "H12:MI:SSAM")
    for zone in ("", " TZ", "TZ")
]
_MAX_OFFSET = timedelta(hours=14)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Day 60 of a spreadsheet is a 29 February 1900 that never was; those before it are off by one.
_EXCEL, _EXCEL_MIN = date(1899, 12, 30), 61


def parse_date(text: str, layout: str | None = None, pivot_year: int = PIVOT_YEAR) -> date:
    """A calendar day, ISO 8601 (YYYY-MM-DD) or in the given layout. Raises ValueError."""
    layout = layout or "YYYY-MM-DD"
    match = format_pattern(layout).fullmatch(text)
    if not match:
        raise ValueError(unlike(text, "date", (layout,)))
    parts = match.groupdict("0")
    try:
        if layout != "excel":
            return date(*_day(parts, pivot_year))
        if (days := int(parts["excel"])) >= _EXCEL_MIN:
            return _EXCEL + timedelta(days)
    except (ValueError, OverflowError):
        raise ValueError("is not a day of the calendar") from None
    raise ValueError(f"is a day before 1900-03-01, where serials begin to be days ({_EXCEL_MIN})")


def parse_timestamp(
    text: str, layout: str | None = None, pivot_year: int = PIVOT_YEAR, *, cut: bool = False
) -> datetime:
    """An instant in UTC, from ISO 8601 or the given layout; no zone means UTC.

    ISO 8601 here is YYYY-MM-DD, or that and T or a blank and HH:MM[:SS[.f]], then nothing, Z, UTC
    (also behind a blank), +HH, +HHMM or +HH:MM (or with a minus sign), at most 14 hours. Of the
    digits of a fraction those beyond six are noughts, or cut if asked. Raises ValueError.
    """
    match = (format_pattern(layout) if layout else _TIMESTAMP).fullmatch(text)
    if not match:
        raise ValueError(unlike(text, "timestamp", (layout,) if layout else ()))
    parts = match.groupdict("0")
    fraction = parts.get("f", "")
    if fraction[6:].strip("0") and not cut:
        raise ValueError("has a fraction of more than six digits; excess_fraction: cut drops them")
    micros = fraction[:6].ljust(6, "0")
    epoch = parts["epoch"] + micros if "epoch" in parts else parts.get("epoch_ms", "") + "000"
    offset = timedelta(hours=int(parts.get("hours", 0)), minutes=int(parts.get("minutes", 0)))
    if offset > _MAX_OFFSET or int(parts.get("minutes", 0)) > 59:
        raise ValueError("has a UTC offset beyond 14 hours")
    try:
        if layout in SERIALS:
            return _EPOCH + timedelta(microseconds=int(epoch))
        hour, minute, second = (int(parts.get(name, 0)) for name in ("hour", "minute", "second"))
        if "half" in parts:
            hour = int(parts["hour12"]) % 12 + 12 * (parts["half"][0] in "Pp")
        local = datetime(*_day(parts, pivot_year), hour, minute, second, int(micros), UTC)
        return local + offset if parts.get("sign") == "-" else local - offset
    except (ValueError, OverflowError):
        raise ValueError("is not a moment of the calendar") from None


def _day(parts: Mapping[str, str], pivot_year: int) -> tuple[int, int, int]:
    year = int(parts.get("year", 0))
    if "short_year" in parts:
        year = pivot_year + (int(parts["short_year"]) - pivot_year) % 100
    name = parts.get("name", "")[:3].lower()
    month = 1 + _SHORT.index(name) if name else int(parts["month"])
    return year, month, int(parts["day"])


@cache
def format_pattern(layout: str) -> re.Pattern[str]:
    """The pattern of a layout: tokens and separators, or a word for serial numbers.

    Digits are ASCII. Raises ValueError for anything else, for a part of the moment given twice, for
    a layout without a full date, and for one in which a token could end in two places.
    """
    if layout in SERIALS:
        return re.compile(SERIALS[layout])
    pattern, parts = "", set[str]()
    for token, separator, other in LAYOUT.findall(layout):
        if other:
            raise ValueError(f"has {other!r}, which is neither a token nor a separator")
        part, form, _ = _TOKENS[token] if token else ("", "", ())
        if part in parts:
            raise ValueError(f"has {token} twice")
        parts |= {part} - {""}
        pattern += f"(?P<{part}>{form})" if part else re.escape(separator)
    _check_parts(layout, parts)
    return re.compile(pattern)


def separators(layout: str) -> list[str]:
    """What stands between the tokens of a layout."""
    return [separator for _, separator, _ in LAYOUT.findall(layout) if separator]


def _check_parts(layout: str, parts: set[str]) -> None:
    wanted = {"DD": {"day"}, "MM": {"month", "name"}, "YYYY": {"year", "short_year"}}
    if missing := [token for token, either in wanted.items() if not either & parts]:
        raise ValueError(f"lacks {', '.join(missing)}")
    for several in ({"year", "short_year"}, {"month", "name"}, {"hour", "hour12"}):
        if several <= parts:
            raise ValueError("has two tokens for one thing")
    found = LAYOUT.findall(layout)
    if ("hour12" in parts) != ("half" in parts):
        raise ValueError("has one of HH12 and AM without the other")
    if "f" in parts and "second" not in parts:
        raise ValueError("has FF without SS")
    if "zone" in parts and found[-1][0] != "TZ":
        raise ValueError("has TZ before its end")
    if "name" in parts and "T" in separators(layout):
        raise ValueError("has T beside the name of a month")
    for (token, *_), (after, *_) in pairwise(found):
        wide = [name for name in (token, after) if name and len({*map(len, _TOKENS[name][2])}) > 1]
        if token and after and after != "TZ" and wide:
            raise ValueError(f"has no separator between {token} and {after}; see {wide[0]}")


@cache
def readings(layout: str) -> dict[str, tuple[str, ...]]:
    """The shapes of all texts that fit a layout, each with what its characters are parts of.

    A shape is a text in lower case with 0 for any digit.
    """
    options = [
        [(shape, (part,) * len(shape)) for shape in shapes]
        for token, separator, _ in LAYOUT.findall(layout)
        for part, _, shapes in [_TOKENS[token] if token else (separator, "", (separator,))]
    ]
    if layout in SERIALS:
        most = {"epoch": 12, "epoch_ms": 15, "excel": 7}[layout]
        digits = [("0" * n, (layout,) * n) for n in range(16)]
        fractions = [("." + zeros, (".", *parts)) for zeros, parts in digits[:10]]
        options = [[("", ()), ("-", ("-",))], digits[1 : most + 1], [("", ()), *fractions]]
    return {
        "".join(shape for shape, _ in chosen): sum((parts for _, parts in chosen), ())
        for chosen in product(*options)
    }


def unlike(text: str, kind: str, layouts: tuple[str, ...]) -> str:
    """What is wrong with a text that has none of the layouts, and which others would read it."""
    said = "is not an ISO 8601 timestamp such as 2024-05-31 13:45:00+02:00"
    if layouts:
        said = f"is not a {kind} in the form {layouts[0]}"
    if len(layouts) > 1:
        said = f"is in none of the forms {', '.join(layouts)}"
    forms = [day for day in _DAYS if format_pattern(day).match(text)]
    if kind == "timestamp":
        forms = [day + time for day in forms for time in _TIMES]
    forms += ["excel"] if kind == "date" else ["epoch", "epoch_ms"]
    fitting = [form for form in forms if _reads(form, text, kind)]
    # The order of day and month is the contract's, if a text has both.
    orders = {_day_first(layout) for layout in layouts}
    fitting = [form for form in fitting if _day_first(form) in orders] or fitting
    return said + (f"; the form {' or '.join(fitting[:2])} reads it" if fitting else "")


def _day_first(layout: str) -> bool:
    return layout.find("D") < layout.find("M")


def _reads(layout: str, text: str, kind: str) -> bool:
    parse = parse_date if kind == "date" else parse_timestamp
    with suppress(ValueError):
        return bool(format_pattern(layout).fullmatch(text) and parse(text, layout))
    return False
