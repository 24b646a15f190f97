"""A large file with one record of each kind of dirt, through the real command.

Promises 1 and 2 at size: each bad record alone is refused, with its number, its line, its column
and its text; all others are loaded, as they came. `make test-slow` takes a hundred thousand
records, `make test-large` millions.
"""

from __future__ import annotations

import gzip
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest
from e2e.oracle import COLUMNS, read_rows
from large.dirt import LargeFile, write_large_file

from loader.validation.rejects import decoded

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
RECORDS = int(os.environ.get("LARGE_RECORDS", "100000"))


def _gzipped(path: Path) -> Path:
    target = path.with_suffix(".csv.gz")
    with path.open("rb") as plain, gzip.open(target, "wb", compresslevel=1) as packed:
        shutil.copyfileobj(plain, packed, 1024 * 1024)
    path.unlink()
    return target


@pytest.mark.parametrize(
    ("line_end", "pack"),
    [
        pytest.param(b"\n", lambda path: path, id="plain"),
        pytest.param(b"\r\n", lambda path: path, id="crlf"),
        pytest.param(b"\n", _gzipped, id="gzip"),
    ],
)
def test_each_is_refused_in_its_place_and_all_others_are_loaded(
    project: Path, tmp_path: Path, line_end: bytes, pack: Callable[[Path], Path]
) -> None:
    # GIVEN a large file with a record of each kind of dirt
    path = tmp_path / "large.csv"
    file = write_large_file(path, RECORDS, line_end)
    path = pack(path)
    # WHEN it is loaded
    database = tmp_path / "warehouse.duckdb"
    told = _load(project, path, database)
    # THEN the command tells the counts
    good, bad = file.records - len(file.refused), len(file.refused)
    assert (told["records_read"], told["records_loaded"]) == (file.records, good)
    assert told["records_rejected"] == bad
    with duckdb.connect(str(database), read_only=True) as warehouse:
        # AND the ledger has them
        counts = "records_read, records_loaded, records_rejected, status"
        ledger = warehouse.execute(f"select {counts} from raw._loaded_files").fetchall()
        assert ledger == [(file.records, good, bad, "loaded")]
        # AND each bad record is set aside, whole, with its place and the reason
        assert _quarantine(warehouse) == [
            (record, line, speck.column, speck.rule, speck.value, speck.raw)
            for record, line, speck in file.refused
        ]
        # AND all others are in the table, value for value
        assert warehouse.execute("select count(*) from raw.indicators").fetchone() == (good,)
        assert _other_rows(warehouse, file, tmp_path) == []


def _load(project: Path, path: Path, database: Path) -> dict[str, Any]:
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "CTI_INDICATORS_LOCATION": str(path),
        "CTI_DUCKDB_PATH": str(database),
    }
    done = subprocess.run(
        [sys.executable, "-m", "loader", "load", "--json"],
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


def _quarantine(warehouse: duckdb.DuckDBPyConnection) -> list[tuple[Any, ...]]:
    rows = warehouse.execute(
        "select record, any_value(line), any_value(column_name), any_value(rule),"
        " any_value(value), any_value(raw_encoding), list(coalesce(raw_text, '') order by part)"
        " from raw._rejected_records group by record order by record"
    ).fetchall()
    return [(*row[:5], decoded(row[5], row[6])) for row in rows]


def _other_rows(
    warehouse: duckdb.DuckDBPyConnection, file: LargeFile, folder: Path
) -> list[tuple[Any, ...]]:
    """Rows of the landing table that are not there as often as in the file, or the reverse."""
    # Written anew by the csv module, which has read it, with nothing that engines differ about.
    piece = folder / "piece.json"
    with piece.open("w", encoding="ascii") as out:
        for row in read_rows(folder / "piece.csv", file.good):
            out.write(json.dumps(row) + "\n")
    names = ", ".join(COLUMNS)
    types = ", ".join(f"{column}: 'varchar'" for column in COLUMNS)
    return warehouse.execute(
        f"""
        with landed as (select {names}, count(*) as times from raw.indicators group by all),
        written as (
            select {names}, count(*) * {file.pieces} as times
            from read_ndjson('{piece}', columns = {{{types}}})
            group by all
        )
        (from landed except from written) union all (from written except from landed) limit 5
        """
    ).fetchall()
