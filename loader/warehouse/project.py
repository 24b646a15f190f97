"""The dbt project: its feeds, its target's connection, its macros, its build.

The only module that imports dbt. dbt takes seconds to import, so it is imported when used.
"""

from __future__ import annotations

import ast
import logging
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any

import duckdb

from loader import interrupts
from loader.contract.cache import ContractCache
from loader.contract.feed import Feed, parse_feed
from loader.errors import CommitUnknown, ConfigError, WarehouseError, WarehouseTransient

# Redshift: "Serializable isolation" (1023); the rest is what the server, its driver and Python say
# of a lost connection, and of two first loads that create the same table.
_TRANSIENT = re.compile(
    r"(?<!\d)1023(?!\d)|serializable isolation violation|could not serialize"
    r"|conflict with concurrent transaction|connection reset|connection is closed|connection time"
    r"|broken ?pipe|server socket closed|communication error|timed out|eof occurred"
    r"|terminating connection|already exists|duplicate key value violates unique constraint .pg_",
    re.IGNORECASE,
)

# What the driver of Redshift says where it gets no connection at all.
_UNREACHED = re.compile(r"'communication error', \w+\((?:-?\d+, )?['\"](.+?)['\"]\)")

# PostgreSQL: "Error and Notice Message Fields"; S is the severity.
_FIELDS = re.compile(r"\{'S': .*\}", re.DOTALL)

__all__ = ["BuildResult", "Mart", "Project", "Warehouse"]


@dataclass(frozen=True)
class BuildResult:
    """What `dbt build` did. errors counts what could not be run, models and tests alike."""

    tests_passed: int
    tests_failed: int
    errors: int
    failures: tuple[str, ...]


