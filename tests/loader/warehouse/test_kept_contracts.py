"""Contracts are recalled without dbt as long as nothing has changed that dbt makes them of."""

from __future__ import annotations

import gc
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from loader.warehouse.kept_contracts import keep, recalled
from loader.warehouse.project import Project

if TYPE_CHECKING:
    from conftest import Loader

CONTRACT = "models/staging/cti/_cti__sources.yml"


class Kept(NamedTuple):
    """A project whose contracts can be kept, with what keep() and recalled() take."""

    project: Path
    options: list[str]
    folders: list[str]
    nodes: dict[str, Any]

    def keep(self) -> None:
        # As if dbt had parsed long after the last edit.
        place = self.project, self.options, self.folders, self.nodes
        keep(*place, since=time.time_ns() + 2_000_000_000)

    def recalled(self) -> dict[str, Any] | None:
        return recalled(self.project, self.options)


@pytest.fixture
def kept(project: Path) -> Kept:
    folders = [str(project / folder) for folder in ("models", "seeds", "macros")]
    nodes = {"cti.indicators": {"name": "indicators", "meta": {"delimiter": ";", "limit": 0.5}}}
    kept = Kept(project, [f"--project-dir={project}"], folders, nodes)
    kept.keep()
    assert kept.recalled() == nodes
    return kept


def other_text(project: Path) -> None:
    """As long as before, and the time set back."""
    file = project / CONTRACT
    before = file.stat()
    file.write_text(file.read_text().replace("0.01", "0.02"))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def variable(name: str) -> Callable[[Path], None]:
    return lambda _: os.environ.__setitem__(name, "other")


@pytest.mark.parametrize(
    "change",
    [
        other_text,
        lambda project: (project / "models/more.YML").write_text("version: 2\n"),
        lambda project: (
            (project / "seeds/of/a").mkdir(parents=True)
            or (project / "seeds/of/a/folder.yaml").touch()
        ),
        lambda project: (project / "models/marts/load_quality.yml").unlink(),
        lambda project: (project / "vars.yml").touch(),
        lambda project: (project / ".dbtignore").touch(),
        lambda project: (project / "dbt_project.yml").write_text("name: other\n"),
        lambda project: (project / "profiles.yml").unlink(),
        lambda project: (project / CONTRACT).rename(project / "models/moved.yml"),
        variable("CTI_INDICATORS_LOCATION"),
        variable("CTI_DUCKDB_PATH"),
        variable("DBT_TARGET"),
    ],
)
def test_a_change_is_noticed(
    kept: Kept, change: Callable[[Path], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("CTI_INDICATORS_LOCATION", "CTI_DUCKDB_PATH", "DBT_TARGET"):
        monkeypatch.setenv(name, "")
    kept.keep()
    assert kept.recalled()
    change(kept.project)
    assert kept.recalled() is None


def test_a_blank_before_the_bracket_hides_no_variable(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    (kept.project / "models/x.yml").write_text("a: \"{{ env_var ('SOME_VARIABLE', '') }}\"\n")
    kept.keep()
    assert kept.recalled()
    monkeypatch.setenv("SOME_VARIABLE", "x")
    assert kept.recalled() is None


def test_other_options_are_another_contract(kept: Kept) -> None:
    assert recalled(kept.project, [*kept.options, "--target=redshift"]) is None


def test_what_makes_no_contract_is_no_change(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    (kept.project / "models/marts/indicators.sql").write_text("select 1 as one")
    (kept.project / "late.csv").touch()
    monkeypatch.setenv("SOME_OTHER_VARIABLE", "x")
    monkeypatch.setenv("DBT_ENV_SECRET_REDSHIFT_PASSWORD", "x")
    assert kept.recalled() == kept.nodes


@pytest.mark.parametrize("kept_text", ["", "[]", '{"state": "', '{"folders": []}', "\x00"])
def test_what_is_no_note_is_not_believed(kept: Kept, kept_text: str) -> None:
    (kept.project / "target/contracts.json").write_text(kept_text)
    assert kept.recalled() is None


@pytest.mark.parametrize(
    ("file", "text"),
    [
        # Nobody knows which variable this is.
        pytest.param("models/x.yml", "a: \"{{ env_var('A' ~ 'B') }}\"", id="put together"),
        pytest.param("models/x.yml", "{% set n = 'A' %}{{ env_var(n) }}", id="by another name"),
    ],
)
def test_what_may_change_unseen_is_not_kept(kept: Kept, file: str, text: str) -> None:
    (kept.project / file).write_text(text)
    (kept.project / "target/contracts.json").unlink()
    kept.keep()
    assert kept.recalled() is None


def test_a_file_that_may_be_edited_in_the_same_moment_is_not_kept(kept: Kept) -> None:
    (kept.project / "target/contracts.json").unlink()
    (kept.project / CONTRACT).touch()
    keep(kept.project, kept.options, kept.folders, kept.nodes, since=time.time_ns())
    assert kept.recalled() is None


@pytest.mark.parametrize("nodes", [{"a": {1: "x"}}, {"a": float("nan")}, {"a": (1, 2)}])
def test_what_json_would_alter_is_not_kept(kept: Kept, nodes: dict[str, Any]) -> None:
    (kept.project / "target/contracts.json").unlink()
    kept._replace(nodes=nodes).keep()
    assert kept.recalled() is None


def test_contracts_are_the_same_without_dbt(project: Path, loader: Loader) -> None:
    # The files were copied just now.
    time.sleep(1)
    first, second = Project(project), Project(project)
    first.recall()
    gc.disable()
    second.recall()
    assert "_manifest" in vars(first)
    assert gc.isenabled()
    assert "_manifest" not in vars(second)
    assert second.contracts == first.contracts
    file = project / "samples/indicators/2026-01-08_late.csv"
    printed = loader("validate", "--json", file).stdout
    (project / "target/contracts.json").unlink()
    assert json.loads(loader("validate", "--json", file).stdout) == json.loads(printed)
