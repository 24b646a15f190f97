"""Steps of a run at which a process is made to end itself, without a line of it in the loader.

Given to a command as `prepare`: it wraps one of the loader's functions, or dbt's, in the process
that is about to run, and sends the process a signal when that function is called.
"""

from __future__ import annotations

import functools
import importlib
import os
import re
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

__all__ = [
    "ADD_QUERY",
    "EXECUTE",
    "OF_A_NODE",
    "STEPS",
    "Step",
    "When",
    "at_default",
    "end_at",
    "wait_at",
    "wait_for",
    "write_statements",
]

When = Literal["before", "inside", "after"]

EXECUTE = "loader.warehouse.connection:Warehouse.execute"
# Every statement of dbt's, too.
ADD_QUERY = "dbt.adapters.sql.connections:SQLConnectionManager.add_query"
# What dbt writes into the statements of a model, test or seed.
OF_A_NODE = '"node_id"'
# How long a step has been going on when the signal comes "inside", in seconds.
_INSIDE = 0.002
_WAIT_SECONDS = 60.0


@dataclass(frozen=True)
class Step:
    """A call of a function, counted from 1 among those whose first text argument matches."""

    name: str
    target: str
    when: When = "before"
    nth: int = 1
    matching: str = ""


STEPS = (
    Step("the options are to be read", "click.core:Group.parse_args"),
    Step("the plan is to be made", "loader.jobs.load:make_plan"),
    Step("the files are listed", "loader.jobs.load:make_plan", "after"),
    Step("the first file is being fetched", "loader.files.store:LocalStore.fetch"),
    Step("one file is fetched, the next is not", "loader.files.store:LocalStore.fetch", "after"),
    Step("a file is being judged", "loader.jobs.load:judge_file", "inside", nth=2),
    Step("the last file is judged", "loader.jobs.load:judge_file", "after", nth=3),
    Step("all is judged, nothing is staged", "loader.jobs.load:load_of"),
    Step("rejected records are written out", "loader.warehouse.landing:write_rejected", "inside"),
    Step("what was landed is counted", "loader.warehouse.landing:insert", "after"),
    # Each of the three files was compared when it was fetched.
    Step("the files are compared again", "loader.files.store:LocalStore.check_unchanged", nth=4),
    Step("DuckDB closes its file", "dbt.adapters.duckdb.connections:DuckDBConnectionManager"
         ".close_all_connections", nth=2),
    Step("DuckDB is closing its file", "dbt.adapters.duckdb.connections:DuckDBConnectionManager"
         ".close_all_connections", "inside", nth=2),
    Step("the spool is to be removed", "loader.files.spool:shutil.rmtree"),
    Step("the spool is removed", "loader.files.spool:shutil.rmtree", "after"),
)  # fmt: skip


def end_at(step: Step, sign: signal.Signals) -> None:
    """Makes this process send itself a signal when it comes to a step."""
    at_default()
    at(step, lambda: os.kill(os.getpid(), sign))


def wait_at(step: Step, folder: Path) -> None:
    """Makes this process write the file `came` when it comes to a step, and wait for `go`."""

    def wait() -> None:
        (folder / "came").touch()
        wait_for(folder / "go")

    at(step, wait)


def wait_for(path: Path) -> None:
    """Waits until there is such a file."""
    deadline = time.monotonic() + _WAIT_SECONDS
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} never came"
        time.sleep(0.01)


def at(step: Step, deed: Callable[[], None]) -> None:
    """Makes this process do something when it comes to a step."""
    calls = 0
    lock = threading.Lock()

    def around(original: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        nonlocal calls
        text = next((a for a in arguments if isinstance(a, str)), "")
        if not re.search(step.matching, text, re.IGNORECASE):
            return original(*arguments, **named)
        with lock:
            calls += 1
            due = calls == step.nth
        if due and step.when == "before":
            deed()
        if due and step.when == "inside":
            threading.Thread(target=_later, args=(deed,), daemon=True).start()
        result = original(*arguments, **named)
        if due and step.when == "after":
            deed()
        return result

    _wrap(step.target, around)


def at_default() -> None:
    """Ends by a signal as a process does that has not yet begun with Python."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)


def write_statements(path: Path, target: str = EXECUTE, matching: str = "") -> None:
    """Makes this process write the statements that it executes to a file, a line each."""

    def around(original: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        line = " ".join(arguments[1].split())
        if re.search(matching, line, re.IGNORECASE):
            with path.open("a", encoding="utf-8") as out:
                out.write(line + "\n")
        return original(*arguments, **named)

    _wrap(target, around)


def _later(deed: Callable[[], None]) -> None:
    time.sleep(_INSIDE)
    deed()


def _wrap(target: str, around: Callable[..., Any]) -> None:
    module, _, path = target.partition(":")
    owner: Any = importlib.import_module(module)
    *owners, name = path.split(".")
    for part in owners:
        owner = getattr(owner, part)
    kept = vars(owner)[name]
    original = kept.__func__ if isinstance(kept, classmethod) else kept
    wrapped = functools.wraps(original)(functools.partial(around, original))

    # A function, not a partial, so that it is bound as a method where it is one.
    def stopped(*arguments: Any, **named: Any) -> Any:
        return wrapped(*arguments, **named)

    setattr(owner, name, classmethod(stopped) if isinstance(kept, classmethod) else stopped)
