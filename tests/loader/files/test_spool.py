"""The spool folder, and what becomes of those that killed loads left."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from loader.files import owner
from loader.files.spool import spool_folder


@pytest.fixture
def tmpdir_of_loads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty TMPDIR."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


@pytest.fixture(scope="module")
def dead() -> int:
    """The number of a process that is no more."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        pass
    return process.pid


def _left(folder: Path, name: str) -> Path:
    """A spool folder with something in it."""
    left = folder / name
    left.mkdir()
    (left / "fetched").write_bytes(b"x")
    return left


def test_what_a_killed_load_left_is_removed_by_the_next(tmpdir_of_loads: Path, dead: int) -> None:
    # Or a machine whose loads are killed often, for want of memory say, would run out of disk.
    _left(tmpdir_of_loads, f"cti-loader-{owner.host()}_{dead}_abc")
    with spool_folder() as folder:
        assert list(tmpdir_of_loads.iterdir()) == [folder]
    assert list(tmpdir_of_loads.iterdir()) == []


def test_what_may_be_in_use_is_left(tmpdir_of_loads: Path, dead: int) -> None:
    names = [
        f"cti-loader-another-host_{dead}_abc",
        f"cti-loader-{owner.host()}_1_abc",
        f"cti-loader-{owner.host()}__abc",
        f"cti-loader-{owner.host()}_{'9' * 30}_abc",
        "cti-loader-abc",
        f"somebody-else-{owner.host()}_{dead}_abc",
    ]
    kept = {_left(tmpdir_of_loads, name) for name in names}
    with spool_folder() as folder:
        pass
    assert set(tmpdir_of_loads.iterdir()) == kept
    assert folder not in kept


def test_a_link_with_such_a_name_is_not_followed(tmpdir_of_loads: Path, dead: int) -> None:
    # In a folder that all may write to, anybody can put one there.
    victim = _left(tmpdir_of_loads, "victim")
    link = tmpdir_of_loads / f"cti-loader-{owner.host()}_{dead}_abc"
    link.symlink_to(victim)
    with spool_folder():
        pass
    assert (victim / "fetched").exists()
    assert link.is_symlink()
