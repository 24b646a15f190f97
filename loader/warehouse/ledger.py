"""The tables that a load writes, and what the ledger has: file versions, by load."""

from dataclasses import dataclass
from typing import Any

from loader.contract.feed import Feed
from loader.warehouse.connection import Warehouse
from loader.warehouse.project import LEDGER, Project

# The quarantine of all feeds, as the project's YAML names it.
QUARANTINE = "loader._rejected_records"
Key = tuple[str, str]


class Tables(Warehouse):
    """The warehouse, with the landing table of a feed, the ledger and the quarantine.

    Macros take them as one argument `tables` with the relations `landing`, `ledger` and
    `quarantine` and the feed's name, `feed`. Without a feed there are only the loader's own two.
    """

    def __init__(self, project: Project, warehouse: Warehouse, feed: Feed | None = None) -> None:
        names = {"ledger": LEDGER, "quarantine": QUARANTINE}
        if feed:
            names = {"landing": feed.name, **names}
        super().__init__(warehouse.adapter)
        self.nodes = {table: project.source(name) for table, name in names.items()}
        self._tables = {table: self.relation(node) for table, node in self.nodes.items()}
        self._tables["feed"] = feed.name if feed else None

    def __getitem__(self, table: str) -> Any:
        """dbt's relation of a table, as text its name in SQL; under `feed` the feed's name."""
        return self._tables[table]

    def exist(self, *tables: str) -> bool:
        """Whether these tables exist, or all without an argument. Not for use in a transaction."""
        return all(self.exists(self.nodes[table]) for table in tables or self.nodes)

    def ddl(self) -> list[str]:
        """The statements that create the tables unless they exist."""
        nodes = self.nodes.values()
        return [sql for node in nodes for sql in self.render("landing_ddl", source=node)]

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

    def number(self, macro: str, **arguments: Any) -> int:
        """The one number that a macro's query yields. Raises WarehouseError."""
        ((number,),) = (row.values() for row in self.rows(macro, **arguments))
        return int(number)


@dataclass(frozen=True)
class LedgerRow:
    """One file version of one load, as the ledger has it. bytes: as stored; 0 for a replay."""

    load_id: int
    uri: str
    etag: str
    version: str | None
    bytes: int
    records_read: int
    records_loaded: int
    records_rejected: int
    status: str

    @property
    def key(self) -> Key:
        """What is loaded at most once."""
        return self.uri, self.etag


Versions = frozenset[LedgerRow]


def file_versions(tables: Tables) -> Versions:
    """The file versions that are in the landing table (status loaded) or were rolled back."""
    return frozenset(LedgerRow(**row) for row in tables.rows("file_versions"))
