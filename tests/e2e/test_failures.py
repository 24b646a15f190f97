"""What goes wrong in practice. Each failure is one clear message, the right exit code, and nothing
half-loaded; and when its cause is gone, the next load is complete."""

from __future__ import annotations

import gzip
import os
import re
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from e2e.meddler import Meddler

from loader.files.archives import zstd
from loader.jobs import load as pipeline
from loader.warehouse.project import Project

if TYPE_CHECKING:
    from conftest import Loader
    from e2e.engines import Tables

HEADER = "indicator,indicator_type,source,confidence,first_seen,last_seen,description\n"
GOOD = "a.example,domain,me,5,2026-01-01,,\n"
BAD = "b.example,domain,me,five,2026-01-01,,\n"


@contextmanager
def small_disk() -> Iterator[None]:
    """No file may be larger than 8 MiB, which is what a full disk comes to."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8 << 20, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture
def good(feed_folder: Path) -> Path:
    """The feed's folder, with one good file in it."""
    (feed_folder / "good.csv").write_text(HEADER + GOOD)
    return feed_folder


@pytest.mark.parametrize(
    ("name", "data", "problem"),
    [
        ("x.csv", b"\n", "the file is empty"),
        ("x.csv", b"a,b\n1,2\n", "the header does not fit the contract"),
        ("x.csv", b"\xff\xfe\x00i", "say `encoding: utf-16`"),
        ("x.csv.gz", gzip.compress(b"", mtime=0), "the file is empty"),
        (
            "x.csv.gz",
            gzip.compress(HEADER.encode(), mtime=0)[:-9],
            "the gzip archive ends before its end",
        ),
        ("x.csv.gz", gzip.compress(HEADER.encode(), mtime=0) + b"more", "no sound gzip archive"),
        ("x.csv.zst", zstd.compress(HEADER.encode())[:-4] + b"more", "no sound zstd archive"),
    ],
)
def test_a_file_that_is_none_refuses_the_load(
    loader: Loader, good: Path, tables: Tables, name: str, data: bytes, problem: str
) -> None:
    (good / name).write_bytes(data)
    result = loader("load", code=1)
    assert f"feed/{name}: refused: " in result.stdout
    assert problem in result.stdout
    assert "refused 1 file as a whole; nothing was loaded" in result.stderr
    tables.assert_nothing_loaded()


def test_one_bad_record_refuses_the_load(loader: Loader, good: Path, tables: Tables) -> None:
    # GIVEN a bad record in one of two files
    (good / "x.csv").write_text(HEADER + GOOD + BAD + "short\n")
    # WHEN they are loaded
    result = loader("load", code=1)
    # THEN the first bad ones are shown with all that is needed to find them, and all are counted
    for word in ("feed/x.csv", "confidence", "integer", "five", "too_few_fields"):
        assert word in result.stdout
    assert "rejected records (the first 2 of 2)" in result.stdout
    assert re.fullmatch(
        r"error: cti\.indicators: refused 2 of 3 records of feed/\w+\.csv"
        r" \(models/staging/cti/_cti__sources\.yml allows 1% of a file\); nothing was loaded\."
        r" The rejected records are in rejects/cti\.indicators-refused-\S+\.jsonl\."
        r" Correct the files, .*",
        result.stderr.splitlines()[-1],
    )
    # AND nothing is loaded, not of the other file either
    tables.assert_nothing_loaded()
    # WHEN it is corrected THEN both are
    (good / "x.csv").write_text(HEADER + GOOD)
    loader("load")
    assert tables.count("raw.indicators") == 2


def test_a_file_with_a_header_alone_is_loaded_with_no_records(
    loader: Loader, feed_folder: Path, tables: Tables
) -> None:
    # A day without anything to report is no failure, and the file is not looked at again.
    (feed_folder / "quiet.csv").write_text(HEADER)
    assert "1 files, 0 of 0 records loaded" in loader("load").stdout
    ledger = tables.rows("select load_id, uri, records_read, records_loaded from raw._loaded_files")
    assert ledger == [(1, "feed/quiet.csv", 0, 0)]
    assert "nothing new; 1 files" in loader("load").stdout


