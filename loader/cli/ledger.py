"""The commands history, check and rollback. Imports in them spare `--help` dbt and DuckDB."""

import sys
import time
from contextlib import suppress

import click

from loader import interrupts
from loader.cli import output
from loader.cli.load import build
from loader.cli.options import LOAD_ID, Settings, command, select_option
from loader.errors import ConfigError, DataRefused


@command(select_option)
def history(settings: Settings) -> None:
    """Show the ledger: which file versions were loaded, by which load.

    \b
    Example: python -m loader history --json
    """
    names = {feed.name for feed in settings.feeds()}
    with settings.project.warehouse(create=False) as tables:
        if not tables.exist("ledger"):
            output.say("nothing has been loaded yet", error=True)
            return
        rows = [row for row in tables.rows("history") if row["feed"] in names]
    if settings.as_json:
        output.print_json(*rows)
    else:
        columns = ["load_id", "feed", "uri", "records_read", "records_loaded", "records_rejected"]
        output.print_records("loads", [*columns, "status", "loaded_at"], rows)


@command(select_option)
def check(settings: Settings) -> None:
    """Count anew whether anything was lost: ledger, landing table, quarantine and marts.

    A mart that waits for its next build is only a notice.

    \b
    Example: python -m loader check
    """
    from loader.jobs.check import check_feed

    failed = []
    feeds = settings.feeds()
    with settings.project.warehouse(create=False) as warehouse:
        for feed in feeds:
            findings = check_feed(settings.project, feed, warehouse)
            failed += [finding for finding in findings if finding.state == "differs"]
            if settings.as_json:
                output.print_json(*(finding.to_json() for finding in findings))
            else:
                output.print_findings(feed.name, findings)
    if failed:
        raise DataRefused(f"{len(failed)} checks do not hold; see above")


@command(
    click.argument("load_id", type=LOAD_ID, metavar="LOAD"),
    click.option(
        "--select", "-s", "feed_name", metavar="FEED", help="Only if it is a load of this."
    ),
    click.option("--yes", "-y", is_flag=True, help="Do not ask."),
    click.option(
        "--damaged",
        is_flag=True,
        help="Also if the tables hold more or fewer of its records than the ledger says.",
    ),
)
def rollback(
    settings: Settings, load_id: int, feed_name: str | None, yes: bool, damaged: bool
) -> None:
    """Roll back one load: delete its landed and rejected records, build what depends on them anew.

    Its files are not loaded again, unless `load --reload FILE` asks for it.

    \b
    Example: python -m loader rollback 3
    """
    from loader.jobs.rollback import find_load, roll_back

    started = time.monotonic()
    project = settings.project
    load = find_load(project, load_id, project.feed(feed_name) if feed_name else None)
    feed = project.feed(load.feed)
    if not settings.as_json:
        output.print_table(
            f"{load.feed}: load {load_id} ({load.status})",
            ("file", "records loaded", "records rejected"),
            load.files,
        )
    if not yes:
        _confirm(f"rollback deletes {load.records} of load {load_id}")
    deleted = roll_back(project, feed, load_id, output.ProgressReport(settings.as_json), damaged)
    if not settings.as_json:
        back = f"; {deleted.replayed:,} are in quarantine again" if deleted.replayed else ""
        output.say(f"{load.feed}: deleted {deleted} of load {load_id}{back}")
    done = {
        "feed": load.feed,
        "load": load_id,
        "files": len(load.files),
        "records_deleted": deleted.landed,
        "rejects_deleted": deleted.rejected,
        "rejects_returned": deleted.replayed,
    }
    build(settings, feed, done, f"load {load_id} is rolled back", started)


def _confirm(what: str) -> None:
    """Asks a person at a terminal. Raises ConfigError if there is none, or it says no."""
    if not sys.stdin.isatty():
        raise ConfigError(f"{what}; there is no terminal to ask at, so give --yes if it should")
    with suppress(click.Abort):
        if click.confirm(f"{what}. Go on?", err=True):
            return
    interrupts.check()
    raise ConfigError("nothing was rolled back")
