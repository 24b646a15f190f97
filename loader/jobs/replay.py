"""Judging quarantined records again, and loading those that pass."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import chain, groupby
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

# A record by batch or the ETag of its file, file and number; corrected ones with their bytes.
Key = tuple[int | str, str, int]
Corrections = dict[Key, bytes]
# One of a file's quarantined records; where they were written as a file, and their numbers.
_Written = tuple[Quarantined, Path, list[int]]
# One of them; the numbers of those that pass now, and the verdict on a text of these alone.
_Passed = tuple[Quarantined, list[int], Verdict]


@dataclass
class ReplayReport:
    """What a replay did.

    load: its batch id, None if no record passed. by_rule: how many records were rejected again, by
    column and rule.
    """

    records_judged: int = 0
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
            check_tables(feed, tables, known=True)
            records = quarantined(tables, batch_id)
            if corrections is not None:
                records = _corrected(records, corrections)
            report = ReplayReport()
            files = groupby(records, key=lambda record: (record.load_id, record.file))
            waiting = [_written(members, spool, feed.dialect, report) for _, members in files]
        replays: list[_Passed] = []
        with Validator(feed, spool) as validator:
            for written in waiting:
                uri = written[0].file
                with observer.step(f"{feed.name}: judging the records of {uri} again"):
                    replays += _judge_again(validator, written, report.by_rule)
        if not replays:
            return report
        passed = [
            (FileVersion(first.file, 0, first.etag, time=first.file_time), verdict)
            for first, _, verdict in replays
        ]
        try:
            with project.warehouse(feed) as tables, load_of(tables, feed, passed, spool) as rows:
                report.load = rows[0].batch_id
                for (first, numbers, _), row in zip(replays, rows, strict=True):
                    mark_replayed(tables, row.load_id, first.load_id, first.file, numbers)
        except CommitUnknown as error:
            # Not to be tried again: what was replayed is no longer in quarantine to be found.
            raise WarehouseError(
                f"{error} Whether the replay was committed, `python -m loader history` shows."
            ) from None
        report.records_loaded = sum(row.records_loaded for row in rows)
        return report

    with spool_folder() as spool:
        return retried(feed, observer, attempt)


def _corrected(records: Iterable[Quarantined], corrections: Corrections) -> Iterator[Quarantined]:
    """The records that are corrected, with their new text."""
    left = dict(corrections)
    for record in records:
        for of in (record.batch_id, record.etag):
            key = of, record.file, record.record
            raw = left.pop(key, None)
            if raw is not None:
                yield replace(record, raw=raw)
            elif key in corrections:
                raise ConfigError(
                    f"load {key[0]} has two versions of {key[1]} with a record {key[2]}. To keep"
                    f" the newer alone: `rollback --file {key[1]}`, then `load --reload` of it."
                )
    for of, uri, number in left:
        what = f"from load {of}: no such record, or replayed already"
        if isinstance(of, str):
            what = (
                f"from the file of ETag {of}. Records of a load that was refused come there once"
                " their file is loaded: raise `rejects` in the contract for as long, load, and"
                " replay; or correct the file itself and load it"
            )
        raise ConfigError(
            f"record {number} of {uri} is not in quarantine {what}. `python -m loader rejects`"
            " shows what there is."
        )


def _written(
    records: Iterator[Quarantined], spool: Path, dialect: Dialect, report: ReplayReport
) -> _Written:
    """Writes the records of one file so that they can be validated like a file; counts all."""
    first, path = next(records), spool / f"replay-{report.records_judged}.csv"
    header, numbers = (first.header or "").encode(), list[int]()
    with path.open("wb") as out:
        out.write(header + b"\n")
        for record in chain([first], records):
            report.records_judged += 1
            # A malformed record could change how its neighbours are read, so it is left out.
            if first.header is None:
                report.by_rule[None, "header_unknown"] += 1
            elif not is_one_record(_text(record, dialect), dialect):
                report.by_rule[record.column, record.rule] += 1
            else:
                numbers.append(record.record)
                out.write(_text(record, dialect) + b"\n")
    return first, path, numbers


def _judge_again(
    validator: Validator, written: _Written, rejected: Counter[tuple[str | None, str]]
) -> list[_Passed]:
    """The records that pass now, if any do. rejected: counts which rules the others break."""
    first, path, records = written
    if not records:
        return []
    verdict = validator.validate(first.file, path)
    if verdict.refused:
        # Under today's contract it is no header, or another one.
        rejected[None, "header"] += len(records)
        return []
    expect(verdict.read, len(records), f"{first.file}: judged again")
    rejected.update(verdict.rejects.by_rule)
    if not verdict.accepted:
        return []
    again = {int(row[0]) for row in verdict.rejects.rows()}
    passed = [record for n, record in enumerate(records, start=1) if n not in again]
    # Never to be copied from the original object: it holds more than what is replayed.
    read = len(passed)
    verdict = validator.numbered(verdict, passed)
    verdict = replace(verdict, read=read, accepted=read, rejects=RejectLog(), plain=False)
    return [(first, passed, verdict)]


def _text(record: Quarantined, dialect: Dialect) -> bytes:
    """The record as it came; an empty one quoted, since an empty line would be none."""
    return record.raw or bytes([dialect.quote]) * 2
