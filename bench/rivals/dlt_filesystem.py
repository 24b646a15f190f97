"""dlt: its filesystem source with one of its CSV readers, its DuckDB destination.

Both readers read all columns as text, and both pipelines are tuned as dlt's documentation says
("Optimizing dlt", "DuckDB"): parquet, larger buffers, files of a million records, a process a core.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

__all__: list[str] = []


def main(path: str, folder: str, reader: str, *options: str) -> None:
    """Loads the file with `read_csv` (its default) or `read_csv_duckdb` (its fastest)."""
    os.environ |= {
        "RUNTIME__DLTHUB_TELEMETRY": "false",
        "DLT_DATA_DIR": folder,
        "DATA_WRITER__BUFFER_MAX_ITEMS": "100000",
        "DATA_WRITER__FILE_MAX_ITEMS": "1000000",
        "NORMALIZE__WORKERS": str(os.cpu_count()),
        "LOAD__DELETE_COMPLETED_JOBS": "true",
    }
    # dlt reads its configuration when it is imported.
    import dlt
    from dlt.sources.filesystem import filesystem, read_csv, read_csv_duckdb

    if reader == "read_csv":
        read = read_csv(chunksize=100_000, dtype=str, keep_default_na=False)
    else:
        lenient = {"ignore_errors": True} if "--lenient" in options else {}
        read = read_csv_duckdb(chunk_size=100_000, use_pyarrow=True, all_varchar=True, **lenient)
    file = Path(path)
    files = filesystem(bucket_url=file.parent.as_uri(), file_glob=file.name)
    pipeline = dlt.pipeline(
        pipeline_name="bench",
        destination=dlt.destinations.duckdb(str(Path(folder) / "dlt.duckdb")),
        dataset_name="raw",
    )
    pipeline.run((files | read).with_name("indicators"), loader_file_format="parquet")
    with pipeline.sql_client() as client:
        loaded = client.execute_sql("select count(*) from indicators")
    assert loaded is not None
    print(json.dumps({"loaded": loaded[0][0], "rejected": 0}))


if __name__ == "__main__":
    main(*sys.argv[1:])
