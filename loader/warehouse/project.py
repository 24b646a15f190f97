"""The dbt project: its feeds and sources, its marts, the tests that count them, its build.

A manifest is dbt's object; only its sources, nodes, child_map and parent_map are read.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from loader.contract.cache import ContractCache
from loader.contract.feed import Feed, parse_feed
from loader.errors import ConfigError
from loader.warehouse import dbt_api
from loader.warehouse.connection import Warehouse

# The ledger of all feeds, as the project's YAML names it.
LEDGER = "loader._loaded_files"

_OF_THE_LEDGER = (
    "ledger_matches_quarantine",
    "ledger_matches_replays",
    "ledger_adds_up",
    "loaded_once",
)


@dataclass(frozen=True)
class Mart:
    """A table that counts the raw records that each of its rows stands for.

    name: as SQL has it. model: as dbt does. node: database, schema and identifier. feeds: whose
    records it is made of. test: the id of the dbt test that counts them, for a mart that knows its
    newest load too and so has to account for every record; empty for any other.
    """

    name: str
    model: str
    node: dict[str, Any]
    feeds: tuple[str, ...]
    test: str


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
    def _sources(self) -> dict[str, Any]:
        """Source tables by source and table name."""
        return {_name(node): node for node in self._manifest.sources.values()}

    @cached_property
    def feeds(self) -> dict[str, Feed]:
        """The contracts by name, in the order of their names. Raises ConfigError."""
        cache = ContractCache(self.project_dir, self.profiles_dir, self._options)
        feeds = cache.read()
        if feeds is None:
            sources = self._sources.values()
            nodes = [source.to_dict() for source in sources if "feed" in source.config.meta]
            for node in nodes:
                self._check_listed_once(node)
            self._refuse_uncounted()
            feeds = sorted(map(parse_feed, nodes), key=lambda feed: feed.name)
            cache.write(feeds)
        return {feed.name: feed for feed in feeds}

    def _check_listed_once(self, node: dict[str, Any]) -> None:
        """Raises ConfigError for a column that is listed twice: dbt keeps one and says nothing."""
        import yaml

        written = yaml.safe_load((self.project_dir / node["original_file_path"]).read_text())
        columns = Counter(
            column["name"]
            for source in written["sources"]
            if source["name"] == node["source_name"]
            for table in source["tables"]
            if table["name"] == node["name"]
            for column in table.get("columns") or ()
        )
        if repeated := [name for name, times in columns.items() if times > 1]:
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
        node: dict[str, Any] = self._source(name).to_dict()
        return node

    def _source(self, name: str) -> Any:
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
        """Tables downstream of a feed with the column occurrences, by name.

        Raises ConfigError for one with last_load_id that no test counts.
        """
        start = self._source(feed.name).unique_id
        reached = sorted(_reached(start, self._manifest.child_map))
        return [
            Mart(
                node.relation_name,
                node.name,
                {"database": node.database, "schema": node.schema, "identifier": node.alias},
                tuple(
                    _name(source)
                    for name in sorted(_reached(node.unique_id, self._manifest.parent_map))
                    if (source := self._manifest.sources.get(name)) and "feed" in source.config.meta
                ),
                self._test("counts_every_record", node).unique_id if _is_mart(node) else "",
            )
            for node in map(self._manifest.nodes.get, reached)
            if node and node.resource_type == "model" and "occurrences" in node.columns
        ]

    def counting_tests(self, feed: str) -> dict[str, dict[str, str]]:
        """The words (config.meta) of each test that counts a feed's records, by the test's id.

        Raises ConfigError if the feed's source table or the ledger has not all of them.
        """
        tests = [self._test("ledger_matches_landing", self._source(feed))]
        tests += [self._test(name, self._source(LEDGER)) for name in _OF_THE_LEDGER]
        return {test.unique_id: test.config.meta for test in tests}

    def compiled(self, test: str) -> str:
        """The SQL of a test, which returns what fails it. Raises WarehouseError."""
        return dbt_api.compiled(self._manifest, test)

    def _refuse_uncounted(self) -> None:
        """Raises ConfigError that names a feed, a ledger or a mart without its counting test.

        The macro refuse_uncounted does the same where dbt runs alone.
        """
        for name, source in self._sources.items():
            if "feed" in source.config.meta:
                self.counting_tests(name)
        for node in self._manifest.nodes.values():
            if node.resource_type == "model" and _is_mart(node):
                self._test("counts_every_record", node)

    def _test(self, name: str, node: Any) -> Any:
        """The test of a source table or model that looks at all of its rows. Raises ConfigError."""
        is_model = node.resource_type == "model"
        place = f"model {node.name}" if is_model else f"source table {_name(node)}"
        # dbt notes the node that a test is attached to for models alone.
        source = f"source('{getattr(node, 'source_name', '')}', '{node.name}')"
        for test in self._manifest.nodes.values():
            metadata = getattr(test, "test_metadata", None)
            if not metadata or metadata.name != name:
                continue
            in_part = "since" in metadata.kwargs or test.config.where or test.config.limit
            attached = test.attached_node == node.unique_id or source in metadata.kwargs["model"]
            if attached and not in_part:
                return test
        raise ConfigError(
            f"{node.original_file_path}: {place}: nothing counts its records; add the test {name}"
            " to its data_tests"
        )


def _is_mart(node: Any) -> bool:
    return {"occurrences", "last_load_id"} <= set(node.columns)


def _name(source: Any) -> str:
    return f"{source.source_name}.{source.name}"


def _reached(start: str, edges: Mapping[str, Sequence[str]]) -> set[str]:
    """Every node that the edges lead to from one."""
    seen: set[str] = set()
    queue = [start]
    while queue:
        new = set(edges.get(queue.pop(), ())) - seen
        seen |= new
        queue += new
    return seen
