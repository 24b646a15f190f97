"""What the loader replaces: Polars reads, Ray tasks judge rows with Pydantic, Polars cleans.

It ends with a deduplicated CSV file on disk, which was then still to be loaded.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import polars as pl
import ray

from bench.rivals.model import errors

__all__: list[str] = []

# Ray, "Anti-pattern: over-parallelizing with too fine-grained tasks": a task takes about a second.
_CHUNK = 100_000


def judge(chunk: pl.DataFrame) -> tuple[pl.DataFrame, list[str]]:
    """The accepted rows of a chunk, and the others as lines of JSON."""
    accepted, rejects = [], []
    for row in chunk.iter_rows(named=True):
        found = errors(row)
        accepted.append(not found)
        if found:
            rejects.append(json.dumps({"record": row, "errors": found}))
    return chunk.filter(pl.Series(accepted, dtype=pl.Boolean)), rejects


def main(path: str, folder: str) -> None:
    """Cleans the file into another."""
    ray.init(num_cpus=os.cpu_count(), include_dashboard=False, log_to_driver=False)
    task = ray.remote(judge)
    # An empty field is text, so that null is one that is not there.
    table = pl.read_csv(path, infer_schema=False, empty_string_is_null=False)
    pending = [task.remote(chunk) for chunk in table.iter_slices(_CHUNK)]
    del table
    kept, rejected = [], 0
    with (Path(folder) / "rejects.jsonl").open("w", encoding="utf-8") as file:
        # Ray, "Anti-pattern: processing results in submission order".
        while pending:
            ready, pending = ray.wait(pending)
            for accepted, rejects in ray.get(ready):
                kept.append(accepted)
                file.writelines(line + "\n" for line in rejects)
                rejected += len(rejects)
    clean = pl.concat(kept).with_columns(pl.all().str.strip_chars().str.to_lowercase())
    loaded = clean.height
    unique = clean.unique()
    unique.write_csv(Path(folder) / "clean.csv")
    ray.shutdown()
    print(json.dumps({"loaded": loaded, "rejected": rejected, "unique": unique.height}))


if __name__ == "__main__":
    main(*sys.argv[1:])
