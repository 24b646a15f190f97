"""Promise 1 at rest: the project's counting tests, worded for a person.

The counts and their words are in dbt tests (tests/dbt/generic/); `dbt test` alone finds the same.
What stands here is what a test cannot do: put what it returned into the words, report a table that
is gone without making it anew, and tell a mart that waits for its build from one that is wrong.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from loader.contract.feed import Feed
from loader.errors import ConfigError, WarehouseError
from loader.warehouse.connection import Warehouse
from loader.warehouse.project import CountingTest, Project

Rows = Sequence[dict[str, Any]]


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


def checks(
    project: Project, feed: Feed, full: bool, quiet: bool, rules: bool = False
) -> Iterator[list[Finding]]:
    """What check_feed finds; if full, then what run_all_tests does.

    rules: whether also to judge all landed records by the rules of today.
    """
    with project.warehouse(create=False) as warehouse:
        warehouse.refuse_outdated()
        findings = check_feed(project, feed, warehouse)
        is_whole = bool(findings) and findings[0].check != "tables"
        if rules and is_whole:
            findings.append(_check_rules(feed, warehouse.of(feed)))
        yield findings
    # dbt would make a table that is gone anew, which nobody would notice then.
    if full and is_whole:
        yield [run_all_tests(project, feed, findings, quiet)]


def check_feed(
    project: Project, feed: Feed, warehouse: Warehouse, passed: Collection[str] = ()
) -> list[Finding]:
    """Every check of one feed; none if it was never loaded.

    passed: ids of tests that a build has just run and that passed, so they are not run again. Reads
    the ledger, the quarantine, and of the landing table and each mart a column or two. Raises
    WarehouseError.
    """
    tables = warehouse.of(feed)
    missing = {table: node for table, node in tables.nodes.items() if not tables.exists(node)}
    totals = tables.rows("ledger_totals")[0] if "ledger" not in missing else {"files": 0}
    if len(missing) == len(tables.nodes) or ([*missing] == ["landing"] and not totals["files"]):
        return []
    if missing:
        names = ", ".join(f"{node.source_name}.{node.name}" for node in missing.values())
        what = f"there is no table {names}, but others that belong to it"
        advice = "Somebody changed it past the loader: restore it from a backup before you load."
        return [Finding(feed.name, "tables", "differs", what, advice=advice)]
    findings = []
    for test in project.counting_tests(feed):
        case, rows = _case(project, tables, test, test.id in passed)
        findings.append(_worded(feed, test, case, rows, totals))
    return findings


def run_all_tests(
    project: Project, feed: Feed, findings: Sequence[Finding], quiet: bool
) -> Finding:
    """Runs every data test of one feed on all history, unless a mart waits, by what check found.

    Raises ConfigError or WarehouseError for a test that could not be run.
    """
    if any(finding.state == "behind" for finding in findings):
        what = "no data test was run, since a mart waits for its build"
        return Finding(feed.name, "tests", "behind", what)
    result = project.test_all_history(feed, quiet)
    if result.errors:
        kind = ConfigError if result.mistaken else WarehouseError
        raise kind(f"{feed.name}: dbt test ended with errors:", result.errors)
    failed = list(result.failed.values())
    what = f"{len(failed)} of {len(result.passed | result.warned) + len(failed)} data tests fail"
    advice = "The compiled SQL of a test, in target/compiled, shows the rows that fail it."
    found = partial(Finding, feed.name, "tests", what=f"{what} on all history", lines=failed)
    return found("differs", advice=advice) if failed else found("holds")


def _check_rules(feed: Feed, tables: Warehouse) -> Finding:
    """Which landed records today's rules would reject. Raises as judge_landed."""
    # Here, since other checks need nothing of what it imports.
    from loader.jobs.judge_landed import judge_landed

    records, rejected, broken = judge_landed(feed, tables)
    what = f"{rejected:,} of {records:,} landed records break the rules of today"
    if not rejected:
        return Finding(feed.name, "rules", "holds", what)
    found = [{"column": c, "rule": r, "records": n} for (c, r), n in broken.most_common()]
    lines = [
        f"{row['column'] or 'a record'}: {row['rule']}: {row['records']:,} records" for row in found
    ]
    advice = "They stay as they are. To have them judged, roll their loads back and reload files."
    return Finding(feed.name, "rules", "differs", what, found, lines, advice)


def _case(
    project: Project, tables: Warehouse, test: CountingTest, passed: bool
) -> tuple[str, Rows]:
    """Which of a test's words hold, and the counts for them.

    A mart that is older than the newest load is not wrong; the next build makes up for it.
    """
    mart, query = test.mart, "" if passed else project.compiled(test.id)
    if not mart:
        sql = tables.sql("differences", failures=query, feeds=sorted(project.contracts))
        rows = tables.query(sql) if query else []
        return "differs" if rows else "holds", rows
    if not tables.exists(mart):
        return "unbuilt", ()
    [row] = tables.rows("mart_progress", mart=mart.relation_name, landings=test.landings)
    case = row.pop("state")
    # A build would have forgotten a load that does not stand, so there was none since.
    if query and case not in ("replaced", "rolled back") and (found := tables.query(query)):
        return "differs", [row | found[0]]
    return case, [row]


def _worded(
    feed: Feed, test: CountingTest, case: str, rows: Rows, totals: dict[str, Any]
) -> Finding:
    words, mart, values = test.words, test.mart, totals
    if mart:
        named = {"name": f"{mart.schema}.{mart.identifier}", "model": mart.name}
        values = {**named, **dict(*rows)}
    what = words.get(case, f"not so: {words['holds']}").format(**values)
    found = partial(Finding, feed.name, words["check"].format(**values), what=what, test=test.id)
    if case == "holds":
        return found("holds")
    if case != "differs":
        return found("behind", differences=rows, advice="`python -m loader run` builds it.")
    lines = [words["line"].format(**row, load=_load(row)) for row in rows if "line" in words]
    advice = (feed.options.mode == "replace" and words.get("replacing")) or words["advice"]
    return found("differs", differences=rows, lines=lines, advice=advice.format(**values))


def _load(row: dict[str, Any]) -> str:
    if row.get("batch_id") is None:
        return f"_load_id {row.get('load_id')} (not in the ledger)"
    return f"load {row['batch_id']} ({row['status']})"
