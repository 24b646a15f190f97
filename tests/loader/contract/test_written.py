"""What dbt drops or changes in silence when it reads a contract is a mistake with a name."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import pytest

from loader.contract.written import find_misread
from loader.errors import ConfigError
from loader.warehouse.project import Project

FILE = "models/staging/shop/_shop__sources.yml"
CONTRACT = """
sources:
  - name: shop
    schema: raw
    tables:
      - name: orders
        config:
          meta:
            owner: someone
            feed:
              location: "{{ env_var('SHOP_LOCATION', 'orders/*.csv') }}"
              rejects: {max_fraction: 0.01, max_rows: 10}
        data_tests: [ledger_matches_landing]
        columns:
          - name: id
            description: A number.
            data_type: varchar(20)
            quote: true
            tags: [key]
            data_tests: [{accepted_values: {arguments: {values: [1, 2]}}}]
            config: {meta: {type: integer, minimum: 1}}
          - name: amount
            data_type: varchar(20)
            meta: {type: "decimal(9,2)"}
          - name: size
            data_type: varchar(20)
"""


def checked(text: str) -> None:
    """As the loader does it for a project with this file."""
    raise_first(text, {"shop.orders"})


def raise_first(text: str, feeds: Collection[str]) -> None:
    for error in find_misread(FILE, text, feeds).values():
        raise error


def refusal(old: str, new: str, text: str = CONTRACT) -> str:
    """What is said of the contract with a change in it; it begins with the file."""
    assert text.count(old) == 1
    with pytest.raises(ConfigError) as caught:
        checked(text.replace(old, new))
    message = str(caught.value)
    assert message.startswith(FILE)
    assert "\n" not in message
    return message


SIZE_LINE = len(CONTRACT.splitlines()) + 1
SIZE = "          - name: size\n            data_type: varchar(20)\n"


def size(lines: str) -> tuple[str, str]:
    """The change that gives the column `size` more lines."""
    return SIZE, SIZE + "".join(f"            {line}\n" for line in lines.splitlines())


def test_what_dbt_takes_as_it_is_written_is_no_mistake() -> None:
    checked(CONTRACT)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        # A file that was put together from two.
        ("        columns:\n", "        columns: []\n        columns:\n", "line 15: columns is"),
        ("    tables:\n", "    schema: lake\n    tables:\n", "line 5: schema is given twice"),
        ("minimum: 1}", "minimum: 1, type: date}", "line 21: type is given twice"),
        (
            "    tables:\n",
            "    tables: []\nsources:\n  - name: s\n    tables:\n",
            "line 6: sources",
        ),
        (
            "quote: true",
            "config: {meta: {required: true}}",
            "line 21: config is given twice; dbt keeps the last. Keep one.",
        ),
    ],
)
def test_a_key_given_twice(old: str, new: str, told: str) -> None:
    # dbt keeps the last, and with the other every rule under it would be gone without a word.
    assert told in refusal(old, new)


def test_a_column_listed_twice() -> None:
    message = refusal("name: size", "name: id")
    assert message == f"{FILE}: source table shop.orders: column id is listed twice"


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ("required: true", "column size key required: dbt ignores it here. Write it as config"),
        ("config: {required: true}", "column size, config key required: dbt ignores it here."),
        ("config: {type: integer, meta: {}}", "config key type: dbt ignores it here."),
        ("accepted_values: [a]", "key accepted_values: dbt ignores it here."),
        ("requierd: true", "key requierd: dbt ignores it here. Write it as config.meta.required."),
        ("Required: true", "key Required: dbt ignores it here. Write it as config.meta.required."),
        ("confg: {meta: {required: true}}", "key confg: dbt ignores it here. Write it as config."),
        ("configs: {meta: {}}", "key configs: dbt ignores it here. Write it as config."),
        ("metas: {required: true}", "key metas: dbt ignores it here. Write it as config.meta."),
        ("config: {metas: {required: true}}", "config key metas: dbt ignores it here."),
    ],
)
def test_a_rule_where_dbt_ignores_it(lines: str, told: str) -> None:
    message = refusal(*size(lines))
    assert message.startswith(f"{FILE}: source table shop.orders, column size")
    assert told in message


FEED = "            feed:\n              location:"


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        # The whole feed: without this the table is none, and its files are never looked at.
        ("          meta:\n            owner: someone\n            feed:", "          feed:", ""),
        ("            feed:", "            feeds:", "config.meta key feeds: dbt ignores it here."),
        ("        config:\n", "        confg:\n", "orders key confg: dbt ignores it here. Write"),
        ("          meta:\n", "          metas:\n", "config key metas: dbt ignores it here. Write"),
        (
            "        data_tests: [l",
            "        feed: {location: x}\n        data_tests: [l",
            "orders key feed",
        ),
        (
            "    schema: raw",
            "    feed: {location: x}",
            "source shop key feed: dbt ignores it here.",
        ),
        ("    schema: raw", "    config: {feed: {location: x}}", "source shop, config key feed"),
        # A part of it.
        ("            owner: someone", "            mode: replace", "config.meta key mode: dbt"),
        (
            "        data_tests: [l",
            "        rejects: {}\n        data_tests: [l",
            "orders key rejects: dbt",
        ),
        ("          meta:\n", "          delimiter: ;\n          meta:\n", "config key delimiter"),
    ],
)
@pytest.mark.parametrize("is_feed", [True, False])
def test_a_feed_where_dbt_ignores_it(old: str, new: str, told: str, is_feed: bool) -> None:
    # GIVEN a contract with a word of the feed in the wrong place
    assert CONTRACT.count(old) == 1
    changed = CONTRACT.replace(old, new)
    if not is_feed and new.strip().startswith(("mode", "rejects", "delimiter")):
        # On a table that is no feed, these are somebody's own words.
        raise_first(changed, ())
        return
    # THEN it is refused, whether the table is still a feed or not
    with pytest.raises(ConfigError) as caught:
        raise_first(changed, ["shop.orders"] if is_feed else [])
    assert f"{FILE}: source " in str(caught.value)
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("7", "7"),
        ("007", "7"),
        ("1_000", "1000"),
        ("0x1F", "31"),
        ("0b11", "3"),
        ("1.10", "1.1"),
        ("12:30:00", "45000"),
        ("yes", "True"),
        ("off", "False"),
        ("NO", "False"),
        ("2024-01-01", "2024-01-01"),
    ],
)
def test_an_accepted_value_that_is_no_text(value: str, read: str) -> None:
    # In the file the value is text, which is what it would be compared with.
    lines = f"config: {{meta: {{accepted_values: [a, {value}]}}}}"
    message = refusal(*size(lines))
    assert "column size, config.meta key accepted_values: " in message
    assert message.endswith(
        f"YAML reads {value} in line {SIZE_LINE} as {read}. Write it in quotes."
    )
    checked(CONTRACT.replace(*size(lines.replace(value, f"'{value}'"))))


@pytest.mark.parametrize("value", ["1e3", "08", "0o17", "1.2.3", "x", "'7'", "~x"])
def test_an_accepted_value_that_yaml_leaves_as_text(value: str) -> None:
    checked(CONTRACT.replace(*size(f"config: {{meta: {{accepted_values: [{value}]}}}}")))


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("010", "8"),
        ("-0777", "-511"),
        ("0x10", "16"),
        ("1:30", "90"),
        ("12:30.5", "750.5"),
        (".inf", "inf"),
        ("12345678901234567.89", "1.2345678901234568e+16"),
    ],
)
@pytest.mark.parametrize("key", ["minimum", "maximum"])
def test_a_bound_that_yaml_reads_as_another_number(key: str, value: str, read: str) -> None:
    message = refusal(*size(f"config: {{meta: {{type: integer, {key}: {value}}}}}"))
    assert (
        f"column size, config.meta key {key}: YAML reads {value} in line {SIZE_LINE} as {read}"
        in message
    )


@pytest.mark.parametrize(
    "value",
    ["0", "10", "-5", "+5", "1_000", "-9000000000000000000", "0.10", ".5", "1.5e+3", "2024-01-01"],
)
def test_a_bound_that_yaml_reads_as_it_is_written(value: str) -> None:
    checked(CONTRACT.replace(*size(f"config: {{meta: {{minimum: {value}}}}}")))


def test_a_number_of_the_feed_that_yaml_reads_as_another() -> None:
    assert "config.meta.feed key max_rows: YAML reads 010 in line 12 as 8" in refusal(
        "max_rows: 10", "max_rows: 010"
    )


@pytest.mark.parametrize("where", ["[a, b]", "x", "~"])
def test_a_feed_that_is_no_mapping_is_left_to_the_contract(where: str) -> None:
    text = "sources: [{name: shop, tables: [{name: orders, config: {meta: {feed: %s}}}]}]"
    checked(text % where)


def test_anchors_may_be_overridden() -> None:
    # YAML, "Merge key": what `<<` brings in is there to be replaced.
    text = """
