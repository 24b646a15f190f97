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
    found, node = tables.rows("landing_columns"), tables.nodes["landing"]
    if changes := tables.sql("landing_changes", source=node, found=found):
        raise ConfigError(
            f"{feed.name}: the table {tables['landing']} is not as {feed.file} says. Nothing was"
            " loaded. Change the contract or, by these statements, the table, and run again:",
            [f"{change};" for change in changes],
        )
    for row in [] if known or not tables.exist() else tables.rows("earlier_names"):
        raise ConfigError(
            f"{feed.name}: the table {tables['landing']} has records of {row['feed']}, which no"
            " contract names any more. Was it renamed? Nothing was loaded, since its files would be"
            " loaded again. Name it as before or, by these statements, rename its loads, too:",
            [f"{statement};" for statement in tables.sql("rename_feed", earlier=row["feed"])],
        )
