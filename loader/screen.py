"""The contract as one DuckDB predicate: true only for records that are certainly valid.

It clears what it can prove with cheap pattern matches, at the engine's speed. What it does not
clear is not refused; the judge looks at it. So each clause may be narrower than the rule it stands
for, never wider.
"""

from __future__ import annotations

from decimal import Decimal

from loader.contract import Column
from loader.engine import identifier, literal
from loader.text import BOOLEAN_WORDS, STRIP_CHARACTERS, simple_lower

__all__ = ["predicate"]

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
_ZONE = "(?:[Zz]|[+-](?:(?:0[0-9]|1[0-3])(?::?[0-5][0-9])?|14(?::?00)?))"


_DIRECTIVES = {
    "YYYY": "%Y",
    "MM": "%m",
    "DD": "%d",
    "HH24": "%H",
    "MI": "%M",
    "SS": "%S",
}


def predicate(columns: tuple[Column, ...]) -> str:
    """SQL that is true for a row of the columns' raw text that satisfies every rule."""
    clauses = " and ".join(f"({clause})" for column in columns for clause in _clauses(column))
    # Of a missing value that is required nothing can be said; then the judge looks.
    return f"coalesce({clauses}, false)"


def _clauses(column: Column) -> list[str]:
    name = identifier(column.name)
    # Blanks count as bytes, so a blank value is no exception here.
    clauses = [f"{name} is null or strlen({name}) <= {column.max_bytes}"]
    if column.kind != "text":
        clauses.append(_present(column, _typed(column, name)))
    elif column.required and not all(map(str.strip, column.accepted_values or [""])):
        # What begins with a printable ASCII character is the usual case, and cheap to see.
        printable = f"{name} >= '!' and {name} < '\x7f'"
        clauses.append(f"{printable} or regexp_matches({name}, {literal(_NOT_BLANK)})")
    if column.accepted_values:
        words = sorted({simple_lower(value.strip()) for value in column.accepted_values})
        usual = f"{name} in ({', '.join(map(literal, words))})"
        clauses.append(_present(column, f"{usual} or {_matches(name, _any_case(words))}"))
    if column.pattern:
        ends = literal(f"^[{_BLANK_CLASS}]+|[{_BLANK_CLASS}]+$")
        stripped = f"regexp_replace({name}, {ends}, '', 'g')"
        clauses.append(
            _present(column, f"regexp_full_match({stripped}, {literal(column.pattern)})")
        )
    if column.minimum is not None or column.maximum is not None:
        clauses.append(_present(column, _bounded(column, name)))
    return clauses


def _present(column: Column, clause: str) -> str:
    """An optional value may be missing, or blank."""
    if column.required:
        return clause
    name = identifier(column.name)
    return f"{name} is null or ({clause}) or regexp_full_match({name}, {literal(_BLANKS)})"


def _typed(column: Column, name: str) -> str:
    match column.kind:
        case "integer":
            return _matches(name, "[+-]?[0-9]{1,18}")
        case "decimal":
            whole, scale = column.precision - column.scale, column.scale
            fraction = f"(?:\\.[0-9]{{0,{scale}}})?" if scale else "\\.?"
            return _matches(name, f"[+-]?[0-9]{{1,{whole}}}{fraction}") if whole else "false"
        case "boolean":
            return _matches(name, _any_case(sorted(BOOLEAN_WORDS)))
        case "date" | "timestamp" if column.format is None:
            shape = _DAY if column.kind == "date" else f"{_DAY}(?:[Tt ]{_TIME}{_ZONE}?)?"
            return _matches(name, shape)
        case "date" | "timestamp" if column.format is not None:
            # With every digit in its place, what the engine parses is in the calendar.
            shape = column.format.replace("YYYY", "[1-8][0-9]{3}")
            for token in ("MM", "DD", "HH24", "MI", "SS"):
                shape = shape.replace(token, "[0-9]{2}")
            shape = shape.replace(".", "[.]").replace("/", "[/]")
            layout = column.format
            for token, directive in _DIRECTIVES.items():
                layout = layout.replace(token, directive)
            parsed = f"try_strptime(trim({name}, ' '), {literal(layout)})"
            return f"{_matches(name, shape)} and {parsed} is not null"
        case _:
            return "false"


def _matches(name: str, pattern: str) -> str:
    """Whether the stripped value has a shape that no blank is part of."""
    return f"regexp_full_match({name}, {literal(f'{_BLANKS}{pattern}{_BLANKS}')})"


def _any_case(words: list[str]) -> str:
    """A pattern of lowercase words in any ASCII case; (?i) would fold letters beyond ASCII too."""
    spelled = (
        "".join(f"[{c}{c.upper()}]" if "a" <= c <= "z" else f"\\x{{{ord(c):X}}}" for c in word)
        for word in words
    )
    return f"(?:{'|'.join(spelled)})"


def _bounded(column: Column, name: str) -> str:
    if column.kind not in ("integer", "decimal"):
        return "false"
    engine_type = "bigint" if column.kind == "integer" else f"decimal(38, {column.scale})"
    # Blanks other than U+0020 make the cast fail. That there are only blanks around the digits is
    # what the clause of the type asks for.
    digits = f"regexp_extract({name}, '[+-]?[0-9][0-9.]*')"
    value = f"coalesce(try_cast({name} as {engine_type}), try_cast({digits} as {engine_type}))"
    low, high = column.minimum, column.maximum
    parts = [f"{value} >= {_number(low)}"] if low is not None else []
    parts += [f"{value} <= {_number(high)}"] if high is not None else []
    return " and ".join(parts)


def _number(bound: str) -> str:
    """A bound as a plain SQL number."""
    return f"{Decimal(bound):f}"
