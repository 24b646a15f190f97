"""What the warehouse copies from: local files, or objects in S3 behind a manifest."""

import json
import shutil
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from loader.contract.feed import Feed
from loader.files.archives import Compression, compression_of
from loader.files.version import FileVersion
from loader.records import engine
from loader.records.reader import MAX_RECORD_BYTES
from loader.validation.rejects import Verdict
from loader.warehouse.work import WorkFolder

Columns = tuple[str | None, ...]
Files = Sequence[tuple[FileVersion, Verdict]]

# Redshift: "Loading data files", 1 MB to 1 GB after compression. DuckDB counts before it.
_PART_BYTES = 256 * 1024 * 1024


@dataclass(frozen=True)
class CopyGroup:
    """Files that one statement copies: columns in the same places, compressed alike.

    columns: of the files, from left to right, None for one that is not loaded. records: how many
    the files hold. names: the columns of the table that they are for. stage: the view or temporary
    table that holds them until they are inserted. manifest: where the list of the files is, for an
    engine that copies from a list.
    """

    paths: tuple[str, ...]
    columns: Columns
    records: int
    names: tuple[str, ...]
    delimiter: str = ","
    quote: str = '"'
    compression: Compression = "none"
    table: Literal["landing", "quarantine"] = "landing"
    stage: str = ""
    manifest: str = ""
    max_record_bytes: int = MAX_RECORD_BYTES

    def manifest_text(self) -> str:
        """Redshift: "Using a manifest to specify data files".

        Each object is listed, and mandatory: a bare prefix would also take x.csv.bak.
        """
        entries = [{"url": path, "mandatory": True} for path in self.paths]
        return json.dumps({"entries": entries}, indent=1)


def file_group(
    feed: Feed, path: str, columns: Columns, records: int, compression: Compression = "none"
) -> CopyGroup:
    """One file of a feed, in the feed's own dialect."""
    dialect = feed.options.delimiter, feed.options.quote
    return CopyGroup((path,), columns, records, feed.column_names, *dialect, compression)


def merged(feed: Feed, groups: Iterable[CopyGroup], folder: str = "") -> list[CopyGroup]:
    """Fewer groups: those that one statement can copy become one, with a stage and a manifest.

    folder: where the manifests are, for an engine that copies from a list.
    """
    alike: dict[CopyGroup, list[CopyGroup]] = defaultdict(list)
    for group in groups:
        alike[replace(group, paths=(), records=0)].append(group)
    return [
        replace(
            kind,
            paths=tuple(path for group in members for path in group.paths),
            records=sum(group.records for group in members),
            stage=f"{feed.table_name}__load_{n}",
            manifest=folder and f"{folder}manifest-{n}.json",
        )
        for n, (kind, members) in enumerate(alike.items(), start=1)
    ]


def copy_groups(
    feed: Feed, files: Files, rejected: Sequence[CopyGroup], work: WorkFolder | None, spool: Path
) -> Iterator[CopyGroup]:
    """What an engine reads: local files or, with a work folder, objects in S3.

    These are the files themselves unless COPY may misread them, else gzip parts. rejected: the
    group of the rejected records, in a file on disk. Raises StorageError.
    """
    rewritten = []
    for file, verdict in files:
        if not verdict.accepted:
            continue
        group = file_group(feed, str(verdict.text), verdict.columns, verdict.accepted)
        if not work:
            yield group
        # AWS does not document how COPY handles byte order marks, CRLF or empty lines, so a file
        # with any of these is rewritten.
        elif file.uri.startswith("s3://") and verdict.plain and None not in verdict.columns:
            kind = compression_of(file.uri, feed.options.compression)
            yield replace(group, paths=(file.uri,), compression=kind)
        else:
            rewritten.append(group)
    if work and rewritten:
        yield _parts(feed, rewritten, work, spool)
    for group in rejected:
        yield replace(group, paths=(work.upload(Path(*group.paths)),)) if work else group


def _parts(feed: Feed, files: Iterable[CopyGroup], work: WorkFolder, spool: Path) -> CopyGroup:
    """The records of local files, as gzip CSV in the contract's order, uploaded."""
    folder = spool / "parts"
    # An earlier try, which the warehouse ended, has left its parts there.
    shutil.rmtree(folder, ignore_errors=True)
    names, groups = feed.column_names, merged(feed, files)
    texts = " union all ".join(
        engine.select_text(group.paths, group.columns, names, feed.dialect) for group in groups
    )
    options = f", compression gzip, file_size_bytes {_PART_BYTES}, file_extension 'csv.gz'"
    with engine.connect(spool) as connection, engine.errors_explained(feed.name):
        engine.write_text(connection, texts, names, folder, options)
    uris = tuple(work.upload(path) for path in sorted(folder.iterdir()))
    return CopyGroup(uris, names, sum(g.records for g in groups), names, compression="gzip")
