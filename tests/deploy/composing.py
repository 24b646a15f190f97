"""Docker Compose, as the package index has it."""

from __future__ import annotations

import subprocess
from importlib.util import find_spec
from pathlib import Path

__all__ = ["compose"]


def compose(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Compose itself; the wrapper of the package ends with 0 whatever becomes of it."""
    spec = find_spec("compose")
    assert spec is not None
    assert spec.origin is not None
    program = Path(spec.origin).with_name("docker-compose")
    return subprocess.run([program, *arguments], capture_output=True, text=True, check=False)
