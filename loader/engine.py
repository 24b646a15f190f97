"""The validator's own DuckDB, and the quoting of what goes into its SQL."""

from __future__ import annotations

from pathlib import Path

import duckdb

__all__ = ["connect", "identifier", "literal", "pattern_error", "pattern_matches"]

# Enough for the reader's buffers on every core; the validator keeps no rows.
_MEMORY_LIMIT = "512MB"


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
    return connection


def identifier(name: str) -> str:
    """A quoted identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A quoted text literal. DuckDB has no backslash escapes in these."""
    return "'" + text.replace("'", "''") + "'"


def pattern_matches(connection: duckdb.DuckDBPyConnection, value: str, pattern: str) -> bool:
    """Whether the whole value matches an RE2 expression, by the engine that screens with it."""
    row = connection.execute("select regexp_full_match(?, ?)", [value, pattern]).fetchone()
    return bool(row and row[0])


def pattern_error(pattern: str) -> str | None:
    """Why the text is no RE2 expression, or None if it is one."""
    with connect() as connection:
        try:
            pattern_matches(connection, "", pattern)
        except duckdb.Error as error:
            return str(error).removeprefix("Invalid Input Error: ")
    return None
