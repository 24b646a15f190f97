"""The contract of a feed: a dbt source's YAML as frozen models that refuse unknown keys."""

from __future__ import annotations

import codecs
import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from functools import cached_property, partial
from typing import Annotated, Any, Literal, TypeVar, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails

from loader.contract import text
from loader.errors import ConfigError, DataRefused
from loader.files.kinds import Compression
from loader.records.dialect import Dialect, Form

# The number of a record in its file, in the landing table of a feed with record_number.
RECORD = "_record"
# Written by the loader beside the feed's own columns in every landing table.
LOAD_COLUMNS = ("_load_id", "_loaded_at", RECORD)
# What a column of a file cannot be called: also what is staged and what staging models read.
_TAKEN = (*LOAD_COLUMNS, "_number", "_file", "_file_time")

Kind = Literal["text", "integer", "decimal", "float", "boolean", "date", "timestamp"]

# Redshift: "Character types", VARCHAR holds at most 65,535 bytes.
_VARCHAR_MAX = 65_535
_VARCHAR = re.compile(r"(?:varchar|character varying)\s*\(\s*([0-9]+)\s*\)", re.IGNORECASE)
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
_FOR_COLUMNS: dict[str, tuple[Kind, ...]] = {
    "null_values": get_args(Kind),
    "decimal_char": ("decimal", "float"),
    "group_char": ("integer", "decimal"),
}
# Codecs of text that are no encodings of files.
_NO_ENCODINGS = ("idna", "punycode", "unicode-escape", "raw-unicode-escape")
# `config.meta.feed`, of how a file is written.
_FORM = (
    *("encoding", "header", "header_rows", "skip_rows", "comment", "skip_lines"),
    *("skip_blank_rows", "repeated_header"),
)
_COMPARABLE = ("integer", "decimal", "float", "date", "timestamp")

_Model = TypeVar("_Model", bound=BaseModel)


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def _scalar_text(value: object) -> object:
    """YAML reads 2024-01-01 as a date and 5 as a number; a bound or an accepted value is text."""
    return str(value) if value is not None and not isinstance(value, (list, dict, bool)) else value


_Text = Annotated[str, BeforeValidator(_scalar_text)]


def _listed(value: object) -> object:
    """A single value is a list of one."""
    return value if value is None or isinstance(value, (list, tuple, dict)) else [value]


def _null_value(value: object) -> object:
    """A marker as it is compared, stripped."""
    # YAML reads NULL as no text, -9999 as a number, and "\\N" in double quotes as a blank (U+0085).
    if not isinstance(value, str) or not value.strip():
        raise ValueError(
            f"YAML reads {value!r}, which is no text or a blank one. Write it in single quotes,"
            " such as 'NULL', '\\N' or '-9999'; an empty value is NULL anyway"
        )
    return value.strip()


_NullValues = tuple[Annotated[str, BeforeValidator(_null_value)], ...]
_DecimalChar = Literal[".", ","]
_GroupChar = Literal["", ".", ",", "'", " ", "\u2019", "\u00a0", "\u202f"]


class Rejects(_Frozen):
    """How many rejected records a file may have: every limit that is set holds.

    If none is set, a file may have none.
    """

    max_rows: int | None = Field(default=None, ge=0, strict=True)
    # Of 100 records, 0.29 as a float would allow 28.
    max_fraction: Decimal | None = Field(default=None, ge=0, le=1)

    def allow(self, rejected: int, read: int) -> bool:
        """Whether a file of so many records may be loaded without the rejected ones."""
        limits = [self.max_rows, None if self.max_fraction is None else self.max_fraction * read]
        return rejected <= min((limit for limit in limits if limit is not None), default=0)

    def __str__(self) -> str:
        limits = [f"{self.max_rows:,} records"] if self.max_rows is not None else []
        limits += [f"{float(100 * self.max_fraction):g}%"] if self.max_fraction is not None else []
        return " and ".join(limits) or "none"


def _is_error(policy: str) -> bool:
    return policy == "error"


class ColumnPolicy(_Frozen):
    """What to do with columns that the contract does not name, that are not there, that have no
    name, or whose name another one has; and with records that are short of the last ones.

    What is newer than the others is not in the fingerprint of a contract without it.
    """

    extra: Literal["error", "ignore"] = "error"
    missing: Literal["error", "ignore"] = "ignore"
    blank: Literal["error", "ignore"] = Field(default="error", exclude_if=_is_error)
    repeated: Literal["error", "number"] = Field(default="error", exclude_if=_is_error)
    short: Literal["error", "null"] = Field(default="error", exclude_if=_is_error)

    @field_validator("short", mode="before")
    @classmethod
    def _null_is_text(cls, value: object) -> object:
        """YAML reads null as nothing."""
        return "null" if value is None else value


