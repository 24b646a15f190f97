"""The contract is kept between commands, and never used once anything about it has changed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from loader.contract.cache import ContractCache
from loader.contract.feed import Feed
from loader.warehouse.project import Project

ROOT = Path(__file__).resolve().parents[3]
CONTRACT = "models/staging/cti/_cti__sources.yml"

Seen = tuple[str, str, bool]


@pytest.fixture
def peek(project: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Seen]:
    """Location and mode of the feed, and whether dbt was asked; given variables are set."""
    asked: list[Path] = []
    write = ContractCache.write

    def watched(self: ContractCache, feeds: Iterable[Feed]) -> None:
        asked.append(self.project_dir)
        write(self, feeds)

    monkeypatch.setattr(ContractCache, "write", watched)

    def peek(**environment: str) -> Seen:
        asked.clear()
        with pytest.MonkeyPatch.context() as patch:
            for name, value in environment.items():
                patch.setenv(name, value)
            options = Project(project).feed("indicators").options
        return options.location, options.mode, bool(asked)

    return peek


def test_dbt_is_asked_once_and_again_after_every_change(
    peek: Callable[..., Seen], project: Path
) -> None:
    place = "samples/indicators/*.csv*"
    # GIVEN a project whose contract was read
    assert peek() == (place, "append", True)
    assert peek() == (place, "append", False)
    # WHEN a variable that it names gets a value THEN that counts
    assert peek(CTI_INDICATORS_LOCATION="x/*.csv") == ("x/*.csv", "append", True)
    assert peek(CTI_INDICATORS_LOCATION="x/*.csv") == ("x/*.csv", "append", False)
    # WHEN one that it does not name does THEN nothing is to be asked
    assert not peek(CTI_INDICATORS_LOCATION="x/*.csv", SHLVL="9")[2]
    # WHEN the contract, or another YAML file, is edited THEN that counts
    assert peek()[2]
    contract = project / CONTRACT
    contract.write_text(contract.read_text().replace("mode: append", "mode: replace"))
    assert peek() == (place, "replace", True)
    (project / "models/other.yml").write_text("version: 2\n")
    assert peek()[2]
    assert not peek()[2]
    # AND what is kept is no secret of the profile
    (kept,) = project.glob("target/loader_contract.json")
    assert "{{" not in kept.read_text()
    # AND whoever finds it does not even import dbt
    code = (
        "import sys; from pathlib import Path; from loader.warehouse.project import Project;"
        f" Project(Path({str(project)!r})).feed('indicators'); print('dbt' in sys.modules)"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    assert subprocess.check_output([sys.executable, "-c", code], env=environment) == b"False\n"


def test_what_is_kept_is_the_whole_contract(project: Path) -> None:
    feed = Project(project).feed("indicators")
    kept = ContractCache(project, None, ["--project-dir", str(project)]).read()
    assert kept == [feed]
    assert kept[0].fingerprint == feed.fingerprint
    # AND with another option dbt is asked
    assert ContractCache(project, None, ["--target", "redshift"]).read() is None


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"key": 1}', b"\xff\xfe"])
def test_what_is_damaged_is_not_used(project: Path, damage: bytes) -> None:
    (project / "target").mkdir(exist_ok=True)
    (project / "target/loader_contract.json").write_bytes(damage)
    assert Project(project).feed("indicators").options.mode == "append"


def test_a_folder_that_cannot_be_written_costs_only_time(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DBT_TARGET_PATH", str(tmp_path / "target"))
    first = Project(project).feed("indicators")
    for path in (tmp_path / "target").glob("loader_contract.json"):
        path.unlink()
        path.mkdir()
    assert Project(project).feed("indicators") == first