@dataclass(frozen=True)
class Mart:
    """A table that counts the raw records that each of its rows stands for.

    name: as SQL has it. model: as dbt does. node: database, schema and identifier. feeds: whose
    records it is made of. is_complete: it knows its newest load too, and so has to account for
    every record of theirs.
    """

    name: str
    model: str
    node: dict[str, Any]
    feeds: tuple[str, ...]
    is_complete: bool


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
        from dbt.cli.main import dbtRunner

        # Its manifest.json is for others; `dbt build` writes it.
        quiet = ["--log-level", "none", "--no-write-json"]
        outcome = dbtRunner().invoke([*quiet, "parse", *self._options])
        if outcome.success:
            return outcome.result
        raise ConfigError(_advice(_message(outcome.exception)))

    @cached_property
    def _sources(self) -> dict[str, dict[str, Any]]:
        """Source tables by source and table name."""
        return {
            f"{node.source_name}.{node.name}": node.to_dict()
            for node in self._manifest.sources.values()
        }

    @cached_property
    def feeds(self) -> dict[str, Feed]:
        """The contracts, by name. Raises ConfigError."""
        cache = ContractCache(self.project_dir, self.profiles_dir, self._options)
        kept = cache.read()
        if kept is not None:
            return _by_name(map(parse_feed, kept))
        nodes = [node for node in self._sources.values() if "feed" in node["config"]["meta"]]
        for node in nodes:
            self._check_listed_once(node)
        cache.write(nodes)
        return _by_name(map(parse_feed, nodes))

    def _check_listed_once(self, node: dict[str, Any]) -> None:
        """Raises ConfigError for a column that is listed twice: dbt keeps one and says nothing."""
        import yaml

        written = yaml.safe_load((self.project_dir / node["original_file_path"]).read_text())
        for source in written["sources"]:
            for table in source["tables"] if source["name"] == node["source_name"] else ():
                names = [
                    c["name"] for c in table.get("columns") or [] if table["name"] == node["name"]
                ]
                if repeated := [name for name in names if names.count(name) > 1]:
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
        """dbt's own connection to the target. Raises WarehouseError.

        create: whether a DuckDB file may stay that only came to be by connecting to it.
        """
        from dbt.adapters.factory import get_adapter, register_adapter, reset_adapters
        from dbt.config.runtime import RuntimeConfig
        from dbt.context.providers import generate_runtime_macro_context
        from dbt.flags import get_flags
        from dbt.mp_context import get_mp_context

        manifest = self._manifest
        config = RuntimeConfig.from_args(get_flags())
        if config.credentials.type == "redshift":
            if not config.credentials.host:
                raise ConfigError(
                    f"target {config.target_name} of the profile has no host. Set REDSHIFT_HOST,"
                    " REDSHIFT_USER and DBT_ENV_SECRET_REDSHIFT_PASSWORD, or use --target duckdb."
                )
            # A retry of dbt's would run the statement on a new connection, outside the transaction
            # that it was part of. The loader tries whole loads again instead.
            config.credentials.retries = 0
            config.credentials.retry_all = False
            # Nor may the first statement that comes begin a transaction: in that of a load the lock
            # has to come first.
            config.credentials.autocommit = True
        path = Path(getattr(config.credentials, "path", "") or ":memory:")
        passing = config.credentials.type == "duckdb" and not create and not path.exists()
        reset_adapters()
        register_adapter(config, get_mp_context())
        adapter = get_adapter(config)
        adapter.set_macro_resolver(manifest)
        adapter.set_macro_context_generator(generate_runtime_macro_context)
        try:
            with _database_errors(), adapter.connection_named("loader"):
                yield Warehouse(adapter)
        except WarehouseTransient as error:
            if found := _UNREACHED.search(str(error)):
                where = f"{config.credentials.host}:{config.credentials.port}"
                raise WarehouseTransient(
                    f"cannot reach the warehouse at {where}: {found[1]}. Check host and port, and"
                    " that this machine may connect to it."
                ) from None
            raise
        finally:
            adapter.cleanup_connections()
            reset_adapters()
            if config.credentials.type == "duckdb":
                # dbt-duckdb would hold the file, and so its lock, until the process ends.
                from dbt.adapters.duckdb.connections import DuckDBConnectionManager

                DuckDBConnectionManager.close_all_connections()
            if passing:
                path.unlink(missing_ok=True)

    def build(self, feed: Feed, quiet: bool) -> BuildResult:
        """Runs `dbt build` on all that depends on a feed, with what that needs."""
        from dbt.cli.main import dbtRunner
        from dbt_common.events.event_manager_client import cleanup_event_logger

        source = f"source:{feed.source_name}.{feed.table_name}"
        # What dbt prints into a pipe that nobody reads any more is no reason for tracebacks.
        logging.raiseExceptions = False
        # Nor does dbt show the traceback of an interruption once somebody has asked for one.
        logging.getLogger("stdout_log").addFilter(_until_stopped)
        outcome = dbtRunner(manifest=self._manifest).invoke(
            [
                *(["--log-level", "none"] if quiet else []),
                *([] if sys.stdout.isatty() else ["--no-use-colors"]),
                "build",
                *self._options,
                # With a leading @ also the parents of everything downstream, seeds among them.
                "--select",
                f"@{source}",
                "source:loader+",
            ]
        )
        # dbt goes on printing its events after the build unless told to stop.
        cleanup_event_logger()
        if outcome.result is None:
            raise ConfigError(_advice(_message(outcome.exception)))
        results: Any = outcome.result
        return _summary(list(results))

    def marts(self, feed: Feed) -> list[Mart]:
        """Tables downstream of a feed that count what they fold together, by name."""
        manifest = self._manifest
        start = next(
            node.unique_id
            for node in manifest.sources.values()
            if (node.source_name, node.name) == (feed.source_name, feed.table_name)
        )
        nodes = [manifest.nodes.get(name) for name in sorted(_reached(start, manifest.child_map))]
        return [
            Mart(
                node.relation_name,
                node.name,
                {"database": node.database, "schema": node.schema, "identifier": node.alias},
                tuple(
                    f"{source.source_name}.{source.name}"
                    for name in sorted(_reached(node.unique_id, manifest.parent_map))
                    if (source := manifest.sources.get(name)) and "feed" in source.config.meta
                ),
                "last_load_id" in node.columns,
            )
            for node in nodes
            if node and node.resource_type == "model" and "occurrences" in node.columns
        ]


def _by_name(feeds: Iterable[Feed]) -> dict[str, Feed]:
    """The feeds, in the order in which they are worked on and told of."""
    return {feed.name: feed for feed in sorted(feeds, key=lambda feed: feed.name)}


def _until_stopped(_record: logging.LogRecord) -> bool:
    return not interrupts.requested()


def _reached(start: str, edges: Mapping[str, Sequence[str]]) -> set[str]:
    """Every node that the edges lead to from one."""
    seen: set[str] = set()
    queue = [start]
    while queue:
        new = set(edges.get(queue.pop(), ())) - seen
        seen |= new
        queue += new
    return seen


