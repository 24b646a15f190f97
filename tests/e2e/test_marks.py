"""Tests in a run look at what is new since they last passed; `check --full` looks at everything."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from e2e.engines import RedshiftTables, on_both_engines, slowly_on_both_engines

if TYPE_CHECKING:
    from conftest import Loader
    from e2e.conftest import BeginWith, Dbt
    from e2e.engines import Tables

HEADER = "indicator,indicator_type,source,confidence,first_seen\n"
ALIASES = "seeds/indicator_type_aliases.csv"
# Of two files the first is loaded, built and tested by each test.
FIRST = "a.example,domain,Me,1,2026-01-01\nb.example,domain,Me,2,2026-01-02\n"
SECOND = "c.example,domain,Me,3,2026-01-03\n"
# A mistake past the loader, in a row of the first; no count tells of it.
SPOIL = "update raw.indicators set source = null where indicator = 'a.example'"
NOT_NULL = "not_null_stg_cti__indicators_source"


def change(project: Path, file: str, old: str, new: str) -> None:
    """Another text in a file of the project."""
    path = project / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


@pytest.fixture
def built(project: Path, loader: Loader, feed_folder: Path, begin_with: BeginWith) -> Path:
    """A warehouse in which the first file was loaded, built and tested; the folder of the feed."""

    def make() -> None:
        # Without this alias there is a value that the contract accepts and the mart's test does
        # not.
        change(project, ALIASES, "link,url\n", "")
        (feed_folder / "a.csv").write_text(HEADER + FIRST)
        loader("run")

    begin_with(make)
    return feed_folder


@on_both_engines
def test_what_is_new_and_wrong_fails_until_it_is_right(
    loader: Loader, project: Path, built: Path
) -> None:
    # GIVEN a record of a load after the mark, with a value that the mart is not to have
    (built / "b.csv").write_text(HEADER + SECOND + "d.example/x,link,Me,1,2026-01-01\n")
    failed = "accepted_values_indicators_indicator_type"
    assert failed in loader("run", code=1).stderr
    # THEN the test goes on failing when nothing is new,
    assert failed in loader("run", code=1).stderr
    # until the reason is gone.
    change(project, ALIASES, "uri,url\n", "uri,url\nlink,url\n")
    loader("run")


@pytest.mark.slow
def test_what_is_old_is_left_to_the_tests_of_all_history(
    loader: Loader, dbt: Dbt, built: Path, tables: Tables
) -> None:
    # GIVEN a row that was tested, and that somebody spoils afterwards
    tables.rows(SPOIL)
    # WHEN a run looks at what is new THEN it does not see it, and nor do counts
    (built / "b.csv").write_text(HEADER + SECOND)
    loader("run")
    loader("run")
    assert "data tests" not in loader("check").stdout
    # BUT the tests of all history do, by the loader and by dbt alone, and so does a full build.
    result = loader("check", "--full", code=1)
    assert "differs: 1 of 70 data tests fail on all history" in result.stdout
    assert f"  {NOT_NULL}: Got 1 result" in result.stdout
    for command in (("test", "--select", "tag:all_history"), ("build", "--full-refresh")):
        with pytest.raises(AssertionError, match=NOT_NULL):
            dbt(*command)
    # That it failed there is not forgotten by the next run either.
    assert NOT_NULL in loader("run", code=1).stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("macros/clean/clean_text.sql", "case == 'lower'", "case == 'upper'"),
        pytest.param(
            "models/staging/cti/stg_cti__indicators.yml",
            "- not_null\n",
            '- not_null: {config: {where: "1 = 1"}}\n',
            marks=pytest.mark.nightly,
        ),
        (ALIASES, "uri,url\n", "uri,url\nlink,url\n"),
    ],
    ids=["rule", "test", "seed"],
)
def test_another_rule_is_tested_on_all_history(
    loader: Loader, project: Path, built: Path, tables: Tables, file: str, old: str, new: str
) -> None:
    tables.rows(SPOIL)
    loader("run")
    # WHEN a rule, a test or the rows of a seed change THEN the next run tests everything by them
    change(project, file, old, new)
    assert NOT_NULL in loader("run", code=1).stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("config", "confidence"),
    [
        ({"error_if": ">1", "warn_if": ">1"}, ""),
        pytest.param({"error_if": ">1"}, "", marks=pytest.mark.nightly),
        pytest.param({"fail_calc": "count(*) // 2"}, "", marks=pytest.mark.nightly),
        # Stands for a condition on the clock.
        pytest.param(
            {"where": "(select count(*) from raw.indicators) > 3"}, "4", marks=pytest.mark.nightly
        ),
    ],
    ids=["thresholds", "error", "sum", "where"],
)
def test_what_one_row_alone_does_not_fail_is_tested_on_all_history(
    loader: Loader, project: Path, built: Path, config: dict[str, str], confidence: str
) -> None:
    # GIVEN a test that bears the first record without confidence
    old = "      - name: confidence\n"
    test = f"        data_tests: [not_null: {{config: {json.dumps(config)}}}]\n"
    change(project, "models/staging/cti/stg_cti__indicators.yml", old, old + test)
    (built / "b.csv").write_text(HEADER + "c.example,domain,Me,,2026-01-03\n")
    loader("run")
    # WHEN it does not bear that of a later load as well THEN it fails, and goes on failing
    (built / "c.csv").write_text(HEADER + f"d.example,domain,Me,{confidence},2026-01-03\n")
    failed = "not_null_stg_cti__indicators_confidence"
    assert failed in loader("run", code=1).stderr
    assert failed in loader("run", code=1).stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    "feed", [True, pytest.param(False, marks=pytest.mark.nightly)], ids=["feed", "source"]
)
def test_a_join_is_tested_on_all_history(
    loader: Loader, project: Path, built: Path, tables: Tables, feed: bool
) -> None:
    # GIVEN a model that joins what may change without a new row of the feed
    config = "{meta: {feed: {location: names/*.csv, mode: replace}}}" if feed else "{}"
    counted = "[ledger_matches_landing]" if feed else "[]"
    (project / "models/staging/two.yml").write_text(
        "sources:\n  - name: two\n    schema: raw\n    tables:\n      - name: names\n"
        f"        config: {config}\n        data_tests: {counted}\n"
        "        columns: [{name: name, data_type: varchar(9)}]\n"
    )
    (project / "models/marts/owned.sql").write_text(
        "select cti._load_id, names.name from {{ ref('stg_cti__indicators') }} as cti"
        " left join {{ source('two', 'names') }} as names on names.name = cti.indicator"
    )
    (project / "models/marts/owned.yml").write_text(
        "models:\n  - name: owned\n    config: {materialized: table}\n    columns:\n"
        "      - {name: _load_id}\n      - {name: name, data_tests: [not_null]}\n"
    )

    def name(*names: str) -> None:
        if feed:
            (project / "names").mkdir(exist_ok=True)
            (project / "names/n.csv").write_text("\n".join(["name", *names, ""]))
            loader("load", "--select", "names")
        else:
            rows = " union all ".join(f"select '{name}' as name" for name in names)
            tables.rows(f"create or replace table raw.names as {rows}")

    name("a.example", "b.example")
    loader("run")
    # WHEN it does THEN the test sees it.
    name("a.example")
    assert "not_null_owned_name" in loader("run", code=1).stderr


@pytest.mark.nightly
def test_a_warning_that_becomes_an_error_fails(loader: Loader, project: Path, built: Path) -> None:
    # GIVEN a row that was warned of
    model, old = "models/staging/cti/stg_cti__indicators.yml", "      - name: confidence\n"
    test = "        data_tests: [not_null: {config: {severity: warn}}]\n"
    change(project, model, old, old + test)
    (built / "b.csv").write_text(HEADER + "c.example,domain,Me,,2026-01-03\n")
    loader("run")
    # WHEN its test is to be an error THEN it is one
    change(project, model, "severity: warn", "severity: error")
    assert "not_null_stg_cti__indicators_confidence" in loader("run", code=1).stderr


@pytest.mark.slow
def test_a_rollback_has_all_loads_counted(loader: Loader, built: Path, tables: Tables) -> None:
    # GIVEN two loads, and a record of the first gone, which no run looks for
    (built / "b.csv").write_text(HEADER + SECOND)
    loader("run")
    tables.rows("delete from raw.indicators where indicator = 'a.example'")
    assert "some that it had counted are gone" in loader("run").stdout
    # WHEN the second is rolled back THEN what stands is counted anew
    stderr = loader("rollback", "2", "--yes", code=1).stderr
    assert "check landing: not so: 2 records of 1 loads are landed" in stderr


@pytest.fixture
def spoiled(built: Path, loader: Loader, tables: Tables) -> None:
    """A row spoiled, whose key has a newer record, which no test has to find fault with."""
    (built / "b.csv").write_text(HEADER + "A.example,domain,Me,1,2026-01-03\n")
    loader("run")
    tables.rows(SPOIL)


@pytest.mark.slow
def test_keys_that_are_made_anew_are_tested_anew(
    loader: Loader, spoiled: None, tables: Tables
) -> None:
    # GIVEN the newer record gone, for which the key is made anew of the old one
    tables.rows("delete from raw.indicators where indicator = 'A.example'")
    # THEN the tests of the mart look at it
    stderr = loader("run", code=1).stderr
    assert "not_null_indicators_source" in stderr
    assert NOT_NULL not in stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    "full",
    [False, pytest.param(True, marks=pytest.mark.nightly)],
    ids=["miscounted", "full refresh"],
)
def test_marks_of_the_rows_before_are_none_of_keys_that_are_made_anew(
    loader: Loader, dbt: Dbt, spoiled: None, tables: Tables, full: bool
) -> None:
    # GIVEN a build that has tested the mart, and another that makes it anew meanwhile, not well
    marks = tables.rows("select test, passed_up_to, rules, checked_at from raw._checked")
    tables.rows("delete from raw.indicators where indicator = 'A.example'")
    dbt("run", *(["--full-refresh"] if full else []))
    # WHEN the first comes to write its marks
    tables.rows("delete from raw._checked")
    rows = ", ".join(f"('{test}', {load}, '{rules}', '{at}')" for test, load, rules, at in marks)
    tables.rows(f"insert into raw._checked (test, passed_up_to, rules, checked_at) values {rows}")
    # THEN they are not of the mart that is there, but of the view, of which no row has changed.
    test = "not_null_indicators_source"
    with pytest.raises(AssertionError, match=test):
        dbt("test", "--select", test)
    dbt("test", "--select", NOT_NULL)


@pytest.mark.nightly
def test_a_mart_without_the_newest_loads_keeps_its_marks(
    loader: Loader, dbt: Dbt, built: Path
) -> None:
    # GIVEN a load that the mart has not taken up when dbt tests it
    (built / "b.csv").write_text(HEADER + "d.example/x,link,Me,1,2026-01-01\n")
    loader("load")
    failed = "accepted_values_indicators_indicator_type"
    dbt("test", "--select", f"{failed}*")
    # WHEN it has THEN the test looks at it
    assert failed in loader("run", code=1).stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("test", "spoil"),
    [
        (
            "unique_combination_indicators",
            "insert into analytics.indicators select * replace (2 as last_load_id)"
            " from analytics.indicators where indicator = 'a.example'",
        ),
        ("counts_every_key", "delete from analytics.indicators where indicator = 'c.example'"),
        pytest.param(
            "counts_every_key",
            "update analytics.indicators set occurrences = 0 where indicator = 'c.example'",
            marks=pytest.mark.nightly,
        ),
        pytest.param(
            "counts_every_key",
            "update analytics.indicators set last_load_id = 2 where indicator = 'a.example'",
            marks=pytest.mark.nightly,
        ),
    ],
    ids=["key twice", "no key", "too few", "not new"],
)
def test_keys_that_new_rows_touch_are_compared(
    loader: Loader, dbt: Dbt, built: Path, tables: Tables, test: str, spoil: str
) -> None:
    # GIVEN a load that is built but not tested, and a mistake about one of its keys
    (built / "b.csv").write_text(HEADER + SECOND)
    loader("load")
    dbt("run")
    assert dbt("test", "--select", f"{test}*") == 1
    tables.rows(spoil)
    with pytest.raises(AssertionError, match=test):
        dbt("test", "--select", f"{test}*")


@pytest.mark.slow
def test_a_warning_is_given_once_and_by_all_history(loader: Loader, built: Path) -> None:
    # GIVEN two URLs of a load that lowercasing makes one
    lines = [f"https://s.example/{path},url,Me,1,2026-01-01\n" for path in ("Ab", "aB")]
    (built / "b.csv").write_text(HEADER + "".join(lines))
    warning = "WARN 1 source_differs_in_case_alone"
    assert warning in loader("run").stdout
    assert warning not in loader("run").stdout
    assert warning in loader("check", "--full").stdout


@pytest.mark.nightly
def test_all_history_alone_compares_the_case_of_new_urls_with_old(
    loader: Loader, built: Path
) -> None:
    # GIVEN two URLs that lowercasing makes one, in two loads
    for name, path in (("b", "Ab"), ("c", "aB")):
        line = f"https://s.example/{path},url,Me,1,2026-01-01\n"
        (built / f"{name}.csv").write_text(HEADER + line)
        assert "PASS source_differs_in_case_alone" in loader("run").stdout
    assert "WARN 1 source_differs_in_case_alone" in loader("check", "--full").stdout


@pytest.mark.slow
def test_a_run_of_one_feed_says_nothing_of_another(
    loader: Loader, project: Path, built: Path, tables: Tables
) -> None:
    # GIVEN a second feed, which loads and passes between two loads of the first
    (project / "models/staging/two.yml").write_text(
        "sources:\n  - name: two\n    schema: raw\n    tables:\n      - name: names\n"
        "        config: {meta: {feed: {location: names/*.csv}}}\n"
        "        data_tests: [ledger_matches_landing]\n"
        "        columns: [{name: name, data_type: varchar(9), data_tests: [not_null]}]\n"
    )
    (project / "names").mkdir()
    (project / "names/n.csv").write_text("name\nA\nB\n")
    (built / "b.csv").write_text(HEADER + "d.example/x,link,Me,1,2026-01-01\n")
    loader("load", "--select", "indicators")
    loader("run", "--select", "names")
    # THEN the first is tested on what it has loaded before that
    failed = "accepted_values_indicators_indicator_type"
    assert failed in loader("run", "--select", "indicators", code=1).stderr
    # AND the second on its own rows alone.
    tables.rows("update raw.names set name = null")
    loader("run", "--select", "names")
    assert "not_null_two_names_name" in loader("check", "--full", "-s", "names", code=1).stdout


@pytest.mark.nightly
def test_a_warehouse_without_marks_is_tested_whole(
    loader: Loader, built: Path, tables: Tables
) -> None:
    # GIVEN the tables of an earlier version, which kept no marks
    tables.rows("drop table raw._checked")
    tables.rows(SPOIL)
    for command in ("plan", "history", "check", "load"):
        loader(command)
    assert NOT_NULL in loader("run", code=1).stderr
    # AND none that are of other tables than these.
    tables.rows(SPOIL.replace("null", "'Me'"))
    loader("run")
    tables.rows("update raw._checked set passed_up_to = 9")
    tables.rows(SPOIL)
    assert NOT_NULL in loader("run", code=1).stderr


@slowly_on_both_engines
def test_marks_that_stay_are_not_written(
    loader: Loader, dbt: Dbt, built: Path, tables: Tables, request: pytest.FixtureRequest
) -> None:
    # GIVEN nothing new since all tests passed
    marks = tables.rows("select * from raw._checked order by 1")
    assert marks
    # WHEN the tests run, on what is new and on all history THEN nothing is written or waited for
    loader("run")
    dbt("test", "--select", "tag:all_history")
    assert tables.rows("select * from raw._checked order by 1") == marks
    if isinstance(tables, RedshiftTables):
        rig = request.getfixturevalue("cluster").rig_only("watches statements")
        rig.forget()
        dbt("test")
        writes = re.compile(r"^\s*(lock|delete|insert|update)\b", re.IGNORECASE | re.MULTILINE)
        assert [sql for sql in rig.sent() if writes.search(sql)] == []


@pytest.mark.slow
def test_check_in_full_tests_no_mart_that_waits(loader: Loader, built: Path) -> None:
    (built / "b.csv").write_text(HEADER + SECOND)
    loader("load")
    stdout = loader("check", "--full").stdout
    assert "behind: no data test was run, since a mart waits for its build" in stdout
