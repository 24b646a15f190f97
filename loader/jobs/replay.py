"""Judging quarantined records again, and loading those that pass."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from io import BytesIO
from itertools import groupby
from pathlib import Path

from loader.contract.feed import Feed
from loader.errors import (
    CommitUnknown,
    ConfigError,
    DataRefused,
    ReconciliationError,
    WarehouseError,
)
from loader.files.spool import private_files
from loader.jobs.load import Observer, retried
from loader.records.dialect import Dialect
from loader.records.reader import is_one_record, read_header
from loader.validation.validator import Validator
from loader.warehouse.landing import Landing, Replay
from loader.warehouse.project import Project
from loader.warehouse.quarantine import Quarantined

__all__ = ["Corrections", "ReplayReport", "replay"]

# The bytes of a record by load, file and number.
Corrections = dict[tuple[int, str, int], bytes]


@dataclass
class ReplayReport:
    """What a replay did. load_id is None if no record passed; refused counts by column and rule."""

    feed: str
    judged: int = 0
    load_id: int | None = None
    loaded: int = 0
    refused: Counter[tuple[str | None, str]] = field(default_factory=Counter)


def replay(
    project: Project,
    feed: Feed,
    observer: Observer,
    load_id: int | None = None,
    corrections: Corrections | None = None,
) -> ReplayReport:
    """Judges quarantined records by today's contract and loads those that pass, as a new load.

    load_id: only those that this load refused. corrections: only these records, with this text.
    Raises ConfigError for a correction of a record that is not in quarantine, else as load().
    """
    return retried(
        feed,
        observer,
        lambda spool: _replay_once(project, feed, spool, observer, load_id, corrections),
    )


def _replay_once(
    project: Project,
    feed: Feed,
    spool: Path,
    observer: Observer,
    load_id: int | None,
    corrections: Corrections | None,
) -> ReplayReport:
    report = ReplayReport(feed.name)
    with project.warehouse(create=False) as warehouse:
        records = list(Landing(project, feed, warehouse).quarantined(load_id))
    if corrections is not None:
        records = list(_correct(records, corrections))
    folder = Path(tempfile.mkdtemp(dir=spool))
    replays: list[Replay] = []
    with private_files(), Validator(feed, folder) as validator:
        for (load, uri), members in groupby(records, key=lambda r: (r.load_id, r.file)):
            observer.start(f"{feed.name}: judging the records of {uri} again", None)
            replays += _judge_again(validator, feed, load, list(members), folder, report)
            observer.finish()
    if not replays:
        return report
    try:
        with project.warehouse() as warehouse:
            rows = Landing(project, feed, warehouse).land_again(replays, spool)
    except CommitUnknown as error:
        # Not to be tried again: what it may have done is no longer in quarantine to be found.
        raise WarehouseError(
            f"{error} Whether the replay was committed, `python -m loader history` shows."
        ) from None
    report.load_id = rows[0].load_id
    report.loaded = sum(row.records_loaded for row in rows)
    return report


def _correct(records: Sequence[Quarantined], corrections: Corrections) -> Iterator[Quarantined]:
    """The records that are corrected, with their new text."""
    left = dict(corrections)
    for record in records:
        raw = left.pop((record.load_id, record.file, record.record), None)
        if raw is not None:
            yield replace(record, raw=raw)
    for load_id, uri, number in left:
        raise ConfigError(
            f"record {number} of {uri} is not in quarantine from load {load_id}: no such record, or"
            " replayed already. `python -m loader rejects` shows what there is."
        )


def _judge_again(
    validator: Validator,
    feed: Feed,
    load_id: int,
    records: list[Quarantined],
    folder: Path,
    report: ReplayReport,
) -> Iterator[Replay]:
    """The records of one file that pass now; adds up the others in the report."""
    report.judged += len(records)
    header, uri = records[0].header, records[0].file
    if header is None:
        report.refused[None, "header_unknown"] += len(records)
        return
    dialect = feed.dialect
    try:
        width = len(read_header(BytesIO(header.encode()), dialect).fields)
    except DataRefused:
        # Under today's delimiter and quote it is none.
        report.refused[None, "header"] += len(records)
        return
    # A malformed one might take its neighbours with it, so it does not come to stand among them.
    whole: list[Quarantined] = []
    for record in records:
        if is_one_record(_text(record, dialect), dialect, width):
            whole.append(record)
        else:
            report.refused[record.column, record.rule] += 1
    path = folder / f"replay-{report.judged}-{load_id}.csv"
    with path.open("wb") as out:
        out.write(header.encode() + b"\n")
        out.writelines(_text(record, dialect) + b"\n" for record in whole)
    verdict = validator.validate(uri, path)
    if verdict.refused:
        report.refused[None, "header"] += len(whole)
        return
    if verdict.read != len(whole):
        raise ReconciliationError(
            f"{uri}: {len(whole):,} records to judge again, but {verdict.read:,} read."
        )
    refused = set()
    if verdict.rejects:
        report.refused.update(verdict.rejects.by_rule)
        refused = {reject.record for reject in verdict.rejects.read()}
    passed = tuple(
        record.record for number, record in enumerate(whole, start=1) if number not in refused
    )
    if passed:
        yield Replay(load_id, uri, records[0].etag, passed, verdict)


def _text(record: Quarantined, dialect: Dialect) -> bytes:
    """The record as it came; an empty one quoted, since an empty line would be none."""
    return record.raw or bytes([dialect.quote]) * 2
