"""The spool folder: no load loses its own, and what killed loads left is removed."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from loader.files import spool
from loader.files.spool import spool_folder

ROOT = Path(__file__).resolve().parents[3]
LOAD = """
import sys
from loader.files.spool import spool_folder
with spool_folder() as folder:
    (folder / "fetched").write_bytes(b"x")
    print(folder, flush=True)
    sys.stdin.read()
"""
MANY_LOADS = """
import time
from loader.files.spool import spool_folder
end, loads = time.monotonic() + 2, 0
while time.monotonic() < end:
    with spool_folder() as folder:
        (folder / "fetched").write_bytes(b"x")
        assert (folder / "fetched").read_bytes() == b"x"
    loads += 1
assert loads > 20
"""


@pytest.fixture
def tmpdir_of_loads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty TMPDIR, for this process and those that it starts."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path


def started(script: str) -> subprocess.Popen[str]:
    """A process of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


@contextmanager
def running_load() -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """A load in a process of its own, and its spool folder."""
    with started(LOAD) as load:
        assert load.stdout
        yield load, Path(load.stdout.readline().strip())
        load.communicate()


def left(folder: Path, name: str) -> Path:
    """A folder that nobody holds, with something in it."""
    path = folder / name
    path.mkdir()
    (path / "fetched").write_bytes(b"x")
    return path


def test_what_a_killed_load_left_is_removed_by_the_next(tmpdir_of_loads: Path) -> None:
    # Or a machine whose loads are killed often, for want of memory say, would run out of disk.
    with running_load() as (load, killed):
        load.kill()
    assert (killed / "fetched").exists()
    with spool_folder() as folder:
        assert list(tmpdir_of_loads.iterdir()) == [folder]
    assert list(tmpdir_of_loads.iterdir()) == []


def test_what_a_running_load_holds_is_left(tmpdir_of_loads: Path) -> None:
    # GIVEN a load in another process, and one in this
    with running_load() as (_, other), spool_folder() as mine:
        # WHEN further loads come and go
        for _ in range(3):
            with spool_folder():
                pass
        # THEN both keep what they have
        assert (other / "fetched").read_bytes() == b"x"
        assert set(tmpdir_of_loads.iterdir()) == {other, mine}
    assert list(tmpdir_of_loads.iterdir()) == []


@pytest.mark.parametrize("step", ["tempfile.mkdtemp", "os.open"])
def test_a_folder_that_is_removed_before_it_is_locked_is_made_again(
    tmpdir_of_loads: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    # GIVEN another load that looks for abandoned folders just when this one has made its own
    made: list[Path] = []
    module, name = step.split(".")
    usual = getattr(sys.modules[module], name)

    def disturbed(*arguments: Any, **options: Any) -> object:
        result = usual(*arguments, **options)
        if not made:
            made.extend(tmpdir_of_loads.iterdir())
            spool._remove_abandoned()
        return result

    monkeypatch.setattr(step, disturbed)
    # THEN this load works in a folder that is there
    with spool_folder() as folder:
        assert list(tmpdir_of_loads.iterdir()) == [folder] != made
        assert len(made) == 1


def test_loads_that_start_together_keep_out_of_each_others_way(tmpdir_of_loads: Path) -> None:
    loads = [started(MANY_LOADS) for _ in range(3)]
    for load in loads:
        load.communicate()
    assert [load.returncode for load in loads] == [0, 0, 0]
    assert list(tmpdir_of_loads.iterdir()) == []


def test_what_is_not_the_loaders_is_left(tmpdir_of_loads: Path) -> None:
    kept = {left(tmpdir_of_loads, name) for name in ("somebody-else-abc", "cti-spoo", "x")}
    (tmpdir_of_loads / "cti-spool-a-file").touch()
    kept.add(tmpdir_of_loads / "cti-spool-a-file")
    with spool_folder():
        pass
    assert set(tmpdir_of_loads.iterdir()) == kept


def test_what_another_user_left_is_left(
    tmpdir_of_loads: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Root could remove it; many may share a TMPDIR.
    theirs = left(tmpdir_of_loads, "cti-spool-abc")
    monkeypatch.setattr("os.geteuid", lambda: theirs.stat().st_uid + 1)
    with spool_folder():
        pass
    assert (theirs / "fetched").exists()


def test_a_link_with_such_a_name_is_not_followed(tmpdir_of_loads: Path) -> None:
    # In a folder that all may write to, anybody can put one there.
    victim = left(tmpdir_of_loads, "victim")
    link = tmpdir_of_loads / "cti-spool-abc"
    link.symlink_to(victim)
    with spool_folder():
        pass
    assert (victim / "fetched").exists()
    assert link.is_symlink()


def test_a_file_system_without_locks_costs_only_the_cleaning(
    tmpdir_of_loads: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN a TMPDIR on a network share that has no locks
    def no_locks(_handle: int, _operation: int) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr("fcntl.flock", no_locks)
    # THEN a load works, and removes nothing that another may be using
    other = left(tmpdir_of_loads, "cti-spool-abc")
    with spool_folder() as folder:
        assert set(tmpdir_of_loads.iterdir()) == {folder, other}
    assert set(tmpdir_of_loads.iterdir()) == {other}


@pytest.mark.parametrize("umask", [0o000, 0o777])
def test_nobody_else_can_look_into_the_spool(tmpdir_of_loads: Path, umask: int) -> None:
    # What is in it may have any mode: nobody gets past the folder.
    usual = os.umask(umask)
    try:
        with spool_folder() as folder:
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    finally:
        os.umask(usual)
