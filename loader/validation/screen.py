"""The contract as one DuckDB predicate: true only for records that are certainly valid.

It clears what it can prove with cheap pattern matches, at the engine's speed. A record that it
does not clear is not rejected yet; the judge looks at it. So each clause may be narrower than the
rule it stands for, never wider.
"""

from collections.abc import Iterable
from contextlib import suppress
from datetime import date, timedelta
from decimal import Decimal

from loader.contract.column import Column
from loader.contract.moments import LAYOUT, PIVOT_YEAR, SERIALS, format_pattern
from loader.contract.text import CURRENCIES, STRIP_CHARACTERS, UNITS, any_case
from loader.records.engine import identifier, literal

_BLANK_CLASS = "".join(f"\\x{{{ord(c):X}}}" for c in STRIP_CHARACTERS)
_BLANKS = f"[{_BLANK_CLASS}]*"
_NOT_BLANK = f"[^{_BLANK_CLASS}]"

# The calendar as a pattern, which costs a third of a cast. Years that stay within 0001 to 9999
# whatever the offset.
_LEAP_YEAR = "(?:[1-8][0-9](?:0[48]|[2468][048]|[13579][26])|(?:[2468][048]|[1357][26])00)"
_DAY = (
    "(?:[1-8][0-9]{3}-(?:"
    "(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])"
    "|(?:0[13-9]|1[0-2])-(?:29|30)"
    "|(?:0[13578]|1[02])-31"
    f")|{_LEAP_YEAR}-02-29)"
)
_TIME = "(?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:\\.[0-9]{1,6})?)?"
_ZONE = "(?:[Zz]| ?[Uu][Tt][Cc]|[+-](?:(?:0[0-9]|1[0-3])(?::?[0-5][0-9])?|14(?::?00)?))"

# The engine's own tokens, by which it reads a text whose form has been looked at.
_DIRECTIVES = {
    **{"YYYY": "%Y", "YY": "%y", "MONTH": "%B", "MON": "%b", "MM": "%m", "M": "%m", "DD": "%d"},
    **{"D": "%d", "HH24": "%H", "H24": "%H", "HH12": "%I", "H12": "%I", "AM": "%p", "MI": "%M"},
    **{"SS": "%S", "FF": "%n", "TZ": ""},
}
# Numbers of moments within the calendar.
_SERIALS = {
    "epoch": "(?:-?[0-9]{1,9}|[0-9]{10,11})(?:\\.[0-9]{1,6})?",
    "epoch_ms": "(?:-?[0-9]{1,12}|[0-9]{13,14})",
    "excel": "[1-9][0-9]{2,5}(?:\\.0*)?",
}
# What stands around a number that is not bare.
_UNIT = f"(?:[{UNITS}]|{any_case(CURRENCIES)})"


def predicate(columns: tuple[Column, ...]) -> str:
    """SQL that is true for a row of the columns' raw text that satisfies every rule."""
    # A branch for each column: the engine optimizes one AND of all clauses in quadratic time. A
    # missing required value yields NULL; leave it to the judge.
    branches = (
        f"when not coalesce({' and '.join(f'({clause})' for clause in _clauses(column))}, false)"
        for column in columns
    )
    return f"case {' '.join(f'{branch} then false' for branch in branches)} else true end"


