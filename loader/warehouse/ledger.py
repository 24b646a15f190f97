"""What the ledger has: file versions, each with its load id."""

from typing import NamedTuple

Key = tuple[str, str]

# The row of the macro ledger_state, and what it is where there is no ledger.
State = dict[str, int]
EMPTY: State = {"newest": 0, "rows_of_feed": 0, "loaded": 0, "rolled_back": 0, "archived": 0}


class LedgerRow(NamedTuple):
    """One file version that is loaded or refused, as it is written to the ledger.

    bytes: as stored; 0 for a replay. skipped: how many lines were, and how many records
    were padded, a JSON object by the contract's word; columns_missing: the columns that the file
    lacks, columns_ignored: those of the file that were not read, JSON lists. None for none.
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
    batch_id: int
    file_time: str
    run_id: str | None
    skipped: str | None
    columns_missing: str | None
    columns_ignored: str | None
    refused_reason: str | None

    @property
    def key(self) -> Key:
        """What is loaded at most once."""
        return self.uri, self.etag
