"""Loads that share the new files of a feed, or one number. Those on Redshift: tests/redshift."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Loader
    from e2e.engines import Tables

HEADER = "indicator,indicator_type,source,confidence,first_seen\n"


def write(folder: Path, name: str, bad: str = "much") -> None:
    good = f"{name}.example,domain,me,5,2026-01-01\n"
    (folder / f"{name}.csv").write_text(f"{HEADER}{good}bad.example,domain,me,{bad},2026-01-01\n")


@pytest.fixture
def contract(project: Path) -> Path:
    """The contract, which allows as many rejected records as accepted ones."""
    path = project / "models/staging/cti/_cti__sources.yml"
    path.write_text(path.read_text().replace("max_fraction: 0.01", "max_fraction: 0.5"))
    return path


def test_what_cannot_be_shared_is_refused(
    loader: Loader, feed_folder: Path, contract: Path, tables: Tables
) -> None:
    write(feed_folder, "a")
    for command in ("plan", "load"):
        told = loader(command, "--shard", "0/2", code=2).stderr
        assert "--shard is for Redshift; DuckDB has a single writer" in told
    contract.write_text(contract.read_text().replace("mode: append", "mode: replace"))
    told = loader("load", "--shard", "0/2", code=2).stderr
    assert "cti.indicators: --shard divides no feed in mode replace" in told
    tables.assert_nothing_loaded()


@pytest.mark.slow
def test_loads_with_one_run_id_are_one_load_to_a_person(
    loader: Loader, feed_folder: Path, contract: Path, tables: Tables, tmp_path: Path
) -> None:
    # GIVEN two loads with a run id, between them one without, and one of another run
    def load(name: str, *options: str) -> int:
        write(feed_folder, name)
        number: int = json.loads(loader("load", "--json", *options).stdout)["load"]
        return number

    kept = ("--rejects-to", str(tmp_path / "kept"))
    run = ("--run-id", "scheduled__2026-01-01T00:00:00+00:00 it's")
    assert [load("a", *run, *kept), load("b"), load("c", *run, *kept)] == [1, 2, 1]
    assert load("d", "--run-id", "next") == 3
    # THEN no load id is given out twice, and neither keeps what the other has written
    rows = tables.rows("select load_id, batch_id, run_id from raw._loaded_files order by 1")
    assert rows == [(1, 1, run[1]), (2, 2, None), (3, 1, run[1]), (4, 3, "next")]
    names = {path.name for path in (tmp_path / "kept").iterdir()}
    assert names == {f"cti.indicators-load-1-{load_id}.jsonl" for load_id in (1, 3)}
    assert len(loader("rejects", "--load", "1", "--json").stdout.splitlines()) == 2
    loader("check")
    # WHEN that load is rolled back THEN all of it goes
    told = loader("rollback", "1", "--yes").stdout
    assert "deleted 2 landed and 2 rejected records of load 1" in told
    assert tables.rows("select distinct _load_id from raw.indicators order by 1") == [(2,), (4,)]
    # AND what comes with the run id later has its number still
    assert load("e", *run) == 1
    loader("check")
    # AND what another feed has loaded with it is a load of its own
    tables.rows("update raw._loaded_files set feed = 'other.feed' where batch_id = 3")
    assert load("f", "--run-id", "next") == 4


def test_a_correction_of_two_versions_of_a_file_is_refused(
    loader: Loader, feed_folder: Path, contract: Path, tables: Tables, tmp_path: Path
) -> None:
    # GIVEN a file that was overwritten between two loads of one run
    for bad in ("much", "more"):
        write(feed_folder, "a", bad)
        loader("load", "--run-id", "one")
    lines = loader("rejects", "--csv").stdout.replace("much", "50").splitlines()
    (tmp_path / "fixed.csv").write_text("\n".join(lines[:2]) + "\n")
    # WHEN one of two records with one place is corrected THEN nobody guesses which
    told = loader("replay", "--from", str(tmp_path / "fixed.csv"), code=2).stderr
    assert "load 1 has two versions of feed/a.csv with a record 2" in told
    assert tables.count("raw.indicators") == 2
