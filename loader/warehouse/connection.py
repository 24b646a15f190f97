"""The target's connection, which is dbt's own, and the tables that a load writes."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from decimal import Decimal
from functools import partial
from typing import Any

from loader import interrupts
from loader.contract.feed import Feed
from loader.errors import CommitUnknown, ConfigError, WarehouseError, WarehouseTransient
from loader.warehouse.dbt_api import database_errors

# The ledger and the quarantine of all feeds, as the project's YAML names them.
LEDGER, QUARANTINE = "loader._loaded_files", "loader._rejected_records"
# What a load, a rollback and the build of a mart lock, so that they take turns; it holds no rows.
LOCK = "loader._load_lock"

# How many rows are taken from a cursor at once.
_FETCHED = 1000


class Warehouse:
    """The target's connection, with the landing table of a feed, the ledger and the quarantine.

    All its SQL comes from the project's macros. They take the tables as one argument `tables` with
    the relations `landing`, `ledger`, `quarantine` and `lock`, the feed's name, `feed`, and its
    version, `contract`. Without a feed there are only the loader's own.
    """

    def __init__(
        self, adapter: Any, source: Callable[[str], Any], feed: Feed | None = None
    ) -> None:
        """source: gives the manifest's node of a source table. Raises what it raises."""
        self._adapter, self._source = adapter, source
        names = {"landing": feed.name} if feed else {}
        names |= {"ledger": LEDGER, "quarantine": QUARANTINE}
        self.nodes = {table: source(name) for table, name in names.items()}
        relation = adapter.Relation.create_from
        self._all_nodes = {**self.nodes, "lock": source(LOCK)}
        self._tables = {t: relation(adapter.config, node) for t, node in self._all_nodes.items()}
        self._tables["feed"] = feed.name if feed else None
        self._tables["contract"] = feed.version if feed else None

    def of(self, feed: Feed) -> "Warehouse":
        """The same connection with a feed's tables."""
        return Warehouse(self._adapter, self._source, feed)

    def render(self, macro: str, **arguments: Any) -> Any:
        """What one of the project's macros returns. Raises WarehouseError."""
        with database_errors():
            return self._adapter.execute_macro(macro, kwargs=arguments)

    def execute(self, sql: str) -> None:
        """Runs a statement. Raises WarehouseError."""
        with database_errors():
            self._adapter.execute(sql)

    def execute_all(self, statements: Iterable[str]) -> None:
        """Runs statements in order. Raises WarehouseError."""
        for statement in statements:
            self.execute(statement)

    def interrupter(self) -> Callable[[], None]:
        """What ends the statement that this thread runs, for another thread to call."""
        connections = self._adapter.connections
        return partial(connections.cancel, connections.get_thread_connection())

    def query(self, sql: str) -> list[dict[str, Any]]:
        """The rows of a query. Raises WarehouseError."""
        return list(self.stream(sql))

    def stream(self, sql: str) -> Iterator[dict[str, Any]]:
        """The rows of a query, a few in memory at a time on an engine that hands them over so.

        The next statement ends it. Raises WarehouseError.
        """
        with database_errors():
            # Not execute(): it makes a table of agate's, which takes a hundred times as long.
            _, cursor = self._adapter.connections.add_query(sql, False, abridge_sql_log=True)
            names = [column[0] for column in cursor.description]
            while rows := cursor.fetchmany(_FETCHED):
                for row in rows:
                    yield dict(zip(names, map(_plain, row), strict=True))

    def exists(self, node: Any) -> bool:
        """Whether a node's table exists, or did when its schema was listed on this connection.

        A table that did not is looked for again. Raises WarehouseError.
        """
        schema, name = (node.database, node.schema), node.identifier
        with database_errors():
            # dbt answers from its cache, without a statement.
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
            # Report the first error, whatever becomes of the rollback.
            with suppress(WarehouseError):
                self.execute("rollback")
            raise

    @contextmanager
    def locked(self) -> Iterator[None]:
        """A transaction that begins once no other loader or build of a mart is in one."""
        with self.transaction():
            self.run("lock_ledger")
            yield

    def __getitem__(self, table: str) -> str:
        """The name of a table in SQL; under `feed` the feed's."""
        return str(self._tables[table])

    def exist(self, *tables: str) -> bool:
        """Whether these tables exist, or all without an argument. Not for use in a transaction."""
        return all(self.exists(self._all_nodes[table]) for table in tables or self._all_nodes)

    def ddl(self, create: bool = True) -> list[str]:
        """The statements that the tables lack: to create one, or to add a column of the loader's.

        create: whether to create one. Not for use in a transaction. Raises WarehouseError.
        """
        there = [(node, self.exists(node)) for node in self._all_nodes.values()]
        made = [self.render("landing_ddl", source=n, exists=e) for n, e in there if e or create]
        if any(exists for _, exists in there):
            # As in exists().
            self._adapter.commit_if_has_connection()
        return [statement for statements in made for statement in statements]

    def bring_up_to_date(self, create: bool = True) -> None:
        """Runs ddl(), all of it or nothing."""
        if statements := self.ddl(create):
            with self.transaction():
                self.execute_all(statements)

    def refuse_outdated(self) -> None:
        """Raises ConfigError for tables of an earlier version of the loader, which lack columns."""
        if missing := self.ddl(create=False):
            raise ConfigError(
                "the loader's tables were made by an earlier version of it and lack what this one"
                f" writes: {missing[0]}. The next `python -m loader load` adds it."
            )

    def sql(self, macro: str, **arguments: Any) -> Any:
        """The statement that a macro makes for these tables. Raises WarehouseError."""
        return self.render(macro, tables=self._tables, **arguments)

    def run(self, macro: str, **arguments: Any) -> None:
        """Runs what a macro makes for these tables: a statement, several, or none.

        Raises WarehouseError.
        """
        made = self.sql(macro, **arguments) or []
        self.execute_all([made] if isinstance(made, str) else made)

    def rows(self, macro: str, **arguments: Any) -> list[dict[str, Any]]:
        """The rows of a macro's query. Raises WarehouseError."""
        return self.query(self.sql(macro, **arguments))


def _plain(value: Any) -> Any:
    """Whole numbers as int; Redshift returns a sum of them as a decimal."""
    return int(value) if isinstance(value, Decimal) and value == int(value) else value
