"""The contracts as dbt parsed them last, for a command that needs nothing else of dbt.

To import dbt takes longer than to judge a small file. They are kept beside what dbt keeps itself,
and hold as long as nothing is other than it was that dbt makes them of: the project's YAML, by
name, size and times, and the variables that this names.
"""

import hashlib
import json
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

from loader import __version__

# The name of a variable, none where it is put together.
_VARIABLE = re.compile(r"env_var\s*\(\s*(?:(['\"])(\w+)\1\s*[,)])?")
# How far a file system's clock may be behind, in nanoseconds.
_CLOCK = 1_000_000_000


def recalled(project_dir: Path, options: Sequence[str]) -> dict[str, Any] | None:
    """The nodes of the feeds that keep() was given, None if dbt has to parse them again."""
    try:
        kept = json.loads(_place(project_dir).read_text(encoding="utf-8"))
        files = list(_files(project_dir, options, kept["folders"]))
        same = kept["state"] == _state(options, files, kept["variables"])
        return kept["nodes"] if same else None
    except (OSError, ValueError, LookupError, TypeError):
        return None


def keep(
    project_dir: Path, options: Sequence[str], folders: Sequence[str], nodes: Any, since: int
) -> None:
    """Keeps the nodes of the feeds, if they can be recalled as they are.

    folders: where dbt looks for YAML. since: when dbt began to parse, as time.time_ns() has it.
    """
    # Where it cannot be written, all is parsed again each time.
    with suppress(OSError):
        files, variables = list(_files(project_dir, options, folders)), set[str | None]()
        for file in filter(Path.exists, files):
            text = file.read_text(encoding="utf-8", errors="replace")
            variables |= {found[2] for found in _VARIABLE.finditer(text)}
            if file.stat().st_ctime_ns > since - _CLOCK:
                return
        named = sorted(name for name in variables if name)
        kept = {"folders": list(folders), "variables": named, "nodes": nodes}
        text = json.dumps({**kept, "state": _state(options, files, named)}, default=str)
        if None not in variables and json.loads(text)["nodes"] == nodes:
            _place(project_dir).write_text(text, encoding="utf-8")


def _place(project_dir: Path) -> Path:
    return Path(project_dir, os.environ.get("DBT_TARGET_PATH", "target"), "contracts.json")


def _files(project_dir: Path, options: Sequence[str], folders: Sequence[str]) -> Iterator[Path]:
    """What dbt makes the contracts of; some of it may not exist."""
    profiles = [option.partition("=")[2] for option in options if "profiles-dir" in option]
    profiles += [".", os.path.expanduser("~/.dbt")]
    yield from (Path(folder, "profiles.yml") for folder in profiles)
    yield project_dir / ".dbtignore"
    yield from sorted(project_dir.glob("*.y*ml"))
    for folder in folders:
        for path, _, names in os.walk(folder):
            yaml = (name for name in sorted(names) if name.lower().endswith((".yml", ".yaml")))
            yield from (Path(path, name) for name in yaml)


def _state(options: Sequence[str], files: Sequence[Path], variables: Sequence[str]) -> str:
    """A digest of all that the contracts depend on. Raises OSError."""
    dbts = (name for name in os.environ if name.startswith("DBT_"))
    # dbt lets no contract have a secret.
    names = [n for n in (*variables, *sorted(dbts)) if not n.startswith("DBT_ENV_SECRET")]
    values = [(name, os.environ.get(name)) for name in names]
    seen = []
    for file in files:
        stat = file.stat() if file.exists() else None
        times = stat and (stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)
        seen.append((str(file.resolve()), times))
    all_of_it = [__version__, version("dbt-core"), *options, values, seen]
    return hashlib.sha256(json.dumps(all_of_it).encode()).hexdigest()
