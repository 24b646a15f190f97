"""The command line: options, exit codes, and what is printed. The work is done elsewhere."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from loader import __version__, stop
from loader.errors import ConfigError, DataRefused, LoaderError, StorageError

if TYPE_CHECKING:
    from loader.check import Finding
    from loader.contract import Feed
    from loader.pipeline import LoadReport
    from loader.project import Project, Warehouse
    from loader.validate import Validator, Verdict

__all__ = ["main"]

_EPILOG = """
Exit codes: 0 done, 1 the data was refused, 2 a mistake in usage or configuration, or a system
that failed, 130 interrupted.
"""

# As many as a ledger can hold.
_LOAD_ID = click.IntRange(min=1, max=2**63 - 1)

_INTERRUPTED = "interrupted; a load that had not committed left nothing"


@dataclass(frozen=True)
class _Settings:
    """The options that every command has."""

    project_dir: Path
    profiles_dir: Path | None
    target: str | None
    as_json: bool

    def project(self) -> Project:
        """The dbt project that the options point to."""
        from loader.project import Project

        if not (self.project_dir / "dbt_project.yml").is_file():
            raise ConfigError(
                f"{self.project_dir}: no dbt_project.yml here; run in the project's folder or give"
                " --project-dir."
            )
        return Project(self.project_dir.resolve(), self.profiles_dir, self.target)


def _common(command: Callable[..., None]) -> Callable[..., None]:
    """Adds the options of all commands, gathered into one argument `settings`."""
    options = [
        click.option("--target", "-t", envvar="CTI_TARGET", help="dbt target: duckdb or redshift."),
        click.option(
            "--profiles-dir",
            envvar="DBT_PROFILES_DIR",
            type=click.Path(path_type=Path),
            help="Folder of profiles.yml, as in dbt.",
        ),
        click.option(
            "--project-dir",
            envvar="DBT_PROJECT_DIR",
            default=Path("."),
            type=click.Path(path_type=Path),
            help="Folder of dbt_project.yml, as in dbt.",
        ),
        click.option("--json", "as_json", is_flag=True, help="Print JSON, an object a line."),
        click.option("--debug", is_flag=True, help="Show the traceback of an error."),
    ]

    @wraps(command)
    def gathered(
        project_dir: Path,
        profiles_dir: Path | None,
        target: str | None,
        as_json: bool,
        debug: bool,
        **arguments: Any,
    ) -> None:
        with _errors_explained(debug):
            command(_Settings(project_dir, profiles_dir, target, as_json), **arguments)

    for option in reversed(options):
        option(gathered)
    return gathered


_select = click.option(
    "--select", "-s", "selected", multiple=True, metavar="FEED", help="Only this feed; repeatable."
)


_reload = click.option(
    "--reload",
    "reloads",
    multiple=True,
    metavar="FILE",
    help="Load this file though it was rolled back, named as in `history`; repeatable.",
)


@click.group(epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="loader")
def cli() -> None:
    """Validates raw CSV files against their contract and loads them, once, into the warehouse.

    A feed is a dbt source table with config.meta.feed; its YAML says where the files lie and what
    a record must satisfy.

    \b
    Example: python -m loader run
    """


@cli.command()
@_select
@_reload
@_common
def plan(settings: _Settings, selected: tuple[str, ...], reloads: tuple[str, ...]) -> None:
    """Show which files are new and the SQL that would load them. Touches nothing.

    \b
    Example: python -m loader plan --target redshift
    """
    from loader.landing import Landing
    from loader.pipeline import make_plan
    from loader.report import print_json, print_table, say, say_text
    from loader.storage import open_store

    project = settings.project()
    feeds = _feeds(project, selected, reloads)
    with project.warehouse(create=False) as warehouse:
        for feed in feeds:
            landing = Landing(project, feed, warehouse)
            plan = make_plan(project, feed, landing, frozenset(reloads))
            store = open_store(feed.options.location, project.project_dir)
            statements, manifests = (
                landing.statements(plan.new, plan.replaces, store) if plan.new else ([], {})
            )
            if settings.as_json:
                print_json(
                    {
                        "feed": feed.name,
                        "location": feed.options.location,
                        "mode": feed.options.mode,
                        "known": plan.known,
                        "rolled_back": [f.uri for f in plan.held],
                        "new": [{"uri": f.uri, "bytes": f.bytes} for f in plan.new],
                        "sql": statements,
                        "manifests": {uri: json.loads(text) for uri, text in manifests.items()},
                    }
                )
                continue
            if not plan.new:
                say(_nothing_new(feed, plan.known, len(plan.held)))
                continue
            again = sum(file.uri in plan.reloads for file in plan.new)
            print_table(
                f"{feed.name}: {len(plan.new)} new, {_before(plan.known, len(plan.held))}"
                + (f"; {again} of the new ones by --reload" if again else ""),
                ("file", "bytes"),
                [(file.uri, file.bytes) for file in plan.new],
            )
            for uri, text in manifests.items():
                say_text("")
                say(uri)
                say_text(text)
            say_text("\n" + ";\n".join(statements) + ";")


@cli.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--feed", "feed_name", metavar="FEED", help="Whose contract; not needed for one feed."
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for NAME.accepted.csv and NAME.rejects.jsonl of each file.",
)
@_common
def validate(
    settings: _Settings, paths: tuple[Path, ...], feed_name: str | None, out: Path | None
) -> None:
    """Judge local files against a feed's contract. Needs no warehouse and loads nothing.

    \b
    Example: python -m loader validate --feed indicators --out checked data/*.csv
    """
    from loader.pipeline import judge_file
    from loader.report import ProgressReport, print_json, print_rejects, print_table
    from loader.spool import spool_folder
    from loader.validate import Validator, Verdict

    feed = _one_feed(settings.project(), feed_name)
    targets = _out_files(paths, out)
    observer = ProgressReport(quiet=settings.as_json)
    verdicts: list[Verdict] = []
    unreadable = False
    with spool_folder() as spool, Validator(feed, spool) as validator:
        observer.start(f"{feed.name}: validating {len(paths)} files", sum(map(_size, paths)))
        for path, (accepted, rejects) in zip(paths, targets, strict=True):
            try:
                _readable(path)
                verdict = judge_file(validator, feed, str(path), path, spool, observer)
            except StorageError as error:
                verdict, unreadable = Verdict(str(path), refused=str(error)), True
            if out:
                _write_out(validator, verdict, accepted, rejects)
            verdicts.append(verdict)
            if settings.as_json:
                print_json(_verdict_json(verdict))
        observer.finish()
    if not settings.as_json:
        print_table(
            f"{feed.name}",
            ("file", "read", "accepted", "rejected", "refused"),
            (
                (v.file, v.read, v.accepted, v.rejected, "whole file" if v.refused else "")
                for v in verdicts
            ),
        )
        print_rejects(verdicts)
    if unreadable:
        sys.exit(2)
    if any(verdict.refused or verdict.rejected for verdict in verdicts):
        sys.exit(1)


_rejects_to = click.option(
    "--rejects-to",
    envvar="CTI_REJECTS_LOCATION",
    metavar="FOLDER",
    help="Also write refused records as JSON lines, to a folder or s3://bucket/prefix/.",
)


@cli.command()
@_select
@_reload
@_rejects_to
@_common
def load(
    settings: _Settings,
    selected: tuple[str, ...],
    reloads: tuple[str, ...],
    rejects_to: str | None,
) -> None:
    """Load what is new of every feed: validate, copy, reconcile, commit; all of it or nothing.

    \b
    Example: python -m loader load --select indicators
    """
    project = settings.project()
    feeds = _feeds(project, selected, reloads)
    _each(feeds, lambda feed: _load(settings, project, feed, rejects_to, reloads))


@cli.command()
@_select
@_reload
@_rejects_to
@_common
def run(
    settings: _Settings,
    selected: tuple[str, ...],
    reloads: tuple[str, ...],
    rejects_to: str | None,
) -> None:
    """Load what is new, `dbt build` all that depends on it, check that nothing is lost, sum up.

    \b
    Example: python -m loader run
    """
    project = settings.project()
    feeds = _feeds(project, selected, reloads)
    _each(feeds, lambda feed: _run(settings, project, feed, rejects_to, reloads))


@cli.command()
@_select
@_common
def history(settings: _Settings, selected: tuple[str, ...]) -> None:
    """Show the ledger: which file versions were loaded, by which load.

    \b
    Example: python -m loader history --json
    """
    from loader.landing import LEDGER
    from loader.report import print_json, print_table, say

    project = settings.project()
    names = {feed.name for feed in _feeds(project, selected)}
    ledger = project.source(LEDGER)
    with project.warehouse(create=False) as warehouse:
        if not warehouse.exists(ledger):
            say("nothing has been loaded yet", error=True)
            return
        query = warehouse.render("history", ledger=warehouse.relation(ledger))
        rows = [row for row in warehouse.query(query) if row["feed"] in names]
    if settings.as_json:
        for row in rows:
            print_json(row)
    else:
        columns = ["load_id", "feed", "uri", "records_read", "records_loaded", "records_rejected"]
        columns += ["status", "loaded_at"]
        print_table(
            "loads",
            [name.replace("_", " ") for name in columns],
            ([row[name] for name in columns] for row in rows),
        )


@cli.command()
@_select
@click.option("--load", "load_id", type=_LOAD_ID, help="Only what this load refused.")
@click.option("--file", "uri", help="Only what this file had, named as in `history`.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV, for a spreadsheet and `replay`.")
@_common
def rejects(
    settings: _Settings,
    selected: tuple[str, ...],
    load_id: int | None,
    uri: str | None,
    as_csv: bool,
) -> None:
    """Show the refused records in quarantine: by rule with examples, or each with --json or --csv.

    \b
    Example: python -m loader rejects --load 3 --csv > rejects.csv
    """
    from loader.corrections import print_csv
    from loader.landing import Landing
    from loader.report import print_json, print_quarantine

    if as_csv and settings.as_json:
        raise ConfigError("--csv and --json exclude each other; give one of them")
    project = settings.project()
    with project.warehouse(create=False) as warehouse:
        for number, feed in enumerate(_feeds(project, selected)):
            records = Landing(project, feed, warehouse).quarantined(load_id, uri)
            if as_csv:
                print_csv(records, sys.stdout, header=not number)
            elif settings.as_json:
                for record in records:
                    print_json({"feed": feed.name, **record.to_json()})
            else:
                print_quarantine(feed.name, records)


@cli.command()
@click.option("--select", "-s", "feed_name", metavar="FEED", help="Whose; not needed for one feed.")
@click.option("--load", "load_id", type=_LOAD_ID, help="Only what this load refused.")
@click.option(
    "--from",
    "corrected",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Corrected records: CSV as `rejects --csv` prints it, with `raw` put right.",
)
@_common
def replay(
    settings: _Settings, feed_name: str | None, load_id: int | None, corrected: Path | None
) -> None:
    """Judge the records in quarantine again and load those that pass now, once, as a new load.

    They pass when a rule of the contract was widened, or when their text was corrected (--from).

    \b
    Example: python -m loader replay --from rejects.csv
    """
    from loader.corrections import read_corrections
    from loader.replay import replay as replay_feed
    from loader.report import ProgressReport, print_json, print_replay

    project = settings.project()
    corrections = read_corrections(corrected) if corrected else None
    feed = _one_feed(project, feed_name)
    observer = ProgressReport(settings.as_json)
    report = replay_feed(project, feed, observer, load_id, corrections)
    refused = report.judged - report.loaded
    if settings.as_json:
        print_json(
            {
                "feed": feed.name,
                "load": report.load_id,
                "records_judged": report.judged,
                "records_loaded": report.loaded,
                "records_refused": refused,
            }
        )
    else:
        print_replay(report)
    if corrected and refused:
        raise DataRefused(f"{refused:,} corrected records are still refused; see above")


@cli.command()
@_select
@_common
def check(settings: _Settings, selected: tuple[str, ...]) -> None:
    """Count anew whether anything was lost: ledger, landing table, quarantine and marts.

    A mart that is not built since the newest load is told, and is no failure.

    \b
    Example: python -m loader check
    """
    from loader.check import check_feed
    from loader.report import print_findings, print_json

    project = settings.project()
    failed = []
    with project.warehouse(create=False) as warehouse:
        for feed in _feeds(project, selected):
            findings = check_feed(project, feed, warehouse)
            failed += _differing(findings)
            if settings.as_json:
                for finding in findings:
                    print_json(finding.to_json())
            else:
                print_findings(feed.name, findings)
    if failed:
        raise DataRefused(f"{len(failed)} checks do not hold; see above")


@cli.command()
@click.argument("load_id", type=_LOAD_ID, metavar="LOAD")
@click.option("--select", "-s", "feed_name", metavar="FEED", help="Only if it is a load of this.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@click.option(
    "--damaged",
    is_flag=True,
    help="Also if the tables hold more or fewer of its records than the ledger says.",
)
@_common
def rollback(
    settings: _Settings, load_id: int, feed_name: str | None, yes: bool, damaged: bool
) -> None:
    """Take one load back: delete its landed and refused records, then build what depends on them.

    Its files are not loaded again, unless `load --reload FILE` asks for it.

    \b
    Example: python -m loader rollback 3
    """
    from loader.report import ProgressReport, print_table, say
    from loader.rollback import find_load, roll_back, to_json

    started = time.monotonic()
    project = settings.project()
    load = find_load(project, load_id, project.feed(feed_name) if feed_name else None)
    feed = project.feed(load.feed)
    if not settings.as_json:
        print_table(
            f"{load.feed}: load {load_id} ({load.status})",
            ("file", "records loaded", "records rejected"),
            load.files,
        )
    if not yes:
        _confirm(
            f"rollback deletes {load.loaded:,} landed and {load.rejected:,} refused records of load"
            f" {load_id}"
        )
    deleted = roll_back(project, feed, load_id, ProgressReport(settings.as_json), damaged)
    if not settings.as_json:
        what = f"{deleted.landed:,} landed and {deleted.refused:,} refused records"
        back = f"; {deleted.returned:,} are in quarantine again" if deleted.returned else ""
        say(f"{load.feed}: deleted {what} of load {load_id}{back}")
    done = to_json(load, deleted)
    _build(settings, project, feed, done, f"load {load_id} is rolled back", started)


def main() -> None:
    """Runs the command line; never shows a traceback unless asked."""
    stop.listen()
    try:
        cli(prog_name="python -m loader")
    except (KeyboardInterrupt, SystemExit) as ended:
        stop.leave_at_once()
        # A signal before or after the command's own work, which click would call an abort.
        if stop.requested() and getattr(ended, "code", None) != stop.EXIT_CODE:
            click.echo(f"error: {_INTERRUPTED}", err=True)
            sys.exit(stop.EXIT_CODE)
        raise


def _each(feeds: list[Feed], work: Callable[[Feed], object]) -> None:
    """Does the work for every feed; the errors of one do not keep the others from it."""
    from loader.report import say

    errors: list[LoaderError] = []
    for feed in feeds:
        try:
            work(feed)
        except BrokenPipeError:
            raise  # nobody listens any more
        except (LoaderError, OSError) as caught:
            error = StorageError(_refusal(caught)) if isinstance(caught, OSError) else caught
            errors.append(error)
            if len(feeds) > 1:
                say(f"error: {error}", error.details, error=True)
    if len(feeds) > 1 and errors:
        names = f"{len(errors)} of {len(feeds)} feeds failed"
        worst = max(errors, key=lambda error: error.exit_code)
        raise (DataRefused if worst.exit_code == 1 else LoaderError)(f"{names}; see above")
    if errors:
        raise errors[0]


def _run(
    settings: _Settings,
    project: Project,
    feed: Feed,
    rejects_to: str | None,
    reloads: tuple[str, ...],
) -> None:
    """Loads a feed, builds what depends on it, and sums up."""
    started = time.monotonic()
    report = _load(settings, project, feed, rejects_to, reloads, quiet=True)
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
    _build(settings, project, feed, done, "the data is loaded", started)


def _build(
    settings: _Settings,
    project: Project,
    feed: Feed,
    done: dict[str, Any],
    told: str,
    started: float,
) -> None:
    """Builds what depends on a feed, checks that nothing is lost, and sums up.

    done: what was done before, for the summary; told: the same for an error message.
    """
    from loader.check import check_feed
    from loader.report import print_findings, print_json, print_table

    build = project.build(feed, quiet=settings.as_json)
    stop.check()
    if build.errors:
        raise LoaderError(f"{told}, but dbt build ended with errors:", build.failures)
    marts: list[tuple[int, int]] = []
    with project.warehouse() as warehouse:
        if not build.tests_failed:  # dbt does not build a mart on a table whose tests failed
            marts = _mart_sizes(project, feed, warehouse)
        findings = check_feed(project, feed, warehouse)
    failed = _differing(findings)
    rows, raw = sum(size for size, _ in marts), sum(raw for _, raw in marts)
    summary = {
        **done,
        **({"mart_rows": rows, "duplicates": raw - rows} if marts else {}),
        "tests_passed": build.tests_passed,
        "tests_failed": build.tests_failed,
        "checks_passed": len(findings) - len(failed),
        "checks_failed": len(failed),
        "seconds": round(time.monotonic() - started, 1),
    }
    if settings.as_json:
        print_json(summary)
    else:
        if any(finding.state != "holds" for finding in findings):
            print_findings(feed.name, findings)
        cells = [
            (key.replace("_", " "), "none" if value is None else value)
            for key, value in summary.items()
        ]
        print_table("", ("summary", ""), cells)
    problems = [f"{build.tests_failed} tests of the tables failed"] if build.tests_failed else []
    problems += [f"{len(failed)} checks do not hold"] if failed else []
    if problems:
        listed = (*build.failures, *(f"check {f.check}: {f.what}" for f in failed))
        raise DataRefused(f"{told}, but {' and '.join(problems)}:", listed)


def _differing(findings: list[Finding]) -> list[Finding]:
    return [finding for finding in findings if finding.state == "differs"]


def _confirm(what: str) -> None:
    """Asks a person at a terminal. Raises ConfigError if there is none, or it says no."""
    if not sys.stdin.isatty():
        raise ConfigError(f"{what}; there is no terminal to ask at, so give --yes if it should")
    try:
        agreed = click.confirm(f"{what}. Go on?", err=True)
    except click.Abort:
        stop.check()
        agreed = False
    if not agreed:
        raise ConfigError("nothing was rolled back")


def _load(
    settings: _Settings,
    project: Project,
    feed: Feed,
    rejects_to: str | None,
    reloads: tuple[str, ...],
    quiet: bool = False,
) -> LoadReport:
    """Loads a feed and says what became of it."""
    from loader import pipeline
    from loader.report import ProgressReport, print_json, print_rejects, say

    started = time.monotonic()
    try:
        observer = ProgressReport(settings.as_json)
        report = pipeline.load(project, feed, observer, rejects_to, frozenset(reloads))
    except pipeline.RecordsRefused as error:
        if settings.as_json:
            for verdict in error.verdicts:
                print_json({"feed": feed.name, **_verdict_json(verdict)})
        else:
            print_rejects(error.verdicts)
        raise
    if settings.as_json and not quiet:
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
    elif not settings.as_json:
        if report.load_id is None:
            say(_nothing_new(feed, report.known, report.held))
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


def _nothing_new(feed: Feed, known: int, held: int) -> str:
    location = feed.options.location
    if not known + held:
        return f"{feed.name}: nothing to load; no file matches {location}"
    hint = "; --reload FILE loads one again" if held else ""
    return f"{feed.name}: nothing new; {_before(known, held, f' files of {location}')}{hint}"


def _before(known: int, held: int, what: str = "") -> str:
    return f"{known}{what} loaded before" + (f", {held} rolled back" if held else "")


def _mart_sizes(project: Project, feed: Feed, warehouse: Warehouse) -> list[tuple[int, int]]:
    """Rows, and raw records folded into them, of each mart of a feed."""
    return [
        (int(row["mart_rows"]), int(row["raw_records"] or 0))
        for mart in project.marts(feed)
        for row in warehouse.query(warehouse.render("mart_size", mart=mart.name))
    ]


def _feeds(
    project: Project, selected: tuple[str, ...], reloads: tuple[str, ...] = ()
) -> list[Feed]:
    feeds = [project.feed(name) for name in selected] or list(project.feeds.values())
    if not feeds:
        raise ConfigError("the project has no feed; give a source table config.meta.feed")
    if reloads and len(feeds) > 1:
        raise ConfigError("--reload names files of one feed; say which with --select FEED")
    return feeds


def _one_feed(project: Project, name: str | None) -> Feed:
    if name:
        return project.feed(name)
    feeds = _feeds(project, ())
    if len(feeds) > 1:
        raise ConfigError(f"several feeds: {', '.join(f.name for f in feeds)}. Give --feed.")
    return feeds[0]


def _out_files(paths: tuple[Path, ...], out: Path | None) -> list[tuple[Path, Path]]:
    """Where each file's accepted and refused records go. Raises ConfigError if two would clash."""
    if out is None:
        return [(Path(), Path())] * len(paths)
    names = [path.name for path in paths]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(
                f"two files are called {name}, so their results would overwrite each other in"
                f" {out}; validate them into different folders"
            )
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"{out}: {error.strerror}") from None
    results = [(out / f"{name}.accepted.csv", out / f"{name}.rejects.jsonl") for name in names]
    inputs = {path.resolve() for path in paths}
    for result in (path for pair in results for path in pair):
        if result.resolve() in inputs:
            raise ConfigError(f"{result} is to be validated and would be written over; give --out")
    return results


def _write_out(validator: Validator, verdict: Verdict, accepted: Path, rejects: Path) -> None:
    try:
        accepted.unlink(missing_ok=True)
        if not verdict.refused:
            validator.write_accepted(verdict, accepted)
        if verdict.rejects:
            shutil.copyfile(verdict.rejects.path, rejects)
        else:
            rejects.write_bytes(b"")
    except OSError as error:
        raise StorageError(f"{error.filename or accepted}: {error.strerror or error}") from None


def _readable(path: Path) -> None:
    """Raises StorageError for what cannot be opened as a file."""
    if path.is_dir():
        raise StorageError(f"{path} is a folder; name the files in it")
    if path.exists() and not path.is_file():
        raise StorageError(f"{path} is not a regular file")
    try:
        with path.open("rb") as file:
            file.read(1)
    except OSError as error:
        raise StorageError(f"{path}: {error.strerror}") from None


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _verdict_json(verdict: Verdict) -> dict[str, Any]:
    return {
        "file": verdict.file,
        "read": verdict.read,
        "accepted": verdict.accepted,
        "rejected": verdict.rejected,
        "refused": verdict.refused,
    }


@contextmanager
def _errors_explained(debug: bool) -> Iterator[None]:
    """Ends the process with one message and the right exit code whatever is raised."""
    from loader.report import say, say_text

    try:
        yield
        stop.check()
    except (KeyboardInterrupt, Exception) as error:
        if isinstance(error, (click.ClickException, click.exceptions.Exit)):
            raise
        if debug:
            say_text("".join(traceback.format_exception(error)), error=True)
        code, message = _explained(error)
        if message:
            # Where nobody can be told, the exit code still has its meaning.
            with suppress(OSError):
                say(f"error: {message}", getattr(error, "details", ()), error=True)
        sys.exit(code)


def _refusal(error: OSError) -> str:
    """What the system did not let be done, and to what."""
    return f"{error.filename or 'system'}: {error.strerror or error}"


def _explained(error: BaseException) -> tuple[int, str]:
    """Exit code and message of whatever ended the work."""
    # Once asked to stop, what else goes wrong comes of that.
    if stop.requested() or isinstance(error, KeyboardInterrupt):
        return stop.EXIT_CODE, _INTERRUPTED
    match error:
        case LoaderError():
            return error.exit_code, str(error)
        case BrokenPipeError():
            # Whoever read our output has gone; there is nobody to tell.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 2, ""
        case OSError():
            return 2, _refusal(error)
        case MemoryError():
            return 2, "out of memory; give the process more"
        case _:
            problem = f"{type(error).__name__}: {error}"
            return 2, f"unexpected: {problem}. Run again with --debug, and report."
