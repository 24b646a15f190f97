"""One column of a feed: its type, its rules, and how its values are read."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal, InvalidOperation
from functools import cached_property, partial
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator

from loader.contract import text
from loader.contract.words import (
    DecimalChar,
    Frozen,
    GroupChar,
    Kind,
    NullValues,
    Text,
    layout_tokens,
    listed,
    scalar_text,
)

_DECIMAL = re.compile(r"decimal\s*\(\s*([0-9]+)\s*,\s*([0-9]+)\s*\)")
# Redshift: "Numeric types", DECIMAL has at most 38 digits; 37 of them after the point.
_PRECISION_MAX, _SCALE_MAX = 38, 37
_TYPES = "text, integer, decimal(p,s), float, boolean, date, timestamp"
# `config.meta` of a column.
COLUMN_KEYS = (
    *("type", "format", "required", "unicode", "accepted_values", "pattern", "minimum", "maximum"),
    *("null_values", "decimal_char", "group_char", "header"),
)
# What `config.meta.feed` says for every column of these types that does not say it itself.
FOR_COLUMNS: dict[str, tuple[Kind, ...]] = {
    "null_values": get_args(Kind),
    "decimal_char": ("decimal", "float"),
    "group_char": ("integer", "decimal"),
}
_COMPARABLE = ("integer", "decimal", "float", "date", "timestamp")


def _check_format(layout: str, info: ValidationInfo) -> str:
    kind = info.data["kind"]
    if kind not in ("date", "timestamp"):
        raise ValueError(f"only for type date or timestamp; this is {kind}")
    tokens = layout_tokens(layout, layout)
    if kind == "date" and (len(tokens) > 3 or {":", "T"} & set(layout)):
        raise ValueError(f"{layout!r} has a time of day, but the type is date")
    if kind == "timestamp" and not {"HH24", "MI"} <= set(tokens):
        raise ValueError(f"{layout!r} lacks HH24 or MI; for days use type date")
    return layout


def _check_formats(value: object, info: ValidationInfo) -> object:
    layouts, shapes = [value] if isinstance(value, str) else value, dict[str, str]()
    if not layouts or not isinstance(layouts, list) or {*map(type, layouts)} != {str}:
        raise ValueError(f"must be a form such as DD/MM/YYYY, or a list of forms (got {value!r})")
    for layout in layouts:
        shape = re.sub("[YMDHIS]", "0", _check_format(layout, info).replace("HH24", "HH"))
        if shape in shapes:
            raise ValueError(f"{shapes[shape]!r} and {layout!r} fit the same texts")
        shapes[shape] = layout
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
    required: bool = False
    accepted_values: tuple[Text, ...] | None = Field(default=None, min_length=1)
    pattern: Annotated[str, Field(min_length=1), AfterValidator(_check_pattern)] | None = None
    minimum: Annotated[Text, AfterValidator(_check_bound)] | None = None
    maximum: Annotated[Text, AfterValidator(_check_bound)] | None = None
    # Not in the fingerprint of a contract without it, which is older than the word.
    unicode: Literal["nfc"] | None = Field(default=None, exclude_if=lambda form: form is None)
    header: Annotated[tuple[_HeaderName, ...], BeforeValidator(listed)] = Field(
        default=(), exclude_if=lambda names: not names
    )
    null_values: NullValues = Field(default=(), exclude_if=lambda markers: not markers)
    decimal_char: DecimalChar = Field(default=".", exclude_if=lambda char: char == ".")
    group_char: GroupChar = Field(default="", exclude_if=lambda char: not char)

    @field_validator("decimal_char", "group_char")
    @classmethod
    def _of_a_number(cls, char: str, info: ValidationInfo) -> str:
        kinds, kind = FOR_COLUMNS[str(info.field_name)], info.data["kind"]
        if kind not in kinds:
            raise ValueError(f"only for type {' or '.join(kinds)}; this is {kind}")
        if kind == "decimal" and char == info.data.get("decimal_char"):
            raise ValueError(f"decimal_char and group_char must differ (both are {char!r})")
        return char

    @cached_property
    def accepted_words(self) -> list[str]:
        """The accepted values as they are compared, stripped and in lower case."""
        return sorted({text.simple_lower(value.strip()) for value in self.accepted_values or ()})

    @cached_property
    def parse(self) -> Callable[[str], Any]:
        """The function that reads a stripped text. It raises ValueError that says what is wrong."""
        size, signs = (self.precision, self.scale), (self.decimal_char, self.group_char)
        parsers: dict[Kind, Callable[[str], Any]] = {
            "text": str,
            "integer": partial(text.parse_integer, group_char=self.group_char),
            "decimal": lambda value: text.parse_decimal(value, *size, *signs),
            "float": partial(text.parse_float, decimal_char=self.decimal_char),
            "boolean": text.parse_boolean,
            "date": lambda value: text.parse_date(value, self._layout(value)),
            "timestamp": lambda value: text.parse_timestamp(value, self._layout(value)),
        }
        return parsers[self.kind]

    @property
    def layouts(self) -> tuple[str, ...]:
        """The forms that dates may have; none for ISO 8601."""
        return (self.format,) if isinstance(self.format, str) else self.format or ()

    def _layout(self, value: str) -> str | None:
        """The form of a date, of which there is only one. Raises ValueError if it is none."""
        if len(self.layouts) < 2:
            return "".join(self.layouts) or None
        for layout in self.layouts:
            if text.format_pattern(layout).fullmatch(value):
                return layout
        raise ValueError(f"is in none of the forms {', '.join(self.layouts)}")

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
