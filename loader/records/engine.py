"""The validator's own DuckDB, and the quoting of what goes into its SQL."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import duckdb

from loader.errors import ReconciliationError, StorageError
from loader.records.dialect import MAX_RECORD_BYTES, Dialect

# Enough for the reader's buffers (select_text) of so many threads; the validator keeps no rows. On
# a machine of more cores, one thread for each would want more memory than there is a use for.
_MEMORY_LIMIT, _MAX_THREADS = "512MB", 8
# Each thread also holds some thousand rows, so of wide ones fewer threads have room: a column takes
# about 130 KB.
_COLUMNS = 1600


def connect(spool: Path | None = None) -> duckdb.DuckDBPyConnection:
    """A private in-memory database that reads local files and installs nothing.

    spool: where it may put what does not fit into its memory; nowhere if None.
    """
    connection = duckdb.connect(
        config={
            "memory_limit": _MEMORY_LIMIT,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "temp_directory": str(spool) if spool else "",
        }
    )
    connection.execute("set enable_progress_bar = false")
    limit_threads(connection, 1)
    return connection


def limit_threads(connection: duckdb.DuckDBPyConnection, columns: int) -> None:
    """Leaves so many threads as have room to read texts of so many columns, or fewer."""
    most = max(1, min(_MAX_THREADS, _COLUMNS // columns))
    connection.execute(f"set threads = least(current_setting('threads'), {most})")


def identifier(name: str) -> str:
    """A quoted identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A quoted text literal. DuckDB has no backslash escapes in these."""
    return "'" + text.replace("'", "''") + "'"


def matching(
    connection: duckdb.DuckDBPyConnection, values: Iterable[str], pattern: str
) -> set[str]:
    """Those values that match an RE2 expression as a whole, by the engine that screens with it."""
    query = connection.execute(
        "select v from (select unnest(?::varchar[]) as v) where regexp_full_match(v, ?)",
        [list(values), pattern],
    )
    # All rows: an unread result would keep the connection from other work.
    return {row[0] for row in query.fetchall()}


@cache
def pattern_error(pattern: str) -> str | None:
    """Why the text is no RE2 expression, or None if it is one."""
    with connect() as connection:
        try:
            matching(connection, [""], pattern)
        except duckdb.Error as error:
            return str(error).removeprefix("Invalid Input Error: ")
    return None


class Extra(str):
    """The name of a column of a file that the contract does not have, and that is kept."""


def is_named(column: str | None) -> bool:
    """Whether a column of a file is one of the contract's."""
    return column is not None and not isinstance(column, Extra)


def unnamed(place: int) -> str:
    """What a column of a file is called by its place. No contract has such a name."""
    return f"_loader_x{place}"


def select_text(
    paths: Sequence[Path | str],
    file_columns: Sequence[str | None],
    names: Sequence[str],
    dialect: Dialect,
    numbers: Sequence[int] = (),
) -> str:
    """SQL that reads well-formed texts with a header: the named columns, as they came.

    file_columns: from left to right; those without a name follow the named ones, and so does what
    is Extra, of which also the column _extra is made. Any other that they lack is NULL, and so is
    an empty field. numbers: of the texts, to be told of each record as _number. The paths must not
    hold characters of a glob.
    """
    files = ", ".join(literal(str(path)) for path in paths)
    # Read by place, not by name: the file may have any names in its header.
    inner = [unnamed(place) for place in range(len(file_columns))]
    types = ", ".join(f"'{column}': 'VARCHAR'" for column in inner)
    extra = {place: name for place, name in enumerate(file_columns) if isinstance(name, Extra)}
    others = [place for place, name in enumerate(file_columns) if not is_named(name)]
    found = {str(name): inner[n] for n, name in enumerate(file_columns) if is_named(name)}
    if extra:
        members = ", ".join(f"{literal(name)}, {inner[place]}" for place, name in extra.items())
        found["_extra"] = f"json_object({members})::varchar"
    quote = literal(chr(dialect.quote))
    selected = [f"{found.get(name, 'null::varchar')} as {identifier(name)}" for name in names]
    selected += [inner[place] for place in others]
    if numbers:
        # file_index is the reader's own: the place of the file in the list.
        listed = ", ".join(map(str, numbers))
        selected += [f"([{listed}])[file_index::bigint + 1] as _number"]
    return (
        f"select {', '.join(selected)} from read_csv([{files}], auto_detect=false,"
        f" header=true, strict_mode=true, compression='none', new_line='\\n',"
        f" delim={literal(chr(dialect.delimiter))}, quote={quote}, escape={quote},"
        f" max_line_size={2 * MAX_RECORD_BYTES}, buffer_size={8 * MAX_RECORD_BYTES},"
        f" parallel=true, columns={{{types}}})"
    )


def run(connection: duckdb.DuckDBPyConnection, sql: str) -> duckdb.DuckDBPyConnection:
    """Runs SQL over select_text; again in one thread where the engine cannot divide a text.

    It divides a text by guessing where a record begins, which fails where quoted fields hold long
    text of many lines.
    """
    try:
        return connection.execute(sql)
    except (duckdb.NotImplementedException, duckdb.InvalidInputException):
        return connection.execute(sql.replace(" parallel=true,", " parallel=false,"))


def write_text(
    connection: duckdb.DuckDBPyConnection,
    query: str,
    names: Sequence[str],
    target: Path,
    options: str = "",
) -> None:
    """Writes the named columns of a query as CSV with a header, NULL as an empty field."""
    columns = [identifier(name) for name in names]
    if len(columns) == 1:
        # A lone empty field would be an empty line, which is no record, so it is quoted.
        columns = [f"coalesce({columns[0]}, '') as {columns[0]}"]
        options += ", force_quote *"
    selected = f"select {', '.join(columns)} from ({query})"
    to = f"{literal(str(target))} (format csv, header true{options})"
    run(connection, f"copy ({selected}) to {to}")


@contextmanager
def errors_explained(name: str) -> Iterator[None]:
    """Turns what DuckDB raises into errors that say what to do."""
    try:
        yield
    except (duckdb.IOException, duckdb.OutOfMemoryException) as error:
        raise StorageError(
            f"{name}: {error}. The spool folder holds what is rewritten; set TMPDIR to a"
            " folder with more room."
        ) from None
    except duckdb.Error as error:
        raise ReconciliationError(
            f"{name}: the engine cannot read what the strict reader can ({error}). Nothing was"
            " loaded; please report this with the file."
        ) from None