sources:
  - name: shop
    tables:
      - name: orders
        columns:
          - &text
            name: a
            data_type: varchar(20)
            config: &rules {meta: {required: true}}
          - {<<: *text, name: b}
          - {<<: [{name: c}, *text], config: *rules}
      - name: others
        columns: [*text]
"""
    checked(text)
    told = refusal("{<<: *text, name: b}", "{<<: *text, name: a}", text)
    assert "column a is listed twice" in told
    told = refusal("config: &rules {meta: ", "config: &rules {metas: ", text)
    assert "column a, config key metas" in told


def test_empty_parts() -> None:
    checked("sources: [{name: shop}, {name: b, config: , meta: , tables: [{name: c, columns: }]}]")
    checked("sources: [{name: shop, tables: [{name: orders, columns: [{name: a, config: }]}]}]")


def test_a_table_whose_name_is_jinja_is_not_loaded_as_dbt_misread_it(project: Path) -> None:
    folder = project / "models/staging/shop"
    folder.mkdir()
    named = CONTRACT.replace("name: orders", "name: \"{{ var('orders', 'orders') }}\"")
    assert Project(project).contracts.keys() == {"cti.indicators"}
    (folder / "_shop__sources.yml").write_text(named.replace("minimum: 1}", "minimum: 010}"))
    contract = Project(project).contracts["shop.orders"]
    assert "YAML reads 010" in str(contract)


def test_every_file_of_sources_is_checked(project: Path) -> None:
    # GIVEN a file without a feed, because somebody wrote `feed` one level up
    folder = project / "models/staging/shop"
    folder.mkdir()
    (folder / "_shop__sources.yml").write_text(
        "sources: [{name: shop, tables: [{name: orders, config: {feed: {location: x}}}]}]"
    )
    # THEN the table is not passed over
    told = r"_shop__sources\.yml: source table shop\.orders, config key feed: dbt ignores it here"
    with pytest.raises(ConfigError, match=told):
        Project(project).feed("orders")


@pytest.mark.parametrize(
    ("name", "kind"), [("orders", "integer"), ("{{ var('orders', 'orders') }}", "integer")]
)
def test_rules_under_a_columns_meta_are_rules(project: Path, name: str, kind: str) -> None:
    # dbt moves a column's meta to its config.meta; the loader takes both.
    folder = project / "models/staging/shop"
    folder.mkdir()
    text = CONTRACT.replace("name: orders", f'name: "{name}"')
    (folder / "_shop__sources.yml").write_text(text)
    columns = {column.name: column for column in Project(project).feed("orders").columns}
    assert columns["id"].kind == kind
    assert columns["amount"].kind == "decimal"
