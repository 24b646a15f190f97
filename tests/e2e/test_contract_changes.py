"""A contract that changes: the landing table follows it, and the mart follows that."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from conftest import let_go_of_the_database
from e2e.engines import on_both_engines, slowly_on_both_engines
from faults.steps import ADD_QUERY, EXECUTE, Step, end_at, wait_at, wait_for
from redshift.commands import Commands, warm_up

from loader.warehouse.connection import Warehouse

if TYPE_CHECKING:
    from conftest import Loader
    from e2e.conftest import Dbt
    from e2e.engines import Tables

SOURCES = """
sources:
  - name: lab
    schema: raw
    tables:
      - name: samples
        config: {meta: {feed: {location: "samples_in/*.csv", rejects: {max_rows: 9}}}}
        data_tests: [ledger_matches_landing]
        columns:
          - {name: sample, data_type: varchar(12), config: {meta: {required: true}}}
          - {name: note, data_type: varchar(8)}
"""
STAGING = """
select sample, note, _load_id, _file, _file_time, _record
from {{ landed('lab', 'samples') }}
"""
MART = """
{{ config(
    incremental_strategy='newest', unique_key=['sample'], dist='sample', sort='sample',
    pre_hook="{{ forget_if_miscounted(source('lab', 'samples')) }}"
) }}
{{ newest_by_key(ref('stg_lab__samples'), key=['sample'], columns=['note']) }}
"""
MODELS = """
models:
  - name: samples
    columns: MORE
    data_tests:
      - counts_every_record: {arguments: {landed: "source('lab', 'samples')"}}
"""
TYPED = """
      - {{name: sample, data_type: varchar({key}), constraints: [{{type: not_null}}]}}
      - {{name: note, data_type: varchar({note})}}
      - {{name: _file, data_type: varchar(4096)}}
      - {{name: _file_time, data_type: timestamp}}
      - {{name: _record, data_type: bigint}}
      - {{name: occurrences, data_type: bigint}}
      - {{name: last_load_id, data_type: bigint}}
    config: {{contract: {{enforced: true}}}}
"""
WIDER = "note, data_type: varchar(40)"
ADDED = "          - {name: place, data_type: varchar(16)}\n"
ADD = 'alter table "raw"."samples" add column "place" varchar(16)'
WIDEN = 'alter table "raw"."samples" alter column "note" type varchar(40)'
COLUMNS = (
    "select column_name from information_schema.columns"
    " where table_schema = 'raw' and table_name = 'samples'"
)


class Lab:
    """A project with a feed whose contract changes."""

    def __init__(self, project: Path) -> None:
        self.sources = project / "models/staging/lab/_lab__sources.yml"
        self.staging = project / "models/staging/lab/stg_lab__samples.sql"
        self.mart = project / "models/marts/samples.sql"
        self._files = project / "samples_in"
        self._files.mkdir()
        self.sources.parent.mkdir()
        self.sources.write_text(SOURCES)

    def with_models(self, typed: int = 0, key: int = 12) -> None:
        """Gives it a staging model and a mart, whose text has so many bytes, as has its key."""
        self.staging.write_text(STAGING)
        self.mart.write_text(MART)
        models = MODELS.replace("MORE", TYPED.format(key=key, note=typed) if typed else "[]")
        (self.mart.parent / "samples.yml").write_text(models)

    def put(self, name: str, text: str) -> None:
        """Writes a file of the feed."""
        (self._files / name).write_text(text)

    def change(self, *, add: bool = False, widen: bool = False) -> None:
        """Changes the contract."""
        text = SOURCES + ADDED * add
        self.sources.write_text(text.replace("note, data_type: varchar(8)", WIDER, widen))


@pytest.fixture
def lab(project: Path) -> Lab:
    """A project with the feed lab.samples, which has a file."""
    lab = Lab(project)
    lab.put("1.csv", "sample,note\ns1,short\ns2,x\n")
    return lab


def statements(target: str) -> list[str]:
    """What adds the column and widens the other; DuckDB's text has no length."""
    return [ADD, WIDEN] if target == "redshift" else [ADD]


def landed(tables: Tables, columns: str = "sample, note, place") -> list[tuple[str | None, ...]]:
    return tables.rows(f"select {columns} from raw.samples order by _load_id, 1")


