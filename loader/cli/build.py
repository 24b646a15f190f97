"""The main job of a feed, step by step, each said as it is done: load, build, check, sum up."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from loader import interrupts
from loader.errors import DataRefused, WarehouseError

if TYPE_CHECKING:
    from loader.contract.feed import Feed
    from loader.jobs.load import LoadReport
    from loader.warehouse.connection import Warehouse
    from loader.warehouse.project import Project

__all__ = ["build_feed", "load_feed", "run_feed"]


def run_feed(
    as_json: bool,
    project: Project,
    feed: Feed,
    rejects_to: str | None,
    reloads: tuple[str, ...],
) -> None:
    """Loads a feed, builds what depends on it, and sums up."""
    started = time.monotonic()
    report = load_feed(as_json, project, feed, rejects_to, reloads, quiet=True)
    done = {
        "feed": feed.name,
        "load": report.load_id,
        "files": report.files,
        "files_loaded_before": report.known,
        **({"files_rolled_back_before": report.held} if report.held else {}),
        "records_read": report.records_read,
        "records_loaded": report.records_loaded,
        "records_rejected": report.records_rejected,
    }
    build_feed(as_json, project, feed, done, "the data is loaded", started)


def load_feed(
    as_json: bool,
    project: Project,
    feed: Feed,
    rejects_to: str | None,
    reloads: tuple[str, ...],
    quiet: bool = False,
) -> LoadReport:
    """Loads a feed and says what became of it."""
    from loader.cli.output import ProgressReport, nothing_new, print_json, print_rejects, say
    from loader.jobs import load as pipeline

    started = time.monotonic()
    try:
        observer = ProgressReport(as_json)
        report = pipeline.load(project, feed, observer, rejects_to, frozenset(reloads))
    except pipeline.RecordsRefused as error:
        if as_json:
            for verdict in error.verdicts:
                print_json({"feed": feed.name, **verdict.to_json()})
        else:
            print_rejects(error.verdicts)
        raise
    if as_json and not quiet:
        print_json(
            {
                "feed": feed.name,
                "load": report.load_id,
                "files": report.files,
                "files_loaded_before": report.known,
                "files_rolled_back_before": report.held,
                "records_read": report.records_read,
                "records_loaded": report.records_loaded,
                "records_rejected": report.records_rejected,
                "seconds": round(time.monotonic() - started, 1),
            }
        )
    elif not as_json:
        if report.load_id is None:
            say(nothing_new(feed, report.known, report.held, reloads))
        else:
            say(
                f"{feed.name}: load {report.load_id}: {report.files} files,"
                f" {report.records_loaded:,} of {report.records_read:,} records loaded,"
                f" {report.records_rejected:,} rejected"
            )
        if report.records_rejected:
            say(
                f"{feed.name}: the rejected records are in quarantine; to look at them:"
                f" python -m loader rejects --load {report.load_id}"
            )
        if report.rejects:
            say(f"{feed.name}: rejected records written to {report.rejects}")
    return report


def build_feed(
    as_json: bool,
    project: Project,
    feed: Feed,
    done: dict[str, Any],
    told: str,
    started: float,
) -> None:
    """Builds what depends on a feed, checks that nothing is lost, and sums up.

    done: what was done before, for the summary; told: the same for an error message.
    """
    from loader.cli.output import print_findings, print_json, print_table
    from loader.jobs.check import check_feed, differing

    build = project.build(feed, quiet=as_json)
    interrupts.check()
    if build.errors:
        listed = (*build.failed.values(), *build.errors)
        raise WarehouseError(f"{told}, but dbt build ended with errors:", listed)
    marts: list[tuple[int, int]] = []
    with project.warehouse() as warehouse:
        if not build.failed:  # dbt does not build a mart on a table whose tests failed
            marts = _mart_sizes(project, feed, warehouse)
        findings = check_feed(project, feed, warehouse, build.passed)
    # A counting test is one of the checks, which have better words for it.
    counted = {finding.test for finding in findings}
    failures = [message for test, message in build.failed.items() if test not in counted]
    failed = differing(findings)
    rows, raw = sum(size for size, _ in marts), sum(raw for _, raw in marts)
    summary = {
        **done,
        **({"mart_rows": rows, "duplicates": raw - rows} if marts else {}),
        "tests_passed": len(build.passed - counted),
        "tests_failed": len(failures),
        "checks_passed": len(findings) - len(failed),
        "checks_failed": len(failed),
        "seconds": round(time.monotonic() - started, 1),
    }
    if as_json:
        print_json(summary)
    else:
        if any(finding.state != "holds" for finding in findings):
            print_findings(feed.name, findings)
        cells = [
            (key.replace("_", " "), "none" if value is None else value)
            for key, value in summary.items()
        ]
        print_table("", ("summary", ""), cells)
    problems = [f"{len(failures)} tests of the tables failed"] if failures else []
    problems += [f"{len(failed)} checks do not hold"] if failed else []
    if problems:
        listed = (*failures, *(f"check {f.check}: {f.what}" for f in failed))
        raise DataRefused(f"{told}, but {' and '.join(problems)}:", listed)


def _mart_sizes(project: Project, feed: Feed, warehouse: Warehouse) -> list[tuple[int, int]]:
    """Rows, and raw records folded into them, of each mart of a feed."""
    return [
        (int(row["mart_rows"]), int(row["raw_records"] or 0))
        for mart in project.marts(feed)
        for row in warehouse.query(warehouse.render("mart_size", mart=mart.name))
    ]
