"""The floor: DuckDB reads the file as text into a table. Nothing is judged.

With `--lenient` it gets through broken files, by dropping without a word what it cannot read and
keeping what it can, valid or not.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import duckdb

from bench.rivals.model import COLUMNS

__all__: list[str] = []


def main(path: str, folder: str, *options: str) -> None:
    """Loads the file. Dialect and columns are given, so that nothing needs to be sniffed."""
    lenient = ", ignore_errors = true" if "--lenient" in options else ""
    with duckdb.connect(Path(folder) / "bare.duckdb") as connection:
        # DuckDB, "Performance guide: loading data"; faster, and in less memory.
        connection.execute("set preserve_insertion_order = false")
        columns = json.dumps(dict.fromkeys(COLUMNS, "varchar")).replace('"', "'")
        connection.execute(
            "create table indicators as select * from read_csv($1, auto_detect = false,"
            f" header = true, delim = ',', quote = '\"', escape = '\"', columns = {columns}"
            f"{lenient})",
            [path],
        )
        loaded = connection.execute("select count(*) from indicators").fetchone()
    assert loaded is not None
    print(json.dumps({"loaded": loaded[0], "rejected": 0}))


if __name__ == "__main__":
    main(*sys.argv[1:])
