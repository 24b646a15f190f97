"""What would lose records without an error is refused before anything is loaded or built."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from e2e.engines import on_both_engines

if TYPE_CHECKING:
    from conftest import Loader
    from e2e.conftest import Dbt
    from e2e.engines import Tables

SHOP = """
sources:
  - name: shop
    schema: raw
    tables:
      - name: orders
        config: {meta: {feed: {location: orders/*.csv, mode: replace}}}
        data_tests: [ledger_matches_landing]
        columns: [{name: id, data_type: varchar(20)}]
"""
OTHER = SHOP.replace("shop", "market")


def write_sources(project: Path, **sources: str) -> None:
    """A file of sources for each name."""
    for name, text in sources.items():
        folder = project / "models/staging" / name
        folder.mkdir()
        (folder / f"_{name}__sources.yml").write_text(text)


def assert_refused(loader: Loader, dbt: Dbt, told: str) -> None:
    """By every command that connects, and by dbt alone."""
    for command in ("plan", "load", "run", "check", "history"):
        error = loader(command, code=2).stderr
        assert told in error
        assert "macro" not in error
    with pytest.raises(AssertionError, match=re.escape(told)):
        dbt("build", "--exclude-resource-type", "unit_test")


@on_both_engines
def test_two_feeds_in_one_table(loader: Loader, project: Path, tables: Tables, dbt: Dbt) -> None:
    # GIVEN two sources whose tables have one name in one schema; a replace load of either would
    # delete what the other has loaded
    write_sources(project, shop=SHOP, market=OTHER)
    # THEN both are named, and nothing is loaded
    told = (
        "models/staging/shop/_shop__sources.yml: source table shop.orders is the table raw.orders"
    )
    assert_refused(loader, dbt, told)
    error = loader("load", code=2).stderr
    assert "so is source table market.orders (models/staging/market/_market__sources.yml)." in error
    assert tables.count("raw._loaded_files") == 0
    # AND a schema of its own for one of them is the way out
    path = project / "models/staging/market/_market__sources.yml"
    path.write_text(OTHER.replace("schema: raw", "schema: market"))
    loader("plan")


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("name: ORDERS", "shop.orders"),
        ("name: bills\n        identifier: Orders", "shop.orders"),
        ("name: _loaded_files", "loader._loaded_files"),
        ("name: bills\n        identifier: _REJECTED_records", "loader._rejected_records"),
    ],
)
def test_names_that_an_engine_takes_for_one(
    loader: Loader, project: Path, name: str, other: str
) -> None:
    write_sources(project, shop=SHOP, market=OTHER.replace("name: orders", name))
    error = loader("load", code=2).stderr
    assert other in error
    assert "market." in error
    assert "give one of them another `identifier` or `schema`" in error


@pytest.mark.parametrize("kind", ["model", "seed"])
def test_a_feed_and_a_model_in_one_table(
    loader: Loader, project: Path, dbt: Dbt, kind: str
) -> None:
    # A build would put the model's table in the place of what was loaded.
    write_sources(project, shop=SHOP.replace("schema: raw", "schema: analytics"))
    if kind == "model":
        (project / "models/marts/sums.sql").write_text(
            "{{ config(alias='Orders', materialized='table') }} select 1 as id"
        )
    else:
        (project / "seeds/orders.csv").write_text("id\n1\n")
    name = {"model": "model sums", "seed": "seed orders"}[kind]
    assert_refused(loader, dbt, name)
    error = loader("load", code=2).stderr
    assert "so is source table shop.orders (models/staging/shop/_shop__sources.yml)" in error
    assert "give one of them another name or schema" in error


def test_an_ephemeral_model_is_no_table(loader: Loader, project: Path) -> None:
    write_sources(project, shop=SHOP.replace("schema: raw", "schema: analytics"))
    (project / "models/marts/sums.sql").write_text(
        "{{ config(alias='orders', materialized='ephemeral') }} select 1 as id"
    )
    loader("plan")


@pytest.mark.parametrize("path", [None, ":memory:"])
def test_a_warehouse_in_memory(loader: Loader, project: Path, dbt: Dbt, path: str | None) -> None:
    # GIVEN a profile with which a load says "loaded", and keeps nothing
    profile = project / "profiles.yml"
    line = "      path: \"{{ env_var('CTI_DUCKDB_PATH', 'cti.duckdb') }}\"\n"
    assert line in profile.read_text()
    mine = "" if path is None else f'      path: "{path}"\n'
    profile.write_text(profile.read_text().replace(line, mine))
    # THEN it is refused, with the line that is missing
    assert_refused(loader, dbt, "target duckdb of the profile has no file")
    assert "`path: cti.duckdb`" in loader("load", code=2).stderr
    assert sorted(project.glob("*.duckdb")) == []
