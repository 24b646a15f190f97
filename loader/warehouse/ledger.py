"""What the ledger has: file versions, each with its load id."""

from dataclasses import dataclass, field

from loader.warehouse.connection import Warehouse

Key = tuple[str, str]


@dataclass(frozen=True)
class LedgerRow:
    """One file version that was loaded, as the ledger has it.

    bytes: as stored; 0 for a replay. batch_id, file_time: only of a row that is being written.
    """

    load_id: int
    uri: str
    etag: str
    version: str | None
    bytes: int
    records_read: int
    records_loaded: int
    records_rejected: int
    status: str
    batch_id: int = field(default=0, compare=False)
    file_time: str = field(default="", compare=False)

    @property
    def key(self) -> Key:
        """What is loaded at most once."""
        return self.uri, self.etag


Versions = frozenset[LedgerRow]


def file_versions(tables: Warehouse) -> Versions:
    """The file versions that are in the landing table (status loaded) or were rolled back."""
    return frozenset(LedgerRow(**row) for row in tables.rows("file_versions"))
