"""What make says before it has set anything up."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MESSAGE = (
    "is not Python 3.11, 3.12, 3.13 or 3.14: say which one is, as in make run PYTHON=python3.12"
)


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """What make needs to set up."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    shutil.copytree(ROOT / "requirements", tmp_path / "requirements")
    return tmp_path


@pytest.mark.parametrize(("minor", "fits"), [(10, False), (11, True), (14, True), (15, False)])
def test_another_python_is_refused_before_anything_is_made(
    clone: Path, minor: int, fits: bool
) -> None:
    # GIVEN a Python that takes itself for another, and can do nothing but run a line of code
    python = clone / "python"
    code = f"import sys; sys.version_info = (3, {minor}, 0); exec(sys.argv[1])"
    python.write_text(
        f'#!/bin/sh\n[ "$1" = -c ] || exit 9\nexec {sys.executable} -c "{code}" "$2"\n'
    )
    python.chmod(0o755)
    # WHEN make is to set up with it THEN it fails: at once, or else when it makes the environment
    command = ["make", ".venv/runtime", f"PYTHON={python}"]
    done = subprocess.run(command, cwd=clone, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert (f"{python} {MESSAGE}" in done.stderr) is not fits
    assert ("Error 9" in done.stderr) is fits
    assert not (clone / ".venv").exists()
