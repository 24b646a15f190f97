"""Judging quarantined records again, and loading those that pass."""

import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path

from loader.contract.feed import Feed
from loader.errors import CommitUnknown, ConfigError, WarehouseError
from loader.files.spool import spool_folder
from loader.files.version import FileVersion
from loader.jobs.attempts import Observer, retried
from loader.records.dialect import Dialect
from loader.records.reader import is_one_record
from loader.validation.rejects import RejectLog, Verdict
from loader.validation.validator import Validator
from loader.warehouse.landing import expect, load_of
from loader.warehouse.project import Project
from loader.warehouse.quarantine import Quarantined, mark_replayed, quarantined
from loader.warehouse.standing import check_tables

# The bytes of a record by batch, file and number.
Corrections = dict[tuple[int, str, int], bytes]


@dataclass(frozen=True)
class _Passed:
    """Quarantined records of one file that now pass, by their numbers, and a text of them alone."""

    rejected_by: int
    records: tuple[int, ...]
    file: FileVersion
    verdict: Verdict


@dataclass
class ReplayReport:
    """What a replay did.

    load: its batch id, None if no record passed. by_rule: how many records were rejected again, by
    column and rule.
    """

    records_judged: int
    load: int | None = None
    records_loaded: int = 0
    by_rule: Counter[tuple[str | None, str]] = field(default_factory=Counter)


def replay(
    project: Project,
    feed: Feed,
    observer: Observer,
    batch_id: int | None = None,
    corrections: Corrections | None = None,
) -> ReplayReport:
    """Judges quarantined records by today's contract and loads those that pass, as a new load.

    batch_id: only those that this load rejected. corrections: only these records, with this text.
    Raises ConfigError for a correction of a record that is not in quarantine, else as load().
    """

    def attempt() -> ReplayReport:
        with project.warehouse(feed, create=False) as tables:
            tables.refuse_outdated()
            records = list(quarantined(tables, batch_id))
            check_tables(feed, tables, known=True)
        if corrections is not None:
            records = list(_corrected(records, corrections))
        report = ReplayReport(len(records))
        folder = Path(tempfile.mkdtemp(dir=spool))
        replays: list[_Passed] = []
        with Validator(feed, folder) as validator:
            by_file = groupby(records, key=lambda r: (r.load_id, r.file))
            for number, ((_, uri), members) in enumerate(by_file):
                path = folder / f"replay-{number}.csv"
                with observer.step(f"{feed.name}: judging the records of {uri} again"):
                    again = _judge_again(
                        validator, list(members), path, feed.dialect, report.by_rule
                    )
                replays += [again] if again else []
        if not replays:
            return report
        files = [(again.file, again.verdict) for again in replays]
        try:
            with project.warehouse(feed) as tables, load_of(tables, feed, files, spool) as rows:
                report.load = rows[0].batch_id
                for again, row in zip(replays, rows, strict=True):
                    place = again.rejected_by, again.file.uri
                    mark_replayed(tables, row.load_id, *place, again.records)
        except CommitUnknown as error:
            # Not to be tried again: what was replayed is no longer in quarantine to be found.
            raise WarehouseError(
                f"{error} Whether the replay was committed, `python -m loader history` shows."
            ) from None
        report.records_loaded = sum(row.records_loaded for row in rows)
        return report

    with spool_folder() as spool:
        return retried(feed, observer, attempt)


def _corrected(records: Sequence[Quarantined], corrections: Corrections) -> Iterator[Quarantined]:
    """The records that are corrected, with their new text."""
    left = dict(corrections)
    for record in records:
        raw = left.pop((record.batch_id, record.file, record.record), None)
        if raw is not None:
            yield replace(record, raw=raw)
    for batch_id, uri, number in left:
        raise ConfigError(
            f"record {number} of {uri} is not in quarantine from load {batch_id}: no such record,"
            " or replayed already. `python -m loader rejects` shows what there is."
        )


def _judge_again(
    validator: Validator,
    records: Sequence[Quarantined],
    path: Path,
    dialect: Dialect,
    rejected: Counter[tuple[str | None, str]],
) -> _Passed | None:
    """The records of one file that pass now, if any do.

    path: where to write the records, so that they can be validated like a file. rejected: counts
    which rules the others break.
    """
    first = records[0]
    if first.header is None:
        rejected[None, "header_unknown"] += len(records)
        return None
    # A malformed record could change how its neighbours are read, and one that repeats the header
    # would end the table, so they are left out of the file.
    whole: list[Quarantined] = []
    for record in records:
        is_header = chr(dialect.delimiter) in first.header and record.raw == first.header.encode()
        if is_one_record(_text(record, dialect), dialect) and not is_header:
            whole.append(record)
        else:
            rejected[record.column, record.rule] += 1
    with path.open("wb") as out:
        out.write(first.header.encode() + b"\n")
        out.writelines(_text(record, dialect) + b"\n" for record in whole)
    verdict = validator.validate(first.file, path)
    if verdict.refused:
        # Under today's contract it is no header, or another one.
        rejected[None, "header"] += len(whole)
        return None
    expect(verdict.read, len(whole), f"{first.file}: judged again")
    rejected.update(verdict.rejects.by_rule)
    again = {reject.record for reject in verdict.rejects.read()}
    passed = tuple(r.record for n, r in enumerate(whole, start=1) if n not in again)
    # Never to be copied from the original object: it holds more than what is replayed.
    read = len(passed)
    verdict = validator.numbered(verdict, passed)
    verdict = replace(verdict, read=read, accepted=read, rejects=RejectLog(), plain=False)
    file = FileVersion(first.file, 0, first.etag, time=first.file_time)
    return _Passed(first.load_id, passed, file, verdict) if passed else None


def _text(record: Quarantined, dialect: Dialect) -> bytes:
    """The record as it came; an empty one quoted, since an empty line would be none."""
    return record.raw or bytes([dialect.quote]) * 2