@pytest.mark.parametrize(
    ("location", "message"),
    [
        ("feed", "location 'feed' is a folder; say which files in it, such as feed/*.csv"),
        ("gs://lake/x", "'gs://lake/x' is not known; use s3:// or a path"),
        ("s3:///x", "name the bucket"),
        ("", "location"),
    ],
)
def test_a_location_that_is_none(
    loader: Loader,
    good: Path,
    tables: Tables,
    monkeypatch: pytest.MonkeyPatch,
    location: str,
    message: str,
) -> None:
    monkeypatch.setenv("CTI_INDICATORS_LOCATION", location)
    result = loader("load", code=2)
    assert message in result.stderr
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    tables.assert_nothing_loaded()


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="Linux has such a file")
def test_a_file_that_cannot_be_read(
    loader: Loader, good: Path, tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A regular file to look at, whose first byte cannot be read by anybody.
    monkeypatch.setenv("CTI_INDICATORS_LOCATION", "/proc/self/mem")
    result = loader("load", code=3)
    assert "/mem: Input/output error" in result.stderr
    tables.assert_nothing_loaded()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_one_may_not_read(loader: Loader, good: Path, tables: Tables) -> None:
    (good / "x.csv").write_text(HEADER)
    (good / "x.csv").chmod(0)
    result = loader("load", code=3)
    assert "x.csv: Permission denied" in result.stderr
    tables.assert_nothing_loaded()


def test_without_profiles_yml(
    loader: Loader, good: Path, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (project / "profiles.yml").unlink()
    result = loader("load", code=2)
    assert result.stderr.startswith("error: ")
    assert result.stderr == (
        "error: There is no profiles.yml in the project. Copy profiles.yml.example to profiles.yml,"
        " or give --profiles-dir.\n"
    )


def test_redshift_without_a_host(loader: Loader, good: Path) -> None:
    for command in ("plan", "history"):
        result = loader(command, "--target", "redshift", code=2)
        assert "has no host. Set REDSHIFT_HOST, REDSHIFT_USER and DBT_ENV_SECRET" in result.stderr
        assert result.stderr.count("\n") == 1


def test_broken_yaml(loader: Loader, good: Path, project: Path, tables: Tables) -> None:
    path = project / "models/staging/cti/_cti__sources.yml"
    path.write_text(path.read_text().replace("    tables:", "    tables: ["))
    result = loader("load", code=2)
    assert result.stderr.startswith("error: ")
    assert "_cti__sources.yml" in result.stderr
    tables.assert_nothing_loaded()


def test_a_broken_profile(loader: Loader, good: Path, project: Path) -> None:
    (project / "profiles.yml").write_text("cti: {target: duckdb, outputs: {duckdb: {type: duck}}}")
    result = loader("load", code=2)
    assert result.stderr.startswith("error: ")
    assert "duck" in result.stderr


def test_a_database_that_another_process_has_open(
    loader: Loader, good: Path, project: Path, tables: Tables
) -> None:
    # GIVEN somebody else in the database
    hold = "import duckdb, sys; c = duckdb.connect('cti.duckdb'); print('open', flush=True)"
    hold += "; sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=project
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"open\n"
        # WHEN a load is started
        result = loader("load", code=3)
        other.communicate()
    # THEN it says who has it and what to do
    assert "lock" in result.stderr
    assert str(other.pid) in result.stderr
    assert "end it or wait, then run again" in result.stderr
    # AND once it is free, the load is complete
    loader("load")
    assert tables.count("raw.indicators") == 1


def test_a_database_in_a_folder_that_is_not_there(
    loader: Loader, good: Path, project: Path
) -> None:
    (project / "cti.duckdb").symlink_to("nowhere/cti.duckdb")
    result = loader("load", code=3)
    assert result.stderr.startswith("error: ")
    assert "cti.duckdb" in result.stderr
    assert "No such file or directory" in result.stderr


def test_a_database_that_is_none(loader: Loader, good: Path, project: Path) -> None:
    # It may be somebody's only copy of something else, so it is not written over.
    (project / "cti.duckdb").write_text("my notes\n" * 9999)
    result = loader("load", code=3)
    assert "not a valid DuckDB database" in result.stderr
    assert result.stderr.startswith("error: ")
    assert (project / "cti.duckdb").read_text() == "my notes\n" * 9999


@pytest.fixture
def spool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty TMPDIR."""
    folder = tmp_path / "spool"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


def test_a_full_disk_in_the_spool(loader: Loader, good: Path, spool: Path, tables: Tables) -> None:
    # GIVEN a packed file that is larger than the disk once it is unpacked
    (good / "big.csv.gz").write_bytes(gzip.compress((HEADER + GOOD * 300_000).encode(), 1))
    # WHEN it is loaded
    with small_disk():
        result = loader("load", code=3)
    # THEN the message says what is full and what to do, and nothing is left behind
    error = result.stderr.splitlines()[-1]
    assert error.startswith(f"error: {spool}")
    assert "File too large" in error
    assert "set TMPDIR to a folder with more room" in error
    assert list(spool.iterdir()) == []
    tables.assert_nothing_loaded()
    # WHEN there is room again THEN all of it is loaded
    loader("load")
    assert tables.count("raw.indicators") == 300_001


@pytest.mark.parametrize("bad", [BAD, 'a"b\n'], ids=["a bad value", "a malformed record"])
def test_a_full_disk_while_a_file_is_written_anew(
    loader: Loader, good: Path, spool: Path, bad: str
) -> None:
    # GIVEN a file that is too large to be written without its bad record
    (good / "big.csv").write_text(HEADER + bad + GOOD * 300_000)
    with small_disk():
        result = loader("validate", "--json", good / "big.csv", code=3)
    told = result.stdout + result.stderr
    assert "File too large" in told
    assert "set TMPDIR to a folder with more room" in told
    assert list(spool.iterdir()) == []


def test_no_spool_folder_at_all(
    loader: Loader, good: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", "/nowhere/at/all")
    result = loader("load", code=3)
    assert "no spool folder can be made" in result.stderr
    assert "Set TMPDIR" in result.stderr


@pytest.fixture
def few_tests(project: Path) -> None:
    """Leaves out the project's own tests, which take their time."""
    for path in [*project.glob("models/**/_*__models.yml"), *project.glob("tests/dbt/*/*.sql")]:
        if path.parent.name != "generic":
            path.unlink()


@pytest.mark.usefixtures("few_tests")
def test_a_failing_test_of_the_tables_is_told(
    loader: Loader, good: Path, project: Path, tables: Tables
) -> None:
    # GIVEN a data test that the data will fail
    (project / "tests/dbt/no_example.sql").write_text(
        "select * from {{ ref('stg_cti__indicators') }} where indicator = 'a.example'"
    )
    # WHEN the feed is run
    result = loader("run", "--json", code=1)
    # THEN the data is loaded, the exit code says that it is bad, and the message which test failed
    assert tables.count("raw.indicators") == 1
    assert "no_example" in result.stderr
    assert "the data is loaded, but 1 test" in result.stderr


@pytest.mark.usefixtures("few_tests")
@pytest.mark.parametrize("mistake", ["no_such_column", "{{ no_such_macro() }}"])
def test_a_model_that_does_not_build_is_told(
    loader: Loader, good: Path, project: Path, tables: Tables, mistake: str
) -> None:
    (project / "models/marts/broken.sql").write_text(
        f"select {mistake} from {{{{ ref('stg_cti__indicators') }}}}"
    )
    # No retry cures it, which is what the exit code says.
    result = loader("run", "--json", code=2)
    assert "broken" in result.stderr
    assert mistake.strip("{ ()}") in result.stderr
    assert tables.count("raw.indicators") == 1


@pytest.mark.parametrize("place", ["gs://lake/rejects", "s3:///rejects"])
def test_a_place_for_rejects_that_is_none(
    loader: Loader, good: Path, tables: Tables, project: Path, place: str
) -> None:
    # Not a local folder of that name, which a container would take with it.
    told = loader("load", "--rejects-to", place, code=2).stderr
    assert "neither a folder nor s3://bucket/prefix/" in told
    assert not (project / "gs:").exists()
    tables.assert_nothing_loaded()


def test_a_commit_that_was_done_after_all_is_reported_whatever_came_since(
    good: Path,
    project: Path,
    tables: Tables,
    lose_commit: Callable[[Callable[[], object]], None],
) -> None:
    # GIVEN a COMMIT that is done but whose answer is lost, and a bad file that comes just then
    lose_commit(lambda: (good / "z.csv").write_text(HEADER + BAD))
    opened = Project(project)
    try:
        quiet = Meddler("never", lambda: None)
        report = pipeline.Load(opened, opened.feed("indicators"), quiet).run()
    finally:
        DuckDBConnectionManager.close_all_connections()
    assert (good / "z.csv").exists()
    # THEN the load is reported as what it is: done
    assert (report.load, report.files, report.files_loaded_before) == (1, 1, 0)
    assert report.records_loaded == tables.count("raw.indicators") > 0