@on_both_engines
def test_a_new_column_and_a_longer_text_reach_the_mart(
    loader: Loader, lab: Lab, tables: Tables, target: str
) -> None:
    # GIVEN a mart by the old contract
    lab.with_models()
    loader("run", "--select", "samples")
    # WHEN the contract and the models have a column more and a longer one
    lab.change(add=True, widen=True)
    lab.staging.write_text(STAGING.replace("note,", "note, place,"))
    lab.mart.write_text(MART.replace("'note'", "'note', 'place'"))
    lab.put("2.csv", "sample,note,place\ns2,much longer than before,north\ns3,y,\n")
    # THEN plan shows what is altered, before anything else, and alters nothing
    for options in ((), ("--json",)):
        shown = loader("plan", "--select", "samples", *options).stdout
        places = [shown.index(json.dumps(s)[1:-1] if options else s) for s in statements(target)]
        assert places < [shown.index("begin")]
    assert "place" not in str(tables.rows(COLUMNS))
    # AND the next run does it, to the end
    loader("run", "--select", "samples")
    assert landed(tables) == [
        ("s1", "short", None),
        ("s2", "x", None),
        ("s2", "much longer than before", "north"),
        ("s3", "y", None),
    ]
    mart = "select sample, note, place, occurrences from analytics.samples order by 1"
    assert tables.rows(mart) == [
        ("s1", "short", None, 1),
        ("s2", "much longer than before", "north", 2),
        ("s3", "y", None, 1),
    ]
    # AND nothing is altered again
    assert "alter table" not in loader("plan", "--select", "samples").stdout
    assert "holds" in loader("check", "--select", "samples").stdout


@pytest.mark.slow
@pytest.mark.parametrize("target", ["redshift"], indirect=True)
def test_a_mart_with_a_contract_of_its_own_gets_longer_texts(
    loader: Loader, lab: Lab, tables: Tables, dbt: Dbt
) -> None:
    # GIVEN a mart whose columns have types, one of which may not be NULL
    lab.with_models(typed=8)
    loader("run", "--select", "samples")
    # WHEN the contracts of feed and mart allow more THEN its next build does
    lab.change(widen=True)
    lab.with_models(typed=40)
    lab.put("2.csv", "sample,note\ns1,much longer than before\n")
    loader("run", "--select", "samples")
    mart = "select sample, note from analytics.samples order by 1"
    assert tables.rows(mart) == [("s1", "much longer than before"), ("s2", "x")]
    # WHEN a key is to be longer THEN it is told that only a full refresh can do it
    lab.sources.write_text(lab.sources.read_text().replace("varchar(12)", "varchar(24)"))
    lab.with_models(typed=40, key=24)
    lab.put("3.csv", "sample,note\nsample-number-4711,y\n")
    told = loader("run", "--select", "samples", code=2).stderr
    assert "the column sample is to be character varying(24)" in told
    assert "dbt build --full-refresh --select samples" in told
    assert len(tables.rows(mart)) == 2
    dbt("run", "--full-refresh", "--select", "samples")
    assert ("sample-number-4711", "y") in tables.rows(mart)


@slowly_on_both_engines
def test_a_load_that_is_killed_at_an_alter_is_made_up_for(
    loader: Loader, lab: Lab, tables: Tables, target: str, project: Path, tmp_path: Path
) -> None:
    loader("load", "--select", "samples")
    lab.change(add=True, widen=True)
    lab.put("2.csv", "sample,note,place\ns3,much longer than before,north\n")
    warm_up(project, tmp_path / "warm")
    commands = Commands(tmp_path / "commands")
    for number, statement in enumerate(statements(target), start=1):
        # GIVEN a load that the kernel ends after a statement, and so before the next one
        step = Step(statement, ADD_QUERY, "after", matching=re.escape(statement))
        kill = partial(end_at, step, signal.SIGKILL)
        load = ("load", "--select", "samples")
        outcome = commands.start("loader", load, dict(os.environ), project, prepare=kill).wait()
        assert outcome.code == -signal.SIGKILL, outcome.text
        # THEN nothing is loaded, and what is left to do is what was not done
        assert landed(tables, "sample") == [("s1",), ("s2",)]
        shown = loader("plan", "--select", "samples").stdout
        assert [s for s in statements(target) if s in shown] == statements(target)[number:]
    commands.close()
    # AND the next load goes on
    assert "load 2: 1 files" in loader("load", "--select", "samples").stdout
    assert landed(tables)[2:] == [("s3", "much longer than before", "north")]


