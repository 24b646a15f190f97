"""What a load would do in the warehouse: its SQL and the manifests that COPY would read."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from io import BytesIO

from loader.contract.feed import Feed
from loader.errors import DataRefused
from loader.files.archives import compression_of, plain_head
from loader.files.store import Store
from loader.files.version import FileVersion
from loader.records.reader import read_header
from loader.validation.header import match_header
from loader.validation.verdict import Verdict
from loader.warehouse.connection import Warehouse
from loader.warehouse.copy_source import CopyGroup, file_group, manifest_text, merged
from loader.warehouse.landing import load_statements
from loader.warehouse.ledger import ledger_row
from loader.warehouse.project import Project
from loader.warehouse.staging import copy_settings, stage_statements, with_stages
from loader.warehouse.tables import Tables
from loader.warehouse.work import feed_folder


def planned_sql(
    project: Project,
    feed: Feed,
    warehouse: Warehouse,
    files: Sequence[FileVersion],
    replaces: bool,
    store: Store,
) -> tuple[list[str], dict[str, str]]:
    """The SQL that would load new files, in order, and the manifests it names, by URI.

    Reads the files' headers; changes nothing. Assumes that every record is accepted as it stands;
    what is not known before the files are fetched and counted is shown as 0 or null. Raises
    DataRefused for a header that does not fit.
    """
    tables = Tables(project, warehouse, feed)
    load_id = tables.number("next_load_id") if tables.exist("ledger") else 1
    work = copy_settings(warehouse)["work_location"] or "s3://<CTI_WORK_LOCATION>"
    folder = f"{feed_folder(work, feed.name)}<load>/"
    assumed = enumerate(merged(_assumed(feed, files, store)), start=1)
    groups = with_stages(
        feed, (replace(group, manifest=f"{folder}manifest-{n}.json") for n, group in assumed)
    )
    rows = [ledger_row(load_id, file, Verdict(file.uri)) for file in files]
    staging = [statement for group in groups for statement in stage_statements(tables, group)]
    ddl, lock = ["begin", *tables.ddl()], tables.sql("lock_ledger")
    statements = [
        *([*ddl, "commit", *staging, "begin", lock] if lock else [*staging, *ddl]),
        tables.sql("next_load_id"),
        *load_statements(tables, groups, rows, replaces),
        tables.sql("count_load", load_id=load_id),
        "commit",
    ]
    return statements, {g.manifest: manifest_text(g.paths) for g in groups if lock and g.manifest}


def _assumed(feed: Feed, files: Sequence[FileVersion], store: Store) -> Iterator[CopyGroup]:
    """Each file as COPY would read it if it were loaded as it is stored."""
    options = feed.options
    for file in files:
        try:
            head = plain_head(file.uri, store.head(file), options.compression)
            header = read_header(BytesIO(head), feed.dialect)
            columns = match_header(header.fields, feed).columns
        except DataRefused as error:
            raise DataRefused(f"{file.uri}: {error}") from None
        compression = compression_of(file.uri, options.compression)
        yield file_group(feed, store.path(file), columns, 0, compression)
