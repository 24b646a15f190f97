"""The first thing that somebody does may be `dbt build`, or `load` of a location with no files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from dbt.adapters.duckdb.connections import DuckDBConnectionManager

from loader.warehouse.project import Project

if TYPE_CHECKING:
    from conftest import Loader
    from e2e.conftest import Dbt
    from e2e.engines import Tables


def test_a_build_before_any_load_is_green_and_empty(
    project: Path, tables: Tables, dbt: Dbt
) -> None:
    dbt("build", "--exclude-resource-type", "unit_test")
    for table in ("raw.indicators", "raw._loaded_files", "analytics.indicators"):
        assert tables.rows(f"select count(*) from {table}") == [(0,)]
    assert tables.rows("select count(*) from analytics.stg_cti__indicators") == [(0,)]


def test_no_file_is_no_failure(loader: Loader, feed_folder: Path, tables: Tables) -> None:
    result = loader("load")
    assert "nothing to load; no file matches feed/*.csv*" in result.stdout
    assert "no file matches" in loader("plan").stdout
    assert "nothing has been loaded yet" in loader("history").stderr
    tables.assert_nothing_loaded()


def test_plan_touches_nothing(loader: Loader, project: Path, tables: Tables) -> None:
    # GIVEN new files
    plan = json.loads(loader("plan", "--json").stdout)
    # THEN plan names them, and the SQL that would load them, and nothing is done
    assert [Path(file["uri"]).name for file in plan["new"]] == sorted(
        path.name for path in (project / "samples/indicators").iterdir()
    )
    assert plan["feed"] == "cti.indicators"
    assert plan["loaded_before"] == 0
    sql = ";\n".join(plan["sql"])
    for part in ("begin", "raw.indicators", "_loaded_files", "2026-01-07_reordered", "commit"):
        assert part in sql.replace('"', "")
    assert tables.count("raw.indicators") == 0
    person = loader("plan").stdout
    assert f"{len(plan['new'])} new, 0 loaded before" in person
    assert "commit;" in person
    # AND once they are loaded, it has nothing left
    loader("load")
    assert f"nothing new; {len(plan['new'])} files of" in loader("plan").stdout


def test_a_table_that_another_made_meanwhile_is_found(project: Path) -> None:
    opened = Project(project)
    nodes = [opened.source(name) for name in ("loader._loaded_files", "loader._rejected_records")]
    try:
        with opened.warehouse() as warehouse:
            # GIVEN a schema that was listed before a table was made in it
            warehouse.execute("create schema raw")
            assert [warehouse.exists(node) for node in nodes] == [False, False]
            warehouse.execute("create table raw._loaded_files (x int)")
            # WHEN it is looked for again THEN it is there, the other is not, nothing stays open
            assert [warehouse.exists(node) for node in nodes] == [True, False]
            warehouse.execute("begin")
            warehouse.execute("commit")
            # AND what is not there is not said to be, whatever has been found since
            warehouse.execute("create table raw._rejected_records (x int)")
            assert [warehouse.exists(node) for node in reversed(nodes)] == [True, True]
    finally:
        DuckDBConnectionManager.close_all_connections()


def test_a_load_on_many_cores_keeps_to_its_memory(loader: Loader, project: Path) -> None:
    # Each thread has buffers of its own, which do not grow with what a load may use.
    profiles = project / "profiles.yml"
    text = profiles.read_text()
    assert "      settings:\n" in text
    profiles.write_text(text.replace("settings:\n", "settings:\n        threads: 64\n", 1))
    sql = json.loads(loader("plan", "--json").stdout)["sql"]
    assert "set threads = 8" in sql
    assert "set memory_limit = '512MB'" in sql
    assert "load 1:" in loader("load").stdout


def test_a_load_keeps_to_a_lower_limit_of_the_profile(
    loader: Loader, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CTI_DUCKDB_MEMORY", "400MB")
    sql = json.loads(loader("plan", "--json").stdout)["sql"]
    assert any(statement.startswith("set threads = ") for statement in sql)
    assert not any("memory_limit" in statement for statement in sql)
    assert "load 1:" in loader("load").stdout


def test_a_profile_may_have_no_limit(
    loader: Loader, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CTI_DUCKDB_MEMORY", "-1")
    sql = json.loads(loader("plan", "--json").stdout)["sql"]
    assert "set memory_limit = '512MB'" in sql
