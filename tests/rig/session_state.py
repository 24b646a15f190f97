"""What a session keeps: answers that wait for the client, and the ids of its statements."""

from __future__ import annotations

from rig.load_log import LoadLog
from rig.protocol import Stream

SESSION_FUNCTIONS = ("pg_last_copy_id", "pg_last_copy_count", "pg_last_query_id")
_OUTPUT_LIMIT = 1 << 16


class Output:
    """Messages for the client, sent together when it waits for them or when they are many."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._waiting = bytearray()

    def send(self, data: bytes) -> None:
        """Add messages."""
        self._waiting += data
        if len(self._waiting) > _OUTPUT_LIMIT:
            self.flush()

    def flush(self) -> None:
        """Send what waits."""
        if self._waiting:
            self._stream.send(bytes(self._waiting))
            self._waiting.clear()


class SessionState:
    """What PG_LAST_COPY_ID, PG_LAST_COPY_COUNT and PG_LAST_QUERY_ID answer."""

    def __init__(self, pid: int, log: LoadLog) -> None:
        self._pid = pid
        self._log = log
        self._now = {"copy_id": -1, "copy_count": 0, "query_id": -1}
        self._before_transaction = dict(self._now)
        self.query_id = -1

    def next_query(self) -> None:
        """Give the statement that runs now an id."""
        self._now["query_id"] = self.query_id
        self.query_id = self._log.next_query_id()

    def copy_done(self, rows: int) -> None:
        """The statement was a COPY and loaded `rows`."""
        self._now.update(copy_id=self.query_id, copy_count=rows)

    def copy_failed(self) -> None:
        """The statement was a COPY and failed on its data.

        The id stays when the transaction is rolled back, or nobody could find the errors.
        """
        self._now.update(copy_id=self.query_id, copy_count=0)
        self._before_transaction.update(self._now)

    def transaction(self, kind: str, status: str) -> None:
        """Mind the end of a transaction: a COPY that is rolled back does not count."""
        if kind in ("rollback", "abort"):
            self._now = dict(self._before_transaction)
        elif kind in ("commit", "end") or status == "I":
            self._before_transaction = dict(self._now)

    def save(self) -> None:
        """Write it where catalog/views.sql looks for it."""
        self._log.save_session(self._pid, self._now)