@slowly_on_both_engines
def test_another_loader_may_be_quicker(
    loader: Loader, lab: Lab, tables: Tables, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN two loads that have both seen that the table lacks a column
    loader("load", "--select", "samples")
    lab.change(add=True)
    lab.put("2.csv", "sample,note,place\ns3,z,north\n")
    execute, done = Warehouse.execute, list[str]()

    def twice(self: Warehouse, sql: str) -> None:
        if sql == ADD:
            done.append(sql)
            execute(self, sql)
        execute(self, sql)

    monkeypatch.setattr(Warehouse, "execute", twice)
    # WHEN the other one adds it first THEN this one goes on, and need not begin again
    told = loader("load", "--select", "samples").output
    assert "load 2: 1 files" in told
    assert "Trying again" not in told
    assert done == [ADD]
    assert landed(tables)[2:] == [("s3", "z", "north")]


@pytest.mark.slow
@pytest.mark.parametrize("target", ["redshift"], indirect=True)
@pytest.mark.parametrize(
    "moment",
    [
        pytest.param("lock ", id="staged"),
        pytest.param('insert into "', id="landed", marks=pytest.mark.nightly),
    ],
)
def test_a_load_by_the_old_contract_is_not_hurt(
    loader: Loader, lab: Lab, tables: Tables, moment: str, project: Path, tmp_path: Path
) -> None:
    # GIVEN a load by the old contract that has staged its records, or is in its transaction
    loader("load", "--select", "samples")
    lab.put("2.csv", "sample,note\ns3,old\n")
    warm_up(project, tmp_path / "warm")
    commands, load = Commands(tmp_path / "commands"), ("load", "--select", "samples")
    step = Step("there", EXECUTE, "before" if moment == "lock " else "after", matching=f"^{moment}")
    old = commands.start(
        "loader", load, dict(os.environ), project, prepare=partial(wait_at, step, tmp_path)
    )
    wait_for(tmp_path / "came")
    # WHEN another one alters the table THEN both load all that is theirs
    lab.change(add=True, widen=True)
    lab.put("3.csv", "sample,note,place\ns4,much longer than before,north\n")
    environment = {**os.environ, "DBT_TARGET_PATH": str(tmp_path / "second")}
    new = commands.start("loader", load, environment, project)
    if moment == "lock ":
        new.wait().done()
    else:
        # The table is not altered under it; with a lock on it, that waits.
        time.sleep(3)
        assert not new.ended
    (tmp_path / "go").touch()
    old.wait().done()
    new.wait().done()
    commands.close()
    assert sorted(landed(tables), key=str) == [
        ("s1", "short", None),
        ("s2", "x", None),
        ("s3", "old", None),
        ("s4", "much longer than before", "north"),
    ]


def test_what_the_warehouse_does_not_alter_is_for_a_person(
    loader: Loader, lab: Lab, tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    loader("load", "--select", "samples")
    lab.change(add=True)
    lab.put("2.csv", "sample,note,place\ns3,z,north\n")
    execute = Warehouse.execute
    refused = f"{ADD} no_such_type"
    monkeypatch.setattr(
        Warehouse, "execute", lambda self, sql: execute(self, refused if sql == ADD else sql)
    )
    told = loader("load", "--select", "samples", code=2).stderr
    assert "Nothing was loaded" in told
    assert f"  {ADD};" in told
    assert len(landed(tables, "sample")) == 2


@on_both_engines
def test_a_renamed_column_is_refused_until_somebody_says_which(
    loader: Loader, lab: Lab, tables: Tables
) -> None:
    # GIVEN a file with a column under another name, and a contract that has only that
    loader("load", "--select", "samples")
    lab.sources.write_text(SOURCES.replace("{name: note,", "{name: remark,"))
    lab.put("2.csv", "sample,remark\ns3,z\n")
    # THEN what may be meant is told, and nothing is altered
    for command in ("plan", "load"):
        told = loader(command, "--select", "samples", code=2).stderr
        assert "values of note, which models/staging/lab/_lab__sources.yml no longer" in told
        assert "`header: [NEW NAME]`" in told
        assert '  alter table "raw"."samples" add column "remark" varchar(8);' in told
    # WHEN it is the same THEN a word of the contract says so
    same = "{name: note, config: {meta: {header: remark}},"
    lab.sources.write_text(SOURCES.replace("{name: note,", same))
    loader("load", "--select", "samples")
    assert landed(tables, "sample, note")[2:] == [("s3", "z")]
    # WHEN it is another one THEN the statement says so
    lab.sources.write_text(SOURCES.replace("{name: note,", "{name: remark,"))
    lab.put("3.csv", "sample,remark\ns4,z\n")
    tables.rows('alter table "raw"."samples" add column "remark" varchar(8)')
    loader("load", "--select", "samples")
    assert landed(tables, "sample, note, remark")[3:] == [("s4", None, "z")]
    # AND a column that has gone for long is no other name of a new one
    lab.sources.write_text(lab.sources.read_text() + ADDED)
    lab.put("4.csv", "sample,remark,place\ns5,z,north\n")
    loader("load", "--select", "samples")
    assert landed(tables)[4:] == [("s5", None, "north")]


@on_both_engines
def test_a_column_that_goes_stays_and_a_shorter_one_is_a_rule_for_what_comes(
    loader: Loader, lab: Lab, tables: Tables
) -> None:
    loader("load", "--select", "samples")
    # WHEN a column is shorter THEN what was landed stays as it is
    lab.sources.write_text(SOURCES.replace("varchar(8)", "varchar(2)"))
    lab.put("2.csv", "sample,note\ns3,zz\ns4,zzz\n")
    assert "1 of 2 records loaded, 1 rejected" in loader("load", "--select", "samples").stdout
    # WHEN it is gone THEN it is NULL
    lab.sources.write_text(SOURCES.replace("          - {name: note, data_type: varchar(8)}\n", ""))
    lab.put("3.csv", "sample\ns5\n")
    assert "alter table" not in loader("plan", "--select", "samples").stdout
    loader("load", "--select", "samples")
    assert landed(tables, "sample, note") == [
        *(("s1", "short"), ("s2", "x"), ("s3", "zz"), ("s5", None))
    ]


@on_both_engines
def test_what_files_have_beyond_the_contract_is_kept(
    loader: Loader, lab: Lab, tables: Tables, dbt: Dbt
) -> None:
    # GIVEN a table of a contract without the word
    lab.with_models()
    loader("load", "--select", "samples")
    keep = "max_rows: 9}, columns: {extra: keep}"
    lab.sources.write_text(SOURCES.replace("max_rows: 9}", keep))
    lab.staging.write_text(STAGING.replace("note,", "note, _extra,"))
    # WHEN files have columns that it does not name, in other places, and one too long an object
    lab.put(
        "2.csv", 'Colour,sample,note,"a ""b"""\nRed,s3,x," 1 "\n,s4,y,\n"é\\",s5,much too long,2\n'
    )
    lab.put("3.csv", f"sample,_extra,size\ns6,own,{'n' * 65_520}\ns7,,{'n' * 65_500}\n")
    assert 'add column "_extra" varchar(65535)' in loader("plan", "--select", "samples").stdout
    loader("load", "--select", "samples")
    # THEN they are landed as one object, which staging has as it is, also by one line
    for staging in (lab.staging.read_text(), "{{ typed('lab', 'samples') }}"):
        lab.staging.write_text(staging)
        dbt("run", "--select", "stg_lab__samples")
        rows = tables.rows("select sample, note, _extra from analytics.stg_lab__samples order by 1")
        assert [(s, n, extra and json.loads(extra)) for s, n, extra in rows] == [
            ("s1", "short", None),
            ("s2", "x", None),
            ("s3", "x", {"colour": "Red", 'a "b"': " 1 "}),
            ("s4", "y", {"colour": None, 'a "b"': None}),
            ("s7", None, {"_extra": None, "size": "n" * 65_500}),
        ]
    # AND what cannot be landed is in quarantine, whole, and comes back with its object
    rejected = [
        json.loads(line)
        for line in loader("rejects", "--select", "samples", "--json").stdout.splitlines()
    ]
    assert [(r["column"], r["rule"]) for r in rejected] == [
        ("note", "max_bytes"),
        ("_extra", "max_bytes"),
    ]
    lab.sources.write_text(lab.sources.read_text().replace("varchar(8)", "varchar(40)"))
    loader("replay", "--select", "samples")
    (replayed,) = tables.rows("select note, _extra from raw.samples where sample = 's5'")
    assert (replayed[0], json.loads(replayed[1])) == (
        "much too long",
        {"colour": "é\\", 'a "b"': "2"},
    )
    assert "holds: 0 of 6 landed" in loader("check", "--select", "samples", "--rules").stdout
    # WHEN one of them gets a name, and the others are no longer kept THEN that is no renaming
    lab.sources.write_text(SOURCES + ADDED.replace("place", "size"))
    lab.put("4.csv", "sample,note,size\ns8,,L\n")
    loader("load", "--select", "samples")
    assert landed(tables, "sample, size, _extra")[-1:] == [("s8", "L", None)]


@on_both_engines
def test_landed_records_are_judged_by_the_rules_of_today(
    loader: Loader, lab: Lab, tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN records with whatever a text may hold, of several loads, read some at a time
    monkeypatch.setattr("loader.jobs.judge_landed._AT_ONCE", 2)
    lab.put("2.csv", 'sample,note\ns3,"a,""b"\ns4,"a\nb"\ns5,\ns6," ré "\n')
    loader("load", "--select", "samples")
    lab.put("3.csv", "sample,note\ns3,12345678\n")
    loader("load", "--select", "samples")
    judged = ("check", "--select", "samples", "--rules")
    assert "holds: 0 of 7 landed records break" in loader(*judged).stdout
    # WHEN rules are narrower THEN it says which records they would reject
    required = "config: {meta: {required: true}}}"
    narrower = SOURCES.replace("varchar(8)}", f"varchar(4), {required}") + ADDED
    lab.sources.write_text(narrower)
    told = loader(*judged, code=1)
    assert "differs: 4 of 7 landed records break the rules of today" in told.stdout
    assert "note: max_bytes: 3 records" in told.stdout
    lines = map(json.loads, loader(*judged, "--json", code=1).stdout.splitlines())
    (found,) = (line["differences"] for line in lines if line["check"] == "rules")
    assert found == [
        {"column": "note", "rule": "max_bytes", "records": 3},
        {"column": "note", "rule": "required", "records": 1},
    ]
    # WHEN a column is required that was never there THEN none has it
    lab.sources.write_text(narrower.replace("varchar(16)}", f"varchar(16), {required}"))
    assert "differs: 7 of 7" in loader(*judged, code=1).stdout
    # AND nothing is changed
    assert len(landed(tables, "sample")) == 7
    lab.sources.write_text(SOURCES)
    assert "holds" in loader("check", "--select", "samples").stdout


@on_both_engines
def test_a_build_has_the_table_follow_too(
    loader: Loader, lab: Lab, tables: Tables, dbt: Dbt, target: str
) -> None:
    # GIVEN a contract and a model with a column more, and no new file
    lab.with_models()
    loader("load", "--select", "samples")
    lab.change(add=True, widen=True)
    lab.staging.write_text(STAGING.replace("note,", "note, place,"))
    # WHEN something else is built THEN nothing is altered
    dbt("run", "--select", "load_quality")
    assert ADD in loader("plan", "--select", "samples").stdout
    # WHEN it is built THEN the view has the column
    dbt("run", "--select", "stg_lab__samples")
    assert tables.rows("select sample, place from analytics.stg_lab__samples order by 1") == [
        ("s1", None),
        ("s2", None),
    ]
    assert "alter table" not in loader("plan", "--select", "samples").stdout


def test_half_a_contract_creates_nothing(
    loader: Loader, lab: Lab, tables: Tables, dbt: Dbt
) -> None:
    # GIVEN a feed that somebody is about to write down
    lab.sources.write_text(SOURCES.replace(", data_type: varchar(8)", ""))
    # WHEN another feed is built THEN no table comes of it
    dbt("run", "--select", "load_quality")
    assert tables.rows(COLUMNS) == []
    # WHEN dbt is to build it THEN it is told what is missing, and no table comes of it either
    lab.with_models()
    with pytest.raises(AssertionError, match=r"column note: write data_type: varchar\(n\)"):
        dbt("run", "--select", "stg_lab__samples")
    let_go_of_the_database()
    assert tables.rows(COLUMNS) == []
    loader("load", "--select", "samples", code=2)
    assert tables.rows(COLUMNS) == []
