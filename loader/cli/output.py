"""What a person reads: tables, messages and progress; and the same for machines as JSON."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from loader.contract.feed import Feed
    from loader.jobs.check import Finding
    from loader.jobs.replay import ReplayReport
    from loader.validation.verdict import Verdict
    from loader.warehouse.quarantine import Quarantined

__all__ = [
    "ProgressReport",
    "before",
    "nothing_new",
    "print_findings",
    "print_json",
    "print_quarantine",
    "print_rejects",
    "print_replay",
    "print_table",
    "say",
    "say_text",
    "shown",
]

_EXAMPLES = 2
_DIFFERENCES = 20
_SHOWN_VALUE = 60
_PLAIN_SECONDS = 10.0
_PIPE_WIDTH = 400


def shown(value: object, limit: int | None = None) -> str:
    """Text that is safe on a terminal: control and formatting characters are escaped."""
    text = "" if value is None else str(value)
    text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return text if limit is None or len(text) <= limit else text[: limit - 1] + "…"


def say(message: str, details: Iterable[str] = (), *, error: bool = False) -> None:
    """One message, a line, and its details; errors and progress go to standard error.

    A line feed within any of them is escaped too: a file's name must not add lines of its own.
    """
    lines = [shown(message), *(f"  {shown(detail)}" for detail in details)]
    print("\n".join(lines), file=sys.stderr if error else sys.stdout, flush=True)


def say_text(text: str, *, error: bool = False) -> None:
    """Text whose lines are its own, such as SQL or a traceback."""
    lines = [shown(line) for line in text.split("\n")]
    print("\n".join(lines), file=sys.stderr if error else sys.stdout, flush=True)


def nothing_new(feed: Feed, known: int, held: int, reloads: Collection[str]) -> str:
    """What is said of a feed without a new file.

    known: files loaded before; held: files rolled back; reloads: files that --reload named.
    """
    location = feed.options.location
    if not known + held:
        return f"{feed.name}: nothing to load; no file matches {location}"
    hint = "; --reload FILE loads one again" if held else ""
    if reloads:
        hint = "; --reload takes only a file whose load was rolled back, see `rollback --help`"
    return f"{feed.name}: nothing new; {before(known, held, f' files of {location}')}{hint}"


def before(known: int, held: int, what: str = "") -> str:
    """What became of the files that are not new."""
    return f"{known}{what} loaded before" + (f", {held} rolled back" if held else "")


def print_json(value: Mapping[str, Any]) -> None:
    """One object on a line of its own."""
    print(json.dumps(value, default=str), flush=True)


class _Console(Console):
    """Leaves it to the command line what becomes of a reader that has gone away."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


