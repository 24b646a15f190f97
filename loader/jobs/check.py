"""Promise 1 at rest: ledger, landing table, quarantine and marts, counted anew and compared."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from loader.contract.feed import Feed
from loader.warehouse.connection import Warehouse
from loader.warehouse.landing import LEDGER
from loader.warehouse.project import Mart, Project
from loader.warehouse.quarantine import QUARANTINE

__all__ = ["Finding", "check_feed", "differing"]

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
    differs, as the warehouse has it. lines: the same for a person. advice: what to do next.
    """

    feed: str
    check: str
    state: Literal["holds", "behind", "differs"]
    what: str
    rows: Rows = ()
    lines: tuple[str, ...] = ()
    advice: str = ""

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
class _Comparison:
    """Two counts that a macro compares.

    holds: what is so if nothing differs; line: of a row. replacing: advice for a feed in replace
    mode, whose loads cannot be taken back, where that is another.
    """

    name: str
    macro: str
    holds: str
    line: str
    advice: str
    replacing: str = ""


_COMPARISONS = (
    _Comparison(
        "landing",
        "check_landing",
        "{records_loaded:,} records of {loads:,} loads are landed as the ledger says",
        "{load}: {ledger_records:,} records by the ledger, {landed_records:,} landed",
        f"{_TAKE_BACK} Rows of a load that does not stand are to be deleted.",
        _REPLACE,
    ),
    _Comparison(
        "quarantine",
        "check_quarantine",
        "{records_rejected:,} refused records are in quarantine as the ledger says",
        "{load}, {uri}: {ledger_records:,} refused records by the ledger, {quarantine_records:,} in"
        " quarantine",
        _TAKE_BACK,
        f"{_RESTORE}.",
    ),
    _Comparison(
        "replays",
        "check_replays",
        "each replay took as many records out of quarantine as it loaded",
        "{load}: {ledger_records:,} records replayed by the ledger, {quarantine_records:,} marked"
        " so in quarantine",
        f"{_RESTORE}, or take the replay back (`python -m loader rollback LOAD --damaged`) and"
        " replay again.",
    ),
    _Comparison(
        "files",
        "check_files",
        "records read = loaded + rejected in each of {files:,} files",
        "{load}, {uri}: {records_read:,} read, {records_loaded:,} loaded, {records_rejected:,}"
        " rejected",
        f"{_RESTORE}.",
    ),
    _Comparison(
        "once",
        "check_once",
        "no file version stands twice",
        "{uri}, ETag {etag}: {times} times, from load {first_load_id} to load {last_load_id}",
        "Take the later load back (`python -m loader rollback LOAD`); what else it had comes again"
        " with `python -m loader load --reload FILE`.",
        _REPLACE,
    ),
)


def check_feed(project: Project, feed: Feed, warehouse: Warehouse) -> list[Finding]:
    """Every check of one feed; none if it was never loaded. Raises WarehouseError.

    Reads the ledger, the quarantine, and of the landing table and each mart a column or two.
    """
    nodes = {name: project.source(name) for name in (feed.name, LEDGER, QUARANTINE)}
    landing, ledger, quarantine = map(warehouse.relation, nodes.values())
    missing = [name for name, node in nodes.items() if not warehouse.exists(node)]
    totals = {"files": 0}
    if LEDGER not in missing:
        query = warehouse.render("ledger_totals", ledger=ledger, feed=feed.name)
        totals = {name: int(value) for name, value in warehouse.query(query)[0].items()}
    if len(missing) == len(nodes) or (missing == [feed.name] and not totals["files"]):
        return []
    if missing:
        what = f"there is no table {', '.join(missing)}, but others that belong to it"
        advice = f"{_RESTORE}, and do not load before that."
        return [Finding(feed.name, "tables", "differs", what, advice=advice)]
    findings = []
    for comparison in _COMPARISONS:
        query = warehouse.render(
            comparison.macro,
            ledger=ledger,
            landing=landing,
            quarantine=quarantine,
            feed=feed.name,
        )
        findings.append(_compared(feed, comparison, totals, warehouse.query(query)))
    return [*findings, *_marts(project, feed, warehouse, ledger)]


def _compared(feed: Feed, comparison: _Comparison, totals: dict[str, int], rows: Rows) -> Finding:
    if not rows:
        what = comparison.holds.format(**totals)
        return Finding(feed.name, comparison.name, "holds", what)
    lines = tuple(comparison.line.format(**row, load=_load(row)) for row in rows)
    return Finding(
        feed.name,
        comparison.name,
        "differs",
        f"not so: {comparison.holds.format(**totals)}",
        rows,
        lines,
        (feed.options.mode == "replace" and comparison.replacing) or comparison.advice,
    )


def _load(row: dict[str, Any]) -> str:
    if "load_id" not in row:
        return ""
    return f"load {row['load_id']} ({row['status'] or 'not in the ledger'})"


def _marts(project: Project, feed: Feed, warehouse: Warehouse, ledger: Any) -> Iterator[Finding]:
    for mart in project.marts(feed):
        if not mart.is_complete:
            continue
        name = f"{mart.node['schema']}.{mart.node['identifier']}"
        if warehouse.exists(mart.node):
            yield _mart(feed, name, mart.model, _counted(project, mart, warehouse, ledger))
        else:
            what = f"{name}: not built yet"
            yield Finding(feed.name, f"mart {name}", "behind", what, advice=_BUILD)


def _counted(project: Project, mart: Mart, warehouse: Warehouse, ledger: Any) -> dict[str, Any]:
    nodes = [project.source(name) for name in mart.feeds]
    landings = [warehouse.relation(node) for node in nodes if warehouse.exists(node)]
    query = warehouse.render("check_mart", mart=mart.name, landings=landings, ledger=ledger)
    return warehouse.query(query)[0]


def _mart(feed: Feed, name: str, model: str, row: dict[str, Any]) -> Finding:
    """A mart that is older than the newest load is not wrong; the next build makes up for it."""
    check, load = f"mart {name}", row["mart_load_id"]
    if row["mart_load_status"] in ("replaced", "rolled back"):
        # A build would have forgotten the load that it is built up to, so there was none since.
        what = f"{name}: not built yet since load {load} was {row['mart_load_status']}"
        return Finding(feed.name, check, "behind", what, [row], advice=_BUILD)
    if row["mart_records"] != row["landed_records"]:
        what = (
            f"{name} counts {row['mart_records']:,} records up to load {load};"
            f" {row['landed_records']:,} are landed"
        )
        advice = (
            "`python -m loader run` rebuilds a mart that has the hook forget_if_miscounted; any"
            f" other needs `dbt build --full-refresh --select {model}`."
        )
        return Finding(feed.name, check, "differs", what, [row], advice=advice)
    if row["waiting_records"]:
        since = f" since load {load}" if load else ""
        what = (
            f"{name}: not built yet{since}: {row['waiting_records']:,} records wait, up to load"
            f" {row['newest_load_id']}"
        )
        return Finding(feed.name, check, "behind", what, [row], advice=_BUILD)
    what = f"{name} counts all {row['mart_records']:,} landed records"
    return Finding(feed.name, check, "holds", what)
