"""The contract of a feed: a dbt source's YAML as frozen models that refuse unknown keys."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from decimal import Decimal
from difflib import get_close_matches
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails

from loader.contract import text
from loader.errors import ConfigError

__all__ = ["LOAD_COLUMNS", "Column", "Feed", "parse_feed"]

# Written by the loader beside the feed's own columns in every landing table.
LOAD_COLUMNS = ("_load_id", "_loaded_at")

# Redshift: "Character types", VARCHAR holds at most 65,535 bytes.
_VARCHAR_MAX = 65_535
_VARCHAR = re.compile(r"(?:varchar|character varying)\s*\(\s*([0-9]+)\s*\)", re.IGNORECASE)
_DECIMAL = re.compile(r"decimal\s*\(\s*([0-9]+)\s*,\s*([0-9]+)\s*\)", re.IGNORECASE)
# Redshift: "Numeric types", DECIMAL has at most 38 digits; 37 of them after the point.
_PRECISION_MAX, _SCALE_MAX = 38, 37

_COMPARABLE = ("integer", "decimal", "date", "timestamp")
TYPES = ("text", "integer", "decimal(p,s)", "boolean", "date", "timestamp")


_Model = TypeVar("_Model", bound=BaseModel)


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def _scalar_text(value: object) -> object:
    """YAML reads 2024-01-01 as a date and 5 as a number; a bound or an accepted value is text."""
    return str(value) if value is not None and not isinstance(value, (list, dict, bool)) else value


_Text = Annotated[str, BeforeValidator(_scalar_text)]


class Rejects(_Frozen):
    """How many refused records a load may have: every limit that is set holds; none set is none."""

    max_rows: int | None = Field(default=None, ge=0)
    max_fraction: float | None = Field(default=None, ge=0, le=1)

    def allow(self, rejected: int, read: int) -> bool:
        """Whether a load of so many records may go on without the refused ones."""
        if self.max_rows is None and self.max_fraction is None:
            return rejected == 0
        within_rows = self.max_rows is None or rejected <= self.max_rows
        return within_rows and (self.max_fraction is None or rejected <= self.max_fraction * read)

    def __str__(self) -> str:
        limits = [f"{self.max_rows:,} records"] if self.max_rows is not None else []
        limits += [f"{100 * self.max_fraction:g}%"] if self.max_fraction is not None else []
        return " and ".join(limits) or "none"


class ColumnPolicy(_Frozen):
    """What to do with a column the contract does not name, or with an optional one not there."""

    extra: Literal["error", "ignore"] = "error"
    missing: Literal["error", "ignore"] = "ignore"


class FeedOptions(_Frozen):
    """`config.meta.feed` of the source table."""

    location: str = Field(min_length=1)
    mode: Literal["append", "replace"] = "append"
    delimiter: str = ","
    quote: str = '"'
    compression: Literal["none", "gzip", "zstd"] | None = None
    rejects: Rejects = Rejects()
    columns: ColumnPolicy = ColumnPolicy()

    @field_validator("delimiter", "quote")
    @classmethod
    def _one_printable_byte(cls, value: str) -> str:
        if len(value) != 1 or not (value == "\t" or " " < value <= "~") or value.isalnum():
            raise ValueError("must be one ASCII character, no letter or digit, or a tab")
        return value

    @model_validator(mode="after")
    def _distinct(self) -> FeedOptions:
        if self.delimiter == self.quote:
            raise ValueError("delimiter and quote must differ")
        return self


class _ColumnRules(_Frozen):
    """`config.meta` of a column, as written."""

    type: str = "text"
    format: str | None = None
    required: bool = False
    accepted_values: tuple[_Text, ...] | None = Field(default=None, min_length=1)
    pattern: str | None = Field(default=None, min_length=1)
    minimum: _Text | None = None
    maximum: _Text | None = None

    @field_validator("type")
    @classmethod
    def _known_type(cls, value: str) -> str:
        name = value.strip().lower()
        if decimal := _DECIMAL.fullmatch(name):
            precision, scale = int(decimal[1]), int(decimal[2])
            if not 1 <= precision <= _PRECISION_MAX or scale > min(precision, _SCALE_MAX):
                raise ValueError(f"decimal needs 1 <= p <= {_PRECISION_MAX} and 0 <= s <= p")
        elif name not in ("text", "integer", "boolean", "date", "timestamp"):
            raise ValueError(f"{value!r} is not a type; allowed: {', '.join(TYPES)}")
        return name


class Column(_Frozen):
    """One column of a feed, every rule parsed and checked."""

    name: str
    max_bytes: int
    kind: Literal["text", "integer", "decimal", "boolean", "date", "timestamp"] = "text"
    precision: int = 0
    scale: int = 0
    format: str | None = None
    required: bool = False
    accepted_values: tuple[str, ...] | None = None
    pattern: str | None = None
    minimum: str | None = None
    maximum: str | None = None

    def parse(self, value: str) -> Any:
        """The typed value of a stripped text. Raises ValueError saying what is wrong with it."""
        match self.kind:
            case "integer":
                return text.parse_integer(value)
            case "decimal":
                return text.parse_decimal(value, self.precision, self.scale)
            case "boolean":
                return text.parse_boolean(value)
            case "date":
                return text.parse_date(value, self.format)
            case "timestamp":
                return text.parse_timestamp(value, self.format)
            case _:
                return value

    def parse_bound(self, value: str) -> Any:
        """A minimum or maximum; for decimals it may have more digits than the column."""
        if self.kind != "decimal":
            return self.parse(value)
        number = Decimal(value)
        if not number.is_finite():
            raise ValueError("is not a number")
        return number


class Feed(_Frozen):
    """A feed: where its files are, and what each record of them must satisfy."""

    source_name: str
    table_name: str
    file: str
    options: FeedOptions
    columns: tuple[Column, ...]

    @property
    def name(self) -> str:
        """As the ledger has it."""
        return f"{self.source_name}.{self.table_name}"

    @property
    def fingerprint(self) -> str:
        """SHA-256 of all that decides whether a record is accepted."""
        rules = self.model_dump_json(
            include={"options": {"delimiter", "quote", "columns"}, "columns": True}
        )
        return hashlib.sha256(rules.encode()).hexdigest()

    @property
    def column_names(self) -> tuple[str, ...]:
        """The file's columns, in the contract's order."""
        return tuple(column.name for column in self.columns)


def parse_feed(node: Mapping[str, Any]) -> Feed:
    """Reads one source table of dbt's manifest.

    node: source_name, name, original_file_path, config.meta.feed, and columns by name, each with
    data_type and config.meta. Raises ConfigError that names file, table, column and key.
    """
    place = f"{node['original_file_path']}: source table {node['source_name']}.{node['name']}"
    options = _parse(FeedOptions, node["config"]["meta"]["feed"], f"{place}, config.meta.feed")
    columns = [
        _parse_column(column, f"{place}, column {column['name']}")
        for column in node["columns"].values()
        if column["name"] not in LOAD_COLUMNS
    ]
    if not columns:
        raise ConfigError(f"{place}: no columns. List the file's columns under `columns:`.")
    names = [column.name.strip().lower() for column in columns]
    for name in names:
        if name.startswith("_loader_"):
            raise ConfigError(f"{place}: column {name}: names that begin with _loader_ are taken.")
        if names.count(name) > 1:
            raise ConfigError(f"{place}: column {name} is listed twice (case does not count).")
    return Feed(
        source_name=node["source_name"],
        table_name=node["name"],
        file=node["original_file_path"],
        options=options,
        columns=tuple(columns),
    )


def _parse_column(column: Mapping[str, Any], place: str) -> Column:
    data_type = column.get("data_type") or ""
    varchar = _VARCHAR.fullmatch(data_type.strip())
    if not varchar or not 1 <= int(varchar[1]) <= _VARCHAR_MAX:
        raise ConfigError(
            f"{place}, key data_type: {data_type or 'nothing'!r} is not allowed; the landing table"
            f" keeps text, so write varchar(n) with n from 1 to {_VARCHAR_MAX} bytes."
        )
    rules = _parse(_ColumnRules, column["config"]["meta"], f"{place}, config.meta")
    decimal = _DECIMAL.fullmatch(rules.type)
    parsed = Column(
        name=column["name"],
        max_bytes=int(varchar[1]),
        kind="decimal" if decimal else rules.type,  # type: ignore[arg-type]  # checked by _known_type
        precision=int(decimal[1]) if decimal else 0,
        scale=int(decimal[2]) if decimal else 0,
        **rules.model_dump(exclude={"type"}),
    )
    _check_rules(parsed, place)
    return parsed


def _check_rules(column: Column, place: str) -> None:
    """Rules that only make sense for some types, or whose value must be of the column's type."""

    def fail(key: str, problem: str) -> ConfigError:
        return ConfigError(f"{place}, config.meta key {key}: {problem}")

    if column.format is not None:
        if column.kind not in ("date", "timestamp"):
            raise fail("format", f"only for type date or timestamp; this is {column.kind}")
        try:
            found = text.format_pattern(column.format).groupindex
        except ValueError as error:
            raise fail(
                "format",
                f"{column.format!r} {error}; allowed tokens: YYYY MM DD HH24 MI SS,"
                " separators: - / . : T and a blank",
            ) from None
        if column.kind == "date" and (len(found) > 3 or {":", "T"} & set(column.format)):
            raise fail("format", f"{column.format!r} has a time of day, but the type is date")
        if column.kind == "timestamp" and not {"HH24", "MI"} <= set(found):
            raise fail("format", f"{column.format!r} lacks HH24 or MI; for days use type date")
    for key in ("minimum", "maximum"):
        bound = getattr(column, key)
        if bound is None:
            continue
        if column.kind not in _COMPARABLE:
            raise fail(key, f"only for type {', '.join(_COMPARABLE)}; this is {column.kind}")
        try:
            column.parse_bound(bound)
        except (ValueError, ArithmeticError) as error:
            raise fail(key, f"{bound!r} {error or 'is not a number'}") from None
    low, high = column.minimum, column.maximum
    if low is not None and high is not None and column.parse_bound(low) > column.parse_bound(high):
        raise fail("minimum", f"{low} is above the maximum, {high}")
    if column.pattern is not None:
        # Imported here: of all contracts only those with a pattern need the engine to be read.
        from loader.records.engine import pattern_error

        if problem := pattern_error(column.pattern):
            raise fail("pattern", f"{column.pattern!r} is not a valid RE2 expression: {problem}")


def _parse(model: type[_Model], value: Any, place: str) -> _Model:
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise ConfigError(f"{place}{_explain(model, error.errors()[0])}") from None


def _explain(model: type[BaseModel], detail: ErrorDetails) -> str:
    """One pydantic error, in the words of somebody who edits YAML."""
    path = ".".join(str(part) for part in detail["loc"])
    if detail["type"] == "extra_forbidden":
        *parents, unknown = detail["loc"]
        for parent in parents:
            nested = model.model_fields[str(parent)].annotation
            model = nested if isinstance(nested, type) and issubclass(nested, BaseModel) else model
        allowed = list(model.model_fields)
        close = get_close_matches(str(unknown), allowed, n=1)
        hint = f"; did you mean {close[0]}?" if close else ""
        return f" key {path}: unknown{hint} Allowed keys: {', '.join(allowed)}."
    message = detail["msg"].removeprefix("Value error, ")
    where = f" key {path}" if path else ""
    return f"{where}: {message} (got {detail['input']!r})."
