"""Hostile files through the whole `load`: each record is in the table or in quarantine, once.

Landing table, quarantine and ledger are held against the independent reader.
"""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from fuzz.contracts import CONTRACTS, Contract
from fuzz.expected import Fate, expect
from fuzz.hostile import hostile_file

from loader.files.archives import zstd
from loader.validation.rejects import decoded

if TYPE_CHECKING:
    from conftest import Loader

FILES = 12
PACKED: list[tuple[str, Callable[[bytes], bytes]]] = [
    *((".csv", bytes), (".csv", bytes)),
    *((".csv.gz", gzip.compress), (".CSV.zst", zstd.compress)),
]

Fates = dict[str, tuple[Fate, ...]]


@pytest.fixture
def hostile_project(project: Path, fuzz_seed: int) -> tuple[Path, dict[str, Fates]]:
    """A project with every feed of CONTRACTS and files of it; what must become of their records."""
    found: dict[str, Fates] = {name: {} for name in CONTRACTS}
    number = 0
    while min(map(len, found.values())) < FILES:
        file = replace(hostile_file(fuzz_seed, number), block_bytes=None, record_limit=None)
        suffix, pack = PACKED[number % len(PACKED)]
        path = Path("files", file.contract.name, f"{number}{suffix}")
        number += 1
        expected = expect(file)
        # What is refused as a whole stops a load.
        if expected.refusals or len(found[file.contract.name]) == FILES:
            continue
        (project / path).parent.mkdir(parents=True, exist_ok=True)
        (project / path).write_bytes(pack(file.data))
        found[file.contract.name][path.as_posix()] = expected.fates
    tables = [_yaml(contract) for contract in CONTRACTS.values()]
    sources = {"sources": [{"name": "fuzz", "schema": "raw", "tables": tables}]}
    (project / "models/staging/_fuzz__sources.yml").write_text(json.dumps(sources))
    return project, found


def _yaml(contract: Contract) -> dict[str, Any]:
    node = contract.node(f"files/{contract.name}/*", rejects={"max_fraction": 1})
    return {**node, "columns": list(node["columns"].values())}


def test_every_record_is_in_the_table_or_in_quarantine(
    loader: Loader, hostile_project: tuple[Path, dict[str, Fates]]
) -> None:
    # GIVEN hostile files of every feed, plain and compressed
    project, found = hostile_project
    # WHEN they are loaded, with any number of rejected records allowed
    for name in found:
        loader("load", "--select", name)
    loaded = 0
    for name, files in found.items():
        with duckdb.connect(str(project / "cti.duckdb"), read_only=True) as connection:
            # THEN the landing table has exactly the accepted values
            names = ", ".join(CONTRACTS[name].columns)
            landed = connection.execute(f"select {names} from raw.{name}").fetchall()
            accepted = Counter(f.values for fates in files.values() for f in fates if not f.rules)
            assert Counter(landed) == accepted, name
            loaded += accepted.total()
            # AND the quarantine exactly the others, whole and in their places
            _assert_quarantine(connection, name, files)
            # AND the ledger counts both
            ledger = connection.execute(
                "select uri, records_read, records_loaded, records_rejected from raw._loaded_files"
                f" where feed = 'fuzz.{name}' order by uri"
            ).fetchall()
            counts = {uri: sum(bool(f.rules) for f in fates) for uri, fates in files.items()}
            assert ledger == [
                (uri, len(files[uri]), len(files[uri]) - refused, refused)
                for uri, refused in sorted(counts.items())
            ]
    # AND it was about something
    assert loaded > FILES
    # AND a second load finds nothing new
    assert "nothing new" in loader("load", "--select", "orders").output


def _assert_quarantine(connection: duckdb.DuckDBPyConnection, name: str, files: Fates) -> None:
    rows = connection.execute(
        "select uri, record, any_value(line), any_value(rule), any_value(raw_encoding),"
        " list(coalesce(raw_text, '') order by part)"
        f" from raw._rejected_records where feed = 'fuzz.{name}' group by uri, record"
    ).fetchall()
    expected = {
        (uri, record): fate
        for uri, fates in files.items()
        for record, fate in enumerate(fates, start=1)
        if fate.rules
    }
    assert sorted(row[:2] for row in rows) == sorted(expected)
    for uri, record, line, rule, encoding, parts in rows:
        fate = expected[uri, record]
        assert (line, decoded(encoding, parts)) == (fate.line, fate.raw), (uri, record)
        assert rule in fate.rules, (uri, record)
