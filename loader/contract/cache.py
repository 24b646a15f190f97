"""The contracts as dbt resolved them last time, for as long as nothing they came from changes.

dbt takes seconds to import and parse; judging a small file takes a fraction of one. What is kept is
good only for the same YAML files, profile, options, versions, and the same values of every
environment variable whose name occurs in them; anything else is a miss, and dbt is asked.
"""

import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from loader import __version__
from loader.contract.feed import Feed

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# dbt lets no YAML but the profile's see variables of this kind.
_HIDDEN = "DBT_ENV_SECRET"
_WITHOUT_CONTRACTS = ("target", "logs")


@dataclass(frozen=True)
class ContractCache:
    """What is kept of one project, in dbt's own target folder. options: dbt's."""

    project_dir: Path
    profiles_dir: Path | None
    options: Sequence[str]

    @property
    def _path(self) -> Path:
        target = os.environ.get("DBT_TARGET_PATH", "target")
        return self.project_dir / target / "loader_contract.json"

    def read(self) -> list[Feed] | None:
        """The feeds, or None if dbt has to be asked."""
        try:
            kept = json.loads(self._path.read_bytes())
            fresh = kept["key"] == self._key()
            return [Feed.model_validate(feed) for feed in kept["feeds"]] if fresh else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def write(self, feeds: Iterable[Feed]) -> None:
        """Keep the feeds. If that fails, the next command only takes longer."""
        kept = {"key": self._key(), "feeds": [feed.model_dump() for feed in feeds]}
        passing = self._path.with_suffix(f".{os.getpid()}")
        with suppress(OSError):
            passing.write_text(json.dumps(kept))
            passing.replace(self._path)

    def _key(self) -> str:
        texts = {str(path): path.read_bytes() for path in self._files()}
        words = set(_NAME.findall(b"\n".join(texts.values()).decode("utf-8", "replace")))
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(_HIDDEN) and (name in words or name.startswith("DBT_"))
        }
        # What reads the contract counts too: it may be edited without a new version.
        texts |= {path.name: path.read_bytes() for path in Path(__file__).parent.glob("*.py")}
        digests = {path: hashlib.sha256(text).hexdigest() for path, text in texts.items()}
        parts = [__version__, version("dbt-core"), *self.options, environment, digests]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    def _files(self) -> Iterator[Path]:
        """The project's YAML, and wherever dbt looks for a profile."""
        for folder, folders, names in os.walk(self.project_dir):
            folders[:] = [
                name for name in folders if name[0] != "." and name not in _WITHOUT_CONTRACTS
            ]
            yield from (Path(folder, n) for n in names if n.endswith((".yml", ".yaml")))
        for place in (self.profiles_dir, Path.cwd(), Path.home() / ".dbt"):
            if place is not None and (place / "profiles.yml").is_file():
                yield place / "profiles.yml"
