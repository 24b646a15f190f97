"""What outlives a rolled back COPY: load errors, load history and the ids of the session.

Everything is a file that catalog/views.sql reads, because a row in a table would be undone with
the transaction. Source: AWS, "SYS_LOAD_ERROR_DETAIL", "SYS_LOAD_HISTORY", "PG_LAST_COPY_ID".
"""

from __future__ import annotations

import contextlib
import datetime
import itertools
import json
import threading
from pathlib import Path
from typing import Any

from rig.errors import RigError


class LoadError(RigError):
    """A record that COPY cannot load, as a row of SYS_LOAD_ERROR_DETAIL describes it.

    `line` counts the lines of the file from 1; `column` is '' when the record has no columns yet.
    Source of the codes: AWS, "Load error reference".
    """

    def __init__(
        self, code: int, message: str, line: int, column: str = "", raw: str = "", value: str = ""
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.line = line
        self.column = column
        # JSON in PostgreSQL, which keeps the log, cannot hold NUL.
        self.raw = raw.replace("\0", "\\0")
        self.value = value


class LoadLog:
    """The log of one rig; safe to use from many threads."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._ids = itertools.count(1001)

    def next_query_id(self) -> int:
        """A new query id."""
        with self._lock:
            return next(self._ids)

    def add(self, name: str, entries: list[dict[str, Any]]) -> None:
        """Append entries to load_errors or load_history."""
        lines = "".join(json.dumps(entry) + "\n" for entry in entries)
        with self._lock, (self._folder / f"{name}.jsonl").open("a", encoding="utf-8") as file:
            file.write(lines)

    def save_session(self, pid: int, state: dict[str, int]) -> None:
        """Put the state that the session's pg_last_... functions read in its place."""
        target = self._session_file(pid)
        partial = target.with_suffix(".partial")
        partial.write_text(json.dumps(state))
        partial.rename(target)

    def end_session(self, pid: int) -> None:
        """Forget a session."""
        with contextlib.suppress(OSError):
            self._session_file(pid).unlink(missing_ok=True)

    def _session_file(self, pid: int) -> Path:
        return self._folder / f"session-{pid}.json"


def now() -> str:
    """The current time as the log writes it: UTC, microseconds."""
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