def _clauses(column: Column) -> list[str]:
    name = identifier(column.name)
    # Blanks count as bytes, so a blank value is no exception here.
    clauses = [f"{name} is null or strlen({name}) <= {column.max_bytes}"]
    if column.required and column.null_values:
        clauses.append(f"not {_matches(name, _one_of(column.null_values))}")
    if column.kind != "text":
        within = " and ".join([_typed(column, name), *_bounds(column, name)])
        clauses.append(_present(column, within))
    elif column.required and not all(map(str.strip, column.accepted_values or [""])):
        # What begins with a printable ASCII character is the usual case, and cheap to see.
        printable = f"{name} >= '!' and {name} < '\x7f'"
        clauses.append(_either(printable, f"regexp_matches({name}, {literal(_NOT_BLANK)})"))
    if column.unicode:
        # U+0300 is the first combining character; by any version of Unicode, all below it stay.
        below = _matches(name, "[^\\x{300}-\\x{10FFFF}]*")
        clauses.append(f"{name} is null or {below}")
    if column.accepted_values:
        clauses.append(_present(column, _matches(name, any_case(column.accepted_words))))
    if column.pattern:
        ends = literal(f"^[{_BLANK_CLASS}]+|[{_BLANK_CLASS}]+$")
        stripped = f"regexp_replace({name}, {ends}, '', 'g')"
        clauses.append(
            _present(column, f"regexp_full_match({stripped}, {literal(column.pattern)})")
        )
    return clauses


def _present(column: Column, clause: str) -> str:
    """An optional value may be missing, blank or a marker."""
    if column.required:
        return clause
    name = identifier(column.name)
    missing = _matches(name, _one_of(column.null_values) + "?")
    return f"{name} is null or {_either(clause, missing)}"


def _either(usual: str, rare: str) -> str:
    """What OR says; but OR would work out both for every row, CASE the second where it must."""
    return f"case when {usual} then true else {rare} end"


def _typed(column: Column, name: str) -> str:
    match column.kind:
        case "integer":
            return _matches(name, _bare(column, _number(column, 18)))
        case "decimal":
            whole, scale = column.precision - column.scale, column.scale
            point = _exactly(column.decimal_char)
            number = _number(column, whole) + f"(?:{point}[0-9]{{0,{scale}}}0*)?"
            fraction = f"|{point}[0-9]{{1,{scale}}}0*" if scale else ""
            return _matches(name, _bare(column, f"(?:{number}{fraction})"))
        case "float":
            point = _exactly(column.decimal_char)
            digits = f"(?:[0-9]{{1,15}}(?:{point}[0-9]{{0,15}})?|{point}[0-9]{{1,15}})"
            return _matches(name, _bare(column, f"{digits}(?:[eE][+-]?[0-9]{{1,2}})?"))
        case "boolean":
            return _matches(name, any_case(column.true_values + column.false_values))
        case "date" | "timestamp" if not column.layouts:
            shape = _DAY if column.kind == "date" else f"{_DAY}(?:[Tt ]{_TIME}{_ZONE}?)?"
            return _matches(name, shape if not column.cuts else shape.replace("{1,6}", "{1,9}"))
        case _:
            return f"{_moment(column, name)} is not null"


def _number(column: Column, whole: int) -> str:
    """A pattern of so many digits at most, with or without groups of three."""
    # Noughts in front count for nothing.
    forms = [f"0*[0-9]{{1,{whole}}}" if whole else "0+"]
    group = f"(?:{_exactly(column.group_char)}[0-9]{{3}})"
    groups, first = divmod(whole, 3)
    if column.group_char and groups:
        forms.append(f"[0-9]{{1,3}}{group}{{0,{groups - 1}}}")
        forms += [f"[0-9]{{1,{first}}}{group}{{{groups}}}"] if first else []
    return f"(?:{'|'.join(forms)})"


def _bare(column: Column, number: str) -> str:
    """A pattern of a number with its sign, and with the signs that may stand around it."""
    if column.bare_number:
        return f"[+-]?{number}"
    before, after = f"(?:{_UNIT} ?)?", f"(?: ?{_UNIT})?"
    return f"(?:[+-]?{before}{number}{after}|[(]{before}{number}{after}[)])"


def _moment(column: Column, name: str) -> str:
    """A value of one of the column's layouts as a timestamp; NULL for another."""
    # With every digit in its place, what the engine parses is in the calendar.
    branches = (
        f"when {_matches(name, f'(?:{_certain(layout, column)})')} then {_parsed(layout, column)}"
        for layout in column.layouts
    )
    return f"case {' '.join(branches)} end"


