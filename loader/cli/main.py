"""The command line: each command, its options and its help. The work is done elsewhere."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from loader import __version__, interrupts
from loader.cli.build import build_feed, load_feed, run_feed
from loader.cli.exits import INTERRUPTED, for_each
from loader.cli.local_files import check_readable, out_files, size, write_out
from loader.cli.options import (
    LOAD_ID,
    Settings,
    common,
    feeds_of,
    one_feed,
    rejects_to_option,
    reload_option,
    select_option,
)
from loader.errors import ConfigError, DataRefused, StorageError

if TYPE_CHECKING:
    from loader.contract.feed import Feed

__all__ = ["main"]

_EPILOG = """
Exit codes: 0 done; 1 the data was refused, or a test or check of the tables failed; 2 a mistake
in usage or configuration, which no retry cures; 3 a system failed, and a retry may help; 130
interrupted. A command for several feeds ends with the highest code of them.
"""


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
@select_option
@reload_option
@common
def plan(settings: Settings, selected: tuple[str, ...], reloads: tuple[str, ...]) -> None:
    """Show which files are new and the SQL that would load them. Touches nothing.

    \b
    Example: python -m loader plan --target redshift
    """
    from loader.cli.output import before, nothing_new, print_json, print_table, say, say_text
    from loader.files.store import open_store
    from loader.jobs.load import make_plan
    from loader.jobs.plan import planned_sql
    from loader.warehouse.landing import Landing

    project = settings.project()
    feeds = feeds_of(project, selected, reloads)

    def show(feed: Feed) -> None:
        landing = Landing(project, feed, warehouse)
        plan = make_plan(project, feed, landing, frozenset(reloads))
        store = open_store(feed.options.location, project.project_dir)
        statements, manifests = (
            planned_sql(project, feed, warehouse, plan.new, plan.replaces, store)
            if plan.new
            else ([], {})
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
            return
        if not plan.new:
            say(nothing_new(feed, plan.known, len(plan.held), reloads))
            return
        again = sum(file.uri in plan.reloads for file in plan.new)
        print_table(
            f"{feed.name}: {len(plan.new)} new, {before(plan.known, len(plan.held))}"
            + (f"; {again} of the new ones by --reload" if again else ""),
            ("file", "bytes"),
            [(file.uri, file.bytes) for file in plan.new],
        )
        for uri, text in manifests.items():
            say_text("")
            say(uri)
            say_text(text)
        say_text("\n" + ";\n".join(statements) + ";")

    with project.warehouse(create=False) as warehouse:
        for_each(feeds, show)


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
@common
def validate(
    settings: Settings, paths: tuple[Path, ...], feed_name: str | None, out: Path | None
) -> None:
    """Judge local files against a feed's contract. Needs no warehouse and loads nothing.

    \b
    Example: python -m loader validate --feed indicators --out checked data/*.csv
    """
    from loader.cli.output import ProgressReport, print_json, print_rejects, print_table
    from loader.files.spool import spool_folder
    from loader.jobs.load import judge_file
    from loader.validation.validator import Validator
    from loader.validation.verdict import Verdict

    feed = one_feed(settings.project(), feed_name, "--feed")
    targets = out_files(paths, out)
    observer = ProgressReport(quiet=settings.as_json)
    verdicts: list[Verdict] = []
    code = 0
    with spool_folder() as spool, Validator(feed, spool) as validator:
        observer.start(f"{feed.name}: validating {len(paths)} files", sum(map(size, paths)))
        for path, (accepted, rejects) in zip(paths, targets, strict=True):
            try:
                check_readable(path)
                verdict = judge_file(validator, feed, str(path), path, spool, observer)
            except (ConfigError, StorageError) as error:
                verdict = Verdict(str(path), refused=str(error))
                code = max(code, error.exit_code)
            code = max(code, 1 if verdict.refused or verdict.rejected else 0)
            if out:
                write_out(validator, verdict, accepted, rejects)
            verdicts.append(verdict)
            if settings.as_json:
                print_json(verdict.to_json())
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
    sys.exit(code)


@cli.command()
@select_option
@reload_option
@rejects_to_option
@common
def load(
    settings: Settings,
    selected: tuple[str, ...],
    reloads: tuple[str, ...],
    rejects_to: str | None,
) -> None:
    """Load what is new of every feed: validate, copy, reconcile, commit.

    Of a feed all new files or none; one that fails does not keep the others from it.

    \b
    Example: python -m loader load --select indicators
    """
    project = settings.project()
    feeds = feeds_of(project, selected, reloads)
    for_each(feeds, lambda feed: load_feed(settings.as_json, project, feed, rejects_to, reloads))


@cli.command()
@select_option
@reload_option
@rejects_to_option
@common
def run(
    settings: Settings,
    selected: tuple[str, ...],
    reloads: tuple[str, ...],
    rejects_to: str | None,
) -> None:
    """Load what is new, `dbt build` all that depends on it, check that nothing is lost, sum up.

    \b
    Example: python -m loader run
    """
    project = settings.project()
    feeds = feeds_of(project, selected, reloads)
    for_each(feeds, lambda feed: run_feed(settings.as_json, project, feed, rejects_to, reloads))


@cli.command()
@select_option
@common
def history(settings: Settings, selected: tuple[str, ...]) -> None:
    """Show the ledger: which file versions were loaded, by which load.

    \b
    Example: python -m loader history --json
    """
    from loader.cli.output import print_json, print_table, say
    from loader.warehouse.tables import Tables

    project = settings.project()
    names = {feed.name for feed in feeds_of(project, selected)}
    with project.warehouse(create=False) as warehouse:
        tables = Tables(project, warehouse)
        if not tables.exist("ledger"):
            say("nothing has been loaded yet", error=True)
            return
        rows = [row for row in tables.rows("history") if row["feed"] in names]
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
@select_option
@click.option("--load", "load_id", type=LOAD_ID, help="Only what this load refused.")
@click.option("--file", "uri", help="Only what this file had, named as in `history`.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV, for a spreadsheet and `replay`.")
@common
def rejects(
    settings: Settings,
    selected: tuple[str, ...],
    load_id: int | None,
    uri: str | None,
    as_csv: bool,
) -> None:
    """Show the refused records in quarantine: by rule with examples, or each with --json or --csv.

    \b
    Example: python -m loader rejects --load 3 --csv > rejects.csv
    """
    from loader.cli.corrections import print_csv
    from loader.cli.output import print_json, print_quarantine
    from loader.warehouse.landing import Landing

    if as_csv and settings.as_json:
        raise ConfigError("--csv and --json exclude each other; give one of them")
    project = settings.project()
    with project.warehouse(create=False) as warehouse:
        for number, feed in enumerate(feeds_of(project, selected)):
            records = Landing(project, feed, warehouse).quarantined(load_id, uri)
            if as_csv:
                print_csv(records, sys.stdout, header=not number)
            elif settings.as_json:
                for record in records:
                    print_json({"feed": feed.name, **record.to_json()})
            else:
                of = f" of load {load_id}" if load_id else ""
                print_quarantine(feed.name, records, of + (f" of file {uri}" if uri else ""))


@cli.command()
@click.option("--select", "-s", "feed_name", metavar="FEED", help="Whose; not needed for one feed.")
@click.option("--load", "load_id", type=LOAD_ID, help="Only what this load refused.")
@click.option(
    "--from",
    "corrected",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Corrected records: CSV as `rejects --csv` prints it, with `raw` put right.",
)
@common
def replay(
    settings: Settings, feed_name: str | None, load_id: int | None, corrected: Path | None
) -> None:
    """Judge the records in quarantine again and load those that pass now, once, as a new load.

    They pass when a rule of the contract was widened, or when their text was corrected (--from).

    \b
    Example: python -m loader replay --from rejects.csv
    """
    from loader.cli.corrections import read_corrections
    from loader.cli.output import ProgressReport, print_json, print_replay
    from loader.jobs.replay import replay as replay_feed

    project = settings.project()
    corrections = read_corrections(corrected) if corrected else None
    feed = one_feed(project, feed_name, "--select")
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
@select_option
@common
def check(settings: Settings, selected: tuple[str, ...]) -> None:
    """Count anew whether anything was lost: ledger, landing table, quarantine and marts.

    A mart that is not built since the newest load is told, and is no failure.

    \b
    Example: python -m loader check
    """
    from loader.cli.output import print_findings, print_json
    from loader.jobs.check import check_feed, differing

    project = settings.project()
    failed = []
    with project.warehouse(create=False) as warehouse:
        for feed in feeds_of(project, selected):
            findings = check_feed(project, feed, warehouse)
            failed += differing(findings)
            if settings.as_json:
                for finding in findings:
                    print_json(finding.to_json())
            else:
                print_findings(feed.name, findings)
    if failed:
        raise DataRefused(f"{len(failed)} checks do not hold; see above")


@cli.command()
@click.argument("load_id", type=LOAD_ID, metavar="LOAD")
@click.option("--select", "-s", "feed_name", metavar="FEED", help="Only if it is a load of this.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@click.option(
    "--damaged",
    is_flag=True,
    help="Also if the tables hold more or fewer of its records than the ledger says.",
)
@common
def rollback(
    settings: Settings, load_id: int, feed_name: str | None, yes: bool, damaged: bool
) -> None:
    """Take one load back: delete its landed and refused records, then build what depends on them.

    Its files are not loaded again, unless `load --reload FILE` asks for it.

    \b
    Example: python -m loader rollback 3
    """
    from loader.cli.output import ProgressReport, print_table, say
    from loader.jobs.rollback import find_load, roll_back, to_json

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
    build_feed(settings.as_json, project, feed, done, f"load {load_id} is rolled back", started)


def main() -> None:
    """Runs the command line; never shows a traceback unless asked."""
    interrupts.listen()
    try:
        cli(prog_name="python -m loader")
    except (KeyboardInterrupt, SystemExit) as ended:
        interrupts.leave_at_once()
        # A signal before or after the command's own work, which click would call an abort.
        if interrupts.requested() and getattr(ended, "code", None) != interrupts.EXIT_CODE:
            click.echo(f"error: {INTERRUPTED}", err=True)
            sys.exit(interrupts.EXIT_CODE)
        raise


def _confirm(what: str) -> None:
    """Asks a person at a terminal. Raises ConfigError if there is none, or it says no."""
    if not sys.stdin.isatty():
        raise ConfigError(f"{what}; there is no terminal to ask at, so give --yes if it should")
    try:
        agreed = click.confirm(f"{what}. Go on?", err=True)
    except click.Abort:
        interrupts.check()
        agreed = False
    if not agreed:
        raise ConfigError("nothing was rolled back")
