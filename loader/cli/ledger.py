"""The commands history, check, rollback, archive. Their imports spare `--help` dbt and DuckDB."""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click

from loader import interrupts
from loader.cli import output
from loader.cli.exits import for_each
from loader.cli.load import build
from loader.cli.options import LOAD_ID, Settings, command, select_option
from loader.errors import ConfigError, DataRefused

if TYPE_CHECKING:
    from loader.contract.feed import Feed


@command(select_option)
def history(settings: Settings) -> None:
    """Show the ledger: which file versions were loaded, by which load.

    \b
    Example: python -m loader history --json
    """
    names = [feed.name for feed in settings.feeds()]
    with settings.project.warehouse(create=False) as tables:
        if not tables.exist("ledger"):
            output.say("nothing has been loaded yet", error=True)
            return
        tables.refuse_outdated()
        rows = tables.rows("history", feeds=names)
    if settings.as_json:
        output.print_json(*rows)
    else:
        columns = ["load", "feed", "uri", "records_read", "records_loaded", "records_rejected"]
        output.print_records("loads", [*columns, "status", "file_time", "loaded_at"], rows)


@command(
    select_option,
    click.option("--full", is_flag=True, help="Also run all data tests, on all history."),
    click.option("--rules", is_flag=True, help="Also judge what is landed by today's rules."),
)
def check(settings: Settings, full: bool, rules: bool) -> None:
    """Count anew whether anything was lost: ledger, landing table, quarantine and marts.

    A mart that waits for its next build is only a notice. The tests in `run` look at what is new;
    those of --full at everything, which is meant for once a week. After a rule was changed, --rules
    counts the landed records that it would reject.

    \b
    Example: python -m loader check --full
    """
    from loader.jobs.check import checks

    def check_one(feed: Feed) -> None:
        failed = 0
        for findings in checks(settings.project, feed, full, settings.as_json, rules):
            failed += sum(finding.state == "differs" for finding in findings)
            if settings.as_json:
                output.print_json(*(finding.to_json() for finding in findings))
            else:
                output.print_findings(feed.name, findings)
        if failed:
            raise DataRefused(f"{feed.name}: {failed} checks do not hold; see above")

    for_each(settings.each(), check_one)


@command(
    click.argument("batch_id", type=LOAD_ID, metavar="[LOAD]", required=False),
    click.option("--file", "uri", help="All that came from this file, named as in `history`."),
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
    settings: Settings,
    batch_id: int | None,
    uri: str | None,
    feed_name: str | None,
    yes: bool,
    damaged: bool,
) -> None:
    """Roll back one load, or one file: delete its records, build what depends on them anew.

    Landed and rejected records go. Files are not loaded again, unless `load --reload FILE` asks.

    \b
    Example: python -m loader rollback 3
    Example: python -m loader rollback --file data/orders/2026-05-31.csv
    """
    from loader.jobs.rollback import Taken, find_loads, roll_back

    if (batch_id is None) == (uri is None):
        raise ConfigError("say what to roll back: LOAD, as `history` numbers it, or --file URI")
    started = time.monotonic()
    project, taken = settings.project, Taken(batch_id, uri)
    found = find_loads(project, taken, project.feed(feed_name) if feed_name else None)
    feed = project.feed(found.feed)
    if not settings.as_json:
        columns = ("file", "status", "records loaded", "records rejected")
        output.print_table(f"{found.feed}: {taken}", columns, found.files)
    if not yes:
        _confirm(f"rollback deletes {found.records} of {taken}")
    deleted = roll_back(project, feed, taken, output.ProgressReport(settings.as_json), damaged)
    if not settings.as_json:
        back = f"; {deleted.replayed:,} are in quarantine again" if deleted.replayed else ""
        output.say(f"{found.feed}: deleted {deleted} of {taken}{back}")
    done = {
        "feed": found.feed,
        "load": batch_id,
        "file": uri,
        "files": len(found.files),
        "records_deleted": deleted.landed,
        "rejects_deleted": deleted.rejected,
        "rejects_returned": deleted.replayed,
    }
    build(settings, feed, done, f"{taken} is rolled back", started)


def days_ago(text: str) -> datetime:
    """The time so many days ago, as in 90d."""
    days = text.removesuffix("d")
    if not days.isdecimal() or len(days) > 5:
        raise click.BadParameter(f"{text!r} is no number of days, as in 90d.")
    return datetime.now(UTC) - timedelta(int(days))


@command(
    select_option,
    click.option("--older-than", "ago", type=days_ago, help="Loads older than this, as in 90d."),
    click.option(
        "--before", type=click.DateTime(["%Y-%m-%d"]), help="Loads from before this day, UTC."
    ),
    click.option("--yes", "-y", is_flag=True, help="Do not ask."),
)
def archive(settings: Settings, ago: datetime | None, before: datetime | None, yes: bool) -> None:
    """Delete landed records that every mart has counted; shows the loads and asks first.

    Ledger and marts keep their number, and the quarantine what rule each rejected record breaks,
    without its text. `load --reload FILE` brings the records of a file back.

    \b
    Example: python -m loader archive --older-than 90d
    """
    from loader.jobs.archive import archive as archive_feed

    if (ago is None) == (before is None):
        raise ConfigError("say which loads to archive: --older-than DAYS or --before DATE")
    until = f"{ago or before:%Y-%m-%d %H:%M:%S}"

    def archive_one(feed: Feed) -> None:
        job = settings.project, feed, until, output.ProgressReport(settings.as_json)
        loads = archive_feed(*job)
        columns = ("load", "loaded_at", "files", "records_loaded", "records_rejected")
        if loads and not settings.as_json:
            output.print_records(f"{feed.name}: loads of before {until} UTC", columns, loads)
        if loads and not yes:
            _confirm(f"archive deletes the landed records of {len(loads)} loads of {feed.name}")
        loads = loads and archive_feed(*job, loads)
        done = {name: sum(load[name] for load in loads) for name in columns[2:]}
        if settings.as_json:
            output.print_json({"feed": feed.name, "before": until, "loads": len(loads), **done})
        else:
            records = f"{done['records_loaded']:,} records of {len(loads)} loads"
            output.say(f"{feed.name}: archived {records}")

    for_each(settings.each(), archive_one)


def _confirm(what: str) -> None:
    """Asks a person at a terminal. Raises ConfigError if there is none, or it says no."""
    if not sys.stdin.isatty():
        raise ConfigError(f"{what}; there is no terminal to ask at, so give --yes if it should")
    with suppress(click.Abort):
        if click.confirm(f"{what}. Go on?", err=True):
            return
    interrupts.check()
    raise ConfigError("nothing was done")
