"""The commands rejects and replay. Imports in them spare `--help` numpy, DuckDB and dbt."""

import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import click

from loader.cli.options import Settings, batch_option, command, select_option
from loader.cli.output import ProgressReport, print_by_rule, print_json, print_records, say
from loader.errors import ConfigError, DataRefused
from loader.validation.rejects import Reject


@command(
    select_option,
    batch_option,
    click.option("--file", "uri", help="Only what this file had, named as in `history`."),
    click.option(
        "--csv", "as_csv", is_flag=True, help="Print CSV, for a spreadsheet and `replay`."
    ),
)
def rejects(settings: Settings, batch_id: int | None, uri: str | None, as_csv: bool) -> None:
    """Show the rejected records in quarantine: by rule with examples, or each with --json or --csv.

    \b
    Example: python -m loader rejects --load 3 --csv > rejects.csv
    """
    from loader.cli.corrections import print_csv
    from loader.jobs.load import refused_loads
    from loader.warehouse.quarantine import quarantined

    if as_csv and settings.as_json:
        raise ConfigError("--csv and --json exclude each other; give one of them")
    with settings.project.warehouse(create=False) as warehouse:
        warehouse.refuse_outdated()
        for number, feed in enumerate(settings.feeds()):
            tables = warehouse.of(feed)
            records = quarantined(tables, batch_id, uri)
            if as_csv:
                print_csv(records, sys.stdout, header=not number)
            elif settings.as_json:
                for record in records:
                    print_json({"feed": feed.name, **record.to_json()})
            else:
                of = f" of load {batch_id}" if batch_id else ""
                _print_quarantine(feed.name, records, of + (f" of file {uri}" if uri else ""))
            of_feed = {"batch_id": batch_id, "uri": uri} if tables.exist("ledger") else None
            for file in tables.rows("refused_files", **of_feed) if of_feed else ():
                load, name, why = file["load"], file["uri"], file["refused_reason"]
                if settings.as_json:
                    print_json({"feed": feed.name, "load": load, "file": name, "refused": why})
                else:
                    say(f"{feed.name}: load {load} refused {name}: {why}", error=as_csv)
            kept = [] if settings.as_json or batch_id or uri else refused_loads(feed)
            for path in kept[-1:]:
                told = f"the last load that was refused left its rejected records in {path}"
                say(f"{feed.name}: {told}; once its files are loaded, `replay --from` takes it")


@command(
    click.option(
        "--select", "-s", "feed_name", metavar="FEED", help="Whose; not needed for one feed."
    ),
    batch_option,
    click.option(
        "--from",
        "corrected",
        type=click.Path(exists=True, path_type=Path, dir_okay=False),
        help="Corrected records, with `raw` put right: CSV as `rejects --csv` prints it, or JSON.",
    ),
)
def replay(
    settings: Settings, feed_name: str | None, batch_id: int | None, corrected: Path | None
) -> None:
    """Judge the records in quarantine again and load those that pass now, once, as a new load.

    They pass when a rule of the contract was widened, or when their text was corrected (--from).

    \b
    Example: python -m loader replay --from rejects.csv
    """
    from loader.cli.corrections import read_corrections
    from loader.jobs.replay import replay as replay_feed

    project = settings.project
    corrections = read_corrections(corrected) if corrected else None
    feed = settings.feed(feed_name, "--select")
    observer = ProgressReport(settings.as_json)
    report = replay_feed(project, feed, observer, batch_id, corrections)
    judged, loaded = report.records_judged, report.records_loaded
    rejected = judged - loaded
    if settings.as_json:
        done = {"feed": feed.name, "load": report.load, "records_judged": judged}
        print_json({**done, "records_loaded": loaded, "records_rejected": rejected})
    elif not judged:
        say(f"{feed.name}: no record is in quarantine")
    else:
        load = f"load {report.load}: " if report.load else ""
        say(f"{feed.name}: {load}{loaded:,} of {judged:,} records loaded")
        if report.by_rule:
            print_by_rule("still rejected by rule", report.by_rule)
    if corrected and rejected:
        raise DataRefused(f"{rejected:,} corrected records are still rejected; see above")


def _print_quarantine(feed: str, records: Iterable[Reject], of: str) -> None:
    """How many records broke which rule, and an example of each.

    of: which records were asked for.
    """
    by_rule: Counter[tuple[str | None, str]] = Counter()
    examples: dict[tuple[str | None, str], Reject] = {}
    for record in records:
        by_rule[record.column, record.rule] += 1
        examples.setdefault((record.column, record.rule), record)
    if not by_rule:
        say(f"{feed}: no record{of} is in quarantine")
        return
    print_by_rule(f"{feed}: rejected by rule", by_rule)
    shown = examples.values()
    print_records(
        "examples",
        ("load", "file", "record", "line", "column", "rule", "value", "raw"),
        ({**r.to_json(), "raw": r.raw.decode("utf-8", "backslashreplace")} for r in shown),
    )