class FeedOptions(_Frozen):
    """`config.meta.feed` of the source table.

    file_time: when a file is from; the layout of a date in its name, or `modified`.
    """

    location: str = Field(min_length=1)
    mode: Literal["append", "replace"] = "append"
    exclude: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    file_time: str = "modified"
    record_number: bool = False
    delimiter: str = ","
    quote: str = Field(default='"', validate_default=True)
    compression: Compression | None = None
    rejects: Rejects = Rejects()
    columns: ColumnPolicy = ColumnPolicy()
    # Those below are not in the fingerprint of a contract without them.
    encoding: str = Field(default="utf-8", exclude_if=lambda name: name == "utf-8")
    header: bool = Field(default=True, strict=True, exclude_if=bool)
    header_rows: int = Field(default=1, ge=1, le=9, strict=True, exclude_if=lambda n: n == 1)
    skip_rows: Annotated[int, Field(ge=0, le=1000, strict=True)] | Literal["to_header"] = Field(
        default=0, exclude_if=lambda n: n == 0
    )
    comment: str | None = Field(default=None, min_length=1, exclude_if=lambda mark: mark is None)
    skip_lines: Annotated[tuple[_Text, ...], BeforeValidator(_listed)] = Field(
        default=(), exclude_if=lambda lines: not lines
    )
    skip_blank_rows: bool = Field(default=False, strict=True, exclude_if=lambda skip: not skip)
    repeated_header: Literal["reject", "skip"] = Field(
        default="reject", exclude_if=lambda policy: policy == "reject"
    )
    null_values: _NullValues = ()
    decimal_char: _DecimalChar = "."
    group_char: _GroupChar = ""

    @field_validator("file_time", mode="before")
    @classmethod
    def _modified_or_in_the_name(cls, value: object) -> object:
        layout = value.get("name") if isinstance(value, dict) and len(value) == 1 else None
        if value != "modified" and not isinstance(layout, str):
            raise ValueError(f"must be modified, or {{name: YYYY-MM-DD}} (got {value!r})")
        if layout:
            _layout_tokens(layout, _in_a_name(layout))
        return layout or value

    @field_validator("delimiter", "quote")
    @classmethod
    def _one_printable_byte(cls, value: str, info: ValidationInfo) -> str:
        if not re.fullmatch(r"[!-~\t]", value) or value.isalnum():
            raise ValueError(
                f"must be one ASCII character, no letter or digit, or a tab (got {value!r})"
            )
        if value == info.data.get("delimiter"):
            raise ValueError("delimiter and quote must differ")
        return value

    @field_validator("encoding")
    @classmethod
    def _encoding_of_text(cls, value: str) -> str:
        try:
            name = codecs.lookup(value).name
            if name in _NO_ENCODINGS:
                raise LookupError
            ascii_alike = bytes(range(128)).decode(name) == bytes(range(128)).decode("ascii")
        except (LookupError, UnicodeError):
            name, ascii_alike = value, False
        if ascii_alike or re.match("utf-(16|32)", name):
            return name.removesuffix("-sig")
        raise ValueError(
            f"must be an encoding that Python knows and that has ASCII in it, or utf-16 or utf-32,"
            f" such as latin-1, windows-1252 or gb18030 (got {value!r})"
        )

    @field_validator("comment", mode="before")
    @classmethod
    def _one_line(cls, value: object, info: ValidationInfo) -> object:
        if value is None:
            raise ValueError("is empty; YAML takes # for its own comment, so write it in quotes")
        if not isinstance(value, str):
            return value
        if value[:1] and value[0] in (info.data.get("quote"), info.data.get("delimiter")):
            raise ValueError(f"begins as a record may (got {value!r})")
        if not value.isprintable() or value != value.strip():
            raise ValueError(f"must be what a line begins with, without blanks (got {value!r})")
        return value

    @field_validator("skip_lines")
    @classmethod
    def _patterns(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in value:
            if not pattern.isascii() and ("[" in pattern or "\\" in pattern):
                raise ValueError(f"{pattern!r}: with [] or \\ only ASCII; write (é|è) for [éè]")
            if found := re.search(r"\\[AZz1-9x]|\(\?P|\(\?\(", pattern):
                raise ValueError(f"{pattern!r}: {found[0]} has no meaning in a pattern of a line")
            try:
                skipped = Form(skip_lines=(pattern,), comment="#").skipped(Dialect())
            except re.error as error:
                raise ValueError(f"{pattern!r} is no regular expression: {error}") from None
            if skipped and skipped.fullmatch(b""):
                raise ValueError(f"{pattern!r} matches an empty line; see skip_blank_rows")
        return value

    @model_validator(mode="after")
    def _one_header(self) -> FeedOptions:
        if not self.header and (self.header_rows > 1 or self.skip_rows == "to_header"):
            raise ValueError("header: false goes with neither header_rows nor skip_rows: to_header")
        if self.header_rows > 1 and self.repeated_header == "skip":
            raise ValueError("repeated_header: skip does not go with header_rows")
        if self.header_rows > 1 and self.skip_rows == "to_header":
            raise ValueError("skip_rows: to_header finds one line; with header_rows give a number")
        return self

    @property
    def form(self) -> Form | None:
        """How its files are written; None if they are canonical text already."""
        form = Form(
            encoding=self.encoding,
            header_rows=self.header_rows if self.header else 0,
            skip_rows=None if self.skip_rows == "to_header" else self.skip_rows,
            comment=self.comment,
            skip_lines=self.skip_lines,
            skip_blank_rows=self.skip_blank_rows,
            skip_repeated_header=self.repeated_header == "skip",
            drop_trailing=self.columns.blank == "ignore",
            pad_short=self.columns.short == "null",
        )
        return None if form == Form() else form


def _layout_tokens(layout: str, read_as: str) -> Mapping[str, int]:
    """The tokens of a layout of dates, by name. Raises ValueError that says what is allowed."""
    try:
        return text.format_pattern(read_as).groupindex
    except ValueError as error:
        raise ValueError(
            f"{layout!r} {error}; allowed tokens: YYYY MM DD HH24 MI SS,"
            " separators: - / . : T and a blank"
        ) from None


def _in_a_name(name: str) -> str:
    """A file's name, or the layout of a date in it: an underscore parts as a hyphen does."""
    return name.replace("_", "-")


def _check_format(layout: str, info: ValidationInfo) -> str:
    kind = info.data["kind"]
    if kind not in ("date", "timestamp"):
        raise ValueError(f"only for type date or timestamp; this is {kind}")
    tokens = _layout_tokens(layout, layout)
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


_HeaderName = Annotated[str, BeforeValidator(_scalar_text), Field(pattern=r"\S")]


class Column(_Frozen):
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
    accepted_values: tuple[_Text, ...] | None = Field(default=None, min_length=1)
    pattern: Annotated[str, Field(min_length=1), AfterValidator(_check_pattern)] | None = None
    minimum: Annotated[_Text, AfterValidator(_check_bound)] | None = None
    maximum: Annotated[_Text, AfterValidator(_check_bound)] | None = None
    # Not in the fingerprint of a contract without it, which is older than the word.
    unicode: Literal["nfc"] | None = Field(default=None, exclude_if=lambda form: form is None)
    header: Annotated[tuple[_HeaderName, ...], BeforeValidator(_listed)] = Field(
        default=(), exclude_if=lambda names: not names
    )
    null_values: _NullValues = Field(default=(), exclude_if=lambda markers: not markers)
    decimal_char: _DecimalChar = Field(default=".", exclude_if=lambda char: char == ".")
    group_char: _GroupChar = Field(default="", exclude_if=lambda char: not char)

    @field_validator("decimal_char", "group_char")
    @classmethod
    def _of_a_number(cls, char: str, info: ValidationInfo) -> str:
        kinds, kind = _FOR_COLUMNS[str(info.field_name)], info.data["kind"]
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
        """SHA-256 of all that decides whether a record is accepted.

        Quarantined records keep it, so what is hashed never changes for the same rules.
        """
        rules = self.model_dump_json(
            include={"options": {"delimiter", "quote", "columns", *_FORM}, "columns": True}
        )
        return hashlib.sha256(rules.encode()).hexdigest()

    @cached_property
    def dialect(self) -> Dialect:
        """The delimiter and the quote of its files."""
        return Dialect(ord(self.options.delimiter), ord(self.options.quote))

    @cached_property
    def column_names(self) -> tuple[str, ...]:
        """The file's columns, in the contract's order."""
        return tuple(column.name for column in self.columns)

    @property
    def landed_names(self) -> tuple[str, ...]:
        """What a file brings to the landing table, in order."""
        return self.column_names + ((RECORD,) if self.options.record_number else ())

    def file_time(self, uri: str, modified: str) -> str:
        """When a file is from, UTC in ISO 8601: the last date in its name, if the contract says so.

        modified: when it was last written. Raises DataRefused for a name without a date.
        """
        layout = self.options.file_time
        if layout == "modified":
            return modified
        pattern = text.format_pattern(_in_a_name(layout)).pattern
        dates = re.findall(f"(?<![0-9])(?=({pattern})(?![0-9]))", _in_a_name(uri))
        for found, *_ in reversed(dates):
            with suppress(ValueError):
                moment = text.parse_timestamp(found, _in_a_name(layout))
                return moment.replace(tzinfo=None).isoformat(" ")
        raise DataRefused(
            f"{uri}: no date in the form {layout} in its name, which {self.file} takes the file's"
            " time from. Correct the form in file_time, rename the file, or narrow the location so"
            " it is left out."
        )


def parse_feed(node: Mapping[str, Any]) -> Feed:
    """Reads one source table of dbt's manifest.

    node: source_name, name, original_file_path, config.meta.feed, and columns by name, each with
    data_type and config.meta. Raises ConfigError that names file, table, column and key.
    """
    place = f"{node['original_file_path']}: source table {node['source_name']}.{node['name']}"
    options = _parse(FeedOptions, node["config"]["meta"]["feed"], f"{place}, config.meta.feed")
    defaults = {name: getattr(options, name) for name in _FOR_COLUMNS}
    columns = [
        _parse_column(column, f"{place}, column {column['name']}", defaults)
        for column in node["columns"].values()
        if column["name"] not in LOAD_COLUMNS
    ]
    if not columns:
        raise ConfigError(f"{place}: no columns. List the file's columns under `columns:`.")
    for name, times in Counter(column.name.strip().lower() for column in columns).items():
        if name.startswith("_loader_") or name in _TAKEN:
            raise ConfigError(f"{place}: column {name}: the loader has a column of this name.")
        if times > 1:
            raise ConfigError(f"{place}: column {name} is listed twice (case does not count).")
    said: dict[str, str] = {}
    for column in columns:
        for header in (column.name, *column.header):
            other = said.setdefault(header.strip().lower(), column.name)
            if other != column.name:
                raise ConfigError(
                    f"{place}: {header} is the name or a header of the columns {other} and"
                    f" {column.name}; a file has one column of it."
                )
    return Feed(
        source_name=node["source_name"],
        table_name=node["name"],
        file=node["original_file_path"],
        options=options,
        columns=tuple(columns),
    )


def _parse_column(column: Mapping[str, Any], place: str, defaults: Mapping[str, Any]) -> Column:
    data_type = column.get("data_type") or ""
    varchar = _VARCHAR.fullmatch(data_type.strip())
    if not varchar or not 1 <= int(varchar[1]) <= _VARCHAR_MAX:
        raise ConfigError(
            f"{place}, key data_type: {data_type or 'nothing'!r} is not allowed; the landing table"
            f" keeps text, so write varchar(n) with n from 1 to {_VARCHAR_MAX} bytes."
        )
    place, rules = f"{place}, config.meta", column["config"]["meta"]
    for key in rules:
        if key not in COLUMN_KEYS:
            raise ConfigError(f"{place}{_unknown(str(key), str(key), COLUMN_KEYS)}")
    try:
        typed = _parse_type(rules.get("type", "text"))
    except ValueError as error:
        raise ConfigError(f"{place} key type: {error}") from None
    own = {"name": column["name"], "max_bytes": int(varchar[1]), **typed}
    for key, value in defaults.items():
        if rules.get(key) is None and typed["kind"] in _FOR_COLUMNS[key]:
            own[key] = value
    own |= {k: v for k, v in rules.items() if k != "type" and k not in own}
    return _parse(Column, own, place)


def _parse_type(written: Any) -> dict[str, Any]:
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


def _parse(model: type[_Model], value: Any, place: str) -> _Model:
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise ConfigError(f"{place}{_explain(model, error.errors()[0])}") from None


def _explain(model: type[BaseModel], detail: ErrorDetails) -> str:
    """One of Pydantic's errors, in the words of somebody who edits YAML."""
    path = ".".join(map(str, detail["loc"]))
    if detail["type"] == "extra_forbidden":
        for parent in detail["loc"][:-1]:
            nested = model.model_fields[str(parent)].annotation
            model = nested if isinstance(nested, type) and issubclass(nested, BaseModel) else model
        return _unknown(path, str(detail["loc"][-1]), model.model_fields)
    where = f" key {path}" if path else ""
    if detail["type"] == "value_error":
        return f"{where}: {detail['ctx']['error']}"
    return f"{where}: {detail['msg']} (got {detail['input']!r})."


def _unknown(path: str, key: str, allowed: Iterable[str]) -> str:
    close = get_close_matches(key, allowed, n=1)
    hint = f"; did you mean {close[0]}?" if close else "."
    return f" key {path}: unknown{hint} Allowed keys: {', '.join(allowed)}."
