"""The dbt project: its feeds and sources, its marts, the tests that count them, its build.

A manifest is dbt's object; only its sources, nodes, child_map and parent_map are read.
"""

import gc
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from loader.contract.feed import Feed, parse_feed
from loader.contract.written import find_misread
from loader.errors import ConfigError
from loader.warehouse import dbt_api
from loader.warehouse.connection import Warehouse
from loader.warehouse.kept_contracts import keep, recalled


class CountingTest(NamedTuple):
    """A dbt test that counts a feed's records.

    id: dbt's. words: what check says of it (the test's config.meta). mart: the manifest's node of
    the mart that it counts, if it counts one. landings: the landing tables that it reads, as SQL
    names them.
    """

    id: str
    words: dict[str, Any]
    mart: Any
    landings: tuple[str, ...]


@dataclass(frozen=True)
class Project:
    """A dbt project, as dbt's own options point to it."""

    project_dir: Path
    profiles_dir: Path | None = None
    target: str | None = None

    @property
    def _options(self) -> list[str]:
        given = {"project-dir": self.project_dir, "profiles-dir": self.profiles_dir}
        options = {**given, "target": self.target}
        return [f"--{name}={value}" for name, value in options.items() if value]

    @cached_property
    def _manifest(self) -> Any:
        return dbt_api.parse(self._options)

    @cached_property
    def _sources(self) -> dict[str, Any]:
        """Source tables by source and table name."""
        return {f"{s.source_name}.{s.name}": s for s in self._manifest.sources.values()}

    @cached_property
    def _feed_nodes(self) -> dict[str, Any]:
        """The source tables that are feeds, as dicts."""
        return {n: s.to_dict() for n, s in self._sources.items() if "feed" in s.config.meta}

    @cached_property
    def _misread(self) -> dict[str, ConfigError]:
        """What dbt misread, by source table or file."""
        # A table that is meant to be a feed may be in any file of the project.
        package, found = self._manifest.metadata.project_name, dict[str, ConfigError]()
        own = (s for s in self._sources.values() if s.package_name == package)
        for file in sorted({source.original_file_path for source in own}):
            text = (self.project_dir / file).read_text(encoding="utf-8")
            found |= find_misread(file, text, self._feed_nodes)
        return found

    @cached_property
    def contracts(self) -> dict[str, Feed | ConfigError]:
        """Each feed by its name, in the order of names, or what is wrong with its contract.

        A table that is meant to be a feed, or a file of them, may be there with an error as well.
        """
        found, wrong = dict[str, Feed | ConfigError](), self._misread
        for name, node in sorted(self._feed_nodes.items()):
            misread = wrong.get(node["original_file_path"]) or wrong.get(name)
            try:
                found[name] = misread or parse_feed(node)
            except ConfigError as error:
                found[name] = error
        return found | {name: e for name, e in wrong.items() if e not in found.values()}

    def recall(self) -> None:
        """Finds the contracts without dbt, if nothing has changed since this was called before."""
        place, since = (self.project_dir, self._options), time.time_ns()
        if nodes := recalled(*place):
            self.__dict__.update(_feed_nodes=nodes, _misread={})
            # As parse() does otherwise.
            gc.enable()
        elif not self._misread:
            keep(*place, dbt_api.yaml_folders(self._manifest), self._feed_nodes, since)

    def feed(self, name: str) -> Feed:
        """The feed of a name, with or without its source. Raises ConfigError."""
        found = [f for n, f in self.contracts.items() if n == name or n.endswith(f".{name}")]
        if len(found) == 1:
            if isinstance(found[0], ConfigError):
                raise found[0]
            return found[0]
        known = ", ".join(self.contracts) or "none; give a source table config.meta.feed"
        raise ConfigError(
            f"there {'are several feeds' if found else 'is no feed'} {name!r}. Feeds: {known}."
        )

    def source(self, name: str) -> Any:
        """The manifest's node of a source table. Raises ConfigError."""
        if name not in self._sources:
            raise ConfigError(f"source table {name} is gone from the project's YAML; restore it")
        return self._sources[name]

    @contextmanager
    def warehouse(self, feed: Feed | None = None, create: bool = True) -> Iterator[Warehouse]:
        """dbt's own connection to the target, with the tables of a feed if one is given.

        create: whether a DuckDB file may stay that connecting to it has created. Raises
        ConfigError, also for what refuse_misconfigured (macros/load) refuses, and WarehouseError.
        """
        with dbt_api.connected_adapter(self._manifest, create) as adapter:
            warehouse = Warehouse(adapter, self.source, feed)
            names = {feed.name} if feed else self._feed_nodes.keys() - self._wrong
            counted = [self.source(name).unique_id for name in sorted(names)]
            warehouse.render("refuse_misconfigured", feeds=counted)
            yield warehouse

    def build(self, feed: Feed, quiet: bool) -> dbt_api.BuildResult:
        """Runs `dbt build` on everything that depends on a feed and on what that needs in turn.

        Also on what depends on the loader's own tables and on no feed. Tests look at what is new.
        """
        # Unit tests are for development and CI; on Redshift they say nothing of the nodes that
        # hold data.
        options = [*self._options, *self._left_out, "--select", *self._built(feed)]
        return dbt_api.build(self._manifest, [*options, "--exclude-resource-type=unit_test"], quiet)

    def test_all_history(self, feed: Feed, quiet: bool) -> dbt_api.BuildResult:
        """Runs the data tests of build() on all there is, and builds nothing."""
        # By this tag in a selection the macros of marks know that all history is meant.
        selected = [f"{some},tag:all_history" for some in self._built(feed)]
        options = [*self._options, *self._left_out, "--select", *selected]
        return dbt_api.build(self._manifest, options, quiet, "test")

    def _built(self, feed: Feed) -> list[str]:
        """The selection of a build, in dbt's words."""
        own = [s.unique_id for name, s in self._sources.items() if name.startswith("loader.")]
        reached = {node for source in own for node in _reached(source, self._manifest.child_map)}
        nodes = filter(None, map(self._manifest.nodes.get, sorted(reached)))
        models = (node for node in nodes if node.resource_type == "model")
        of_no_feed = [".".join(model.fqn) for model in models if not self._landings(model)]
        # With a leading @ also the parents of everything downstream, seeds among them.
        return [f"@source:{feed.name}", "source:loader", *of_no_feed]

    @property
    def _wrong(self) -> list[str]:
        """The feeds whose contracts are wrong."""
        return [n for n in self._feed_nodes if isinstance(self.contracts[n], ConfigError)]

    @property
    def _left_out(self) -> list[str]:
        """The options by which dbt leaves out what reads such a feed, which may have no table."""
        return [f"--exclude=source:{name}+" for name in self._wrong]

    def counting_tests(self, feed: Feed) -> list[CountingTest]:
        """The tests that count a feed's records, those of its marts last.

        They are the tests whose config.meta has words for check. What none of them counts the macro
        refuse_uncounted has refused; one that counts in part is for dbt alone.
        """
        nodes, landing = self._manifest.nodes, self.source(feed.name).relation_name
        tests = [
            CountingTest(name, node.config.meta, nodes.get(node.attached_node), landings)
            for name, node in nodes.items()
            if hasattr(node, "test_metadata") and {"check", "place"} <= node.config.meta.keys()
            if not (node.config.where or node.config.limit or "since" in node.test_metadata.kwargs)
            # Those of the ledger and the quarantine are every feed's.
            if landing in (landings := self._landings(node)) or not landings
        ]
        return sorted(tests, key=lambda test: (test.words["place"], test.id))

    def _landings(self, node: Any) -> tuple[str, ...]:
        """The landing tables that a node is made of, as SQL names them."""
        parents = _reached(node.unique_id, self._manifest.parent_map)
        sources = filter(None, map(self._manifest.sources.get, parents))
        return tuple(s.relation_name for s in sources if "feed" in s.config.meta)

    def compiled(self, test: str) -> str:
        """The SQL of a test, which returns what fails it. Raises WarehouseError."""
        return dbt_api.compiled(self._manifest, test)


def _reached(start: str, edges: Mapping[str, Sequence[str]]) -> list[str]:
    """Every node that the edges lead to from one."""
    found = [start]
    for name in found:  # which grows meanwhile
        found += [node for node in edges.get(name, ()) if node not in found]
    return found[1:]
