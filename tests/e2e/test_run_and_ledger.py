"""A run checks the warehouse that it loaded, and a machine hears of the load whatever follows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from e2e.engines import slowly_on_both_engines

from loader.warehouse.project import Project

if TYPE_CHECKING:
    from conftest import Loader
    from e2e.engines import Tables

HEADER = "indicator,indicator_type,source,confidence,first_seen\n"


def write(folder: Path, name: str, records: int) -> None:
    rows = (f"{name}-{n}.example,domain,me,{n},2026-01-01\n" for n in range(records))
    (folder / f"{name}.csv").write_text(HEADER + "".join(rows))


def at_the_end(project: Path, sql: str) -> None:
    """Has dbt run a statement at the end of each build."""
    path = project / "dbt_project.yml"
    path.write_text(f'{path.read_text()}\non-run-end: ["{sql}"]\n')


def assert_told(loader: Loader, code: int, words: str) -> dict[str, Any]:
    """A run fails with words; its one object has the load that is committed."""
    result = loader("run", "--json", code=code)
    (line,) = result.stdout.splitlines()
    assert words in result.stderr
    told: dict[str, Any] = json.loads(line)
    assert (told["feed"], told["load"], told["files"]) == ("cti.indicators", 1, 1)
    assert told["records_loaded"] == 3
    return told


@slowly_on_both_engines
def test_tables_that_are_gone_after_the_build(
    loader: Loader, project: Path, feed_folder: Path, tables: Tables
) -> None:
    # GIVEN somebody who drops everything while a run builds
    write(feed_folder, "a", 3)
    at_the_end(project, "drop schema raw cascade")
    # THEN the run does not say that nothing has been loaded yet, and end well
    assert_told(loader, 1, "the data is loaded, but load 1 is not in")
    # AND the next run, which finds no ledger, loads all again
    path = project / "dbt_project.yml"
    path.write_text(path.read_text().replace("drop schema raw cascade", "select 1"))
    loader("run")
    assert tables.count("raw.indicators") == 3


@pytest.mark.slow
def test_a_target_that_leads_elsewhere_after_the_load(
    loader: Loader, project: Path, feed_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN another warehouse, which has a load 1 of the same feed
    other = project / "other"
    other.mkdir()
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("CTI_DUCKDB_PATH", str(other / "cti.duckdb"))
        write(feed_folder, "b", 4)
        loader("run")
    (feed_folder / "b.csv").unlink()
    write(feed_folder, "a", 3)
    build = Project.build

    # WHEN the variable that leads to the warehouse changes between load and build
    def build_elsewhere(*arguments: Any, **options: Any) -> Any:
        monkeypatch.setenv("CTI_DUCKDB_PATH", str(other / "cti.duckdb"))
        return build(*arguments, **options)

    monkeypatch.setattr(Project, "build", build_elsewhere)
    # THEN the checks of the other warehouse do not pass for the load's
    assert_told(loader, 1, "the data is loaded, but load 1 is not in")


def test_a_build_that_fails(loader: Loader, project: Path, feed_folder: Path) -> None:
    write(feed_folder, "a", 3)
    (project / "models/marts/broken.sql").write_text(
        "select no_such_column from {{ ref('stg_cti__indicators') }}"
    )
    told = assert_told(loader, 2, "the data is loaded, but dbt build ended with errors")
    assert "seconds" in told


def test_a_test_and_a_check_that_fail(loader: Loader, project: Path, feed_folder: Path) -> None:
    write(feed_folder, "a", 3)
    at_the_end(project, "delete from raw.indicators where confidence = '1'")
    assert_told(loader, 0, "")
    # Only the next run sees what came after the tests.
    result = loader("run", "--json", code=1)
    (line,) = result.stdout.splitlines()
    assert json.loads(line)["checks_failed"] > 0


def test_a_hook_that_fails(loader: Loader, project: Path, feed_folder: Path) -> None:
    # dbt ends without any result.
    write(feed_folder, "a", 3)
    path = project / "dbt_project.yml"
    hook = "  - \"{{ exceptions.raise_compiler_error('no build today') if execute }}\"\n"
    place = '  - "{{ refuse_retries() }}"\n'
    assert place in path.read_text()
    path.write_text(path.read_text().replace(place, hook + place))
    assert_told(loader, 2, "no build today")


@pytest.mark.slow
def test_a_rolled_back_load_is_in_the_ledger(loader: Loader, feed_folder: Path) -> None:
    write(feed_folder, "a", 3)
    loader("run")
    (line,) = loader("rollback", "1", "--yes", "--json").stdout.splitlines()
    assert json.loads(line)["records_deleted"] == 3


@pytest.mark.slow
def test_a_run_without_a_new_file(loader: Loader, feed_folder: Path) -> None:
    write(feed_folder, "a", 3)
    loader("run")
    (line,) = loader("run", "--json").stdout.splitlines()
    assert json.loads(line)["load"] is None
