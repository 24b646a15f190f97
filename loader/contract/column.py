"""One column of a feed: its type, its rules, and how its values are read."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal, InvalidOperation
from functools import cached_property
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from loader.contract import moments, text
from loader.contract.words import (
    DecimalChar,
    Frozen,
    GroupChar,
    Kind,
    Text,
    Words,
    Year,
    layout_tokens,
    listed,
    newer,
    scalar_text,
)

_DECIMAL = re.compile(r"decimal\s*\(\s*([0-9]+)\s*,\s*([0-9]+)\s*\)")
# Redshift: "Numeric types", DECIMAL has at most 38 digits; 37 of them after the point.
_PRECISION_MAX, _SCALE_MAX = 38, 37
_TYPES = "text, integer, decimal(p,s), float, boolean, date, timestamp"
# `config.meta` of a column.
COLUMN_KEYS = (
    *("type", "format", "required", "unicode", "accepted_values", "pattern", "minimum", "maximum"),
    *("null_values", "decimal_char", "group_char", "bare_number", "true_values", "false_values"),
    *("pivot_year", "excess_fraction", "header"),
)
# What `config.meta.feed` says for every column of these types that does not say it itself.
FOR_COLUMNS: dict[str, tuple[Kind, ...]] = {
    "null_values": get_args(Kind),
    "decimal_char": ("decimal", "float"),
    "group_char": ("integer", "decimal"),
    "bare_number": ("integer", "decimal", "float"),
    "true_values": ("boolean",),
    "false_values": ("boolean",),
    "pivot_year": ("date", "timestamp"),
    "excess_fraction": ("timestamp",),
}
_COMPARABLE = ("integer", "decimal", "float", "date", "timestamp")


def _check_format(layout: str, info: ValidationInfo) -> str:
    kind = info.data["kind"]
    if kind not in ("date", "timestamp"):
        raise ValueError(f"only for type date or timestamp; this is {kind}")
    tokens = set(layout_tokens(layout, layout))
    time = tokens - {"year", "short_year", "month", "name", "day", "excel"}
    if kind == "date" and (time or {":", "T"} & set(moments.separators(layout))):
        raise ValueError(f"{layout!r} has a time of day, but the type is date")
    is_moment = time & {"epoch", "epoch_ms"} or (time & {"hour", "hour12"} and "minute" in time)
    if kind == "timestamp" and not is_moment:
        raise ValueError(f"{layout!r} lacks HH24 or MI; for days use type date")
    return layout


def _check_formats(value: object, info: ValidationInfo) -> object:
    layouts, read = [value] if isinstance(value, str) else value, dict[str, Any]()
    if not layouts or not isinstance(layouts, list) or {*map(type, layouts)} != {str}:
        raise ValueError(f"must be a form such as DD/MM/YYYY, or a list of forms (got {value!r})")
    for layout in layouts:
        shapes = moments.readings(_check_format(layout, info))
        for other, others in read.items():
            common = shapes.keys() & others.keys()
            if any(shapes[shape] != others[shape] for shape in common):
                raise ValueError(f"{other!r} and {layout!r} fit the same texts")
            if len(common) in (len(shapes), len(others)):
                is_wider = len(shapes) > len(others)
                wide, narrow = (layout, other) if is_wider else (other, layout)
                raise ValueError(f"{wide!r} fits all that {narrow!r} fits; leave that out")
        read[layout] = shapes
    return value


def _check_pattern(pattern: str) -> str:
    # Imported here: of all contracts only those with a pattern need the engine to be read.
    from loader.records.engine import pattern_error

    if problem := pattern_error(pattern):
        raise ValueError(f"{pattern!r} is not a valid RE2 expression: {problem}")
    return pattern


def _check_bound(bound: str, info: ValidationInfo) -> str:
    rules = Column.model_construct(**info.data)  # the fields before this one that are valid
    if rules.kind not in _COMPARABLE:
        raise ValueError(f"only for type {', '.join(_COMPARABLE)}; this is {rules.kind}")
    try:
        value = rules.parse_bound(bound)
    except ValueError as error:
        raise ValueError(f"{bound!r} {error}") from None
    if rules.minimum is not None and value < rules.parse_bound(rules.minimum):
        raise ValueError(f"{bound} is below the minimum, {rules.minimum}")
    return bound


_HeaderName = Annotated[str, BeforeValidator(scalar_text), Field(pattern=r"\S")]


class Column(Frozen):
    """One column of a feed.

    max_bytes: of a value as UTF-8. precision, scale: of a decimal. The other fields are keys of
    `config.meta`. The order of the fields is part of Feed.fingerprint.
    """

    name: str
    max_bytes: int
    kind: Kind = "text"
    precision: int = 0
    scale: int = 0
    format: Annotated[str | tuple[str, ...], BeforeValidator(_check_formats)] | None = None
    pivot_year: Year = newer(moments.PIVOT_YEAR)
    excess_fraction: Literal["error", "cut"] = newer("error")
    required: bool = False
    accepted_values: tuple[Text, ...] | None = Field(default=None, min_length=1)
    pattern: Annotated[str, Field(min_length=1), AfterValidator(_check_pattern)] | None = None
    minimum: Annotated[Text, AfterValidator(_check_bound)] | None = None
    maximum: Annotated[Text, AfterValidator(_check_bound)] | None = None
    unicode: Literal["nfc"] | None = newer(None)
    header: Annotated[tuple[_HeaderName, ...], BeforeValidator(listed)] = newer(())
    null_values: Words = newer(())
    decimal_char: DecimalChar = newer(".")
    group_char: GroupChar = newer("")
    bare_number: Annotated[bool, Field(strict=True)] = newer(True)
    true_values: Annotated[Words, Field(min_length=1)] = newer(text.TRUE_WORDS)
    false_values: Annotated[Words, Field(min_length=1)] = newer(text.FALSE_WORDS)

    @field_validator(*FOR_COLUMNS)
    @classmethod
    def _of_its_type(cls, value: Any, info: ValidationInfo) -> Any:
        kinds, kind = FOR_COLUMNS[str(info.field_name)], info.data["kind"]
        if kind not in kinds:
            raise ValueError(f"only for type {' or '.join(kinds)}; this is {kind}")
        if kind == "decimal" and value == info.data.get("decimal_char"):
            raise ValueError(f"decimal_char and group_char must differ (both are {value!r})")
        return value

    @field_validator("true_values", "false_values")
    @classmethod
    def _in_lower_case(cls, words: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(map(text.simple_lower, words))

    @model_validator(mode="after")
    def _true_or_false(self) -> Column:
        if both := set(self.true_values) & set(self.false_values):
            raise ValueError(f"true_values and false_values both have {min(both)!r}; list both")
        return self

    @cached_property
    def accepted_words(self) -> list[str]:
        """The accepted values as they are compared, stripped and in lower case."""
        return sorted({text.simple_lower(value.strip()) for value in self.accepted_values or ()})

    @cached_property
    def parse(self) -> Callable[[str], Any]:
        """The function that reads a stripped text. It raises ValueError that says what is wrong."""
        size, signs = (self.precision, self.scale), (self.decimal_char, self.group_char)
        words, pivot = (self.true_values, self.false_values), self.pivot_year
        parsers: dict[Kind, Callable[[str], Any]] = {
            "text": str,
            "integer": lambda value: text.parse_integer(self._bare(value), self.group_char),
            "decimal": lambda value: text.parse_decimal(self._bare(value), *size, *signs),
            "float": lambda value: text.parse_float(self._bare(value), self.decimal_char),
            "boolean": lambda value: text.parse_boolean(value, *words),
            "date": lambda value: moments.parse_date(value, self._layout(value), pivot),
            "timestamp": lambda value: moments.parse_timestamp(
                value, self._layout(value), pivot, cut=self.cuts
            ),
        }
        return parsers[self.kind]

    @property
    def cuts(self) -> bool:
        """Whether digits of a fraction beyond the sixth are cut."""
        return self.excess_fraction == "cut"

    def _bare(self, value: str) -> str:
        return value if self.bare_number else text.bare_number(value, self.group_char)

    @property
    def layouts(self) -> tuple[str, ...]:
        """The forms that dates may have; none for ISO 8601."""
        return (self.format,) if isinstance(self.format, str) else self.format or ()

    def _layout(self, value: str) -> str | None:
        """The form of a date, of which there is only one. Raises ValueError if it is none."""
        for layout in self.layouts:
            if moments.format_pattern(layout).fullmatch(value):
                return layout
        if not self.layouts:
            return None
        raise ValueError(moments.unlike(value, self.kind, self.layouts))

    @property
    def bounds(self) -> tuple[Any, ...]:
        """The typed minimum and maximum; None where there is none."""
        bounds = (self.minimum, self.maximum)
        return tuple(None if bound is None else self.parse_bound(bound) for bound in bounds)

    def parse_bound(self, value: str) -> Any:
        """A minimum or maximum; for decimals it may have more digits than the column."""
        if self.kind == "float":
            return text.parse_float(value)
        if self.kind != "decimal":
            return self.parse(value)
        with suppress(InvalidOperation):
            if (number := Decimal(value)).is_finite():
                return number
        raise ValueError("is not a number")


def parse_type(written: Any) -> dict[str, Any]:
    """Kind, and a decimal's precision and scale. Raises ValueError for what is not a type."""
    name = str(written).strip().lower()
    if decimal := _DECIMAL.fullmatch(name):
        precision, scale = map(int, decimal.groups())
        if not 1 <= precision <= _PRECISION_MAX or scale > min(precision, _SCALE_MAX):
            raise ValueError(
                f"decimal needs 1 <= p <= {_PRECISION_MAX} and 0 <= s <= p (got {written!r})"
            )
        return {"kind": "decimal", "precision": precision, "scale": scale}
    if name == "decimal" or name not in get_args(Kind):
        raise ValueError(f"{written!r} is not a type; allowed: {_TYPES}")
    return {"kind": name}
