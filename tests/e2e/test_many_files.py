"""A feed of many files: what is new is asked of the ledger, some files at a time."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from e2e.engines import on_both_engines, slowly_on_both_engines
from e2e.meddler import Meddler
from e2e.test_local_files import load

from loader.warehouse.connection import Warehouse
from loader.warehouse.project import Project

if TYPE_CHECKING:
    from conftest import Lake, Loader
    from e2e.engines import Tables

HEADER = "indicator,indicator_type,source,confidence,first_seen\n"
# What a key may have that SQL and Jinja could take otherwise.
NAMES = ("a'b.csv", "c--d.csv", "e{{f}}.csv", "g', 'h.csv", "ü 観.csv", "%s.csv", "plain.csv")


def text(name: str, value: str = "5") -> bytes:
    return f"{HEADER}{name}.example,domain,me,{value},2026-01-01\n".encode()


def loaded(loader: Loader, *options: str) -> dict[str, Any]:
    report: dict[str, Any] = json.loads(loader("load", "--json", *options).stdout)
    return report


@slowly_on_both_engines
def test_what_is_new_is_found_whatever_became_of_the_others(
    loader: Loader, lake: Lake, tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN a listing of several times what the ledger is asked for at once
    monkeypatch.setattr("loader.jobs.plan._AT_ONCE", 3)
    monkeypatch.setenv("CTI_INDICATORS_LOCATION", lake.uri("*.csv"))
    for number, name in enumerate(NAMES):
        lake.put(name, text(f"n{number}"))
    assert loaded(loader)["files"] == len(NAMES)
    # THEN none is new a second time
    again = loaded(loader)
    assert (again["load"], again["files_loaded_before"]) == (None, len(NAMES))
    # WHEN one is overwritten, one rolled back, and one comes THEN two are new
    lake.put(NAMES[0], text("other"))
    loader("rollback", "--file", lake.uri(NAMES[1]), "--yes")
    lake.put("z.csv", text("z"))
    report = loaded(loader)
    assert (report["files"], report["files_rolled_back_before"]) == (2, 1)
    assert report["files_loaded_before"] == len(NAMES) - 2
    # WHEN the one that was taken back is asked for THEN it is loaded, once
    assert loaded(loader, "--reload", lake.uri(NAMES[1]))["files"] == 1
    report = loaded(loader)
    assert (report["load"], report["files_loaded_before"]) == (None, len(NAMES) + 1)
    # WHEN an object is what it was before THEN that version was loaded
    lake.put(NAMES[0], text("n0"))
    assert loaded(loader)["load"] is None
    assert tables.count("raw.indicators") == len(NAMES) + 2
    loader("check")


@pytest.mark.slow
def test_files_that_are_gone_from_the_listing_are_not_asked_for(
    loader: Loader, project: Path, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN a ledger of files of which all but one were removed
    monkeypatch.setenv("CTI_INDICATORS_LOCATION", lake.uri("*.csv"))
    for number in range(30):
        lake.put(f"{number}.csv", text(str(number)))
    loader("load")
    for number in range(1, 30):
        lake.delete(f"{number}.csv")
    lake.put("new.csv", text("new"))
    fetched, stream = list[dict[str, Any]](), Warehouse.stream

    def streaming(self: Warehouse, sql: str) -> Any:
        for row in stream(self, sql):
            fetched.append(row)
            yield row

    monkeypatch.setattr(Warehouse, "stream", streaming)
    # WHEN what is new is loaded THEN a load fetches a few rows, not the ledger
    assert loaded(loader)["files"] == 1
    assert [row["uri"] for row in fetched if "etag" in row] == [lake.uri("0.csv")]
    assert len([row for row in fetched if "column_name" not in row]) < 15


@slowly_on_both_engines
def test_whatever_becomes_of_a_feed_shows_in_its_state(
    loader: Loader, project: Path, feed_folder: Path, tables: Tables
) -> None:
    """By it a load finds out that another one was quicker, which may have loaded its files."""
    contract = project / "models/staging/cti/_cti__sources.yml"
    contract.write_text(contract.read_text().replace("max_fraction: 0.01", "max_fraction: 0.5"))
    opened = Project(project)

    def state() -> tuple[Any, ...]:
        with opened.warehouse(opened.feed("indicators")) as warehouse:
            return tuple(warehouse.rows("ledger_state")[0].items())

    (feed_folder / "a.csv").write_bytes(text("a") + b"b.example,domain,me,much,2026-01-01\n")
    loader("load")
    states = [state()]
    exported = loader("rejects", "--csv").stdout.replace("much", "50")
    Path("fixed.csv").write_text(exported, newline="")
    (feed_folder / "b.csv").write_bytes(text("b"))
    for command in (
        *(["load"], ["replay", "--from", "fixed.csv"], ["rollback", "3", "--yes"]),
        *(["rollback", "--file", "feed/a.csv", "--yes"], ["load", "--reload", "feed/a.csv"]),
    ):
        loader(*command)
        states.append(state())
    assert len(set(states)) == len(states) == 6


@pytest.mark.slow
def test_a_version_that_is_rolled_back_meanwhile_holds_no_other_up(
    loader: Loader, project: Path, feed_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN a file with other bytes than before, whose first version is rolled back meanwhile
    monkeypatch.setattr("loader.jobs.attempts._WAITS", ())
    (feed_folder / "a.csv").write_bytes(text("a"))
    loader("load")
    (feed_folder / "a.csv").write_bytes(text("b"))
    done = list[Any]()

    def roll_back() -> None:
        if not done:
            done.append(loader("rollback", "1", "--yes"))

    # WHEN it is loaded THEN the first try does it
    assert load(project, Meddler("validating", roll_back)).load == 2


@pytest.fixture
def days(feed_folder: Path) -> Callable[[str, int], None]:
    """Writes a file that is from a day of 2026."""

    def write(name: str, day: int) -> None:
        path = feed_folder / name
        path.write_bytes(text(name))
        os.utime(path, (1_767_225_600 + day * 86_400,) * 2)

    return write


def test_a_load_takes_no_more_files_than_it_may(
    loader: Loader, days: Callable[[str, int], None], tables: Tables
) -> None:
    # GIVEN five new files
    for name, day in (("a.csv", 3), ("b.csv", 1), ("c.csv", 2), ("d.csv", 1), ("e.csv", 4)):
        days(name, day)

    def uris() -> list[str]:
        rows = tables.rows("select uri from raw._loaded_files order by load_id")
        return [str(uri).removeprefix("feed/") for (uri,) in rows]

    # WHEN two are allowed THEN the plan has the oldest, and says how many are left
    planned = loader("plan", "--max-files", "2").stdout
    assert "2 new, 0 loaded before; 3 more new files are left to the next load" in planned
    shown = json.loads(loader("plan", "--max-files", "2", "--json").stdout)
    assert ([f["uri"] for f in shown["new"]], shown["left"]) == (["feed/b.csv", "feed/d.csv"], 3)
    # AND a load takes them
    assert loaded(loader, "--max-files", "2")["files_left"] == 3
    assert uris() == ["b.csv", "d.csv"]
    told = loader("load", "--max-files", "2").stdout
    assert "2 files, 2 of 2 records loaded, 0 rejected; 1 more new files are left" in told
    assert uris() == ["b.csv", "d.csv", "c.csv", "a.csv"]
    # AND the last, of which nothing is left
    assert loaded(loader, "--max-files", "2")["files_left"] == 0
    assert loaded(loader, "--max-files", "2")["load"] is None
    loader("check")


@pytest.mark.slow
def test_files_that_were_only_touched_keep_no_others_back(
    loader: Loader, days: Callable[[str, int], None]
) -> None:
    # GIVEN loaded files that look older and newer than they were, and a new one
    for name in ("a.csv", "b.csv", "c.csv"):
        days(name, 5)
    loader("load")
    for name, day in (("a.csv", 1), ("b.csv", 2), ("c.csv", 9), ("new.csv", 7)):
        days(name, day)
    # WHEN one file may be loaded THEN it is the new one
    report = loaded(loader, "--max-files", "1")
    assert (report["files"], report["files_loaded_before"], report["files_left"]) == (1, 2, 1)


@pytest.mark.slow
def test_a_file_to_be_reloaded_comes_before_older_ones(
    loader: Loader, days: Callable[[str, int], None], tables: Tables
) -> None:
    days("z.csv", 9)
    loader("load")
    loader("rollback", "1", "--yes")
    days("a.csv", 1)
    loader("load", "--max-files", "1", "--reload", "feed/z.csv")
    rows = tables.rows("select uri from raw._loaded_files where status = 'loaded'")
    assert rows == [("feed/z.csv",)]


def test_the_files_of_one_table_are_not_divided(
    loader: Loader, project: Path, days: Callable[[str, int], None], tables: Tables
) -> None:
    contract = project / "models/staging/cti/_cti__sources.yml"
    contract.write_text(contract.read_text().replace("mode: append", "mode: replace"))
    days("a.csv", 1)
    for command in ("load", "plan", "run"):
        told = loader(command, "--max-files", "5", code=2).stderr
        assert "--max-files divides no feed in mode replace" in told
    assert tables.count("raw.indicators") == 0


@pytest.mark.slow
def test_a_clean_file_of_1600_columns_is_loaded(
    loader: Loader, project: Path, tables: Tables
) -> None:
    # GIVEN as many columns as a table of Redshift may have, and more rows than one buffer holds
    rules: tuple[dict[str, Any], ...]
    rules = ({}, {"type": "integer"}, {"accepted_values": ["a", "b"]}, {"type": "date"})
    values = ("some text", "12345", "a", "2026-01-01")
    columns = [
        {"name": f"c{n}", "data_type": "varchar(99)", "config": {"meta": rules[n % 4]}}
        for n in range(1600)
    ]
    feed = {"location": "wide/*.csv", "rejects": {"max_rows": 1}}
    table: dict[str, Any] = {"name": "wide", "config": {"meta": {"feed": feed}}}
    table |= {"columns": columns, "data_tests": [{"ledger_matches_landing": {"name": "wide_"}}]}
    source = {"name": "odd", "schema": "raw", "tables": [table]}
    (project / "models/wide.yml").write_text(yaml.safe_dump({"sources": [source]}))
    (project / "wide").mkdir()
    record = ",".join(values[n % 4] for n in range(1600)) + "\n"
    header = ",".join(f"c{n}" for n in range(1600)) + "\n"
    (project / "wide/a.csv").write_text(header + record * 5000)
    # WHEN it is loaded THEN so many columns fit into the memory that a load has
    told = loader("load", "--select", "wide").stdout
    assert "load 1: 1 files, 5,000 of 5,000 records loaded" in told
    assert tables.rows("select count(*), min(c1599), max(c3) from raw.wide") == [
        (5000, "2026-01-01", "2026-01-01")
    ]
    # AND where a record is to be rejected the validator reads it as well
    (project / "wide/b.csv").write_text(header + record * 5000 + "short\n" + record * 5000)
    told = loader("load", "--select", "wide").stdout
    assert "load 2: 1 files, 10,000 of 10,001 records loaded, 1 rejected" in told


@on_both_engines
def test_many_values_are_quoted_as_each_of_them(project: Path, target: str) -> None:
    values = ["it's", "back\\slash", "two\nlines", "', '", "", "'", "\\'", None, "観 💸", "{{ 1 }}"]
    opened = Project(project)
    with opened.warehouse(opened.feed("indicators")) as warehouse:
        each = [warehouse.render("text_literal", value=value) for value in values]
        assert warehouse.render("text_literals", values=values) == each
        shown = warehouse.query(f"select {', '.join(f'{v} as v{n}' for n, v in enumerate(each))}")
    assert list(shown[0].values()) == values


@pytest.mark.slow
def test_a_file_that_is_asked_for_comes_first_under_whatever_path_the_ledger_has(
    loader: Loader, feed_folder: Path, tables: Tables
) -> None:
    for name, modified in {"old": 1e9, "newest": 1.2e9}.items():
        (feed_folder / f"{name}.csv").write_bytes(text(name))
        os.utime(feed_folder / f"{name}.csv", (modified, modified))
        loader("load")
    # As 0.1.0 spelled it.
    tables.rows("update raw._loaded_files set uri = './feed/newest.csv' where load_id = 2")
    loader("rollback", "2", "--yes")
    (feed_folder / "other.csv").write_bytes(text("other"))
    os.utime(feed_folder / "other.csv", (1e9, 1e9))
    loader("load", "--reload", "feed/newest.csv", "--max-files", "1")
    assert tables.rows("select indicator from raw.indicators order by _load_id") == [
        ("old.example",),
        ("newest.example",),
    ]
