"""Promise 1 at rest: the project's counting tests, worded for a person.

The counts are dbt tests (tests/dbt/generic/), so `dbt test` alone finds the same. What stands here
is what a test cannot do: say in words what differs and what to do, report a table that is gone
without making it anew, and tell a mart that only waits for its build from one that is wrong.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from loader.contract.feed import Feed
from loader.warehouse.connection import Warehouse
from loader.warehouse.counting import Mart
from loader.warehouse.project import Project
from loader.warehouse.tables import LEDGER, QUARANTINE

Rows = Sequence[dict[str, Any]]

_BUILD = "`python -m loader run` builds it."
_RESTORE = "Somebody changed it past the loader: restore it from a backup"
_TAKE_BACK = (
    f"{_RESTORE}, or take the load back (`python -m loader rollback LOAD --damaged`) and load its"
    " files again (`python -m loader load --reload FILE`)."
)
_REPLACE = (
    f"{_RESTORE}, or load all the files again (`python -m loader load --reload FILE`, with any one"
    " of them): the feed is in mode replace, so they take the place of whatever is there."
)


@dataclass(frozen=True)
class Finding:
    """What one check of a feed found.

    state: holds; behind if a mart has only to be built; differs. what: in words. rows: what
    differs, as the warehouse has it. lines: the same for a person. advice: what to do next. test:
    the id of the dbt test that found it.
    """

    feed: str
    check: str
    state: Literal["holds", "behind", "differs"]
    what: str
    rows: Rows = ()
    lines: tuple[str, ...] = ()
    advice: str = ""
    test: str = ""

    def to_json(self) -> dict[str, Any]:
        """For machines."""
        return {
            "feed": self.feed,
            "check": self.check,
            "state": self.state,
            "what": self.what,
            "differences": list(self.rows),
            "advice": self.advice or None,
        }


def differing(findings: list[Finding]) -> list[Finding]:
    """The checks that do not hold."""
    return [finding for finding in findings if finding.state == "differs"]


@dataclass(frozen=True)
class _Check:
    """The words for one counting test of the landing table or the ledger.

    holds: what is so if the test passes. line: for a row that it returns. replacing: advice for a
    feed in replace mode, whose loads cannot be taken back, where that is another.
    """

    name: str
    test: str
    holds: str
    line: str
    advice: str
    replacing: str = ""


_CHECKS = (
    _Check(
        "landing",
        "ledger_matches_landing",
        "{records_loaded:,} records of {loads:,} loads are landed as the ledger says",
        "{load}: {ledger_records:,} records by the ledger, {landed_records:,} landed",
        f"{_TAKE_BACK} Rows of a load that does not stand are to be deleted.",
        _REPLACE,
    ),
    _Check(
        "quarantine",
        "ledger_matches_quarantine",
        "{records_rejected:,} refused records are in quarantine as the ledger says",
        "{load}, {uri}: {ledger_records:,} refused records by the ledger, {quarantine_records:,} in"
        " quarantine",
        _TAKE_BACK,
        f"{_RESTORE}.",
    ),
    _Check(
        "replays",
        "ledger_matches_replays",
        "each replay took as many records out of quarantine as it loaded",
        "{load}: {ledger_records:,} records replayed by the ledger, {quarantine_records:,} marked"
        " so in quarantine",
        f"{_RESTORE}, or take the replay back (`python -m loader rollback LOAD --damaged`) and"
        " replay again.",
    ),
    _Check(
        "files",
        "ledger_adds_up",
        "records read = loaded + rejected in each of {files:,} files",
        "{load}, {uri}: {records_read:,} read, {records_loaded:,} loaded, {records_rejected:,}"
        " rejected",
        f"{_RESTORE}.",
    ),
    _Check(
        "once",
        "loaded_once",
        "no file version stands twice",
        "{uri}, ETag {etag}: {times} times, from load {first_load_id} to load {last_load_id}",
        "Take the later load back (`python -m loader rollback LOAD`); what else it had comes again"
        " with `python -m loader load --reload FILE`.",
        _REPLACE,
    ),
)


def check_feed(
    project: Project, feed: Feed, warehouse: Warehouse, passed: Collection[str] = ()
) -> list[Finding]:
    """Every check of one feed; none if it was never loaded.

    passed: ids of tests that a build has just run and that passed, so they are not run again. Reads
    the ledger, the quarantine, and of the landing table and each mart a column or two. Raises
    WarehouseError, and ConfigError for a feed or a mart that no test counts.
    """
    tables = {name: project.source(name) for name in (feed.name, LEDGER, QUARANTINE)}
    tests = [
        project.counting_test(check.test, feed.name if check.name == "landing" else LEDGER)
        for check in _CHECKS
    ]
    missing = [name for name, node in tables.items() if not warehouse.exists(node)]
    totals = {"files": 0}
    if LEDGER not in missing:
        ledger = warehouse.relation(tables[LEDGER])
        query = warehouse.render("ledger_totals", ledger=ledger, feed=feed.name)
        totals = {name: int(value) for name, value in warehouse.query(query)[0].items()}
    if len(missing) == len(tables) or (missing == [feed.name] and not totals["files"]):
        return []
    if missing:
        what = f"there is no table {', '.join(missing)}, but others that belong to it"
        advice = f"{_RESTORE}, and do not load before that."
        return [Finding(feed.name, "tables", "differs", what, advice=advice)]
    findings = []
    for check, test in zip(_CHECKS, tests, strict=True):
        rows: Rows = ()
        if test not in passed:
            failures = project.compiled(test)
            query = warehouse.render("differences", failures=failures, feed=feed.name)
            rows = warehouse.query(query)
        findings.append(_found(feed, check, test, totals, rows))
    return [*findings, *_marts(project, feed, warehouse, passed)]


def _found(feed: Feed, check: _Check, test: str, totals: dict[str, int], rows: Rows) -> Finding:
    holds = check.holds.format(**totals)
    if not rows:
        return Finding(feed.name, check.name, "holds", holds, test=test)
    lines = tuple(check.line.format(**row, load=_load(row)) for row in rows)
    advice = (feed.options.mode == "replace" and check.replacing) or check.advice
    what = f"not so: {holds}"
    return Finding(feed.name, check.name, "differs", what, rows, lines, advice, test)


def _load(row: dict[str, Any]) -> str:
    if "load_id" not in row:
        return ""
    return f"load {row['load_id']} ({row['status'] or 'not in the ledger'})"


def _marts(
    project: Project, feed: Feed, warehouse: Warehouse, passed: Collection[str]
) -> Iterator[Finding]:
    for mart in project.marts(feed):
        if not mart.test:
            continue
        name = f"{mart.node['schema']}.{mart.node['identifier']}"
        check = f"mart {name}"
        if mart.test in passed:
            what = f"{name} counts all landed records"
            yield Finding(feed.name, check, "holds", what, test=mart.test)
        elif not warehouse.exists(mart.node):
            what = f"{name}: not built yet"
            yield Finding(feed.name, check, "behind", what, advice=_BUILD, test=mart.test)
        elif rows := warehouse.query(project.compiled(mart.test)):
            yield _miscounted(feed, mart, name, rows)
        else:
            landings = [node for node in map(project.source, mart.feeds) if warehouse.exists(node)]
            query = warehouse.render(
                "mart_progress", mart=mart.name, landings=list(map(warehouse.relation, landings))
            )
            yield _progress(feed, mart, name, warehouse.query(query)[0])


def _miscounted(feed: Feed, mart: Mart, name: str, rows: Rows) -> Finding:
    """A mart whose newest load was taken back has only to be built; any other is wrong."""
    check, row = f"mart {name}", rows[0]
    load, status = row["mart_load_id"], row["mart_load_status"]
    if status in ("replaced", "rolled back"):
        # A build would have forgotten the load that it is built up to, so there was none since.
        what = f"{name}: not built yet since load {load} was {status}"
        return Finding(feed.name, check, "behind", what, rows, advice=_BUILD, test=mart.test)
    what = (
        f"{name} counts {row['mart_records']:,} records up to load {load};"
        f" {row['landed_records']:,} are landed"
    )
    advice = (
        "`python -m loader run` rebuilds a mart that has the hook forget_if_miscounted; any"
        f" other needs `dbt build --full-refresh --select {mart.model}`."
    )
    return Finding(feed.name, check, "differs", what, rows, advice=advice, test=mart.test)


def _progress(feed: Feed, mart: Mart, name: str, row: dict[str, Any]) -> Finding:
    """A mart that is older than the newest load is not wrong; the next build makes up for it."""
    check, load = f"mart {name}", row["mart_load_id"]
    if not row["waiting_records"]:
        what = f"{name} counts all {row['mart_records']:,} landed records"
        return Finding(feed.name, check, "holds", what, test=mart.test)
    since = f" since load {load}" if load else ""
    what = (
        f"{name}: not built yet{since}: {row['waiting_records']:,} records wait, up to load"
        f" {row['newest_load_id']}"
    )
    return Finding(feed.name, check, "behind", what, [row], advice=_BUILD, test=mart.test)
