"""The target's connection, which is dbt's own: statements, queries, transactions."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from decimal import Decimal
from typing import Any

from loader import interrupts
from loader.errors import CommitUnknown, WarehouseError, WarehouseTransient
from loader.warehouse.dbt_api import database_errors


class Warehouse:
    """The target's connection. All its SQL comes from the project's macros."""

    def __init__(self, adapter: Any) -> None:
        self.adapter = adapter

    def render(self, macro: str, **arguments: Any) -> Any:
        """What one of the project's macros returns. Raises WarehouseError."""
        with database_errors():
            return self.adapter.execute_macro(macro, kwargs=arguments)

    def execute(self, sql: str) -> None:
        """Runs a statement. Raises WarehouseError."""
        with database_errors():
            self.adapter.execute(sql)

    def execute_all(self, statements: Iterable[str]) -> None:
        """Runs statements in order. Raises WarehouseError."""
        for statement in statements:
            self.execute(statement)

    def query(self, sql: str) -> list[dict[str, Any]]:
        """The rows of a query. Raises WarehouseError."""
        with database_errors():
            _, table = self.adapter.execute(sql, fetch=True)
        return [{name: _plain(value) for name, value in row.items()} for row in table.rows]

    def relation(self, node: Any) -> Any:
        """dbt's relation of a node of its manifest."""
        return self.adapter.Relation.create(
            database=node.database, schema=node.schema, identifier=node.identifier
        )

    def exists(self, node: Any) -> bool:
        """Whether a node's table exists, or did when its schema was listed on this connection.

        A table that did not is looked for again. Raises WarehouseError.
        """
        schema, name = (node.database, node.schema), node.identifier
        with database_errors():
            # dbt answers from its cache, without a statement.
            if schema in self.adapter.cache and self.adapter.get_relation(*schema, name):
                return True
            self.adapter.cache.clear()
            found = self.adapter.get_relation(*schema, name)
            # dbt opens a transaction to look; the load begins its own.
            self.adapter.commit_if_has_connection()
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


def _plain(value: Any) -> Any:
    """Whole numbers as int; dbt returns them as decimals."""
    return int(value) if isinstance(value, Decimal) and value == int(value) else value
