"""The commands plan, load and run. Imports in functions spare `--help` numpy, DuckDB and dbt."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from loader import interrupts
from loader.cli import output
from loader.cli.exits import for_each
from loader.cli.options import Settings, command, load_options, plan_options, run_options
from loader.errors import ConfigError, DataRefused, WarehouseError
from loader.validation.rules import listed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from loader.contract.feed import Feed
    from loader.jobs.load import LoadReport


@command(*plan_options)
def plan(settings: Settings) -> None:
    """Show which files are new and the SQL that would load them. Touches nothing.

    \b
    Example: python -m loader plan --target redshift
    """
    from loader.jobs.plan import plan_load

    def show(feed: Feed) -> None:
        plan, sql, manifests, copied = plan_load(settings.project, feed, warehouse, settings.choice)
        way = {f.uri: "as it is" if f.uri in copied else "rewritten" for f in plan.new}
        if settings.as_json:
            planned = {
                "feed": feed.name,
                "location": feed.options.location,
                "mode": feed.options.mode,
                "loaded_before": plan.loaded_before,
                "rolled_back": [f.uri for f in plan.rolled_back],
                "refused_before": [f.uri for f in plan.refused],
                "new": [
                    {"uri": f.uri, "bytes": f.bytes, "file_time": f.time, "read": way[f.uri]}
                    for f in plan.new
                ],
                "left": plan.left,
                "files_excluded": plan.excluded,
                "sql": sql,
                "manifests": {uri: json.loads(text) for uri, text in manifests.items()},
            }
            output.print_json(planned)
            return
        before = plan.loaded_before, len(plan.rolled_back)
        if plan.new:
            again = sum(file.uri in settings.reloads for file in plan.new)
            output.print_table(
                f"{feed.name}: {len(plan.new)} new, {_before(*before)}"
                + (f"; {again} of the new ones by --reload" if again else "")
                + _left(plan.left),
                ("file", "bytes", "file time", "read"),
                [(file.uri, file.bytes, file.time, way[file.uri]) for file in plan.new],
            )
            for uri, text in manifests.items():
                output.say_text(f"\n{output.shown(uri)}\n{text}")
            output.say_text("")
        else:
            output.say(_nothing_new(settings, feed, *before, plan.excluded or plan.refused))
        _say_excluded(feed, plan.excluded)
        _say_refused_before(feed, [file.uri for file in plan.refused])
        if sql:
            output.say_text(";\n".join(sql) + ";")

    feeds = settings.each()
    with settings.project.warehouse(create=False) as warehouse:
        for_each(feeds, show)


@command(*load_options)
def load(settings: Settings) -> None:
    """Load what is new of every feed: validate, copy, reconcile, commit.

    Each feed loads all its new files or none. A failed feed does not stop the others.

    \b
    Example: python -m loader load --select indicators
    """

    def load_one(feed: Feed) -> None:
        started = time.monotonic()
        done = _load(settings, feed)
        if settings.as_json:
            output.print_json({**done, "seconds": round(time.monotonic() - started, 1)})
        _raise_refused(feed, done)

    for_each(settings.each(), load_one)


@command(*run_options)
def run(settings: Settings) -> None:
    """Load what is new, `dbt build` all that depends on it, check that nothing is lost, sum up.

    \b
    Example: python -m loader run
    """

    def run_one(feed: Feed) -> None:
        started = time.monotonic()
        done = _load(settings, feed)
        build(settings, feed, done, "the data is loaded", started)
        _raise_refused(feed, done)

    for_each(settings.each(), run_one)


def build(settings: Settings, feed: Feed, done: dict[str, Any], told: str, started: float) -> None:
    """Builds what depends on a feed, checks that nothing is lost, and sums up.

    done: what was done before, for the summary; told: the same for an error message. Raises
    DataRefused for a test or check that failed, WarehouseError for a failed build.
    """
    try:
        _build(settings, feed, done, told, started)
    finally:
        # For a machine: what was done before is committed, whatever became of the rest.
        if settings.as_json:
            output.print_json({**done, "seconds": round(time.monotonic() - started, 1)})


def _build(settings: Settings, feed: Feed, done: dict[str, Any], told: str, started: float) -> None:
    """As build; adds to what was done, and prints it for a person."""
    from loader.jobs.check import check_feed

    load = done["load"]
    result = settings.project.build(feed, quiet=settings.as_json)
    interrupts.check()
    if result.errors:
        listed = (*result.failed.values(), *result.errors)
        kind = ConfigError if result.mistaken else WarehouseError
        raise kind(f"{told}, but dbt build ended with errors:", listed)
    # dbt does not build a mart on a table whose tests failed.
    tests = [] if result.failed else settings.project.counting_tests(feed)
    marts = [test.mart.relation_name for test in tests if test.mart]
    with settings.project.warehouse(feed) as warehouse:
        if load and "records_loaded" in done:
            rows = warehouse.rows("ledger_rows", batch_id=load) if warehouse.exist("ledger") else []
            own = (r for r in rows if r["feed"] == feed.name and r["status"] != "refused")
            files = [row["records_loaded"] for row in own]
            # The target may have a load of this number that is another's.
            if (len(files), sum(files)) != (done["files"], done["records_loaded"]):
                raise DataRefused(
                    f"{told}, but load {load} is not in {warehouse['ledger']} after the build. Has"
                    " the target changed, or were its tables replaced? See where the profile leads."
                )
        size = warehouse.query(warehouse.render("mart_size", marts=marts)) if marts else []
        findings = check_feed(settings.project, feed, warehouse, result.passed)
    failed = [finding for finding in findings if finding.state == "differs"]
    # A counting test is one of the checks, which have better words for it.
    counted, worded = {finding.test for finding in findings}, {finding.test for finding in failed}
    failures = [message for test, message in result.failed.items() if test not in worded]
    done |= {
        **dict(*size),
        "tests_passed": len((result.passed | result.warned) - counted),
        "tests_failed": len(failures),
        "checks_passed": len(findings) - len(failed),
        "checks_failed": len(failed),
        "seconds": round(time.monotonic() - started, 1),
    }
    if not settings.as_json:
        if any(finding.state != "holds" for finding in findings):
            output.print_findings(feed.name, findings)
            output.say(
                "loads that a run has counted before were not counted again; `check` counts all"
            )
        # What was left out or skipped, by name or reason, has been said.
        summed = {n: value for n, value in done.items() if not isinstance(value, (dict, list))}
        cells = [(n.replace("_", " "), "none" if v is None else v) for n, v in summed.items()]
        output.print_table("", ("summary", ""), cells)
    problems = [f"{len(failures)} tests of the tables failed"] if failures else []
    problems += [f"{len(failed)} checks do not hold"] if failed else []
    if problems:
        listed = (*failures, *(f"check {f.check}: {f.what}" for f in failed))
        raise DataRefused(f"{told}, but {' and '.join(problems)}:", listed)


def _load(settings: Settings, feed: Feed) -> dict[str, Any]:
    """Loads a feed, tells a person what became of it, and returns the same for machines."""
    from loader.jobs.load import Load, RecordsRefused

    observer = output.ProgressReport(settings.as_json)
    what = settings.choice, settings.run_id, settings.rejects_to
    load = Load(settings.project, feed, observer, *what)
    try:
        report = load.run()
    except RecordsRefused as error:
        if settings.as_json:
            output.print_json(*({"feed": feed.name, **v.to_json()} for v in error.verdicts))
            if excluded := load.report.files_excluded:
                output.print_json({"feed": feed.name, "files_excluded": excluded})
        else:
            output.print_rejects(error.verdicts)
            _say_excluded(feed, load.report.files_excluded)
        raise
    if not settings.as_json:
        if report.load is None:
            before = report.files_loaded_before, report.files_rolled_back_before
            others = report.files_excluded or report.files_refused_before
            output.say(_nothing_new(settings, feed, *before, others))
        else:
            output.say(
                f"{feed.name}: load {report.load}: {report.files} files,"
                f" {report.records_loaded:,} of {report.records_read:,} records loaded,"
                f" {report.records_rejected:,} rejected{_skipped(report.lines_skipped)}"
                f"{_left(report.files_left)}"
            )
        _say_excluded(feed, report.files_excluded)
        for uri, why in report.files_refused.items():
            output.say(f"{uri}: refused: {why}")
        _say_refused_before(feed, report.files_refused_before)
        _say_unread(feed, report)
        if report.records_rejected:
            output.say(
                f"{feed.name}: the rejected records are in quarantine; to look at them:"
                f" python -m loader rejects --load {report.load}"
            )
        if report.rejects:
            output.say(f"{feed.name}: rejected records written to {report.rejects}")
    return report.to_json()


def _skipped(lines: Mapping[str, int]) -> str:
    """What to say of lines that the contract skips, and records that it pads, by its word."""
    padded = lines.get("columns.short", 0)
    by_word = [f"{n:,} by {word}" for word, n in lines.items() if word != "columns.short"]
    skipped = f"; lines skipped: {', '.join(by_word)}" if by_word else ""
    return skipped + (f"; {padded:,} short records padded" if padded else "")


def _raise_refused(feed: Feed, done: Mapping[str, Any]) -> None:
    """Raises DataRefused for the files that a load has set aside, once all else is done."""
    if refused := len(done["files_refused"]):
        raise DataRefused(
            f"{feed.name}: refused {_files(refused)} as a whole and set aside; what else was new is"
            " loaded. Each is tried again once it, or the contract, has changed."
        )


def _say_refused_before(feed: Feed, uris: Sequence[str]) -> None:
    """Say which files were set aside before, and are as they were."""
    if uris:
        output.say(
            f"{feed.name}: {_files(len(uris))} refused before, unchanged since: {listed(uris)};"
            " `python -m loader rejects` says why"
        )


def _say_unread(feed: Feed, report: LoadReport) -> None:
    """Say which columns files lack or have beyond the contract's, and in how many files."""
    told = {"columns that files lack": report.columns_missing}
    told["columns of files left unread"] = report.columns_ignored
    parts = [
        f"{what}: {listed([f'{name} ({_files(n)})' for name, n in names.items()])}"
        for what, names in told.items()
        if names
    ]
    if parts:
        hint = ". If one was renamed, say so with `header:`" if len(parts) > 1 else ""
        output.say(f"{feed.name}: {'; '.join(parts)}{hint}")


