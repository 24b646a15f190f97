"""The feeds' YAML as dbt resolved it last time, for as long as nothing that it came from changes.

dbt takes seconds to import and parse; judging a small file takes a fraction of one. What is kept is
good only for the same YAML files, profile, options, versions, and the same values of every
environment variable whose name occurs in them; anything else is a miss, and dbt is asked.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

from loader import __version__

__all__ = ["ContractCache"]

Node = Mapping[str, Any]

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# dbt lets no YAML but the profile's see variables of this kind.
_HIDDEN = "DBT_ENV_SECRET"
_WITHOUT_CONTRACTS = ("target", "logs")


class ContractCache:
    """What is kept of one project, in dbt's own target folder."""

    def __init__(
        self, project_dir: Path, profiles_dir: Path | None, options: Sequence[str]
    ) -> None:
        self._project_dir = project_dir
        self._profiles_dir = profiles_dir
        self._options = list(options)
        target = os.environ.get("DBT_TARGET_PATH", "target")
        self._path = project_dir / target / "loader_contract.json"

    def read(self) -> list[Node] | None:
        """The nodes of the feeds' source tables, or None if dbt has to be asked."""
        try:
            kept = json.loads(self._path.read_bytes())
            return list(kept["nodes"]) if kept["key"] == self._key() else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def write(self, nodes: Sequence[Node]) -> None:
        """Keeps the nodes; not doing so costs time and nothing else."""
        passing = self._path.with_suffix(f".{os.getpid()}")
        with suppress(OSError):
            text = json.dumps({"key": self._key(), "nodes": list(map(_needed, nodes))})
            passing.write_text(text)
            passing.replace(self._path)

    def _key(self) -> str:
        texts = {str(path): path.read_bytes() for path in self._files()}
        words = set(_NAME.findall(b"\n".join(texts.values()).decode("utf-8", "replace")))
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(_HIDDEN) and (name in words or name.startswith("DBT_"))
        }
        versions = [__version__, version("dbt-core")]
        parts = [versions, self._options, sorted(environment.items()), sorted(texts)]
        digest = hashlib.sha256(json.dumps(parts).encode())
        for path in sorted(texts):
            digest.update(hashlib.sha256(texts[path]).digest())
        return digest.hexdigest()

    def _files(self) -> Iterator[Path]:
        """The project's YAML, and wherever dbt looks for a profile."""
        for folder, folders, names in os.walk(self._project_dir):
            folders[:] = [
                name
                for name in folders
                if not name.startswith(".") and name not in _WITHOUT_CONTRACTS
            ]
            yield from (Path(folder, n) for n in names if n.endswith((".yml", ".yaml")))
        for place in (self._profiles_dir, Path.cwd(), Path.home() / ".dbt"):
            if place is not None and (place / "profiles.yml").is_file():
                yield place / "profiles.yml"


def _needed(node: Node) -> Node:
    """What parse_feed() reads of a node."""
    columns = {
        name: {
            "name": column["name"],
            "data_type": column.get("data_type"),
            "config": {"meta": column["config"]["meta"]},
        }
        for name, column in node["columns"].items()
    }
    return {
        "source_name": node["source_name"],
        "name": node["name"],
        "original_file_path": node["original_file_path"],
        "config": {"meta": node["config"]["meta"]},
        "columns": columns,
    }
