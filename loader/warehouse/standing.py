"""The tables as they stand, compared with the contract before a load."""

from loader.contract.feed import Feed
from loader.errors import ConfigError
from loader.warehouse.connection import Warehouse


def check_tables(feed: Feed, tables: Warehouse, known: bool) -> None:
    """Raises ConfigError, with statements to type, for tables that a load would not fit.

    A landing table of other types would change the text that is loaded, and one of other columns
    take none. A feed that was renamed would load all its files again. known: whether the ledger
    has files of the feed.
    """
    if not tables.exist("landing"):
        return
    missing = not tables.exist("ledger")
    sides = {"source": tables.nodes["landing"], "found": tables.rows("landing_columns")}
    what, cure = f"is not as {feed.file} says", tables.sql("landing_changes", **sides)
    for row in tables.rows("earlier_names") if not (cure or known or missing) else ():
        what = f"has records of {row['feed']}, which no contract names any more"
        cure = tables.sql("rename_feed", earlier=row["feed"])
    if cure:
        raise ConfigError(
            f"{feed.name}: the table {tables['landing']} {what}. Nothing was loaded. Restore the"
            " contract or, if it is meant to be so, run these statements, and load again:",
            [f"{statement};" for statement in cure],
        )
