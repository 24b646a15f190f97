"""`check`: whoever changes the tables past the loader is found out, and told what to do."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from conftest import copy_files
from e2e.engines import on_both_engines

from loader.warehouse.project import Project

if TYPE_CHECKING:
    from conftest import Loader
    from e2e.conftest import Dbt
    from e2e.engines import Tables

HEADER = "indicator,indicator_type,source,confidence,first_seen\n"
NAMES = ["landing", "quarantine", "replays", "files", "once", "mart analytics.indicators"]


def write(folder: Path, name: str, count: int, refused: int = 0) -> None:
    """A file of so many records, the last few of them refused."""
    records = [f"{name}-{n}.example,domain,me,{n % 101},2026-01-01\n" for n in range(count)]
    records[count - refused :] = [f"{name}.example,domain,me,much,2026-01-01\n"] * refused
    (folder / f"{name}.csv").write_text(HEADER + "".join(records))


@pytest.fixture(scope="module")
def healthy(
    project_files: Path, tmp_path_factory: pytest.TempPathFactory, loader: Loader, dbt: Dbt
) -> Path:
    """A project with two loads, the second a replay, all built. Not to be written to."""
    folder = tmp_path_factory.mktemp("healthy") / "project"
    copy_files(project_files, folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        (folder / "feed").mkdir()
        patch.setenv("CTI_INDICATORS_LOCATION", "feed/*.csv*")
        load_and_build(folder / "feed", loader, dbt)
    return folder


def load_and_build(feed: Path, loader: Loader, dbt: Dbt) -> None:
    write(feed, "a", 300, refused=3)
    loader("load")
    exported = loader("rejects", "--csv").stdout
    Path("fixed.csv").write_text(exported.replace(",much,2026", ",50,2026", 1), newline="")
    loader("replay", "--from", "fixed.csv", code=1)
    dbt("seed")
    dbt("run")


@pytest.fixture
def built(
    target: str,
    project: Path,
    feed_folder: Path,
    loader: Loader,
    dbt: Dbt,
    request: pytest.FixtureRequest,
) -> Path:
    """The same to spoil, on DuckDB as a copy; the folder that its feed reads."""
    if target == "redshift":
        load_and_build(feed_folder, loader, dbt)
        return feed_folder
    healthy: Path = request.getfixturevalue("healthy")
    shutil.copy(healthy / "cti.duckdb", project)
    shutil.copytree(healthy / "feed", feed_folder, dirs_exist_ok=True)
    return feed_folder


def found(loader: Loader, code: int = 0) -> dict[str, dict[str, Any]]:
    """What check says, by check."""
    lines = loader("check", "--json", code=code).stdout.splitlines()
    return {line["check"]: line for line in map(json.loads, lines)}


@on_both_engines
def test_all_is_well(loader: Loader, built: Path) -> None:
    findings = found(loader)
    assert {name: f["state"] for name, f in findings.items()} == dict.fromkeys(NAMES, "holds")
    assert all(
        list(f) == ["feed", "check", "state", "what", "differences", "advice"]
        for f in findings.values()
    )
    told = loader("check", "--select", "indicators").stdout
    assert "298 records of 2 loads are landed as the ledger says" in told
    assert "3 rejected records are in quarantine" in told
    assert "analytics.indicators counts all 298 landed records" in told


def test_nothing_loaded_is_nothing_wrong(loader: Loader, project: Path) -> None:
    assert loader("check").stdout == "cti.indicators: nothing has been loaded yet\n"
    # It makes no warehouse either.
    assert not list(project.glob("*.duckdb*"))


@pytest.mark.parametrize(
    ("spoil", "check", "told"),
    [
        (
            "delete from raw.indicators where indicator in ('a-1.example', 'a-2.example')",
            "landing",
            "load 1 (loaded), feed/a.csv: 297 records by the ledger, 295 landed",
        ),
        (
            "insert into raw.indicators select * from raw.indicators where _load_id = 2",
            "landing",
            "load 2 (replayed), feed/a.csv: 1 records by the ledger, 2 landed",
        ),
        (
            "insert into raw.indicators select * replace (9 as _load_id) from raw.indicators"
            " where _load_id = 2",
            "landing",
            "_load_id 9 (not in the ledger), no file: 0 records by the ledger, 1 landed",
        ),
        (
            "update raw._loaded_files set status = 'rolled back' where load_id = 1",
            "landing",
            "load 1 (rolled back), feed/a.csv: 0 records by the ledger, 297 landed",
        ),
        (
            "delete from raw._rejected_records where record = 300",
            "quarantine",
            "load 1 (loaded), feed/a.csv: 3 rejected records by the ledger, 2 in quarantine",
        ),
        (
            "update raw._rejected_records set load_id = 7 where record = 300",
            "quarantine",
            "_load_id 7 (not in the ledger), feed/a.csv: 0 rejected records by the ledger, 1 in",
        ),
        (
            "update raw._rejected_records set replayed_by = null",
            "replays",
            "load 2 (replayed): 1 records replayed by the ledger, 0 marked",
        ),
        (
            "update raw._rejected_records set replayed_by = 8 where record = 300",
            "replays",
            "_load_id 8 (not in the ledger): 0 records replayed by the ledger, 1 marked",
        ),
        (
            "update raw._loaded_files set records_read = 299 where load_id = 1",
            "files",
            "load 1 (loaded), feed/a.csv: 299 read, 297 loaded, 3 rejected",
        ),
        (
            "insert into raw._loaded_files select * replace (0 as records_read, 3 as load_id,"
            " 3 as batch_id, 0 as records_loaded, 0 as records_rejected) from raw._loaded_files"
            " where load_id = 1",
            "once",
            "2 times, from load 1 to load 3",
        ),
        (
            "delete from analytics.indicators where indicator = 'a-1.example'",
            "mart analytics.indicators",
            "counts 297 records up to load 2; 298 are landed",
        ),
        ("drop table raw._rejected_records", "tables", "no table loader._rejected_records"),
    ],
)
def test_what_somebody_changed_is_found(
    loader: Loader, tables: Tables, built: Path, spoil: str, check: str, told: str
) -> None:
    # WHEN somebody changes a table by hand THEN check says which, what, and how many
    tables.rows(spoil)
    assert found(loader, code=1)[check]["state"] == "differs"
    result = loader("check", code=1)
    assert told in result.stdout
    assert "see above" in result.stderr
    # and that something can be done about it.
    advice = {
        "mart": "dbt build --full-refresh --select indicators`",
        "once": "Roll the later load back",
    }
    assert advice.get(check.split()[0], "Somebody changed it past the loader") in result.stdout


@on_both_engines
def test_each_check_sees_what_is_its_own_to_see(
    loader: Loader, tables: Tables, built: Path
) -> None:
    # GIVEN one change by hand for each check; what is missing in the landing table, the mart counts
    for spoil in (
        "delete from raw.indicators where indicator = 'a-1.example'",
        "delete from raw._rejected_records where record = 300",
        "update raw._rejected_records set replayed_by = null",
        "update raw._loaded_files set records_read = 299 where load_id = 1",
        "insert into raw._loaded_files select * from raw._loaded_files where load_id = 1",
    ):
        tables.rows(spoil)
    # THEN none of them passes
    findings = found(loader, code=1)
    assert {name: f["state"] for name, f in findings.items()} == dict.fromkeys(NAMES, "differs")


def test_a_mart_that_is_only_behind_is_no_failure(
    loader: Loader, tables: Tables, built: Path
) -> None:
    write(built, "b", 40)
    loader("load")
    assert found(loader)["mart analytics.indicators"]["state"] == "behind"
    told = loader("check").stdout
    assert "not built yet since load 2: 40 records wait, up to load 3" in told
    assert "`python -m loader run` builds it" in told
    # But one that is behind and wrong is wrong.
    tables.rows("delete from analytics.indicators where indicator = 'a-1.example'")
    assert found(loader, code=1)["mart analytics.indicators"]["state"] == "differs"
    tables.rows("drop table analytics.indicators")
    assert "analytics.indicators: not built yet\n" in loader("check").stdout


def test_a_replaced_table_waits_for_its_mart(loader: Loader, project: Path, built: Path) -> None:
    contract = project / "models/staging/cti/_cti__sources.yml"
    contract.write_text(contract.read_text().replace("mode: append", "mode: replace"))
    write(built, "a", 20)
    loader("load")
    assert "not built yet since load 2 was replaced" in loader("check").stdout


def test_a_run_counts_once_and_ends_with_it(
    loader: Loader, tables: Tables, built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN a record that somebody took out of quarantine
    tables.rows("delete from raw._rejected_records where record = 300")
    compiled: list[str] = []
    usual = Project.compiled

    def watched(project: Project, test: str) -> str:
        compiled.append(test)
        return usual(project, test)

    monkeypatch.setattr(Project, "compiled", watched)
    # WHEN it runs THEN the test that dbt's build has failed is worded as a check, and no other
    result = loader("run", "--json", code=1)
    summary = json.loads(result.stdout.splitlines()[-1])
    assert (summary["checks_passed"], summary["checks_failed"]) == (5, 1)
    assert summary["tests_failed"] == 0
    assert "the data is loaded, but 1 checks do not hold" in result.stderr
    assert "check quarantine" in result.stderr
    # AND those that dbt's build has passed are not run again.
    assert [test.split(".")[2].split("_loader")[0] for test in compiled] == [
        "source_ledger_matches_quarantine"
    ]


def test_what_belongs_to_no_feed_is_found_by_check_and_run(
    loader: Loader, tables: Tables, built: Path
) -> None:
    # GIVEN a record in quarantine of a feed that no contract names any more
    tables.rows(
        "insert into raw._rejected_records select * replace ('old.feed' as feed)"
        " from raw._rejected_records where record = 300"
    )
    # WHEN the tables are counted THEN it is not passed over, by whatever counts
    assert "0 rejected records by the ledger, 1 in" in loader("check", code=1).stdout
    assert "check quarantine" in loader("run", code=1).stderr


def test_a_counting_test_that_only_warns_is_counted_again(
    loader: Loader, tables: Tables, project: Path, built: Path
) -> None:
    # GIVEN a counting test of which dbt is to make no failure
    path = project / "models/staging/cti/_cti__sources.yml"
    text = path.read_text()
    line = "          - ledger_matches_landing\n"
    assert line in text
    warning = line.rstrip() + ":\n              config: {severity: warn}\n"
    path.write_text(text.replace(line, warning))
    # WHEN records are lost THEN the run tells of it all the same
    tables.rows("delete from raw.indicators where indicator = 'a-1.example'")
    assert "check landing" in loader("run", code=1).stderr


@pytest.mark.parametrize(
    ("path", "line", "place", "test"),
    [
        (
            "models/staging/cti/_cti__sources.yml",
            "        data_tests:\n          - ledger_matches_landing\n",
            "source table cti.indicators",
            "ledger_matches_landing",
        ),
        (
            "models/staging/loader/_loader__sources.yml",
            "          - loaded_once\n",
            "source table loader._loaded_files",
            "loaded_once",
        ),
        (
            "models/marts/indicators.yml",
            "      - counts_every_record:\n          arguments:\n"
            "            landed: source('cti', 'indicators')\n",
            "model indicators",
            "counts_every_record",
        ),
    ],
)
def test_what_no_test_counts_is_refused_by_name(
    loader: Loader,
    dbt: Dbt,
    project: Path,
    built: Path,
    path: str,
    line: str,
    place: str,
    test: str,
) -> None:
    # GIVEN a feed, a ledger or a mart whose counting test somebody took out of the YAML
    text = (project / path).read_text()
    assert line in text
    (project / path).write_text(text.replace(line, ""))
    # WHEN it is checked or run THEN it is refused, and the message says what to add and where
    told = f"{place}: nothing counts its records; add the test {test} to its data_tests"
    write(built, "b", 40)
    for command in ("check", "load", "run"):
        assert told in loader(command, code=2).stderr
    # AND dbt alone does not build it either.
    with pytest.raises(AssertionError, match=re.escape(told)):
        dbt("build")


def test_a_selection_with_a_count_is_no_mart(
    loader: Loader, dbt: Dbt, project: Path, built: Path
) -> None:
    # GIVEN a model of one's own that counts, and leaves records out on purpose
    (project / "models/marts/few.sql").write_text(
        "select indicator, occurrences from {{ ref('indicators') }} limit 5\n"
    )
    (project / "models/marts/_few.yml").write_text(
        "models: [{name: few, columns: [{name: indicator}, {name: occurrences}]}]\n"
    )
    dbt("run", "--select", "few")
    # THEN it does not have to account for every record
    assert list(found(loader)) == NAMES
