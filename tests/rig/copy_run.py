"""A COPY carried out: objects of S3 into a staging table, from there into the table, or errors.

Everything happens in the session and the transaction of the client. PostgreSQL parses the checked
CSV into a temporary table of text columns; one INSERT ... SELECT converts it. When that fails, the
staging table tells which record was to blame, and the load log keeps it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rig.backend import Backend, BackendError
from rig.copy_columns import Column, problem, value
from rig.copy_command import CopyCommand
from rig.copy_files import Source, check_region, find_sources, read_source
from rig.copy_records import Records, raise_error
from rig.copy_target import CopyAccess, table_columns
from rig.databases import quoted
from rig.errors import RedshiftError
from rig.load_log import LoadError, LoadLog, now
from rig.sql_text import literal

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

_STAGE = "pg_temp.rig_copy_stage"
# Never in checked data: NUL is refused, and so is anything PostgreSQL would take for its NULL.
_NO_NULL = "\\x01rig\\x01"
# PostgreSQL's SQLSTATE for a record with too few or too many fields.
_BAD_COPY_FORMAT = "22P04"


class LoadFailed(RedshiftError):
    """The COPY began to load and failed on its data."""


@dataclass
class CopyRun:
    """One COPY. `on_block` is called for every block of data that goes to PostgreSQL."""

    command: CopyCommand
    backend: Backend
    access: CopyAccess
    log: LoadLog
    database: str
    query_id: int
    on_block: Callable[[], None]

    def run(self) -> int:
        """Load everything; returns the number of rows.

        Raises LoadFailed for bad data, RedshiftError for what stops COPY before it reads data.
        The transaction is left as it is when it fails: to be rolled back.
        """
        self.access.check_role(self.command.role)
        self._started = now()
        self._errors: list[tuple[Source, LoadError]] = []
        # "MAXERROR": at error_count errors the load fails; 0 and 1 mean at the first.
        self._tolerated = max(self.command.max_error - 1, 0)
        table_id, columns = table_columns(self.backend, self.command)
        check_region(self.command, self.access.cluster_region, self.access.bucket_region)
        client = self.access.client()
        sources = find_sources(client, self.command)
        rows = 0
        failure: str | None = None
        try:
            self._create_stage(columns)
            for source in sources:
                rows += self._load(client, source, columns)
            self.backend.query(f"drop table {_STAGE}")
        except LoadError as error:
            self._errors.append((self._source, error))
            failure = (
                f"Load into table '{self.command.table[-1]}' failed.  Check"
                " 'sys_load_error_detail' system table for details."
            )
        except (RedshiftError, BackendError) as error:
            self._write_log(table_id, columns, sources, 0, str(error))
            raise
        self._write_log(table_id, columns, sources, 0 if failure else rows, failure)
        if failure:
            raise LoadFailed(failure, "XX000")
        return 0 if self.command.no_load else rows

    def notices(self, rows: int) -> list[str]:
        """The INFO messages of a COPY that went well."""
        name = self.command.table[-1]
        said = [f"Load into table '{name}' completed, {rows} record(s) loaded successfully."]
        if self._errors:
            said.append(
                f"Load into table '{name}' completed, {len(self._errors)} record(s) could not be"
                " loaded.  Check 'sys_load_error_detail' system table for details."
            )
        return said

    def _create_stage(self, columns: list[Column]) -> None:
        fields = ", ".join(f"c{number} text" for number in range(len(columns)))
        self.backend.query(f"create temporary table rig_copy_stage (line bigint, {fields})")

    def _load(self, client: S3Client, source: Source, columns: list[Column]) -> int:
        """Load one object; returns its rows. Raises LoadError."""
        self._source = source
        self.backend.query(f"truncate {_STAGE}")
        slow = self._tolerated > 0
        labels = [column.name for column in columns]
        records = Records(self.command, labels, slow=slow)
        chunks = read_source(client, source, self.command.compression)
        names = ", ".join(f"c{number}" for number in range(len(columns)))
        quote, delimiter = literal(self.command.quote), literal(self.command.delimiter)
        copy = (
            f"copy {_STAGE} ({'line, ' if slow else ''}{names}) from stdin (format csv,"
            f" delimiter {delimiter}, quote {quote}, escape {quote}, null '{_NO_NULL}')"
        )
        try:
            self.backend.query(copy, self._counted(records.blocks(chunks, self._reject)))
        except BackendError as error:
            if error.fields.get("C") == _BAD_COPY_FORMAT:
                self._find_ragged(client, source, labels)
            raise
        return self._insert(columns)

    def _counted(self, blocks: Iterator[bytes]) -> Iterator[bytes]:
        for block in blocks:
            yield block
            self.on_block()

    def _reject(self, error: LoadError) -> None:
        """Note a record that is left out; raises it when it is one too many."""
        if len(self._errors) >= self._tolerated:
            raise error
        self._errors.append((self._source, error))

    def _find_ragged(self, client: S3Client, source: Source, columns: list[str]) -> None:
        """Read the object once more, record by record, and raise for the one to blame.

        PostgreSQL's own line numbers leave out line breaks in the first record.
        """
        chunks = read_source(client, source, self.command.compression)
        for _ in Records(self.command, columns, slow=True).blocks(chunks, raise_error):
            pass

    def _insert(self, columns: list[Column]) -> int:
        """Convert the staged fields into the table; returns the number of rows."""
        checked = (
            self.command.no_load
            or self._tolerated
            or any(not column.is_character for column in columns)
        )
        if checked:
            self._leave_out_bad_rows(columns)
        if self.command.no_load:
            return 0
        table = ".".join(quoted(part) for part in self.command.table)
        names = ", ".join(quoted(column.name) for column in columns)
        values = ", ".join(
            value(column, f"c{number}", self.command) for number, column in enumerate(columns)
        )
        insert = f"insert into {table} ({names}) select {values} from {_STAGE}"
        self.backend.query("savepoint rig_copy")
        try:
            tag = self.backend.query(insert).tag
        except BackendError:
            self.backend.query("rollback to savepoint rig_copy")
            self._leave_out_bad_rows(columns)
            # No record is to blame: PostgreSQL's own error is the answer.
            raise
        self.backend.query("release savepoint rig_copy")
        return int(tag.split()[-1])

    def _leave_out_bad_rows(self, columns: list[Column]) -> None:
        """Reject the staged rows that cannot be converted, and delete them from the stage."""
        fields = range(len(columns))
        problems = [problem(column, f"c{n}", self.command) for n, column in enumerate(columns)]
        any_problem = " or ".join(f"{sql} is not null" for sql in problems)
        if not self.backend.query(f"select from {_STAGE} where {any_problem} limit 1").rows:
            return
        # Numbering the records and their lines costs several passes: only for the culprits.
        breaks = " + ".join(f"length(c{n}) - length(replace(c{n}, chr(10), ''))" for n in fields)
        found = " union all ".join(
            f"select place, at, n, {number} as field, c{number} as given,"
            f" {sql} as problem from numbered"
            for number, sql in enumerate(problems)
        )
        limit = self._tolerated - len(self._errors) + 1
        rows = self.backend.query(
            "with numbered as (select s.*, s.ctid as place,"
            " row_number() over (order by s.ctid) as n,"
            f" coalesce(line, {1 + self.command.ignore_header}"
            f" + sum(1 + {breaks}) over (order by s.ctid) - (1 + {breaks})) as at"
            f" from {_STAGE} s),"
            f" found as ({found})"
            " select place, at, field, given, problem from (select *, row_number() over"
            " (partition by n order by field) as rank from found where problem is not null) x"
            f" where rank = 1 order by n limit {limit}"
        ).rows
        for _, line, field, given, what in rows:
            code, _, message = str(what).partition(" ")
            column = columns[int(field or 0)].name
            text = (given or "")[:1024]
            self._reject(LoadError(int(code), message, int(line or 0), column, value=text))
        if rows:
            places = ",".join(f'"{row[0]}"' for row in rows)
            self.backend.query(
                f"delete from {_STAGE} where ctid = any('{{{places}}}'::rig_hidden.tid[])"
            )

    def _write_log(
        self,
        table_id: int,
        columns: list[Column],
        sources: list[Source],
        rows: int,
        failure: str | None,
    ) -> None:
        """Keep the errors and the history of this COPY, whatever becomes of the transaction."""
        by_name = {column.name: column for column in columns}
        common: dict[str, Any] = {
            "query_id": self.query_id,
            "transaction_id": self.query_id,
            "session_id": self.backend.pid,
            "database_name": self.database,
            "start_time": self._started,
        }
        entries = []
        for source, error in self._errors:
            column = by_name.get(error.column)
            entries.append(
                common
                | {
                    "table_id": table_id,
                    "file_name": source.url,
                    "line_number": error.line,
                    "column_name": error.column,
                    "column_type": column.shown.partition("(")[0] if column else "",
                    "column_length": column.length_shown if column else "",
                    "position": 0,
                    "error_code": error.code,
                    "error_message": error.message,
                    "raw_line": error.raw,
                    "raw_field_value": error.value,
                }
            )
        self.log.add("load_errors", entries)
        history = common | {
            "status": "failed" if failure else "completed",
            "table_name": self.command.table[-1],
            "end_time": now(),
            "duration": 0,
            "data_source": self.command.source,
            "file_format": "CSV",
            "loaded_rows": rows,
            "loaded_bytes": 0 if failure else sum(source.size for source in sources),
            "source_file_count": len(sources),
            "source_file_bytes": sum(source.size for source in sources),
            "error_message": failure or "",
        }
        self.log.add("load_history", [history])
