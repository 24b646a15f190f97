"""What the warehouse copies from: local files, or objects in S3 behind a manifest."""

import json
import shutil
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from loader.contract.feed import Feed
from loader.files.kinds import Compression
from loader.files.version import FileVersion
from loader.records import engine
from loader.records.dialect import MAX_RECORD_BYTES
from loader.validation.rejects import Verdict
from loader.warehouse.work import WorkFolder

Columns = tuple[str | None, ...]
Files = Sequence[tuple[FileVersion, Verdict]]

# A column of what is staged: the number of the record's file within the batch, from 0.
NUMBER = "_number"

# Redshift: "Loading data files", 1 MB to 1 GB after compression. DuckDB counts before it.
_PART_BYTES = 256 * 1024 * 1024
# How a file is compressed that an engine reads as it is stored: macros/load/stage_files.sql.
READ_AS_IS = ("none", "gzip", "zstd")


@dataclass(frozen=True)
class CopyGroup:
    """Files that one statement copies: columns in the same places, compressed alike.

    columns: of the files, from left to right, None for one that is not loaded. records: how many
    the files hold. names: the columns of the table that they are for. numbers: of the files within
    the batch, unless each record has its file's in the column NUMBER. stage: the view or temporary
    table that holds them until they are inserted. manifest: where the list of the files is, for an
    engine that copies from a list.
    """

    paths: tuple[str, ...]
    columns: Columns
    records: int
    names: tuple[str, ...]
    numbers: tuple[int, ...] = ()
    delimiter: str = ","
    quote: str = '"'
    compression: Compression = "none"
    table: Literal["landing", "quarantine"] = "landing"
    stage: str = ""
    manifest: str = ""
    max_record_bytes: int = MAX_RECORD_BYTES
    parallel: bool = True

    def manifest_text(self) -> str:
        """Redshift: "Using a manifest to specify data files".

        Each object is listed, and mandatory: a bare prefix would also take x.csv.bak.
        """
        entries = [{"url": path, "mandatory": True} for path in self.paths]
        return json.dumps({"entries": entries}, indent=1)


def file_group(feed: Feed, path: str, columns: Columns, records: int, number: int) -> CopyGroup:
    """One text of a feed. number: its own within the batch."""
    dialect = chr(feed.dialect.delimiter), chr(feed.dialect.quote)
    names = feed.landed_names
    return CopyGroup((path,), columns, records, names, (number,), *dialect)


def as_is(
    feed: Feed, file: FileVersion, kind: Compression | None, settings: Mapping[str, Any]
) -> bool:
    """Whether COPY may read an object itself, if nothing in it stands against that.

    kind: how it is compressed, None if nobody knows. settings: of COPY. A smaller object travels
    with others in rewritten parts, since a COPY takes its time however little it reads.
    """
    fit = file.bytes >= settings["as_is_bytes"] and kind in READ_AS_IS
    return file.uri.startswith("s3://") and fit and not is_rewritten(feed)


def is_rewritten(feed: Feed) -> bool:
    """Whether every file of a feed is, by its contract."""
    return feed.options.record_number or feed.options.form is not None


def merged(feed: Feed, groups: Iterable[CopyGroup], folder: str = "") -> list[CopyGroup]:
    """Fewer groups: those that one statement can copy become one, with a stage and a manifest.

    folder: where the manifests are, for an engine that copies from a list. That cannot tell files
    apart, so each that is copied as it is stays alone.
    """
    alike: dict[CopyGroup, list[CopyGroup]] = defaultdict(list)
    for group in groups:
        numbers = group.numbers if folder else ()
        alike[replace(group, paths=(), records=0, numbers=numbers)].append(group)
    return [
        replace(
            kind,
            paths=tuple(path for group in members for path in group.paths),
            records=sum(group.records for group in members),
            numbers=tuple(number for group in members for number in group.numbers),
            stage=f"{feed.table_name}__load_{n}",
            manifest=folder and f"{folder}manifest-{n}.json",
        )
        for n, (kind, members) in enumerate(alike.items(), start=1)
    ]


def copy_groups(
    feed: Feed, files: Files, work: WorkFolder | None, settings: Mapping[str, Any], spool: Path
) -> Iterator[CopyGroup]:
    """What an engine reads: local files or, with a work folder, objects in S3.

    These are the files themselves if they are large and COPY cannot misread them, else gzip parts.
    settings: of COPY. Raises StorageError.
    """
    rewritten = []
    for number, (file, verdict) in enumerate(files):
        if not verdict.accepted:
            continue
        group = file_group(feed, str(verdict.text), verdict.columns, verdict.accepted, number)
        if not work:
            yield group
        # AWS does not document how COPY handles byte order marks, CRLF or empty lines, so a file
        # with any of these is rewritten.
        elif (
            (kind := verdict.stored)
            and as_is(feed, file, kind, settings)
            and verdict.plain
            and None not in verdict.columns
        ):
            yield replace(group, paths=(file.uri,), compression=kind)
        else:
            rewritten.append(group)
    if work and rewritten:
        yield _parts(feed, rewritten, work, spool)


def _parts(feed: Feed, files: Iterable[CopyGroup], work: WorkFolder, spool: Path) -> CopyGroup:
    """The records of files, each with its file's number, as gzip CSV in one order, uploaded."""
    folder = spool / "parts"
    # An earlier try, which the warehouse ended, has left its parts there.
    shutil.rmtree(folder, ignore_errors=True)
    groups, names = merged(feed, files), (*feed.landed_names, NUMBER)
    texts = " union all ".join(
        engine.select_text(g.paths, g.columns, feed.landed_names, feed.dialect, g.numbers)
        for g in groups
    )
    options = f", compression gzip, file_size_bytes {_PART_BYTES}, file_extension 'csv.gz'"
    with engine.connect(spool) as connection, engine.errors_explained(feed.name):
        engine.limit_threads(connection, max(len(group.columns) for group in groups))
        engine.write_text(connection, texts, names, folder, options)
    uris = tuple(work.upload(path) for path in sorted(folder.iterdir()))
    records = sum(g.records for g in groups)
    return CopyGroup(uris, names, records, feed.landed_names, compression="gzip")
