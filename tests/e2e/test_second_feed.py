"""A feed that shares nothing with the first needs YAML and a staging model, and no Python.

Its columns have every type that a contract can give. What the loader accepts must cast in dbt, to
the value that the loader's rules take it for.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from e2e.engines import on_both_engines

from loader.contract import moments, text

if TYPE_CHECKING:
    from conftest import Loader
    from e2e.conftest import Dbt
    from e2e.engines import Tables

SOURCES = """
sources:
  - name: shop
    schema: raw
    tables:
      - name: orders
        config:
          meta:
            feed:
              location: orders/*.txt*
              delimiter: ";"
              quote: "'"
              columns: {extra: ignore}
        data_tests: [ledger_matches_landing]
        columns:
          - name: Order ID
            data_type: varchar(20)
            config: {meta: {required: true, pattern: "[A-Z]{2}[0-9]+"}}
          - {name: count, data_type: varchar(400), config: {meta: {type: integer, minimum: -9e18}}}
          - name: amount
            data_type: varchar(400)
            config: {meta: {type: "decimal(9,2)", maximum: 1000000}}
          - {name: big, data_type: varchar(400), config: {meta: {type: "decimal(38,10)"}}}
          - {name: paid, data_type: varchar(40), config: {meta: {type: boolean}}}
          - {name: day, data_type: varchar(40), config: {meta: {type: date}}}
          - name: due
            data_type: varchar(40)
            config: {meta: {type: date, format: DD/MM/YYYY, minimum: 01/01/0002}}
          - {name: at, data_type: varchar(60), config: {meta: {type: timestamp}}}
          - name: sent
            data_type: varchar(60)
            config: {meta: {type: timestamp, format: YYYYMMDD HH24.MI.SS}}
          - {name: size, data_type: varchar(9), config: {meta: {accepted_values: [S, m, '10']}}}
"""

STAGING = """
{{ config(bind=false) }}

with source as (

    select * from {{ landed('shop', 'orders') }}

)

select
    {{ clean_text('"Order ID"') }} as order_id,
    {{ clean_integer('"count"') }} as items,
    {{ clean_decimal('amount', 9, 2) }} as amount,
    {{ clean_decimal('big', 38, 10) }} as big,
    {{ clean_boolean('paid') }} as paid,
    {{ clean_date('"day"') }} as ordered_on,
    {{ clean_date('due') }} as due_on,
    {{ clean_timestamp('"at"') }} as ordered_at,
    {{ clean_timestamp('sent') }} as sent_at,
    {{ clean_text('size') }} as size,
    _load_id,
    _file,
    _file_time,
    _record
from source
"""

MODELS = """
models:
  - name: stg_shop__orders
    columns:
      - name: order_id
        data_tests: [not_null, unique]
"""


@pytest.fixture
def orders(project: Path) -> Path:
    """A project with the second feed added; the folder where its files go."""
    folder = project / "models/staging/shop"
    folder.mkdir()
    sources = SOURCES.replace("-9e18", str(-9 * 10**18)).replace("01/01/0002", '"01/01/0002"')
    (folder / "_shop__sources.yml").write_text(sources)
    (folder / "_shop__models.yml").write_text(MODELS)
    (folder / "stg_shop__orders.sql").write_text(STAGING)
    files = project / "orders"
    files.mkdir()
    return files


HEADER = "'ORDER id';count;ignored;amount;big;paid;day;due;at;sent;size\n"

# What every type accepts, in its odder forms, and what a person takes it for.
VALUES: dict[str, list[str]] = {
    "count": ["0", "-0", "+7", "007", " 5\t", "9223372036854775807", "-9000000000000000000"],
    "amount": ["0", "1.", ".5", "-.50", "+999999.99", "12.3400", "-0.00", "\u3000 7 "],
    "big": ["1234567890123456789012345678.0123456789", "-0.0000000001", "1", "+.1", "0" * 60 + "1"],
    "paid": ["true", "T", "Yes", " y ", "1", "FALSE", "f", "nO", "N", "0\u00a0"],
    "day": ["2024-02-29", " 0001-01-01", "9999-12-31\u2003"],
    "due": ["29/02/2024", "01/01/0002 ", "31/12/9999"],
    "at": [
        *("2024-05-31", "2024-05-31 13:45", "2024-05-31t13:45:07z", "2024-05-31T13:45:07.5+14:00"),
        *("2024-05-31T00:15-0030", "2024-05-31T13:45:07.123456-13:59", "0001-01-02T00:00+05"),
        *("9999-12-31T23:59:59.999999", "1969-12-31T23:59:59.9Z", " 2024-02-29T23:30-01\n"),
    ],
    "sent": ["20240531 13.45.07", "00010101 00.00.00", "99991231 23.59.59"],
    "size": ["s", "M", " 10 ", "S"],
}
PARSERS: dict[str, Callable[[str], Any]] = {
    "count": text.parse_integer,
    "amount": lambda value: text.parse_decimal(value, 9, 2),
    "big": lambda value: text.parse_decimal(value, 38, 10),
    "paid": text.parse_boolean,
    "day": moments.parse_date,
    "due": lambda value: moments.parse_date(value, "DD/MM/YYYY"),
    "at": lambda value: moments.parse_timestamp(value).replace(tzinfo=None),
    "sent": lambda value: moments.parse_timestamp(value, "YYYYMMDD HH24.MI.SS").replace(
        tzinfo=None
    ),
    "size": text.simple_lower,
}


def quoted(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


@on_both_engines
def test_yaml_and_a_staging_model_are_all_it_needs(
    loader: Loader, orders: Path, tables: Tables
) -> None:
    # GIVEN orders with every type in every odd form, and some with nothing but their key
    lines, expected = [], {}
    for number in range(max(map(len, VALUES.values()))):
        row = {name: values[number % len(values)] for name, values in VALUES.items()}
        lines.append([f" AB{number} ", *map(quoted, row.values())])
        expected[f"ab{number}"] = tuple(PARSERS[name](row[name].strip()) for name in VALUES)
        lines.append([f"'XY{number}'", *("" if number % 2 else "''" for _ in VALUES)])
        expected[f"xy{number}"] = (None,) * len(VALUES)
    for line in lines:
        line.insert(2, "whatever")
    (orders / "a.txt").write_text(HEADER + "".join(";".join(line) + "\n" for line in lines))
    # WHEN the feed is run
    (line_of_json,) = loader("run", "--select", "orders", "--json").stdout.splitlines()
    # THEN the staging model has every value as the loader's own rules read it
    summary = json.loads(line_of_json)
    assert (summary["feed"], summary["records_loaded"]) == ("shop.orders", len(lines))
    assert summary["tests_failed"] == 0
    found = tables.rows("select * from analytics.stg_shop__orders")
    assert {row[0]: row[1:-4] for row in found} == expected
    # AND the landing table has the raw text
    raw = tables.rows(
        """select "Order ID", "at", size from raw.orders where "Order ID" like ' AB9%'"""
    )
    assert raw == [(" AB9 ", VALUES["at"][9], VALUES["size"][1])]
    # AND the first feed was left alone
    assert tables.count("raw.indicators") == 0
    ledger = tables.rows("select feed, uri, load_id from raw._loaded_files")
    assert ledger == [("shop.orders", "orders/a.txt", 1)]


def test_a_record_that_it_lost_is_found_by_check_and_by_dbt_alone(
    loader: Loader, dbt: Dbt, orders: Path, tables: Tables
) -> None:
    # GIVEN two feeds that are loaded, and a row of the second that somebody deletes
    (orders / "a.txt").write_text(HEADER + "AB1;1;;;;;;;;;\nAB2;2;;;;;;;;;\n")
    loader("load")
    tables.rows("""delete from raw.orders where "Order ID" = 'AB1'""")
    # WHEN it is checked THEN the feed is named, and what became of it
    result = loader("check", "--select", "orders", code=1)
    assert "shop.orders: differs: not so: 2 records of 1 loads" in result.stdout
    assert "load 2 (loaded), orders/a.txt: 2 records by the ledger, 1 landed" in result.stdout
    loader("check", "--select", "indicators")
    # AND dbt finds it with no loader beside it.
    with pytest.raises(AssertionError, match="source_ledger_matches_landing_shop_orders_"):
        dbt("test", "--select", "source:shop.orders")
    indicators = "source_ledger_matches_landing_cti_indicators_"
    assert dbt("test", "--select", indicators) == 1


def test_a_run_tells_of_what_another_feed_lost(
    loader: Loader, orders: Path, tables: Tables
) -> None:
    # GIVEN two feeds, and the records of the first gone from quarantine
    (orders / "a.txt").write_text(HEADER + "AB1;1;;;;;;;;;\n")
    loader("load")
    tables.rows("delete from raw._rejected_records")
    # WHEN the second is run alone THEN dbt's test of the ledger fails, and the run says so
    stderr = loader("run", "--select", "orders", code=1).stderr
    assert "1 tests of the tables failed" in stderr
    assert "ledger_matches_quarantine" in stderr


def test_what_is_wrong_with_one_feed_does_not_hide_the_others(
    loader: Loader, orders: Path, tables: Tables
) -> None:
    # GIVEN a file of the second feed that is none
    (orders / "a.txt").write_bytes(b"\x00\xff\x13 no table\n")
    # WHEN all is loaded THEN the first feed is, and the other is told with its file
    result = loader("load", code=1)
    assert "load 1: 5 files" in result.stdout
    for words in ("orders/a.txt: ", "the first line is not UTF-8, so it is no header"):
        assert words in result.output
    assert "1 of 2 feeds failed" in result.stderr
    assert tables.count("raw.indicators") == 6400
    # AND feeds come in the order of their names
    checked = [json.loads(line)["feed"] for line in loader("check", "--json").stdout.splitlines()]
    assert set(checked) == {"cti.indicators"}
    (orders / "a.txt").write_text(HEADER)
    planned = [json.loads(line) for line in loader("plan", "--json").stdout.splitlines()]
    assert [plan["feed"] for plan in planned] == ["cti.indicators", "shop.orders"]


@on_both_engines
def test_what_the_loader_accepts_casts_in_dbt(
    loader: Loader, dbt: Dbt, orders: Path, project: Path, tables: Tables
) -> None:
    # GIVEN hostile values, of which validate keeps those that the contract accepts
    hostile = [value for values in VALUES.values() for value in values]
    hostile += ["1e3", "1_000", "0x1f", "inf", "-inf", "nan", "1.005", "--1", "+-1", ".", "+", "-"]
    hostile += ["2024-02-30", "24:00", "2024-05-31T24:00", "2024-05-31T23:59:60", "0000-01-01"]
    hostile += ["2024-05-31T13:45+14:30", "2024-05-31T13:45+99", "99/99/9999", "1000000.01"]
    hostile += ["ye\u017f", "on", "\u0663", "\uff11", "\u221e", "infinity", "epoch", "today", "BC"]
    hostile += ["0000000001.10", "9999999.99", "99999999.99", "-9000000000000000001", "1.100000"]
    lines = [
        [f"AB{number}{place:02}", *("" for _ in range(place)), quoted("\t" + value)]
        for number, value in enumerate(hostile)
        for place in range(len(VALUES))
    ]
    header = HEADER.replace("ignored;", "")
    width = header.count(";") + 1
    dirty = project / "dirty.txt"
    dirty.write_text(
        header + "".join(";".join([*line, *[""] * (width - len(line))]) + "\n" for line in lines)
    )
    loader("validate", "--feed", "orders", "--out", project / "out", dirty, code=1)
    accepted = (project / "out/dirty.txt.accepted.csv").read_text()
    keys = {row["Order ID"] for row in csv.DictReader(io.StringIO(accepted, newline=""))}
    assert len(keys) > len(VALUES) * 5
    # WHEN those are loaded and staged
    sources = project / "models/staging/shop/_shop__sources.yml"
    plain = sources.read_text().replace('delimiter: ";"', 'delimiter: ","')
    sources.write_text(plain.replace("""quote: "'\"""", """quote: '"'"""))
    (orders / "clean.txt").write_text(accepted)
    loader("load", "--select", "orders")
    dbt("run", "--select", "stg_shop__orders")
    # THEN every one of them casts, and to the value that the loader takes it for
    found = {row[0]: row[1:-4] for row in tables.rows("select * from analytics.stg_shop__orders")}
    assert set(found) == {key.lower() for key in keys}
    for number, value in enumerate(hostile):
        for place, name in enumerate(VALUES):
            row = found.get(f"ab{number}{place:02}")
            if row is not None:
                expected = PARSERS[name](value.strip()) if value.strip() else None
                assert row[place] == expected, (name, value)


def test_a_mistake_in_its_yaml_is_named(loader: Loader, orders: Path, project: Path) -> None:
    sources = project / "models/staging/shop/_shop__sources.yml"
    sources.write_text(sources.read_text().replace("type: boolean", "type: bool"))
    result = loader("load", code=2)
    for part in (
        "_shop__sources.yml",
        "shop.orders",
        "column paid",
        "key type",
        "'bool'",
        "boolean",
    ):
        assert part in result.stderr
    sources.write_text(sources.read_text().replace("type: bool}", "type: [oops"))
    result = loader("load", code=2)
    assert "_shop__sources.yml" in result.stderr
    assert result.stderr.count("\n") <= 3
