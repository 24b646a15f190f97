"""The samples, from dirty files to the mart, held against an oracle in plain Python."""

from __future__ import annotations

import json
import runpy
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from e2e.engines import on_both_engines, slowly_on_both_engines
from e2e.oracle import read_rows, read_sample

ROOT = Path(__file__).resolve().parents[2]
REFUSED = runpy.run_path(str(ROOT / "samples/make_samples.py"))["REFUSED"]

if TYPE_CHECKING:
    from conftest import Loader
    from e2e.conftest import Dbt
    from e2e.engines import Tables


def samples(project: Path) -> list[Path]:
    return sorted((project / "samples/indicators").glob("*.csv*"))


@on_both_engines
def test_the_samples_in_one_load(loader: Loader, project: Path, tables: Tables) -> None:
    # WHEN the samples are run
    (line,) = loader("run", "--json").stdout.splitlines()
    summary = json.loads(line)
    # THEN the landing table is the files, raw, and the mart what the oracle makes of them
    rows = [row for path in samples(project) for row in read_sample(path)]
    tables.assert_landed([(1, rows)])
    tables.assert_mart([(1, rows)])
    # AND the summary's numbers are those of the tables
    assert summary["load"] == 1
    assert summary["files"] == len(samples(project)) >= 3
    assert summary["records_loaded"] == len(rows) > 2000
    assert summary["tests_failed"] == 0
    # AND those that the samples' script breaks are in quarantine, each by a rule of its own
    refused = tables.rows("select raw_text, rule from raw._rejected_records order by record")
    assert [raw for raw, _ in refused] == REFUSED
    assert len({rule for _, rule in refused}) == len(REFUSED)
    assert summary["records_rejected"] == len(REFUSED)
    assert summary["records_read"] == len(rows) + len(REFUSED)
    assert summary["mart_rows"] == tables.count("analytics.indicators")
    assert summary["duplicates"] == len(rows) - summary["mart_rows"] > 0
    assert summary["tests_passed"] > 30
    # WHEN it is run again
    before = sorted(tables.rows("select * from analytics.indicators"), key=str)
    (line,) = loader("load", "--json").stdout.splitlines()
    # THEN nothing is loaded, and the mart stays as it was
    again = json.loads(line)
    assert (again["load"], again["files"], again["records_loaded"]) == (None, 0, 0)
    assert again["files_loaded_before"] == summary["files"]
    tables.assert_landed([(1, rows)])
    assert sorted(tables.rows("select * from analytics.indicators"), key=str) == before
    assert tables.count("raw._loaded_files") == summary["files"]


def unit_tests_of_the_last_build() -> list[str]:
    results = json.loads(Path("target/run_results.json").read_text())["results"]
    return [each["unique_id"] for each in results if each["unique_id"].startswith("unit_test.")]


@pytest.mark.usefixtures("artifacts")
@on_both_engines
@pytest.mark.slow
def test_the_models_unit_tests_are_run_by_dbt_and_not_by_the_loader(
    loader: Loader, tables: Tables, dbt: Dbt
) -> None:
    # They say what the SQL does, not what the data is: a run that nobody has edited need not ask.
    loader("run")
    assert unit_tests_of_the_last_build() == []
    dbt("build")
    assert len(unit_tests_of_the_last_build()) > 10


@slowly_on_both_engines
def test_the_samples_arriving_one_at_a_time(
    loader: Loader, project: Path, feed_folder: Path, tables: Tables, dbt: Dbt
) -> None:
    # GIVEN files that arrive one after the other, the newest first, and a build after each
    dbt("seed")
    loads = []
    for load_id, path in enumerate(reversed(samples(project)), start=1):
        shutil.copy(path, feed_folder)
        loader("load")
        dbt("run")
        loads.append((load_id, read_sample(path)))
        # THEN at every step the mart is what the oracle makes of all so far
        tables.assert_mart(loads)
    tables.assert_landed(loads)
    # WHEN it is built anew from all of them
    incremental = sorted(tables.rows("select * from analytics.indicators"), key=str)
    dbt("run", "--full-refresh")
    # THEN it is the same table
    assert sorted(tables.rows("select * from analytics.indicators"), key=str) == incremental


def test_the_samples_are_what_their_script_makes(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Else nobody could say what they are, or make them anew.
    script = shutil.copy(project / "samples/make_samples.py", tmp_path)
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(script), run_name="__main__")
    made = sorted((tmp_path / "indicators").iterdir())
    assert [path.name for path in made] == [path.name for path in samples(project)]
    for path, sample in zip(made, samples(project), strict=True):
        if path.suffix == ".gz":
            # Versions of zlib pack differently.
            assert read_rows(path) == read_rows(sample)
        else:
            assert path.read_bytes() == sample.read_bytes()
