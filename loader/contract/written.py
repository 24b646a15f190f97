"""The YAML of a contract as somebody wrote it: what dbt drops, or reads as another value."""

from collections import Counter
from collections.abc import Collection, Mapping
from decimal import Context, Decimal
from difflib import get_close_matches
from typing import Any

import yaml

from loader.contract.column import COLUMN_KEYS
from loader.contract.options import FeedOptions
from loader.errors import ConfigError

# dbt's own choice, so that a scalar has the type here that it has there.
_YamlLoader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_READER = yaml.constructor.SafeConstructor()
# How like a word of the contract another must be to be taken for it, as `metas` or `requierd`.
_LIKENESS = 0.85
# Where dbt and the loader look for a word: those of any table, of a feed, of a column.
_ANY = {"config": "config", "meta": "config.meta", "feed": "config.meta.feed"}
_FEED = _ANY | {name: f"config.meta.feed.{name}" for name in FeedOptions.model_fields}
_COLUMN = {**_ANY, **{name: f"config.meta.{name}" for name in COLUMN_KEYS}}


def find_misread(file: str, text: str, feeds: Collection[str]) -> dict[str, ConfigError]:
    """What a file of sources says and dbt does not take as it is written, by source table.

    Such are a key or a column given twice, of which dbt keeps the last; a word of the contract
    where dbt ignores it; and a number that YAML reads as another. What concerns the whole file has
    its name. file: as the manifest names it. feeds: the source tables that are feeds, by source and
    table name.
    """
    found = dict[str, ConfigError]()
    try:
        sources = _plain(file, yaml.compose(text, Loader=_YamlLoader))["sources"]
    except ConfigError as error:
        return {file: error}
    for source in sources:
        for table in source.get("tables", ()):
            name = f"{source['name'].value}.{table['name'].value}"
            try:
                _check_words(f"{file}: source {source['name'].value}", source, _ANY)
                _check_table(file, name, source, table, name in feeds or "{{" in name)
            except ConfigError as error:
                # The manifest has what Jinja makes of a name, so that may be any of the file.
                found[file if "{{" in name else name] = error
    return found


def _check_table(
    file: str, name: str, source: Mapping[str, Any], table: Mapping[str, Any], is_feed: bool
) -> None:
    """Raises ConfigError for what is misread of a source table."""
    place = f"{file}: source table {name}"
    _check_words(place, table, _FEED if is_feed else _ANY)
    if is_feed:
        options = [_meta(part).get("feed", {}) for part in (source, table)]
        _check_values(f"{place}, config.meta.feed", "", options)
        _check_columns(place, table.get("columns", ()))


def _check_columns(place: str, columns: Collection[Mapping[str, Any]]) -> None:
    for name, times in Counter(column["name"].value for column in columns).items():
        if times > 1:
            raise ConfigError(f"{place}: column {name} is listed twice")
    for column in columns:
        at = f"{place}, column {column['name'].value}"
        _check_words(at, column, _COLUMN)
        _check_values(f"{at}, config.meta", "", _meta(column))


def _check_words(place: str, part: Mapping[str, Any], homes: Mapping[str, str]) -> None:
    """Raises ConfigError for a word, or what is almost one, that is not in its home."""
    config, meta = part.get("config", {}), {} if homes is _COLUMN else _meta(part)
    written = [("", key) for key in part if key not in ("config", "meta", "columns")]
    written += [(", config", key) for key in config if key != "meta"]
    written += [(", config.meta", key) for key in meta if key != "feed"]
    for where, key in written:
        if close := get_close_matches(key.lower(), homes, 1, _LIKENESS):
            word = homes[close[0]]
            raise ConfigError(f"{place}{where} key {key}: dbt ignores it here. Write it as {word}.")


def _check_values(place: str, key: str, value: Any) -> None:
    """Raises ConfigError for a scalar that YAML reads as another value than it is written as."""
    if not isinstance(value, yaml.ScalarNode):
        for name, item in value.items() if isinstance(value, dict) else [(key, i) for i in value]:
            _check_values(place, name, item)
        return
    kind, text, read = value.tag.rpartition(":")[2], value.value, _READER.construct_object(value)
    # Without traps, what is no number is NaN, which equals nothing.
    is_other = kind in ("int", "float") and Decimal(text, Context(traps=[])) != Decimal(str(read))
    if is_other or (key == "accepted_values" and kind != "str"):
        line = value.start_mark.line + 1
        raise ConfigError(
            f"{place} key {key}: YAML reads {text} in line {line} as {read}. Write it in quotes."
        )


def _plain(file: str, node: Any) -> Any:
    """A YAML node as dicts, lists and scalar nodes; null as an empty dict, which it may stand for.

    Raises ConfigError for a key given twice.
    """
    if isinstance(node, yaml.SequenceNode):
        return [_plain(file, item) for item in node.value]
    if not isinstance(node, yaml.MappingNode):
        return {} if node.tag.endswith(":null") else node
    merged, own = dict[str, Any](), dict[str, Any]()
    for key, value in node.value:
        plain = _plain(file, value)
        if key.tag.endswith(":merge"):
            # What `<<` brings is there to be overridden; the first of several wins.
            for base in plain if isinstance(plain, list) else [plain]:
                merged = base | merged
        elif key.value in own:
            place = f"{file}, line {key.start_mark.line + 1}"
            raise ConfigError(f"{place}: {key.value} is given twice; dbt keeps the last. Keep one.")
        else:
            own[key.value] = plain
    return merged | own


def _meta(part: Mapping[str, Any]) -> dict[str, Any]:
    """`meta` and `config.meta`, which dbt takes together."""
    return {**part.get("meta", {}), **part.get("config", {}).get("meta", {})}
