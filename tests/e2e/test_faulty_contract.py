"""A contract that is wrong stops its own feed and no other."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from e2e.engines import slowly_on_both_engines

if TYPE_CHECKING:
    from conftest import Loader
    from e2e.conftest import Dbt
    from e2e.engines import Tables

FILE = "models/staging/shop/_shop__sources.yml"
# Two feeds in one file; a third of another file is the example's.
SHOP = """
sources:
  - name: shop
    schema: raw
    tables:
      - name: orders
        config: {meta: {feed: {location: "orders/*.csv"}}}
        data_tests: [ledger_matches_landing]
        columns: [{name: id, data_type: varchar(20)}]
      - name: returns
        config: {meta: {feed: {location: "returns/*.csv"}}}
        data_tests: [ledger_matches_landing]
        columns: [{name: id, data_type: varchar(20), config: {meta: {required: true}}}]
"""
# What becomes of the second feed, and what is said of it.
WRONG = {
    "a word that is none": ("required: true", "requierd: true", "key requierd: unknown"),
    "a word in another place": ("config: {meta: {required: true}}", "required: true", "ignores it"),
    "a column without a type": (
        "{name: id, data_type: varchar(20), config: {meta: {required: true}}}",
        "{name: id}",
        "column id, key data_type: 'nothing' is not allowed",
    ),
    "no words at all": ('{location: "returns/*.csv"}', "", "config.meta.feed: "),
}


@pytest.fixture
def shop(project: Path, feed_folder: Path) -> Path:
    """The contract of two feeds, each with a file to load."""
    for name in ("orders", "returns"):
        (project / name).mkdir()
        (project / name / "a.csv").write_text("id\n1\n2\n")
    path = project / FILE
    path.parent.mkdir()
    path.write_text(SHOP)
    return path


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_with_one_feed_is_told_once_the_others_are_loaded(
    loader: Loader, shop: Path, tables: Tables, what: str
) -> None:
    right, wrong, told = WRONG[what]
    head, _, returns = SHOP.partition("- name: returns")
    assert right in returns
    shop.write_text(head + "- name: returns" + returns.replace(right, wrong))
    # WHEN all are loaded THEN those whose contracts are right are, and the other is named
    done = loader("load", code=2)
    assert "shop.orders: load 1: 1 files, 2 of 2 records loaded" in done.stdout
    assert f"error: {FILE}: source table shop.returns" in done.stderr
    assert told in done.stderr
    assert "1 of 3 feeds failed" in done.stderr
    assert tables.count("raw.orders") == 2
    assert tables.count("raw.returns") == 0
    # AND the others are counted, too
    counted = loader("check", code=2)
    assert "shop.orders: holds: 2 records of 1 loads are landed" in counted.stdout
    assert told in counted.stderr
    # WHEN another is asked for by name THEN nothing is wrong; nor can that one be loaded
    assert "nothing new" in loader("load", "--select", "orders").stdout
    assert told in loader("load", "--select", "shop.returns", code=2).stderr


@slowly_on_both_engines
def test_a_run_builds_what_does_not_depend_on_a_contract_that_is_wrong(
    loader: Loader, dbt: Dbt, project: Path, shop: Path, tables: Tables
) -> None:
    # GIVEN a view of one feed, one of the other, and one of both
    for model, sources in {"ordered": "o", "returned": "r", "both_of_them": "or"}.items():
        reads = {"o": "{{ source('shop', 'orders') }}", "r": "{{ source('shop', 'returns') }}"}
        text = " union all ".join(f"select id from {reads[source]}" for source in sources)
        view = "{{ config(materialized='view') }}\n" + text
        (project / f"models/marts/{model}.sql").write_text(view)
    shop.write_text(SHOP.replace("{name: id, data_type: varchar(20), config", "{name: id, config"))
    # WHEN all are run
    done = loader("run", "--json", code=2)
    # THEN the other feed is loaded and built, and the one that is wrong has no table
    objects = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(one["feed"], one["tests_failed"]) for one in objects] == [
        ("cti.indicators", 0),
        ("shop.orders", 0),
    ]
    assert "key data_type" in done.stderr
    assert tables.count("analytics.ordered") == 2
    left = "select 1 from information_schema.tables where table_name in ('returned', 'returns')"
    assert tables.rows(left) == []
    # WHEN it is put right THEN all is built
    shop.write_text(SHOP)
    loader("run", "--select", "returns")
    assert tables.count("analytics.both_of_them") == 4


@pytest.mark.slow
def test_a_feed_that_nothing_counts_stops_no_other(
    loader: Loader, shop: Path, tables: Tables
) -> None:
    head, _, returns = SHOP.partition("- name: returns")
    counted = "        data_tests: [ledger_matches_landing]\n"
    shop.write_text(head + "- name: returns" + returns.replace(counted, ""))
    done = loader("run", code=2)
    assert "source table shop.returns: nothing counts its records" in done.stderr
    assert "shop.orders: load 1: 1 files" in done.stdout
    # AND built
    assert done.stdout.count("checks failed             0") == 2
    assert "1 of 3 feeds failed" in done.stderr


@pytest.mark.slow
def test_a_unit_test_alone_finds_the_tables_that_its_model_reads(
    project: Path, tables: Tables, dbt: Dbt
) -> None:
    # GIVEN a warehouse in which nothing was loaded or built yet but a seed
    dbt("seed")
    dbt("test", "--select", "stg_cti__indicators,test_type:unit")
    # THEN what the model of the test reads is there, which dbt looks at for the columns of rows
    there = "select 1 from information_schema.tables where table_schema = 'raw'"
    assert tables.rows(f"{there} and table_name = 'indicators'") == [(1,)]


@pytest.mark.nightly
def test_a_key_given_twice_stops_the_feeds_of_its_file(
    loader: Loader, shop: Path, feed_folder: Path
) -> None:
    shop.write_text(SHOP.replace("    schema: raw\n", "    schema: raw\n    schema: raw\n"))
    (feed_folder / "a.csv").write_text(
        "indicator,indicator_type,source,confidence,first_seen\na.example,domain,me,5,2026-01-01\n"
    )
    done = loader("load", code=2)
    assert "cti.indicators: load 1: 1 files" in done.stdout
    assert "schema is given twice" in done.stderr
    assert "2 of 3 feeds failed" in done.stderr
