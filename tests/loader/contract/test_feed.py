"""Mistakes in the YAML. Each must be told in words that lead somebody to the line to change."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from loader.contract.feed import Feed, parse_feed
from loader.contract.options import Rejects
from loader.errors import ConfigError
from loader.warehouse.project import Project

if TYPE_CHECKING:
    from loader.conftest import MakeFeed

FILE = "models/staging/shop/_shop__sources.yml"


def refusal(make_feed: MakeFeed, columns: dict[str, Any], /, **options: Any) -> str:
    """What is said about a contract; it always begins with the file and the table."""
    with pytest.raises(ConfigError) as caught:
        make_feed(columns, **options)
    message = str(caught.value)
    assert message.startswith(f"{FILE}: source table shop.orders")
    assert "pydantic" not in message.lower()
    assert "\n" not in message
    return message


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        (
            {"locatoin": "x"},
            ["key locatoin: unknown", "did you mean location?", "Allowed keys: location, mode"],
        ),
        ({"mode": "upsert"}, ["key mode", "'append' or 'replace'", "got 'upsert'"]),
        ({"location": ""}, ["key location"]),
        ({"location": None}, ["key location", "got None"]),
        ({"location": ["a", "b"]}, ["key location", "string", "got ['a', 'b']"]),
        ({"delimiter": "and"}, ["key delimiter", "one ASCII character", "got 'and'"]),
        ({"delimiter": ""}, ["key delimiter", "one ASCII character"]),
        ({"delimiter": "ä"}, ["key delimiter", "one ASCII character"]),
        ({"delimiter": "x"}, ["key delimiter", "no letter or digit"]),
        ({"delimiter": "\n"}, ["key delimiter", "one ASCII character"]),
        ({"delimiter": "\0"}, ["key delimiter", "one ASCII character"]),
        ({"delimiter": 7}, ["key delimiter", "got 7"]),
        ({"quote": ""}, ["key quote", "one ASCII character"]),
        ({"delimiter": '"'}, ["delimiter and quote must differ"]),
        ({"delimiter": '"', "quote": "none"}, ["delimiter and quote must differ"]),
        ({"delimiter": "||", "quote": "\t"}, ["delimiter and quote must differ"]),
        ({"delimiter": "  "}, ["key delimiter", "or several such signs"]),
        ({"escape": '"'}, ["escape must differ from delimiter and quote"]),
        ({"escape": "|", "delimiter": "~|~"}, ["escape must differ from delimiter and quote"]),
        ({"escape": "\\\\"}, ["key escape", "one ASCII character"]),
        ({"double_quote": "no"}, ["key double_quote", "valid boolean"]),
        ({"skip_initial_space": 1}, ["key skip_initial_space", "valid boolean"]),
        *(
            ({"skip_rows": n}, ["key skip_rows: must be a number of lines", "to_header", f"{n!r}"])
            for n in ("header", -1, 1001, True)
        ),
        ({"compression": "rar"}, ["key compression", "'none', 'gzip', 'zstd'", "got 'rar'"]),
        ({"unreadable": "skip"}, ["key unreadable", "'refuse' or 'set_aside'"]),
        (
            {"unreadable": "set_aside", "mode": "replace"},
            ["unreadable: set_aside does not go with mode: replace"],
        ),
        ({"exclude": "*.bak"}, ["key exclude", "got '*.bak'"]),
        ({"exclude": [""]}, ["key exclude.0", "got ''"]),
        ({"exclude": [7]}, ["key exclude.0", "got 7"]),
        (
            {"rejects": {"max_row": 5}},
            ["key rejects.max_row: unknown", "did you mean max_rows?", "max_rows, max_fraction"],
        ),
        ({"rejects": {"max_rows": -1}}, ["key rejects.max_rows", "got -1"]),
        ({"rejects": {"max_rows": True}}, ["key rejects.max_rows", "got True"]),
        ({"rejects": {"max_rows": "many"}}, ["key rejects.max_rows", "got 'many'"]),
        ({"rejects": {"max_fraction": 1.5}}, ["key rejects.max_fraction", "got 1.5"]),
        ({"rejects": 5}, ["key rejects", "got 5"]),
        (
            {"columns": {"extras": "ignore"}},
            ["key columns.extras: unknown", "did you mean extra?", "extra, missing"],
        ),
        ({"columns": {"extra": "drop"}}, ["key columns.extra", "'error', 'ignore' or 'keep'"]),
        ({"columns": {"missing": "drop"}}, ["key columns.missing", "'error' or 'ignore'"]),
        ({"null_values": "NULL"}, ["key null_values", "got 'NULL'"]),
        ({"decimal_char": ";"}, ["key decimal_char", "'.' or ','", "got ';'"]),
        ({"group_char": "_"}, ["key group_char", "got '_'"]),
        ({"null_values": ["-", None]}, ["key null_values.1", "YAML reads None", "single quotes"]),
    ],
)
def test_mistakes_in_the_feed(
    make_feed: MakeFeed, options: dict[str, Any], parts: list[str]
) -> None:
    message = refusal(make_feed, {"id": {}}, **options)
    assert "config.meta.feed" in message
    for part in parts:
        assert part in message


def test_a_feed_without_location_says_which_key_is_missing(make_feed: MakeFeed) -> None:
    node = make_feed.node({"id": {}})
    del node["config"]["meta"]["feed"]["location"]
    with pytest.raises(ConfigError, match=rf"{FILE}.*orders, config\.meta\.feed key location"):
        parse_feed(node)


@pytest.mark.parametrize("value", [None, True, "data/*.csv", ["data/*.csv"]])
def test_a_feed_that_is_no_mapping(make_feed: MakeFeed, value: object) -> None:
    node = make_feed.node({"id": {}})
    node["config"]["meta"]["feed"] = value
    with pytest.raises(ConfigError, match=rf"{FILE}.*orders, config\.meta\.feed: .*dictionary"):
        parse_feed(node)


@pytest.mark.parametrize(
    ("rules", "parts"),
    [
        (
            {"requierd": True},
            [
                "config.meta key requierd: unknown",
                "did you mean required?",
                "type, format, required",
            ],
        ),
        ({"type": "string"}, ["config.meta key type", "'string'", "text, integer, decimal(p,s)"]),
        ({"type": "decimal"}, ["config.meta key type", "'decimal'", "decimal(p,s)"]),
        ({"type": "decimal(0,0)"}, ["config.meta key type", "1 <= p <= 38"]),
        ({"type": "decimal(39,2)"}, ["config.meta key type", "1 <= p <= 38"]),
        ({"type": "decimal(5,6)"}, ["config.meta key type", "0 <= s <= p"]),
        ({"type": "decimal(38,38)"}, ["config.meta key type"]),
        ({"type": None}, ["config.meta key type"]),
        ({"required": "perhaps"}, ["config.meta key required", "got 'perhaps'"]),
        ({"accepted_values": []}, ["config.meta key accepted_values", "at least 1"]),
        ({"accepted_values": "a, b"}, ["config.meta key accepted_values", "got 'a, b'"]),
        # YAML's yes and no.
        ({"accepted_values": [True]}, ["config.meta key accepted_values.0", "got True"]),
        ({"accepted_values": ["a", None]}, ["config.meta key accepted_values.1", "got None"]),
        ({"decimal_char": ","}, ["key decimal_char: only for type decimal or float; this is text"]),
        ({"type": "integer", "decimal_char": ","}, ["key decimal_char", "this is integer"]),
        ({"type": "date", "group_char": "."}, ["key group_char: only for type integer or decimal"]),
        (
            {"type": "decimal(9,2)", "group_char": "."},
            ["key group_char: decimal_char and group_char must differ (both are '.')"],
        ),
        ({"type": "integer", "group_char": ".", "minimum": "1.000"}, ["key minimum", "'1.000'"]),
        ({"null_values": [-9999]}, ["config.meta key null_values.0", "YAML reads -9999"]),
        # In double quotes YAML reads \N as the one blank U+0085.
        ({"null_values": ["\x85"]}, ["config.meta key null_values.0", r"'\x85'", r"'\N'"]),
        ({"pattern": 5}, ["config.meta key pattern", "got 5"]),
        ({"pattern": "(a"}, ["config.meta key pattern", "'(a'", "RE2", "missing )"]),
        ({"pattern": r"(?=a)b"}, ["config.meta key pattern", "RE2"]),
        ({"pattern": r"(a)\1"}, ["config.meta key pattern", "RE2"]),
        ({"format": "DD/MM/YYYY"}, ["config.meta key format", "only for type date or timestamp"]),
        (
            {"type": "date", "format": "dd/mm/yyyy"},
            ["config.meta key format", "'dd/mm/yyyy'", "allowed tokens: YYYY YY MONTH MON MM M"],
        ),
        ({"type": "date", "format": "MM/YYYY"}, ["config.meta key format", "lacks DD"]),
        ({"type": "date", "format": "DD/DD/MM/YYYY"}, ["config.meta key format", "DD twice"]),
        ({"type": "date", "format": "YYYY-MM-DD HH24"}, ["config.meta key format", "time of day"]),
        ({"type": "date", "format": ""}, ["config.meta key format", "lacks DD"]),
        ({"type": "date", "format": []}, ["config.meta key format: must be", "(got [])"]),
        ({"type": "date", "format": 5}, ["config.meta key format: must be", "(got 5)"]),
        (
            {"type": "date", "format": ["YYYY-MM-DD", "DD/MM"]},
            ["config.meta key format: 'DD/MM'", "lacks YYYY"],
        ),
        # Of 01/02/2024 nobody could say which it is.
        (
            {"type": "date", "format": ["DD/MM/YYYY", "YYYY-MM-DD", "MM/DD/YYYY"]},
            ["key format: 'DD/MM/YYYY' and 'MM/DD/YYYY' fit the same texts"],
        ),
        (
            {"type": "timestamp", "format": ["YYYYMMDDHH24MI", "DDMMYYYYHH24MI"]},
            ["'YYYYMMDDHH24MI' and 'DDMMYYYYHH24MI' fit the same texts"],
        ),
        # 1/2/2024 would be two days.
        (
            {"type": "date", "format": ["D/M/YYYY", "MM/DD/YYYY"]},
            ["key format: 'D/M/YYYY' and 'MM/DD/YYYY' fit the same texts"],
        ),
        (
            {"type": "date", "format": ["D-MON-YY", "YY-MONTH-D"]},
            ["key format: 'D-MON-YY' and 'YY-MONTH-D' fit the same texts"],
        ),
        ({"type": "date", "format": ["DDMMYY", "excel"]}, ["'DDMMYY' and 'excel' fit the same"]),
        (
            {"type": "timestamp", "format": ["epoch", "epoch_ms"]},
            ["'epoch' and 'epoch_ms' fit the same texts"],
        ),
        (
            {"type": "timestamp", "format": ["epoch", "YYYYMMDDHH24MI"]},
            ["'epoch' and 'YYYYMMDDHH24MI' fit the same texts"],
        ),
        (
            {"type": "date", "format": ["DD/MM/YYYY", "D/M/YYYY"]},
            ["'D/M/YYYY' fits all that 'DD/MM/YYYY' fits; leave that out"],
        ),
        (
            {"type": "timestamp", "format": ["YYYYMMDDHH24MISS.FF", "YYYYMMDDHH24MISS.FF"]},
            ["fits all that 'YYYYMMDDHH24MISS.FF' fits"],
        ),
        ({"type": "date", "format": "epoch"}, ["key format: 'epoch' has a time of day"]),
        ({"type": "date", "format": "DD/MM/YYYY TZ"}, ["has a time of day"]),
        ({"type": "timestamp", "format": "excel"}, ["'excel' lacks HH24 or MI"]),
        ({"type": "timestamp", "format": "YYYY-MM-DD H12 AM"}, ["lacks HH24 or MI"]),
        ({"type": "date", "pivot_year": 69}, ["key pivot_year", "got 69"]),
        ({"type": "integer", "pivot_year": 1950}, ["key pivot_year: only for type date or"]),
        ({"type": "date", "excess_fraction": "cut"}, ["key excess_fraction: only for type times"]),
        ({"type": "timestamp", "excess_fraction": "round"}, ["'error' or 'cut'"]),
        ({"bare_number": False}, ["key bare_number: only for type integer or decimal or float"]),
        ({"type": "float", "bare_number": "no"}, ["key bare_number", "got 'no'"]),
        ({"type": "boolean", "true_values": "ja"}, ["key true_values", "got 'ja'"]),
        ({"type": "boolean", "false_values": []}, ["key false_values", "at least 1 item"]),
        ({"type": "boolean", "true_values": [True]}, ["key true_values.0", "YAML reads True"]),
        ({"true_values": ["ja"]}, ["key true_values: only for type boolean; this is text"]),
        (
            {"type": "boolean", "true_values": ["Ja", " 0"]},
            ["config.meta: true_values and false_values both have '0'; list both"],
        ),
        ({"minimum": 1}, ["config.meta key minimum", "only for type integer, decimal", "is text"]),
        ({"type": "boolean", "maximum": 1}, ["config.meta key maximum", "this is boolean"]),
        ({"type": "integer", "minimum": "low"}, ["config.meta key minimum", "'low'"]),
        ({"type": "integer", "minimum": 0.5}, ["config.meta key minimum", "'0.5'", "whole number"]),
        ({"type": "integer", "maximum": 2**63}, ["config.meta key maximum", "64-bit"]),
        (
            {"type": "integer", "minimum": 9, "maximum": 1},
            ["key maximum", "1 is below the minimum, 9"],
        ),
        (
            {"type": "decimal(5,2)", "maximum": "1 000"},
            ["config.meta key maximum: '1 000' is not a number"],
        ),
        ({"type": "decimal(5,2)", "maximum": "nan"}, ["config.meta key maximum", "'nan'"]),
        ({"type": "decimal(5,2)", "minimum": "inf"}, ["config.meta key minimum", "'inf'"]),
        ({"type": "date", "minimum": "2024-02-30"}, ["config.meta key minimum", "calendar"]),
        (
            {"type": "date", "minimum": date(2024, 5, 1), "maximum": date(2024, 4, 1)},
            ["config.meta key maximum", "2024-04-01 is below the minimum, 2024-05-01"],
        ),
        ({"type": "timestamp", "maximum": "noon"}, ["config.meta key maximum", "'noon'"]),
    ],
)
def test_mistakes_in_a_column(make_feed: MakeFeed, rules: dict[str, Any], parts: list[str]) -> None:
    message = refusal(make_feed, {"id": {}, "amount": rules})
    assert message.startswith(f"{FILE}: source table shop.orders, column amount")
    for part in parts:
        assert part in message


@pytest.mark.parametrize(
    "data_type",
    [
        "",
        None,
        "varchar",
        "text",
        "integer",
        "varchar(0)",
        "varchar(65536)",
        "char(10)",
        "varchar(9,2)",
    ],
)
def test_a_landing_column_is_text_of_a_stated_size(make_feed: MakeFeed, data_type: str) -> None:
    message = refusal(make_feed, {"id": {}, "amount": {"data_type": data_type}})
    assert "column amount, key data_type" in message
    assert "varchar(n) with n from 1 to 65535 bytes" in message
    assert repr(data_type or "nothing") in message


@pytest.mark.parametrize(
    "data_type", ["varchar(1)", "VARCHAR ( 65535 )", "character varying(256)", " varchar(5) "]
)
def test_spellings_of_a_landing_column(make_feed: MakeFeed, data_type: str) -> None:
    digits = int("".join(c for c in data_type if c.isdigit()))
    assert make_feed({"id": {"data_type": data_type}}).columns[0].max_bytes == digits


def test_a_table_without_columns_says_where_they_go(make_feed: MakeFeed) -> None:
    assert "no columns" in refusal(make_feed, {})
    assert "no columns" in refusal(make_feed, {"_load_id": {"data_type": "bigint"}})


@pytest.mark.parametrize("name", ["_number", "_file", "_File_Time", " _record", "_LOAD_ID"])
def test_a_name_that_the_loader_uses_itself(make_feed: MakeFeed, name: str) -> None:
    # Beside the loader's own column of this name, one of them would be read for the other.
    assert "the loader has a column of this name" in refusal(make_feed, {"id": {}, name: {}})


@pytest.mark.parametrize("second", ["Id", "ID", " id ", "iD\u00a0"])
def test_two_columns_that_no_header_can_tell_apart(make_feed: MakeFeed, second: str) -> None:
    # Header names are compared stripped and lowercased.
    assert "column id is listed twice" in refusal(make_feed, {"id": {}, second: {}})


def test_column_names_that_differ_only_beyond_ascii_case(make_feed: MakeFeed) -> None:
    assert "listed twice" in refusal(make_feed, {"straße É": {}, "STRAẞE é": {}})


def test_the_loaders_own_columns_are_not_the_files(make_feed: MakeFeed) -> None:
    feed = make_feed({"id": {}, "_load_id": {"data_type": "bigint"}, "_loaded_at": {}})
    assert feed.column_names == ("id",)


def test_what_the_loader_keeps_in_a_column_of_its_own_has_no_rules(make_feed: MakeFeed) -> None:
    kept = {"columns": {"extra": "keep"}}
    assert make_feed({"id": {}, "_extra": {}}, **kept).column_names == ("id", "_extra")
    for rules in ({"type": "date", "format": "D/M/YYYY"}, {"requierd": True}):
        assert "_extra, config.meta: the loader" in refusal(make_feed, {"_extra": rules}, **kept)


def test_defaults_refuse_everything_unexpected(make_feed: MakeFeed) -> None:
    # A feed that says nothing gets the strictest treatment.
    options = make_feed({"id": {}}).options
    assert (options.mode, options.columns.extra) == ("append", "error")
    assert (options.rejects.max_rows, options.rejects.max_fraction) == (None, None)
    assert options.compression is None


def test_bounds_and_values_that_yaml_made_numbers_and_dates(make_feed: MakeFeed) -> None:
    feed = make_feed(
        {
            "a": {"type": "integer", "minimum": 0, "maximum": 100},
            "b": {"type": "decimal(9,2)", "minimum": -0.5, "maximum": 10},
            "c": {"type": "date", "minimum": date(2024, 1, 1)},
            "d": {"type": "timestamp", "minimum": datetime(2024, 1, 1, 12, 30, tzinfo=UTC)},
            "e": {"accepted_values": [1, 2.5, date(2024, 1, 1), "x"]},
        }
    )
    a, b, c, d, e = feed.columns
    assert (a.minimum, a.maximum) == ("0", "100")
    assert b.parse_bound(str(b.minimum)) == Decimal("-0.5")
    assert c.parse_bound(str(c.minimum)) == date(2024, 1, 1)
    assert d.parse_bound(str(d.minimum)) == datetime(2024, 1, 1, 12, 30, tzinfo=UTC)
    assert e.accepted_values == ("1", "2.5", "2024-01-01", "x")


def test_forms_that_mean_the_same_may_both_fit_a_text(make_feed: MakeFeed) -> None:
    # 5 May 2024 is in both, and one day.
    forms = ["D MON YYYY", "D MONTH YYYY", "excel", "DD/MM/YYYY"]
    column = make_feed({"a": {"type": "date", "format": forms}}).columns[0]
    for value in ("5 May 2024", "5 MAY 2024", "05/05/2024", "45417"):
        assert column.parse(value) == date(2024, 5, 5)


def test_a_contract_without_the_newest_words_has_the_fingerprint_that_it_had(
    make_feed: MakeFeed,
) -> None:
    # Quarantined records keep it: with another one, all would seem to be of other rules.
    columns: dict[str, dict[str, Any]] = {
        "a": {"type": "integer", "required": True},
        "b": {"type": "date", "format": ["DD/MM/YYYY", "YYYYMMDD"]},
        "c": {"type": "timestamp"},
        "d": {"type": "boolean"},
        "e": {"type": "decimal(9,2)", "decimal_char": ","},
    }
    feed = make_feed(columns)
    assert feed.fingerprint == "faa6475dd2aa159dc48cf561d5223045883495bbc8cd71033fb7e83b7ece2112"
    words: list[tuple[str, str, Any]] = [
        ("b", "pivot_year", 1950),
        ("c", "excess_fraction", "cut"),
        ("d", "true_values", ["ja"]),
        ("d", "false_values", ["nein"]),
        ("e", "bare_number", False),
    ]
    for column, word, value in words:
        changed = columns | {column: {**columns[column], word: value}}
        assert make_feed(changed).fingerprint != feed.fingerprint
        # AND said of the feed, it holds for the columns of its type.
        assert make_feed(columns, **{word: value}).fingerprint != feed.fingerprint


def test_a_bound_may_have_more_digits_than_the_column(make_feed: MakeFeed) -> None:
    column = make_feed({"a": {"type": "decimal(4,2)", "maximum": "99.9999"}}).columns[0]
    assert column.parse_bound(str(column.maximum)) == Decimal("99.9999")


SOURCES = """
sources:
  - name: shop
    schema: raw
    tables:
      - name: orders
        config:
          meta:
            feed:
              location: "{{ env_var('SHOP_LOCATION', 'nowhere/*.csv') }}"
              delimiter: "{{ var('shop_delimiter', ';') }}"
              rejects: {max_fraction: 0.01}
        data_tests: [ledger_matches_landing]
        columns:
          - name: id
            data_type: varchar(20)
            config: {meta: {required: true, pattern: "[A-Z]{2}\\\\d+"}}
          - name: amount
            data_type: varchar(20)
            config: {meta: {type: "decimal(9,2)", minimum: -1_000, maximum: 1.5e+3}}
          - name: day
            data_type: varchar(20)
            config: {meta: {type: date, minimum: 2020-01-01, maximum: "2030-12-31"}}
          - name: at
            data_type: varchar(40)
            config: {meta: {type: timestamp, minimum: 2020-01-01T00:00:00Z}}
          - name: size
            data_type: varchar(9)
            config: {meta: {accepted_values: ['1', '2.50', XL, '2024-01-01']}}