class Warehouse:
    """The target's connection. All its SQL comes from the project's macros."""

    def __init__(self, adapter: Any) -> None:
        self._adapter = adapter

    def render(self, macro: str, **arguments: Any) -> Any:
        """What one of the project's macros returns. Raises WarehouseError."""
        with _database_errors():
            return self._adapter.execute_macro(macro, kwargs=arguments)

    def execute(self, sql: str) -> None:
        """Runs a statement. Raises WarehouseError."""
        with _database_errors():
            self._adapter.execute(sql)

    def query(self, sql: str) -> list[dict[str, Any]]:
        """The rows of a query. Raises WarehouseError."""
        with _database_errors():
            _, table = self._adapter.execute(sql, fetch=True)
        return [
            dict(zip(table.column_names, map(_plain, row.values()), strict=True))
            for row in table.rows
        ]

    def relation(self, node: dict[str, Any]) -> Any:
        """dbt's relation of a source table."""
        return self._adapter.Relation.create(
            database=node["database"], schema=node["schema"], identifier=node["identifier"]
        )

    def exists(self, node: dict[str, Any]) -> bool:
        """Whether a source table is there, or was when its schema was listed on this connection.

        A table that was not is looked for anew. Raises WarehouseError.
        """
        schema, name = (node["database"], node["schema"]), node["identifier"]
        with _database_errors():
            # What dbt has in its cache it takes from there, without a statement.
            if schema in self._adapter.cache and self._adapter.get_relation(*schema, name):
                return True
            self._adapter.cache.clear()
            found = self._adapter.get_relation(*schema, name)
            # dbt opens a transaction to look; the load begins its own.
            self._adapter.commit_if_has_connection()
        return found is not None

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commits at the end, or rolls back when anything is raised."""
        self.execute("begin")
        try:
            yield
            interrupts.check()
            try:
                self.execute("commit")
            except WarehouseTransient as error:
                raise CommitUnknown(str(error)) from None
        except BaseException:
            # The first error is the one to report, whatever becomes of the rollback.
            with suppress(WarehouseError), _database_errors():
                self._adapter.execute("rollback")
            raise


@contextmanager
def _database_errors() -> Iterator[None]:
    """Turns what dbt raises into the loader's own errors."""
    from dbt_common.exceptions import DbtBaseException

    try:
        yield
    except (DbtBaseException, duckdb.Error) as error:
        message = _message(error)
        if "lock on file" in message:
            raise WarehouseError(
                f"{message} Another process has the database open; end it or wait, then run again."
            ) from None
        if _TRANSIENT.search(message):
            raise WarehouseTransient(message) from None
        raise WarehouseError(_advice(message)) from None


def _plain(value: Any) -> Any:
    """dbt hands whole numbers over as decimals."""
    return int(value) if isinstance(value, Decimal) and value == int(value) else value


def _message(error: BaseException | None) -> str:
    """dbt's message in one paragraph, without its heading."""
    lines = [line.strip() for line in _worded(str(error)).splitlines()]
    if lines and lines[0].endswith("Error") and len(lines) > 1:
        lines = lines[1:]
    return " ".join(line for line in lines if line)


def _worded(message: str) -> str:
    """A message in words where the driver of Redshift shows a dict of protocol fields."""
    found = _FIELDS.search(message)
    if not found:
        return message
    try:
        fields = ast.literal_eval(found[0])
    except (SyntaxError, ValueError):
        return message
    words = ". ".join(str(fields[key]).strip().rstrip(".") for key in "MDH" if fields.get(key))
    return f"{message[: found.start()]}{words}.{message[found.end() :]}"


def _advice(message: str) -> str:
    if "/.dbt' does not exist" in message:
        # Where dbt looks last, which is not where anybody should put it.
        message = "There is no profiles.yml in the project"
    if re.search(r"profiles.yml|Could not find profile", message):
        advice = "Copy profiles.yml.example to profiles.yml, or give --profiles-dir."
        return f"{message.rstrip('.')}. {advice}"
    return message


def _summary(results: list[Any]) -> BuildResult:
    tests = [str(r.status) for r in results if r.node.resource_type in ("test", "unit_test")]
    failed = [r for r in results if str(r.status) in ("fail", "error", "runtime error")]
    return BuildResult(
        tests_passed=sum(status in ("pass", "warn") for status in tests),
        tests_failed=tests.count("fail"),
        errors=sum(str(r.status) != "fail" for r in failed),
        failures=tuple(f"{r.node.name}: {_message(Exception(r.message or ''))}" for r in failed),
    )