def _certain(layout: str, column: Column) -> str:
    """A pattern of texts in a layout that are within the calendar if the engine parses them."""
    if layout in SERIALS:
        return _SERIALS[layout]
    pattern = format_pattern(layout).pattern.replace("[0-9]{4}", "[1-8][0-9]{3}", 1)
    return pattern if column.cuts else pattern.replace("[0-9]{1,9}", "[0-9]{1,6}")


def _parsed(layout: str, column: Column) -> str:
    """A value of this layout as a timestamp; NULL for what is not in the calendar."""
    name = identifier(column.name)
    number = f"try_cast(regexp_extract({name}, '-?[0-9]+') as bigint)"
    if layout == "excel":
        return f"date '1899-12-30' + {number}::integer"
    if layout in SERIALS:
        return f"make_timestamp({number} * {1000 if layout == 'epoch_ms' else 1000000})"
    text, parts = name, format_pattern(layout).groupindex
    if "zone" in parts:
        text = f"regexp_replace({name}, {literal(f'(?:{_ZONE}|[Gg][Mm][Tt]){_BLANKS}$')}, '')"
    directives = LAYOUT.sub(lambda found: _DIRECTIVES.get(found[0], found[0]), layout)
    moment = f"try_strptime(trim({text}, ' '), {literal(directives)})"
    if "short_year" not in parts or column.pivot_year == PIVOT_YEAR:
        return moment
    # In another century; the judge looks at what depends on it.
    if column.minimum or column.maximum:
        return "null::timestamp"
    return f"case when strftime({moment}, '%m%d') <> '0229' then {moment} end"


def _matches(name: str, pattern: str) -> str:
    """Whether the stripped value has a shape that no blank is part of."""
    return f"regexp_full_match({name}, {literal(f'{_BLANKS}{pattern}{_BLANKS}')})"


def _one_of(words: Iterable[str]) -> str:
    """A pattern of words as they are."""
    return f"(?:{'|'.join(map(_exactly, words))})"


def _exactly(text: str) -> str:
    return "".join(f"\\x{{{ord(c):X}}}" for c in text)


def _bounds(column: Column, name: str) -> list[str]:
    """Whether a value is within its bounds, by number or by day; a timestamp, two days inside."""
    low, high = column.bounds
    if column.kind in ("date", "timestamp"):
        # With an offset of up to 14 hours, the day in UTC may be the one before or after.
        margin = timedelta(days=2 if column.kind == "timestamp" else 0)
        low, high = _day(low, margin), _day(high, -margin)
        value = f"regexp_extract({name}, '[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}')"
        if column.layouts:
            value = f"strftime({_moment(column, name)}, '%Y-%m-%d')"
    else:
        exact = column.kind != "float"
        low, high = (
            None if b is None else f"{Decimal(b):f}" if exact else f"'{b!r}'::double"
            for b in (low, high)
        )
        kind = "bigint" if column.kind == "integer" else f"decimal(38, {column.scale})"
        if not column.bare_number:
            name = f"translate(regexp_replace({name}, {literal(_UNIT)}, '', 'g'), '()', '-')"
        if column.group_char:
            name = f"replace({name}, {literal(column.group_char)}, '')"
        if column.decimal_char == ",":
            name = f"replace({name}, ',', '.')"
        # Blanks other than U+0020, and those behind a sign, make the cast fail. That the rest is
        # blanks is what the clause of the type asks for.
        digits = f"regexp_replace({name}, '[^0-9.+-]', '', 'g')"
        value = f"coalesce(try_cast({name} as {kind}), try_cast({digits} as {kind}))"
        if not exact:
            value = f"try_cast({name} as double)"
    return [f"{value} {sign} {bound}" for sign, bound in ((">=", low), ("<=", high)) if bound]


def _day(bound: date | None, margin: timedelta) -> str | None:
    """The day of a bound, moved by the margin; at the ends of the calendar it cannot be moved."""
    if bound is None:
        return None
    with suppress(OverflowError):
        bound += margin
    return literal(bound.isoformat()[:10])