"""


def shop(project: Path, sources: str = SOURCES) -> Feed:
    folder = project / "models/staging/shop"
    folder.mkdir()
    (folder / "_shop__sources.yml").write_text(sources)
    return Project(project).feed("orders")


def test_yaml_is_read_by_dbt(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN a contract with Jinja and with scalars that YAML does not leave as text
    monkeypatch.setenv("SHOP_LOCATION", "s3://lake/orders/*.csv.gz")
    # WHEN dbt parses the project
    feed = shop(project)
    # THEN the rules are what a person who wrote it would expect
    assert feed.name == "shop.orders"
    assert feed.file == FILE
    assert feed.options.location == "s3://lake/orders/*.csv.gz"
    assert feed.options.delimiter == ";"
    columns = {column.name: column for column in feed.columns}
    assert columns["id"].pattern == r"[A-Z]{2}\d+"
    amount, day, at = columns["amount"], columns["day"], columns["at"]
    assert amount.parse_bound(str(amount.minimum)) == -1000
    assert amount.parse_bound(str(amount.maximum)) == 1500
    assert day.parse_bound(str(day.minimum)) == date(2020, 1, 1)
    assert at.parse_bound(str(at.minimum)) == datetime(2020, 1, 1, tzinfo=UTC)
    assert columns["size"].accepted_values == ("1", "2.50", "XL", "2024-01-01")


@pytest.mark.parametrize(
    ("broken", "parts"),
    [
        (SOURCES.replace("sources:", "sources: [", 1), ["_shop__sources.yml", "line"]),
        (SOURCES.replace("env_var('SHOP_LOCATION', 'nowhere/*.csv')", "env_var('NOT_SET')"), []),
    ],
)
def test_yaml_that_dbt_cannot_read(project: Path, broken: str, parts: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        shop(project, broken)
    for part in parts or ["NOT_SET"]:
        assert part in str(caught.value)


def test_no_such_feed_lists_those_there_are(project: Path) -> None:
    with pytest.raises(ConfigError, match=r"no feed 'orders'.*cti\.indicators"):
        Project(project).feed("orders")


# The quarantine of a warehouse keeps the fingerprint of the contract that rejected a record. One
# that changes with the loader, and not with the rules, makes every such record look outdated.
EVERY_RULE: dict[str, dict[str, Any]] = {
    'Ünï "x"\n': {"data_type": "varchar(40)", "required": True, "accepted_values": ["a", 1, "ü\t"]},
    "n": {"type": "INTEGER", "minimum": -1, "maximum": "9"},
    "d": {"type": " Decimal( 9 , 2 ) ", "minimum": 0.5, "maximum": 10},
    "b": {"type": "boolean"},
    "day": {"type": "date", "format": "DD/MM/YYYY", "required": True},
    "day2": {"type": "date", "minimum": date(2020, 1, 1)},
    "at": {"type": "timestamp", "format": "YYYY-MM-DD HH24:MI:SS"},
    "p": {"pattern": r"[A-Z]{2}\d+/\x7f"},
}


def test_the_fingerprint_of_a_contract_stays_as_it_is(make_feed: MakeFeed, project: Path) -> None:
    options = {
        "delimiter": ";",
        "quote": "'",
        "columns": {"extra": "ignore", "missing": "error"},
        "rejects": {"max_rows": 3},
        "mode": "replace",
        "compression": "gzip",
    }
    node = make_feed.node(EVERY_RULE)
    node["config"]["meta"]["feed"] |= options
    every = "63ef1049d4a9dec1596506f16f8e57ae6b26f93c51eea08ece08f20893468634"
    assert parse_feed(node).fingerprint == every
    sample = "e62fd4ee8ea34a771a808a02537e5f9293f7908fd4e7dbd155740f55812dfd22"
    assert Project(project).feed("indicators").fingerprint == sample
    # WHEN a rule changes THEN it changes; what does not judge a record is no part of it
    node["config"]["meta"]["feed"] |= {"mode": "append", "rejects": {}, "location": "elsewhere/*"}
    assert parse_feed(node).fingerprint == every
    node["columns"]["n"]["config"]["meta"]["maximum"] = 8
    assert parse_feed(node).fingerprint != every


def test_a_columns_null_values_take_the_place_of_the_feeds(make_feed: MakeFeed) -> None:
    columns: dict[str, Any] = {
        "a": {},
        "b": {"null_values": [" -9999 "]},
        "c": {"null_values": []},
        "d": {"null_values": None},
    }
    feed = make_feed(columns, null_values=["NULL", "\\N"])
    assert [column.null_values for column in feed.columns] == [
        ("NULL", "\\N"),
        ("-9999",),
        (),
        ("NULL", "\\N"),
    ]
    # THEN they are rules like others, wherever they are written
    assert feed.fingerprint != make_feed(columns).fingerprint
    one = make_feed({"a": {"null_values": ["-"]}})
    assert make_feed({"a": {}}, null_values=["-"]).fingerprint == one.fingerprint
    assert make_feed({"a": {}}, null_values=[]).fingerprint == make_feed({"a": {}}).fingerprint


def test_the_signs_of_a_feeds_numbers_are_those_of_its_columns(make_feed: MakeFeed) -> None:
    columns: dict[str, Any] = {
        "a": {"type": "decimal(9,2)", "minimum": "1000.5"},
        "b": {"type": "decimal(9,2)", "decimal_char": ".", "group_char": ""},
        "c": {"type": "integer", "minimum": 1000},
        "d": {"type": "integer", "group_char": " "},
        "e": {"type": "date"},
        "f": {},
    }
    # The delimiter may be the same: then numbers stand in quotes.
    feed = make_feed(columns, decimal_char=",", group_char=".", delimiter=",")
    assert [(column.decimal_char, column.group_char) for column in feed.columns] == [
        (",", "."),
        (".", ""),
        (".", "."),
        (".", " "),
        (".", ""),
        (".", ""),
    ]
    assert feed.columns[0].bounds == (Decimal("1000.5"), None)
    assert feed.columns[2].bounds == (1000, None)
    # THEN they are rules like others, and none where no number is
    assert feed.fingerprint != make_feed(columns, delimiter=",").fingerprint
    text: dict[str, Any] = {"f": {}}
    assert make_feed(text, decimal_char=",").fingerprint == make_feed(text).fingerprint


def test_a_contract_is_known_by_its_rules(make_feed: MakeFeed) -> None:
    feed = make_feed({"a": {"type": "integer"}})
    assert feed.fingerprint == make_feed({"a": {"type": "integer"}}).fingerprint
    assert feed.fingerprint == make_feed({"a": {"type": "integer"}}, location="b/*").fingerprint
    for other in (
        make_feed({"a": {"type": "integer", "minimum": 1}}),
        make_feed({"b": {"type": "integer"}}),
        make_feed({"a": {"type": "integer"}}, delimiter=";"),
        make_feed({"a": {"type": "integer"}}, columns={"extra": "ignore"}),
    ):
        assert other.fingerprint != feed.fingerprint


@pytest.mark.parametrize(
    ("limits", "rejected", "read", "allowed"),
    [
        ({}, 0, 10, True),
        ({}, 1, 10, False),
        ({"max_rows": 0}, 1, 1000, False),
        ({"max_rows": 2}, 2, 2, True),
        ({"max_rows": 2}, 3, 1000, False),
        ({"max_fraction": 0.1}, 1, 10, True),
        ({"max_fraction": 0.1}, 2, 10, False),
        ({"max_rows": 5, "max_fraction": 0.1}, 5, 10, False),
        ({"max_rows": 5, "max_fraction": 0.9}, 6, 10, False),
        ({"max_rows": 5, "max_fraction": 0.9}, 5, 10, True),
        ({"max_fraction": 1.0}, 10, 10, True),
        ({"max_fraction": 0.29}, 29, 100, True),
        ({"max_fraction": 0.29}, 30, 100, False),
        ({"max_fraction": "0.07"}, 7, 100, True),
        ({"max_fraction": 0.0}, 0, 0, True),
    ],
)
def test_every_limit_that_is_set_holds(
    limits: dict[str, Any], rejected: int, read: int, allowed: bool
) -> None:
    assert Rejects(**limits).allow(rejected, read) is allowed


def test_a_file_that_was_refused_is_tried_again_by_what_may_read_it(make_feed: MakeFeed) -> None:
    columns: dict[str, Any] = {"a": {"type": "integer"}, "b": {}}
    feed = make_feed(columns, unreadable="set_aside")
    # Words that say what was so without them, or where the files are and how many may be rejected.
    for alike in (
        {"compression": None, "delimiter": ",", "columns": {"missing": "ignore"}},
        {"location": "b/*", "exclude": ["*.bak"], "rejects": {"max_rows": 1}},
    ):
        assert make_feed(columns, unreadable="set_aside", **alike).version == feed.version
    for other in (
        {"compression": "gzip"},
        {"file_time": {"name": "YYYYMMDD"}},
        {"skip_rows": 1},
        {"columns": {"extra": "ignore"}},
        {"unreadable": "refuse"},
    ):
        options: dict[str, Any] = {"unreadable": "set_aside", **other}
        assert make_feed(columns, **options).version != feed.version
    renamed = {**columns, "b": {"header": ["c"]}}
    assert make_feed(renamed, unreadable="set_aside").version != feed.version
