"""The tables as they stand, compared with the contract before a load, and altered as it changes."""

from loader.contract.feed import Feed
from loader.errors import ConfigError, WarehouseError, WarehouseTransient
from loader.warehouse.connection import Warehouse

_DO = "and load again:"


def check_tables(feed: Feed, tables: Warehouse, known: bool) -> list[str]:
    """The statements by which the landing table follows its contract; none if it is as that says.

    They lose nothing, and each may be run by itself. Raises ConfigError, with statements to type,
    for tables that a load would not fit: a landing table of other types would change the text that
    is loaded, a column that was renamed would part from its history, and a feed that was renamed
    would load all its files again. known: whether the ledger has files of the feed.
    """
    if not tables.exist("landing"):
        return []
    missing = not tables.exist("ledger")
    sides = {"source": tables.nodes["landing"], "found": tables.rows("landing_columns")}
    changes = tables.sql("landing_changes", **sides)
    what, cure = f"is not as {feed.file} says", changes["cure"]
    advice = f"Restore the contract or, if it is meant to be so, run these statements, {_DO}"
    if changes["renamed"] and not cure:
        old = ", ".join(changes["renamed"])
        what, cure = f"has values of {old}, which {feed.file} no longer names", changes["added"]
        advice = (
            "If a column has only another name in the files, keep its own and say `header: [NEW"
            f" NAME]`. If they are different columns, run these statements, {_DO}"
        )
    for row in tables.rows("earlier_names") if not (cure or known or missing) else ():
        what = f"has records of {row['feed']}, which no contract names any more"
        cure = tables.sql("rename_feed", earlier=row["feed"])
    if cure:
        raise ConfigError(
            f"{feed.name}: the table {tables['landing']} {what}. Nothing was loaded. {advice}",
            [f"{statement};" for statement in cure],
        )
    return list(changes["follow"])


def follow_contract(feed: Feed, tables: Warehouse) -> None:
    """Alters the landing table as the contract has changed; every statement commits by itself.

    In no transaction, in which Redshift widens no column. A load that is killed in between leaves
    the rest to the next. Raises as check_tables, and ConfigError for what the warehouse refuses.
    """
    for statement in check_tables(feed, tables, known=True):
        try:
            tables.execute(statement)
        except WarehouseError as error:
            left = check_tables(feed, tables, known=True)
            if statement not in left:
                continue  # another loader was quicker
            if isinstance(error, WarehouseTransient):
                raise
            raise ConfigError(
                f"{feed.name}: {error} Nothing was loaded. So the table {tables['landing']} cannot"
                f" be altered as {feed.file} says. Its owner may do it, unless Redshift needs a new"
                " column in the place of one (docs/contract.md, When the contract changes). Have"
                f" these statements run, {_DO}",
                [f"{each};" for each in left],
            ) from None
