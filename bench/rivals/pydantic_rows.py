"""What most people write: csv.DictReader, a Pydantic model a row, and inserts in batches.

The batches go into DuckDB as Arrow tables, the fastest of the simple ways.
"""

from __future__ import annotations

import csv
import json
import sys
from itertools import islice
from pathlib import Path

import duckdb
import pyarrow as pa

from bench.rivals.model import COLUMNS, errors

__all__: list[str] = []

_BATCH = 50_000


def main(path: str, folder: str) -> None:
    """Loads the accepted rows as they came, and writes the others to a JSONL file."""
    schema = pa.schema([(name, pa.string()) for name in COLUMNS])
    loaded = rejected = 0
    with (
        open(path, encoding="utf-8", newline="") as file,
        (Path(folder) / "rejects.jsonl").open("w", encoding="utf-8") as rejects,
        duckdb.connect(Path(folder) / "rows.duckdb") as connection,
    ):
        connection.execute(f"create table indicators ({' varchar, '.join(COLUMNS)} varchar)")
        reader = csv.DictReader(file)
        while rows := list(islice(reader, _BATCH)):
            accepted = []
            for row in rows:
                if found := errors(row):
                    rejects.write(json.dumps({"record": row, "errors": found}) + "\n")
                    rejected += 1
                else:
                    accepted.append(row)
            connection.register("batch", pa.Table.from_pylist(accepted, schema=schema))
            connection.execute("insert into indicators select * from batch")
            loaded += len(accepted)
    print(json.dumps({"loaded": loaded, "rejected": rejected}))


if __name__ == "__main__":
    main(*sys.argv[1:])
