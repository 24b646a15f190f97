"""Faults on demand: a cut connection, an error or a delay at a chosen statement."""

from __future__ import annotations

import re
import threading
from collections import deque
from dataclasses import dataclass, field
from typing import Literal

from rig.errors import RedshiftError

When = Literal["before", "during", "after"]


def serialization_failure() -> RedshiftError:
    """What Redshift answers when transactions form a cycle.

    Source: AWS, "Serializable isolation"; the fields are those that its drivers report.
    """
    return RedshiftError(
        "1023",
        "XX000",
        D="Serializable isolation violation on table - 100123, transactions forming the cycle"
        " are: 1001, 1002 (pid:30001)",
    )


@dataclass
class Fault:
    """One fault that waits for its statement.

    It strikes the `nth` statement (counted from 1, over all sessions) whose text the pattern is
    found in, once. `fired` is set when it has struck.
    """

    pattern: re.Pattern[str]
    nth: int
    cut: When | None = None
    error: RedshiftError | None = None
    delay: float = 0.0
    fired: threading.Event = field(default_factory=threading.Event)
    seen: int = 0


class Faults:
    """The faults of one rig. Patterns are regular expressions, found anywhere, case ignored."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []
        # What was executed since clear(), oldest first: a driver prepares a statement once and may
        # execute it often, and it is this that `nth` counts.
        self.executed: deque[str] = deque(maxlen=10_000)

    def cut(self, pattern: str, when: When, nth: int = 1) -> Fault:
        """Cut the connection at a statement.

        "before": it is never run. "during": it runs, or half of a COPY's data is in, and is
        undone. "after": it is done (a COMMIT is durable), but the client never hears of it.
        """
        return self._add(Fault(_compile(pattern), nth, cut=when))

    def error(self, pattern: str, error: RedshiftError | None = None, nth: int = 1) -> Fault:
        """Answer a statement with an error instead of running it; 1023 unless another is given.

        The transaction fails with it; a COMMIT rolls back.
        """
        return self._add(Fault(_compile(pattern), nth, error=error or serialization_failure()))

    def delay(self, pattern: str, seconds: float, nth: int = 1) -> Fault:
        """Wait before a statement is run."""
        return self._add(Fault(_compile(pattern), nth, delay=seconds))

    def clear(self) -> None:
        """Forget all faults, those that have not struck too, and what was executed."""
        with self._lock:
            self._faults.clear()
            self.executed.clear()

    def _add(self, fault: Fault) -> Fault:
        with self._lock:
            self._faults.append(fault)
        return fault

    def strike(self, sql: str) -> list[Fault]:
        """Faults that strike this statement now."""
        with self._lock:
            self.executed.append(sql)
            struck = []
            for fault in self._faults:
                if fault.fired.is_set() or not fault.pattern.search(sql):
                    continue
                fault.seen += 1
                if fault.seen == fault.nth:
                    fault.fired.set()
                    struck.append(fault)
            return struck


def _compile(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE | re.DOTALL)