def _files(count: int) -> str:
    return f"{count:,} file{'s' * (count != 1)}"


def _say_excluded(feed: Feed, excluded: dict[str, int]) -> None:
    """Say how many files of the location are no data, and why."""
    if excluded:
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in excluded.items())
        output.say(f"{feed.name}: {sum(excluded.values()):,} files left out: {reasons}")


def _left(files: int) -> str:
    """What to say of new files beyond --max-files."""
    return f"; {files:,} more new files are left to the next load" if files else ""


def _nothing_new(
    settings: Settings, feed: Feed, loaded_before: int, rolled_back: int, excluded: object
) -> str:
    """What to say of a feed without a new file."""
    location = feed.options.location + (" in this shard" if settings.shard else "")
    if not loaded_before + rolled_back:
        other = "other " if excluded else ""
        return f"{feed.name}: nothing to load; no {other}file matches {location}"
    hint = "; --reload FILE loads one again" if rolled_back else ""
    if settings.reloads:
        hint = "; --reload takes only a file that was rolled back or archived"
    before = _before(loaded_before, rolled_back, f" files of {location}")
    return f"{feed.name}: nothing new; {before}{hint}"


def _before(loaded_before: int, rolled_back: int, what: str = "") -> str:
    """What became of the files that are not new."""
    back = f", {rolled_back} rolled back" if rolled_back else ""
    return f"{loaded_before}{what} loaded before{back}"
