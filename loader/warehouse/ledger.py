"""The ledger: which file versions were loaded, by which load."""

from collections.abc import Iterable
from dataclasses import dataclass

from loader.errors import WarehouseTransient
from loader.files.version import FileVersion
from loader.validation.verdict import Verdict
from loader.warehouse.tables import Tables

Key = tuple[str, str]


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
    status: str = "loaded"

    @property
    def key(self) -> Key:
        """What is loaded at most once."""
        return self.uri, self.etag


def ledger_row(load_id: int, file: FileVersion, verdict: Verdict) -> LedgerRow:
    """The row of a file that is loaded."""
    counts = verdict.read, verdict.accepted, verdict.rejected
    return LedgerRow(load_id, *file.key, file.version, file.bytes, *counts)


def file_versions(tables: Tables) -> list[LedgerRow]:
    """The file versions that are in the landing table (status loaded) or were rolled back."""
    return [LedgerRow(**row) for row in tables.rows("file_versions")]


def check_not_loaded(
    tables: Tables,
    files: Iterable[FileVersion],
    replaced: frozenset[Key] | None,
    reloads: frozenset[str],
) -> None:
    """Raises WarehouseTransient if another loader has changed the ledger since the plan was made.

    To be called under the ledger's lock. replaced: the keys that the plan is to replace, None for
    one that adds files. reloads: uris of rolled back files that may be loaded.
    """
    rows = file_versions(tables)
    loaded = {row.key for row in rows if row.status == "loaded"}
    if replaced is not None:
        if loaded != replaced:
            raise WarehouseTransient(f"{tables['feed']}: another loader replaced it first.")
        return
    rolled_back = {row.key for row in rows if row.status != "loaded" and row.uri not in reloads}
    for file in files:
        if file.key in loaded:
            raise WarehouseTransient(f"{file.uri}: another loader took it first.")
        if file.key in rolled_back:
            raise WarehouseTransient(f"{file.uri}: it was loaded and rolled back meanwhile.")
