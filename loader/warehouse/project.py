"""The dbt project: its feeds and sources, its marts, its build, its target's connection."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from loader.contract.cache import ContractCache
from loader.contract.feed import Feed, parse_feed
from loader.errors import ConfigError
from loader.warehouse import counting, dbt_api
from loader.warehouse.connection import Warehouse
from loader.warehouse.counting import Mart


@dataclass(frozen=True)
class Project:
    """A dbt project, as dbt's own options point to it."""

    project_dir: Path
    profiles_dir: Path | None = None
    target: str | None = None

    @property
    def _options(self) -> list[str]:
        options = ["--project-dir", str(self.project_dir)]
        if self.profiles_dir:
            options += ["--profiles-dir", str(self.profiles_dir)]
        if self.target:
            options += ["--target", self.target]
        return options

    @cached_property
    def _manifest(self) -> Any:
        return dbt_api.parse(self._options)

    @cached_property
    def _sources(self) -> dict[str, dict[str, Any]]:
        """Source tables by source and table name."""
        return {
            f"{node.source_name}.{node.name}": node.to_dict()
            for node in self._manifest.sources.values()
        }

    @cached_property
    def feeds(self) -> dict[str, Feed]:
        """The contracts by name, in the order of their names. Raises ConfigError."""
        cache = ContractCache(self.project_dir, self.profiles_dir, self._options)
        feeds = cache.read()
        if feeds is None:
            nodes = [node for node in self._sources.values() if "feed" in node["config"]["meta"]]
            for node in nodes:
                self._check_listed_once(node)
            counting.refuse_uncounted(self._manifest)
            feeds = sorted(map(parse_feed, nodes), key=lambda feed: feed.name)
            cache.write(feeds)
        return {feed.name: feed for feed in feeds}

    def _check_listed_once(self, node: dict[str, Any]) -> None:
        """Raises ConfigError for a column that is listed twice: dbt keeps one and says nothing."""
        import yaml

        written = yaml.safe_load((self.project_dir / node["original_file_path"]).read_text())
        for source in written["sources"]:
            for table in source["tables"] if source["name"] == node["source_name"] else ():
                names = [
                    c["name"] for c in table.get("columns") or [] if table["name"] == node["name"]
                ]
                if repeated := [name for name, times in Counter(names).items() if times > 1]:
                    raise ConfigError(
                        f"{node['original_file_path']}: source table {node['source_name']}."
                        f"{node['name']}: column {repeated[0]} is listed twice"
                    )

    def feed(self, name: str) -> Feed:
        """The feed of a name, with or without its source. Raises ConfigError."""
        found = [feed for feed in self.feeds.values() if name in (feed.name, feed.table_name)]
        if len(found) == 1:
            return found[0]
        known = ", ".join(self.feeds) or "none; give a source table config.meta.feed"
        raise ConfigError(
            f"there {'are several feeds' if found else 'is no feed'} {name!r}. Feeds: {known}."
        )

    def source(self, name: str) -> dict[str, Any]:
        """The manifest's node of a source table. Raises ConfigError."""
        if name not in self._sources:
            raise ConfigError(f"source table {name} is gone from the project's YAML; restore it")
        return self._sources[name]

    @contextmanager
    def warehouse(self, create: bool = True) -> Iterator[Warehouse]:
        """dbt's own connection to the target. Raises ConfigError, WarehouseError.

        create: whether a DuckDB file may stay that connecting to it has created.
        """
        with dbt_api.connected_adapter(self._manifest, create) as adapter:
            yield Warehouse(adapter)

    def build(self, feed: Feed, quiet: bool) -> dbt_api.BuildResult:
        """Runs `dbt build` on everything that depends on a feed and on what that needs in turn."""
        # With a leading @ also the parents of everything downstream, seeds among them.
        selected = [f"@source:{feed.source_name}.{feed.table_name}", "source:loader+"]
        return dbt_api.build(self._manifest, [*self._options, "--select", *selected], quiet)

    def marts(self, feed: Feed) -> list[Mart]:
        """The feed's marts, by name. Raises ConfigError for one that no test counts."""
        return counting.marts(self._manifest, feed)

    def counting_tests(self, feed: Feed) -> dict[str, dict[str, str]]:
        """The words of each test that counts the feed, by the test's id. Raises ConfigError."""
        return counting.counting_tests(self._manifest, feed.name)

    def compiled(self, test: str) -> str:
        """The SQL of a test, which returns what fails it. Raises WarehouseError."""
        return dbt_api.compiled(self._manifest, test)
