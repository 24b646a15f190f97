"""The contract of a feed: a dbt source's YAML as frozen models that refuse unknown keys."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import suppress
from difflib import get_close_matches
from functools import cached_property
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from loader.contract import moments
from loader.contract.column import COLUMN_KEYS, FOR_COLUMNS, Column, parse_type
from loader.contract.options import FORM, FeedOptions, in_a_name
from loader.contract.words import Frozen
from loader.errors import ConfigError, DataRefused
from loader.records.dialect import Dialect

# The number of a record in its file, in the landing table of a feed with record_number.
RECORD = "_record"
# What a file has beyond the contract, as a JSON object, in that of a feed that keeps it.
EXTRA = "_extra"
# Written by the loader beside the feed's own columns in every landing table.
LOAD_COLUMNS = ("_load_id", "_loaded_at", RECORD)
# What a column of a file cannot be called: also what is staged and what staging models read.
_TAKEN = (*LOAD_COLUMNS, "_number", "_file", "_file_time")
# Redshift: "Character types", VARCHAR holds at most 65,535 bytes.
_VARCHAR_MAX = 65_535
_VARCHAR = re.compile(r"(?:varchar|character varying)\s*\(\s*([0-9]+)\s*\)", re.IGNORECASE)

_Model = TypeVar("_Model", bound=BaseModel)


class Feed(Frozen):
    """A feed: where its files are, and what each record of them must satisfy.

    columns: the last is EXTRA if the feed keeps that.
    """

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
            include={"options": {"delimiter", "quote", "columns", *FORM}, "columns": True}
        )
        return hashlib.sha256(rules.encode()).hexdigest()

    @property
    def version(self) -> str:
        """SHA-256 of all that decides whether a file is refused, less what is as if left out.

        The ledger keeps it: what one version has refused, another tries again.
        """
        apart = {"location", "exclude", "rejects"}
        said = self.model_dump_json(exclude={"file": True, "options": apart}, exclude_defaults=True)
        return hashlib.sha256(said.encode()).hexdigest()

    @cached_property
    def dialect(self) -> Dialect:
        """The delimiter and the quote of its files, or of their canonical text."""
        delimiter = "\t" if self.options.long_delimiter else self.options.delimiter
        return Dialect(ord(delimiter), ord(self.options.quote.replace("none", '"')))

    @cached_property
    def column_names(self) -> tuple[str, ...]:
        """The columns that are judged, in the contract's order."""
        return tuple(column.name for column in self.columns)

    @property
    def keeps_extra(self) -> bool:
        """Whether columns that the contract does not name are landed, together in EXTRA."""
        return self.options.columns.extra == "keep"

    @property
    def file_columns(self) -> tuple[Column, ...]:
        """The columns that a file may have, in the contract's order."""
        return self.columns[:-1] if self.keeps_extra else self.columns

    @property
    def file_names(self) -> tuple[str, ...]:
        """What these are called."""
        return tuple(column.name for column in self.file_columns)

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
        pattern = moments.format_pattern(in_a_name(layout)).pattern
        dates = re.findall(f"(?<![0-9])(?=({pattern})(?![0-9]))", in_a_name(uri))
        for found, *_ in reversed(dates):
            with suppress(ValueError):
                moment = moments.parse_timestamp(found, in_a_name(layout))
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
    defaults = {name: getattr(options, name) for name in FOR_COLUMNS}
    kept = [EXTRA] if options.columns.extra == "keep" else []
    for name in kept:
        if node["columns"].get(name, {}).get("config", {}).get("meta"):
            raise ConfigError(
                f"{place}, column {name}, config.meta: the loader writes this column, so it has no"
                " rules. Take them out, or name what they are for as a column of its own."
            )
    columns = [
        _parse_column(column, f"{place}, column {column['name']}", defaults)
        for column in node["columns"].values()
        if column["name"] not in (*LOAD_COLUMNS, *kept)
    ]
    columns += [Column(name=name, max_bytes=_VARCHAR_MAX) for name in kept if columns]
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
        typed = parse_type(rules.get("type", "text"))
    except ValueError as error:
        raise ConfigError(f"{place} key type: {error}") from None
    own = {"name": column["name"], "max_bytes": int(varchar[1]), **typed}
    for key, value in defaults.items():
        if rules.get(key) is None and typed["kind"] in FOR_COLUMNS[key]:
            own[key] = value
    own |= {k: v for k, v in rules.items() if k != "type" and k not in own}
    return _parse(Column, own, place)


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