def print_table(title: str, columns: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    """A table, numbers to the right."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    lines = [list(row) for row in rows]
    for place, name in enumerate(columns):
        numeric = all(isinstance(line[place], int) for line in lines) and bool(lines)
        table.add_column(
            name, justify="right" if numeric else "left", overflow="fold", no_wrap=numeric
        )
    for line in lines:
        cells = (f"{cell:,}" if isinstance(cell, int) else shown(cell) for cell in line)
        table.add_row(*(Text(cell) for cell in cells))
    # Into a pipe or a file, nothing is folded.
    console = _Console(highlight=False, width=None if sys.stdout.isatty() else _PIPE_WIDTH)
    if title:
        console.print(Text(shown(title), style="italic"))
    console.print(table)


def print_rejects(verdicts: Iterable[Verdict]) -> None:
    """Whole files that were refused, the first refused records, and counts by rule for all."""
    verdicts = list(verdicts)
    for verdict in verdicts:
        if verdict.refused:
            say(f"{verdict.file}: refused: {verdict.refused}")
    logs = [verdict.rejects for verdict in verdicts if verdict.rejects]
    first = [reject for log in logs for reject in log.first][:20]
    by_rule: Counter[tuple[str | None, str]] = Counter()
    for log in logs:
        by_rule.update(log.by_rule)
    if not first:
        return
    print_table(
        f"refused records (the first {len(first)} of {by_rule.total():,})",
        ("file", "record", "line", "column", "rule", "value", "message"),
        (
            (
                reject.file,
                reject.record,
                reject.line,
                reject.column,
                reject.rule,
                shown(reject.value, _SHOWN_VALUE),
                shown(reject.message, 2 * _SHOWN_VALUE),
            )
            for reject in first
        ),
    )
    print_table(
        "refused by rule",
        ("column", "rule", "records"),
        ((column, rule, count) for (column, rule), count in by_rule.most_common()),
    )


def print_quarantine(feed: str, records: Iterable[Quarantined], of: str = "") -> None:
    """How many records are refused by which rule, and an example or two of each.

    of: which records were asked for.
    """
    by_rule: Counter[tuple[str | None, str]] = Counter()
    examples: list[Quarantined] = []
    for record in records:
        key = (record.column, record.rule)
        by_rule[key] += 1
        if by_rule[key] <= _EXAMPLES:
            examples.append(record)
    if not by_rule:
        say(f"{feed}: no record{of} is in quarantine")
        return
    print_table(
        f"{feed}: refused by rule",
        ("column", "rule", "records"),
        ((column, rule, count) for (column, rule), count in by_rule.most_common()),
    )
    examples.sort(
        key=lambda r: (
            -by_rule[r.column, r.rule],
            r.column or "",
            r.rule,
        )
    )
    print_table(
        "examples",
        ("load", "file", "record", "line", "column", "rule", "value", "raw"),
        (
            (
                record.load_id,
                record.file,
                record.record,
                record.line,
                record.column,
                record.rule,
                shown(record.value, _SHOWN_VALUE),
                shown(record.raw.decode("utf-8", "backslashreplace"), 2 * _SHOWN_VALUE),
            )
            for record in examples
        ),
    )


def print_replay(report: ReplayReport) -> None:
    """What became of the records that were judged again."""
    if not report.judged:
        say(f"{report.feed}: no record is in quarantine")
        return
    loaded = f"load {report.load_id}: " if report.load_id else ""
    say(f"{report.feed}: {loaded}{report.loaded:,} of {report.judged:,} records loaded")
    if report.refused:
        print_table(
            "still refused by rule",
            ("column", "rule", "records"),
            ((column, rule, count) for (column, rule), count in report.refused.most_common()),
        )


def print_findings(feed: str, findings: Sequence[Finding]) -> None:
    """Which checks of a feed hold; of the others what differs and what to do next."""
    if not findings:
        say(f"{feed}: nothing has been loaded yet")
    for finding in findings:
        details = list(finding.lines[:_DIFFERENCES])
        if len(finding.lines) > _DIFFERENCES:
            details.append(f"… and {len(finding.lines) - _DIFFERENCES:,} more; --json has all")
        details += [finding.advice] if finding.advice else []
        say(f"{feed}: {finding.state}: {finding.what}", details)


class ProgressReport:
    """A bar on a terminal; elsewhere a plain line now and then; nothing if quiet."""

    def __init__(self, quiet: bool = False) -> None:
        self._quiet = quiet
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._step, self._total, self._done, self._said_at = "", 0, 0, 0.0

    def start(self, step: str, total_bytes: int | None) -> None:
        """A step begins that has so many bytes to get through; None if nobody knows."""
        self._step, self._total, self._done = step, total_bytes or 0, 0
        self._said_at = time.monotonic()
        if self._quiet:
            return
        if not sys.stderr.isatty():
            say(step, error=True)
            return
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            DownloadColumn(),
            TimeElapsedColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._task = self._bar.add_task(shown(step), total=total_bytes)
        self._bar.start()

    def advance(self, count: int) -> None:
        """So many bytes more are done."""
        self._done += count
        if self._bar is not None and self._task is not None:
            self._bar.advance(self._task, count)
        elif not self._quiet and time.monotonic() - self._said_at > _PLAIN_SECONDS:
            self._said_at = time.monotonic()
            done, total = self._done >> 20, self._total >> 20
            say(f"{self._step}: {done:,} of {total:,} MiB", error=True)

    def note(self, message: str) -> None:
        """Something happened that a person should know of."""
        say(message, error=True)

    def finish(self) -> None:
        """The step is over."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
