"""Promise 1 at rest: the project's counting tests, worded for a person.

The counts and their words are in dbt tests (tests/dbt/generic/); `dbt test` alone finds the same.
What stands here is what a test cannot do: put what it returned into the words, report a table that
is gone without making it anew, and tell a mart that waits for its build from one that is wrong.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from loader.contract.feed import Feed
from loader.warehouse.connection import Warehouse
from loader.warehouse.ledger import Tables
from loader.warehouse.project import Mart, Project

Rows = Sequence[dict[str, Any]]

_BUILD = "`python -m loader run` builds it."
_RESTORE = "Somebody changed it past the loader: restore it from a backup"
# Advice that the words of several tests share.
_ADVICE = {
    "restore": _RESTORE,
    "roll_back": f"{_RESTORE}, or roll the load back (`python -m loader rollback LOAD --damaged`)"
    " and load its files again (`python -m loader load --reload FILE`).",
    "replace": f"{_RESTORE}, or load all the files again (`python -m loader load --reload FILE`,"
    " with any one of them): the feed is in mode replace, so they take the place of whatever is"
    " there.",
}


@dataclass(frozen=True)
class Finding:
    """What one check of a feed found.

    state: holds; behind if a mart has only to be built; differs. what: in words. differences: what
    the test returned. lines: the same for a person. advice: what to do next. test: the id of the
    dbt test.
    """

    feed: str
    check: str
    state: Literal["holds", "behind", "differs"]
    what: str
    differences: Rows = ()
    lines: tuple[str, ...] = ()
    advice: str | None = None
    test: str = ""

    def to_json(self) -> dict[str, Any]:
        """For machines."""
        return {name: value for name, value in vars(self).items() if name not in ("lines", "test")}


def check_feed(
    project: Project, feed: Feed, warehouse: Warehouse, passed: Collection[str] = ()
) -> list[Finding]:
    """Every check of one feed; none if it was never loaded.

    passed: ids of tests that a build has just run and that passed, so they are not run again. Reads
    the ledger, the quarantine, and of the landing table and each mart a column or two. Raises
    WarehouseError, and ConfigError for a feed or a mart that no test counts.
    """
    tables, tests = Tables(project, warehouse, feed), project.counting_tests(feed.name)
    missing = [table for table in tables.nodes if not tables.exist(table)]
    totals = tables.rows("ledger_totals")[0] if "ledger" not in missing else {"files": 0}
    if len(missing) == len(tables.nodes) or (missing == ["landing"] and not totals["files"]):
        return []
    if missing:
        names = [f"{tables.nodes[t]['source_name']}.{tables.nodes[t]['name']}" for t in missing]
        what = f"there is no table {', '.join(names)}, but others that belong to it"
        advice = f"{_RESTORE}, and do not load before that."
        return [Finding(feed.name, "tables", "differs", what, advice=advice)]
    findings = []
    for test, words in tests.items():
        rows: Rows = ()
        if test not in passed:
            known = {"failures": project.compiled(test), "feeds": sorted(project.feeds)}
            rows = warehouse.query(tables.sql("differences", **known))
        findings.append(_worded(feed, test, words, totals, rows))
    marts = [mart for mart in project.marts(feed) if mart.test]
    return [*findings, *(_mart(project, feed, tables, mart, passed) for mart in marts)]


def _worded(
    feed: Feed, test: str, words: dict[str, str], totals: dict[str, Any], rows: Rows
) -> Finding:
    found = partial(Finding, feed.name, words["check"], test=test)
    holds = words["holds"].format(**totals)
    if not rows:
        return found("holds", holds)
    lines = tuple(words["line"].format(**row, load=_load(row)) for row in rows)
    advice = (feed.options.mode == "replace" and words.get("replacing")) or words["advice"]
    return found("differs", f"not so: {holds}", rows, lines, advice.format(**_ADVICE))


def _load(row: dict[str, Any]) -> str:
    return f"load {row.get('load_id')} ({row.get('status') or 'not in the ledger'})"


def _mart(
    project: Project, feed: Feed, tables: Tables, mart: Mart, passed: Collection[str]
) -> Finding:
    """A mart that is older than the newest load is not wrong; the next build makes up for it."""
    warehouse, name = tables.warehouse, f"{mart.node['schema']}.{mart.node['identifier']}"
    found = partial(Finding, feed.name, f"mart {name}", test=mart.test)
    if not warehouse.exists(mart.node):
        return found("behind", f"{name}: not built yet", advice=_BUILD)
    if mart.test not in passed and (rows := warehouse.query(project.compiled(mart.test))):
        (row,) = rows
        files = tables.rows("load_files", load_id=row["mart_load_id"])
        if files and files[0]["status"] in ("replaced", "rolled back"):
            # A build would have forgotten that load, so there was none since.
            load, status = row["mart_load_id"], files[0]["status"]
            what = f"{name}: not built yet since load {load} was {status}"
            return found("behind", what, rows, advice=_BUILD)
        what = (
            f"{name} counts {row['mart_records']:,} records up to load {row['mart_load_id']};"
            f" {row['landed_records']:,} are landed"
        )
        advice = (
            "`python -m loader run` rebuilds a mart that has the hook forget_if_miscounted; any"
            f" other needs `dbt build --full-refresh --select {mart.model}`."
        )
        return found("differs", what, rows, advice=advice)
    landings = [node for node in map(project.source, mart.feeds) if warehouse.exists(node)]
    query = warehouse.render(
        "mart_progress", mart=mart.name, landings=list(map(warehouse.relation, landings))
    )
    (row,) = warehouse.query(query)
    if not row["waiting_records"]:
        return found("holds", f"{name} counts all {row['mart_records']:,} landed records")
    since = f" since load {row['mart_load_id']}" if row["mart_load_id"] else ""
    what = (
        f"{name}: not built yet{since}: {row['waiting_records']:,} records wait, up to load"
        f" {row['newest_load_id']}"
    )
    return found("behind", what, [row], advice=_BUILD)
