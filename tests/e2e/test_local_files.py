"""Local files that change, or are met twice, while they are loaded."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from e2e.meddler import Meddler

from loader.errors import FileChanged, LoaderError
from loader.jobs import load as pipeline
from loader.validation.screening import Screening
from loader.warehouse.project import Project

if TYPE_CHECKING:
    from e2e.engines import Tables

    from loader.validation.reading import Reading
    from loader.validation.rejects import Verdict
    from loader.validation.validator import Validator

HEADER = "indicator,indicator_type,source,first_seen\n"
RECORD = "a.example,domain,me,2026-01-01\n"


def load(project: Path, meddler: Meddler) -> pipeline.LoadReport:
    opened = Project(project)
    try:
        return pipeline.Load(opened, opened.feed("indicators"), meddler).run()
    finally:
        DuckDBConnectionManager.close_all_connections()


@pytest.mark.parametrize("step", ["validating", "loading"])
@pytest.mark.parametrize("deed", ["append", "delete", "touch"])
def test_a_file_that_changes_during_a_load_undoes_it(
    project: Path, feed_folder: Path, tables: Tables, step: str, deed: str
) -> None:
    # GIVEN a file that is written to while it is loaded
    path = feed_folder / "b.csv"
    (feed_folder / "a.csv").write_text(HEADER + RECORD)
    path.write_text(HEADER + RECORD)

    def meddle() -> None:
        match deed:
            case "append":
                path.write_text(HEADER + RECORD * 2)
            case "delete":
                path.unlink()
            case _:
                os.utime(path, ns=(1, 1))

    # WHEN it is loaded THEN nothing is landed, of the other file neither
    with pytest.raises(LoaderError, match=r"b\.csv|Nothing was loaded"):
        load(project, Meddler(step, meddle))
    tables.assert_nothing_loaded()


def test_records_are_counted_even_if_no_date_tells(
    project: Path, feed_folder: Path, tables: Tables
) -> None:
    # GIVEN a file that gets another record, and its old size and date back
    path = feed_folder / "a.csv"
    path.write_text(HEADER + "a-long-name.example,domain,me,2026-01-01\n" * 4)
    status = path.stat()

    def meddle() -> None:
        text = HEADER + RECORD * 2
        rest = status.st_size - len(text) - len(",domain,me,2026-01-01\n")
        path.write_text(text + "x" * rest + ",domain,me,2026-01-01\n")
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
        assert path.stat().st_size == status.st_size

    # WHEN it is loaded THEN the records that landed are not as many as were validated
    with pytest.raises(LoaderError, match="Nothing was loaded"):
        load(project, Meddler("loading", meddle))
    tables.assert_nothing_loaded()


def test_other_bytes_of_the_same_size_and_date_are_not_loaded(
    project: Path, feed_folder: Path, tables: Tables
) -> None:
    # GIVEN a file in which one letter changes after it was judged, and its date does not
    path = feed_folder / "a.csv"
    path.write_text(HEADER + RECORD)
    before = path.stat()

    def meddle() -> None:
        path.write_text((HEADER + RECORD).replace("domain", "domaim"))
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        assert path.stat().st_size == before.st_size

    # WHEN it is loaded THEN what nobody judged is not landed
    with pytest.raises(FileChanged, match="it was written to"):
        load(project, Meddler("loading", meddle))
    tables.assert_nothing_loaded()


def test_a_file_that_is_cut_off_meanwhile_is_said_to_have_changed(
    project: Path, feed_folder: Path, tables: Tables
) -> None:
    path = feed_folder / "a.csv"
    path.write_text(HEADER + RECORD)
    with pytest.raises(FileChanged, match="it was written to"):
        load(project, Meddler("loading", lambda: path.write_text(HEADER)))
    tables.assert_nothing_loaded()


def test_a_file_that_was_loaded_by_another_meanwhile_is_not_loaded_again(
    project: Path, feed_folder: Path, tables: Tables
) -> None:
    # GIVEN a load that another one overtakes while it validates
    (feed_folder / "a.csv").write_text(HEADER + RECORD)
    first: list[pipeline.LoadReport] = []

    def overtake() -> None:
        first.append(load(project, Meddler("never", lambda: None)))

    # WHEN both come to their end
    try:
        load(project, Meddler("validating", overtake))
    except FileChanged:
        raise
    except LoaderError:
        pass
    # THEN the file is loaded once
    assert first[0].records_loaded == 1
    assert tables.count("raw.indicators") == 1
    assert tables.count("raw._loaded_files") == 1


@pytest.mark.parametrize(
    ("others", "tries", "files"), [("other/*.csv", 1, 2), ("feed/b.csv", 2, 1)]
)
def test_a_load_of_the_same_files_meanwhile_costs_a_second_try(
    project: Path,
    feed_folder: Path,
    tables: Tables,
    monkeypatch: pytest.MonkeyPatch,
    others: str,
    tries: int,
    files: int,
) -> None:
    # GIVEN a load of two files, during which another one loads others of the feed, or one of them
    monkeypatch.setattr("loader.jobs.attempts._WAITS", (0.0,) * (tries - 1))
    (project / "other").mkdir()
    for path in (feed_folder / "a.csv", feed_folder / "b.csv", project / "other/c.csv"):
        path.write_text(HEADER + RECORD)
    judged, overtaken = list[str](), list[int | None]()
    judge = pipeline.judge_file

    def judging(validator: Validator, name: str, *rest: Any) -> Verdict:
        judged.append(name)
        return judge(validator, name, *rest)

    def overtake() -> None:
        if not overtaken:
            with monkeypatch.context() as other:
                other.setenv("CTI_INDICATORS_LOCATION", others)
                overtaken.append(load(project, Meddler("never", lambda: None)).load)

    monkeypatch.setattr(pipeline, "judge_file", judging)
    # WHEN it goes on THEN only what it was about to load itself makes it plan anew; then it judges
    # no file twice
    report = load(project, Meddler("validating", overtake))
    assert (overtaken, report.load, report.files) == ([1], 2, files)
    theirs = others.replace("*", "c")
    assert sorted(judged) == sorted(["feed/a.csv", "feed/b.csv", theirs])
    assert tables.count("raw.indicators") == files + 1


def test_small_files_are_judged_together(
    project: Path, feed_folder: Path, tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Ten thousand of them took more than a minute, five sixths of it to start the engine for each.
    for number in range(30):
        (feed_folder / f"{number}.csv").write_text(HEADER + RECORD)
    screened, screen = list[str](), Screening.unclear_rows

    def screening(self: Screening, reading: Reading, *rest: Any) -> Any:
        screened.append(reading.name)
        return screen(self, reading, *rest)

    def alone(self: Screening, reading: Reading) -> Any:
        raise AssertionError(f"{reading.name} is screened alone")

    monkeypatch.setattr(Screening, "unclear_rows", screening)
    monkeypatch.setattr(Screening, "as_it_is", alone)
    report = load(project, Meddler("never", lambda: None))
    assert (len(screened), report.files, report.records_loaded) == (1, 30, 30)
    assert tables.count("raw.indicators") == 30
