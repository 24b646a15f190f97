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
from loader.warehouse.project import CountingTest, Project

Rows = Sequence[dict[str, Any]]

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
    lines: Sequence[str] = ()
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
    tables = Tables(project, warehouse, feed)
    missing = [table for table in tables.nodes if not tables.exist(table)]
    totals = tables.rows("ledger_totals")[0] if "ledger" not in missing else {"files": 0}
    if len(missing) == len(tables.nodes) or (missing == ["landing"] and not totals["files"]):
        return []
    if missing:
        nodes = [tables.nodes[table] for table in missing]
        names = ", ".join(f"{node.source_name}.{node.name}" for node in nodes)
        what = f"there is no table {names}, but others that belong to it"
        advice = f"{_RESTORE}, and do not load before that."
        return [Finding(feed.name, "tables", "differs", what, advice=advice)]
    tests = project.counting_tests(feed)
    return [_counted(project, feed, tables, test, totals, passed) for test in tests]


def _counted(
    project: Project,
    feed: Feed,
    tables: Tables,
    test: CountingTest,
    totals: dict[str, Any],
    passed: Collection[str],
) -> Finding:
    """What one test finds, in its own words."""
    words, mart = test.words, test.mart
    rows: Rows = ()
    unbuilt = mart and not tables.exists(mart)
    if test.id not in passed and not unbuilt:
        query = project.compiled(test.id)
        if not mart:
            query = tables.sql("differences", failures=query, feeds=sorted(project.feeds))
        rows = tables.query(query)
    case, values = "differs" if rows else "holds", totals
    if mart:
        case, rows = ("unbuilt", ()) if unbuilt else _mart_case(tables, test, rows)
        values = {"name": f"{mart.schema}.{mart.identifier}", "model": mart.name, **dict(*rows)}
    what = words.get(case, f"not so: {words['holds']}").format(**values)
    found = partial(Finding, feed.name, words["check"].format(**values), what=what, test=test.id)
    if case == "holds":
        return found("holds")
    if case != "differs":
        return found("behind", differences=rows, advice="`python -m loader run` builds it.")
    lines = [words["line"].format(**row, load=_load(row)) for row in rows if "line" in words]
    advice = (feed.options.mode == "replace" and words.get("replacing")) or words["advice"]
    advice = advice.format(**_ADVICE, **values)
    return found("differs", differences=rows, lines=lines, advice=advice)


def _mart_case(tables: Tables, test: CountingTest, rows: Rows) -> tuple[str, Rows]:
    """Which of its test's words hold for a mart, and the counts for them.

    A mart that is older than the newest load is not wrong; the next build makes up for it. rows:
    what its test returned.
    """
    if rows:
        load = tables.rows("load_files", load_id=rows[0]["mart_load_id"])
        # A build would have forgotten a load that does not stand, so there was none since.
        undone = load and load[0]["status"] in ("replaced", "rolled back")
        return load[0]["status"] if undone else "differs", rows
    mart = test.mart.relation_name
    rows = tables.query(tables.render("mart_progress", mart=mart, landings=test.landings))
    if not rows[0]["waiting_records"]:
        return "holds", rows
    return "behind" if rows[0]["mart_load_id"] else "never filled", rows


def _load(row: dict[str, Any]) -> str:
    return f"load {row.get('load_id')} ({row.get('status') or 'not in the ledger'})"
