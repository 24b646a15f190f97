"""What a person reads, messages, tables and progress, and what a machine reads: JSON."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from loader.validation.rejects import SHOWN, Verdict

if TYPE_CHECKING:
    from rich.progress import Progress

    from loader.jobs.check import Finding

# How many rejected records, or differences, are shown; --json and files have them all.
_SHOWN = 20
# Columns whose text is cut, to so many characters.
_CUT = {"value": 60, "message": 120, "raw": 120}
_PIPE_WIDTH = 400
# Seconds between two lines of progress where there is no bar.
_PLAIN_SECONDS = 10.0


def shown(value: object, limit: int | None = None) -> str:
    """Text that is safe on a terminal: control and formatting characters are escaped."""
    text = "" if value is None else str(value)
    text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return text if limit is None or len(text) <= limit else text[: limit - 1] + "…"


def say(message: str, details: Iterable[str] = (), *, error: bool = False) -> None:
    """One message, a line, and its details; errors and progress go to standard error.

    A line feed within any of them is escaped too: a file's name must not add lines of its own.
    """
    lines = [message, *(f"  {detail}" for detail in details)]
    say_text("\n".join(map(shown, lines)), error=error)


def say_text(text: str, *, error: bool = False) -> None:
    """Text whose lines are its own, such as SQL or a traceback."""
    lines = [shown(line) for line in text.split("\n")]
    print("\n".join(lines), file=sys.stderr if error else sys.stdout, flush=True)


def print_json(*values: Mapping[str, Any]) -> None:
    """Each object on a line of its own."""
    for value in values:
        print(json.dumps(value, default=str), flush=True)


def print_table(title: str, columns: Sequence[str], rows: Iterable[Iterable[object]]) -> None:
    """A table, numbers to the right. A column's _ is shown as a space."""
    # Here, since JSON and help need none of it.
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    lines = [list(row) for row in rows]
    for place, name in enumerate(columns):
        numeric = all(isinstance(line[place], int) for line in lines) and bool(lines)
        table.add_column(
            name.replace("_", " "),
            justify="right" if numeric else "left",
            overflow="fold",
            no_wrap=numeric,
        )
    for line in lines:
        cells = (
            f"{cell:,}" if isinstance(cell, int) else shown(cell, _CUT.get(name))
            for name, cell in zip(columns, line, strict=True)
        )
        table.add_row(*map(Text, cells))
    # Into a pipe or a file, nothing is folded.
    console = Console(highlight=False, width=None if sys.stdout.isatty() else _PIPE_WIDTH)
    # Printed by ourselves: rich would end the process if the reader has gone away.
    with console.capture() as printed:
        if title:
            console.print(Text(shown(title), style="italic"))
        console.print(table)
    print(printed.get(), end="", flush=True)


def print_records(title: str, columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> None:
    """A table of these columns of each row."""
    print_table(title, columns, ([row[name] for name in columns] for row in rows))


def print_by_rule(title: str, by_rule: Counter[tuple[str | None, str]]) -> None:
    """How many records broke which rule in which column."""
    counts = ((column, rule, count) for (column, rule), count in by_rule.most_common())
    print_table(title, ("column", "rule", "records"), counts)


def print_rejects(verdicts: Sequence[Verdict]) -> None:
    """Whole files that were refused, the first rejected records, and counts by rule for all."""
    for verdict in verdicts:
        if verdict.refused:
            say(f"{verdict.file}: refused: {verdict.refused}")
    first = [reject for v in verdicts for reject in v.rejects.first][:_SHOWN]
    if not first:
        return
    by_rule = sum((v.rejects.by_rule for v in verdicts), Counter[tuple[str | None, str]]())
    title = f"rejected records (the first {len(first)} of {by_rule.total():,})"
    print_records(title, SHOWN, map(vars, first))
    print_by_rule("rejected by rule", by_rule)


def print_findings(feed: str, findings: Sequence[Finding]) -> None:
    """Which checks of a feed hold; for the others what differs and what to do next."""
    if not findings:
        say(f"{feed}: nothing has been loaded yet")
    for finding in findings:
        details = list(finding.lines[:_SHOWN])
        if len(finding.lines) > _SHOWN:
            details.append(f"… and {len(finding.lines) - _SHOWN:,} more; --json has all")
        details += [finding.advice] if finding.advice else []
        say(f"{feed}: {finding.state}: {finding.what}", details)


class ProgressReport:
    """A bar on a terminal; elsewhere a plain line now and then; nothing if quiet."""

    def __init__(self, quiet: bool = False) -> None:
        self._quiet = quiet
        self._bar: Progress | None = None
        self._step, self._total, self._done, self._said_at = "", 0, 0, 0.0

    @contextmanager
    def step(self, name: str, total_bytes: int | None = None) -> Iterator[None]:
        """Encloses one step of the work. total_bytes is None when unknown."""
        self._step, self._total, self._done = name, total_bytes or 0, 0
        self._said_at = time.monotonic()
        if self._quiet or not sys.stderr.isatty():
            if not self._quiet:
                say(name, error=True)
            yield
            return
        # Here, since only a terminal needs them.
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn

        title = TextColumn("{task.description}", markup=False)
        columns = (title, BarColumn(), DownloadColumn(), TimeElapsedColumn())
        with Progress(*columns, console=Console(stderr=True), transient=True) as self._bar:
            self._bar.add_task(shown(name), total=total_bytes)
            yield
        self._bar = None

    def advance(self, count: int) -> None:
        """Adds to the bytes that the current step is through with."""
        self._done += count
        if self._bar is not None:
            self._bar.advance(self._bar.task_ids[0], count)
        elif not self._quiet and time.monotonic() - self._said_at > _PLAIN_SECONDS:
            self._said_at = time.monotonic()
            done, total = self._done >> 20, self._total >> 20
            say(f"{self._step}: {done:,} of {total:,} MiB", error=True)

    def note(self, message: str) -> None:
        """Reports something that a person should know of."""
        say(message, error=True)
