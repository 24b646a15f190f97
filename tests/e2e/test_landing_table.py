"""A landing table that is not as the contract says is refused, with the statements that cure it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from e2e.engines import on_both_engines

if TYPE_CHECKING:
    from conftest import Loader
    from e2e.engines import Tables

SOURCES = """
sources:
  - name: shop
    schema: raw
    tables:
      - name: orders
        config: {meta: {feed: {location: orders/*.csv}}}
        data_tests: [ledger_matches_landing]
        columns:
          - {name: Order ID, data_type: varchar(8)}
          - {name: amount, data_type: varchar(16)}
          - {name: _load_id, data_type: bigint}
"""
OWN = "_load_id bigint not null, _loaded_at timestamp not null"
FILE = 'Order ID,amount\n007,"5.6"\n'


@pytest.fixture
def orders(project: Path) -> Path:
    """A project with one more feed; the folder where its files go."""
    folder = project / "models/staging/shop"
    folder.mkdir()
    (folder / "_shop__sources.yml").write_text(SOURCES)
    files = project / "orders"
    files.mkdir()
    (files / "a.csv").write_text(FILE)
    return files


def statements(error: str) -> list[str]:
    """What a person is to type."""
    return re.findall(r"^  (.*;)$", error, re.MULTILINE)


def created(tables: Tables, columns: str) -> None:
    """Makes the landing table before the loader does."""
    tables.rows("create schema if not exists raw")
    tables.rows(f"create table raw.orders ({columns})")


def assert_cured(loader: Loader, tables: Tables, *parts: str) -> str:
    """Load, plan and run refuse the table; the statements that they show make the load work."""
    for command in ("run", "plan", "load"):
        error = loader(command, "--select", "orders", code=2).stderr
        assert "models/staging/shop/_shop__sources.yml" in error
        assert "Nothing was loaded" in error
    typed = statements(error)
    for part in parts:
        assert any(part in statement.lower() for statement in typed), typed
    assert tables.count("raw.orders") == 0
    for statement in typed:
        tables.rows(statement)
    loader("load", "--select", "orders")
    assert tables.rows('select "Order ID", amount from raw.orders') == [("007", "5.6")]
    return error


@on_both_engines
def test_numbers_where_the_contract_has_text(loader: Loader, orders: Path, tables: Tables) -> None:
    # GIVEN a table that somebody made by hand; it would take 007,5.6 as 7, 6 and lose it for good
    created(tables, f'"Order ID" integer, amount integer, {OWN}')
    assert_cured(loader, tables, '"amount"', '"order id"')


@on_both_engines
def test_columns_that_may_not_be_empty(
    loader: Loader, orders: Path, tables: Tables, target: str
) -> None:
    # One that the contract no longer has would take no record, one of its own no empty field.
    columns = '"Order ID" varchar(8), amount varchar(16) not null, price varchar(9) not null'
    created(tables, f"{columns}, {OWN}")
    typed = statements(assert_cured(loader, tables, '"amount"', '"price"'))
    (orders / "b.csv").write_text('"Order ID",amount\n8,\n')
    loader("load", "--select", "orders")
    assert (len(typed) == 2) is (target == "duckdb")


@on_both_engines
def test_what_a_load_fits_is_no_difference(loader: Loader, orders: Path, tables: Tables) -> None:
    # Columns in another order, wider ones, and ones that may be empty.
    created(tables, f'note integer, amount varchar(99), {OWN}, "Order ID" varchar(8)')
    loader("load", "--select", "orders")
    assert tables.rows('select "Order ID", amount from raw.orders') == [("007", "5.6")]


@pytest.mark.slow
def test_a_replay_is_a_load(loader: Loader, orders: Path, tables: Tables) -> None:
    # GIVEN a rejected record, and a table that changed since
    path = orders.parent / "models/staging/shop/_shop__sources.yml"
    path.write_text(SOURCES.replace("orders/*.csv", "orders/*.csv, rejects: {max_rows: 1}"))
    (orders / "b.csv").write_text("Order ID,amount\n123456789,1\n")
    loader("load", "--select", "orders")
    tables.rows("alter table raw.orders alter column amount type decimal(9, 1)")
    path.write_text(path.read_text().replace("varchar(8)", "varchar(9)"))
    # THEN its record is not replayed into numbers
    error = loader("replay", "--select", "orders", code=2).stderr
    assert statements(error) == ['alter table "raw"."orders" alter column "amount" type varchar;']


RENAMED = SOURCES.replace("name: shop", "name: store")


@pytest.mark.parametrize(
    ("target", "mode"),
    [
        *(("duckdb", "append"), ("duckdb", "replace")),
        pytest.param("redshift", "replace", marks=pytest.mark.slow),
    ],
    indirect=["target"],
)
def test_a_renamed_source(loader: Loader, orders: Path, tables: Tables, mode: str) -> None:
    # GIVEN a loaded feed with a rejected record
    path = orders.parent / "models/staging/shop/_shop__sources.yml"
    options = f"orders/*.csv, mode: {mode}, rejects: {{max_rows: 1}}"
    path.write_text(SOURCES.replace("orders/*.csv", options))
    (orders / "b.csv").write_text("Order ID,amount\n123456789,1\n8,1\n")
    loader("load", "--select", "orders")
    before = tables.rows("select * from raw.orders order by amount")
    # and a warehouse that lacks a table which only this version has
    tables.rows("drop table raw._load_lock")
    # WHEN its source gets another name
    path.write_text(path.read_text().replace("name: shop", "name: store"))
    # THEN its files are not loaded again, and both names are told
    for command in ("run", "plan", "load"):
        error = loader(command, "--select", "orders", code=2).stderr
        assert "store.orders: the table" in error
        assert "has records of shop.orders, which no contract names any more" in error
        renamed = "set feed = 'store.orders' where feed = 'shop.orders';"
        assert statements(error) == [
            f'update "raw"."_loaded_files" {renamed}',
            f'update "raw"."_rejected_records" {renamed}',
        ]
    assert tables.rows("select * from raw.orders order by amount") == before
    # AND the statements carry everything over
    for statement in statements(error):
        tables.rows(statement)
    assert "nothing new; 2 files" in loader("load", "--select", "orders").stdout
    assert "holds" in loader("check", "--select", "orders").stdout
    assert len(loader("rejects", "--select", "orders", "--json").stdout.splitlines()) == 1


def test_a_feed_that_moved_to_another_table_is_new(
    loader: Loader, orders: Path, tables: Tables
) -> None:
    loader("load", "--select", "orders")
    path = orders.parent / "models/staging/shop/_shop__sources.yml"
    path.write_text(RENAMED.replace("name: orders", "name: bills"))
    loader("load", "--select", "bills")
    assert tables.count("raw.bills") == 1
