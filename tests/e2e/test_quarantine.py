"""Rejected records are set aside with their reasons, and come back when they pass."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from e2e.engines import on_both_engines, slowly_on_both_engines
from e2e.meddler import Meddler

from loader.errors import ConfigError
from loader.jobs.replay import Corrections, replay
from loader.warehouse.project import Project

if TYPE_CHECKING:
    from conftest import Loader
    from e2e.conftest import Dbt
    from e2e.engines import Tables

HEADER = "indicator,indicator_type,source,confidence,first_seen\n"
GOOD = "".join(f"host-{n}.example,domain,me,{n},2026-01-01\n" for n in range(1, 98))
REFUSED = [
    ("eleven.example,domain,me,eleven,2026-01-01", "confidence", "integer"),
    ('quo"te.example,domain,me,1,2026-01-01', "indicator", "stray_quote"),
    ("short.example,domain", None, "too_few_fields"),
]


@pytest.fixture
def lenient(project: Path) -> Path:
    """The project, with three rejected records of a hundred allowed."""
    contract = project / "models/staging/cti/_cti__sources.yml"
    text = contract.read_text()
    assert text.count("max_fraction: 0.01") == 1
    contract.write_text(text.replace("max_fraction: 0.01", "max_fraction: 0.03"))
    return contract


@pytest.fixture
def dirty(lenient: Path, feed_folder: Path) -> Path:
    """A file of a hundred records, three of them refused."""
    path = feed_folder / "dirty.csv"
    path.write_text(HEADER + GOOD + "".join(f"{raw}\n" for raw, _, _ in REFUSED))
    return path


@on_both_engines
def test_good_records_load_and_the_others_are_set_aside(
    loader: Loader, dbt: Dbt, tables: Tables, dirty: Path, tmp_path: Path
) -> None:
    # WHEN a file with a few rejected records is loaded
    kept = tmp_path / "kept"
    done = loader("load", "--rejects-to", str(kept))
    assert done.exit_code == 0, done.output
    assert "97 of 100 records loaded, 3 rejected" in done.output
    assert "rejects --load 1" in done.output
    # THEN the good ones are landed and the others lie beside them, whole, each with its reason
    assert tables.count("raw.indicators") == 97
    found = tables.rows(
        "select load_id, feed, record, line, column_name, rule, raw_text, part, replayed_by"
        " from raw._rejected_records order by record"
    )
    assert found == [
        (1, "cti.indicators", n, n + 1, column, rule, raw, 1, None)
        for n, (raw, column, rule) in enumerate(REFUSED, start=98)
    ]
    ((etag, uri, contract),) = tables.rows(
        "select distinct etag, uri, contract from raw._rejected_records"
    )
    assert tables.rows("select etag, uri from raw._loaded_files") == [(etag, uri)]
    assert re.fullmatch("[0-9a-f]{64}", contract)
    # AND in the file that was asked for
    (log,) = kept.iterdir()
    assert str(log) in done.output
    assert [json.loads(line)["raw"] for line in log.read_text().splitlines()] == [
        raw for raw, _, _ in REFUSED
    ]
    # AND every data test holds, and sees it if one of them is gone
    dbt("build", "--exclude-resource-type", "unit_test")
    assert tables.rows(
        "select load_id, outcome, rule, records, records_replayed from analytics.load_quality"
        " order by outcome, rule"
    ) == [
        (1, "loaded", None, 97, 0),
        (1, "rejected", "integer", 1, 0),
        (1, "rejected", "stray_quote", 1, 0),
        (1, "rejected", "too_few_fields", 1, 0),
    ]
    tables.rows("delete from raw._rejected_records where record = 99")
    for test in ("test_name:ledger_matches_quarantine", "load_quality_adds_up"):
        with pytest.raises(AssertionError, match=test.removeprefix("test_name:")):
            dbt("test", "--select", f"{test},tag:all_history")


def test_over_the_limit_nothing_is_loaded_and_the_rejects_are_kept(
    loader: Loader, tables: Tables, dirty: Path, project: Path
) -> None:
    # GIVEN one rejected record too many
    with dirty.open("a") as file:
        file.write("four.example,nonsense,me,1,2026-01-01\n")
    # WHEN it is loaded THEN nothing is, and the records are in a file whose path is told
    done = loader("load", code=1)
    assert "refused 4 of 101 records" in done.output
    assert "allows 3%" in done.output
    tables.assert_nothing_loaded()
    assert tables.count("raw._rejected_records") == 0
    (kept,) = (project / "rejects").iterdir()
    assert f"rejects/{kept.name}" in done.output
    assert [json.loads(line)["record"] for line in kept.read_text().splitlines()] == [
        98,
        99,
        100,
        101,
    ]


def test_a_file_refused_as_a_whole_stops_the_load_whatever_is_allowed(
    loader: Loader, tables: Tables, dirty: Path, feed_folder: Path
) -> None:
    (feed_folder / "other.csv").write_text("a,b\n1,2\n")
    assert "1 file as a whole" in loader("load", code=1).output
    tables.assert_nothing_loaded()


def test_the_rejects_are_shown_by_rule_and_each(loader: Loader, dirty: Path) -> None:
    loader("load")
    shown = loader("rejects").output
    for raw, column, rule in REFUSED:
        assert re.search(rf"{column or ''} +{rule} +1\n", shown)
        assert raw in shown
    records = [json.loads(line) for line in loader("rejects", "--json").stdout.splitlines()]
    assert [(r["load"], r["record"], r["raw"]) for r in records] == [
        (1, n, raw) for n, (raw, _, _) in enumerate(REFUSED, start=98)
    ]
    none = "cti.indicators: no record of load 2 is in quarantine\n"
    assert loader("rejects", "--load", "2").output == none
    none = "cti.indicators: no record of file none is in quarantine\n"
    assert loader("rejects", "--file", "none").output == none
    assert len(loader("rejects", "--load", "1", "--csv").stdout.splitlines()) == 4


def test_nothing_loaded_has_no_rejects(loader: Loader, lenient: Path) -> None:
    assert loader("rejects").output == "cti.indicators: no record is in quarantine\n"
    assert loader("replay").output == "cti.indicators: no record is in quarantine\n"


@on_both_engines
def test_a_widened_rule_brings_records_back_once(
    loader: Loader, tables: Tables, dirty: Path, lenient: Path
) -> None:
    # GIVEN quarantined records
    loader("load")
    # WHEN nothing has changed THEN nothing comes back
    assert "0 of 3 records loaded" in loader("replay").output
    # WHEN the rule is widened
    lenient.write_text(lenient.read_text().replace("type: integer", "type: text", 1))
    contract = lenient.read_text()
    start = contract.index("- name: confidence")
    rules = contract[start : contract.index("- name: first_seen")]
    widened = "".join(line for line in rules.splitlines(True) if "imum:" not in line)
    lenient.write_text(contract.replace(rules, widened))
    replayed = loader("replay").output
    # THEN the record that passes is a load of its own, as it came, and the others stay
    assert "load 2: 1 of 3 records loaded" in replayed
    assert tables.rows("select indicator, confidence from raw.indicators where _load_id = 2") == [
        ("eleven.example", "eleven")
    ]
    assert tables.rows("select record, replayed_by from raw._rejected_records order by 1") == [
        (98, 2),
        (99, None),
        (100, None),
    ]
    assert tables.rows(
        "select records_read, records_loaded, records_rejected, status from raw._loaded_files"
        " where load_id = 2"
    ) == [(1, 1, 0, "replayed")]
    # AND only once
    assert "0 of 2 records loaded" in loader("replay").output
    assert tables.count("raw.indicators") == 98
    # AND the file is not new because of it
    assert "nothing new" in loader("load").output


@on_both_engines
@pytest.mark.slow
def test_corrected_records_come_back_once(
    loader: Loader, dbt: Dbt, tables: Tables, dirty: Path, tmp_path: Path
) -> None:
    # GIVEN the exported rejects, all corrected but one
    loader("load")
    dbt("seed")
    dbt("run")
    exported = loader("rejects", "--csv").stdout
    corrected = tmp_path / "corrected.csv"
    corrected.write_text(
        exported.replace(",eleven,2026", ",11,2026").replace('quo""te', "quote"), newline=""
    )
    # WHEN they are replayed
    done = loader("replay", "--from", str(corrected), code=1)
    # THEN those that pass are loaded, and the exit code says that one did not
    assert "load 2: 2 of 3 records loaded" in done.output
    assert "1 corrected records are still rejected" in done.output
    assert tables.rows(
        "select indicator, confidence from raw.indicators where _load_id = 2 order by 1"
    ) == [("eleven.example", "11"), ("quote.example", "1")]
    # AND the mart takes them up, with every data test green
    dbt("build", "--exclude-resource-type", "unit_test")
    assert tables.rows("select sum(occurrences) from analytics.indicators") == [(99,)]
    assert tables.rows(
        "select load_id, outcome, sum(records), sum(records_replayed) from analytics.load_quality"
        " group by load_id, outcome order by 1, 2"
    ) == [(1, "loaded", 97, 0), (1, "rejected", 3, 2), (2, "loaded", 2, 0)]
    # AND a second time is refused, with nothing loaded
    again = loader("replay", "--from", str(corrected), code=2)
    assert "not in quarantine from load 1" in again.output
    assert tables.count("raw.indicators") == 99


@pytest.mark.parametrize(
    "wrong",
    ['a.example,domain,me,1,"2026-01-01\nnext line', HEADER.strip()],
    ids=["open", "header"],
)
def test_a_bad_correction_takes_no_other_record_along(
    loader: Loader, tables: Tables, lenient: Path, feed_folder: Path, tmp_path: Path, wrong: str
) -> None:
    # GIVEN two quarantined records, the first "corrected" to one that opens a quote over lines, or
    # to a second header
    (feed_folder / "a.csv").write_text(
        HEADER + GOOD + "a.example,domain,me,x,2026-01-01\nb.example,domain,me,y,2026-01-01\n"
    )
    loader("load")
    rows = list(csv.DictReader(loader("rejects", "--csv").stdout.splitlines()))
    rows[0]["raw"] = wrong
    rows[1]["raw"] = "b.example,domain,me,2,2026-01-01"
    corrected = tmp_path / "corrected.csv"
    with corrected.open("w", newline="") as out:
        writer = csv.DictWriter(out, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    # WHEN they are replayed THEN the other one is loaded, and only that
    assert "1 of 2 records loaded" in loader("replay", "--from", str(corrected), code=1).output
    assert tables.rows("select indicator from raw.indicators where _load_id = 2") == [
        ("b.example",)
    ]


@on_both_engines
def test_what_was_replaced_does_not_come_back(
    loader: Loader, tables: Tables, dirty: Path, lenient: Path
) -> None:
    # GIVEN a feed in replace mode with quarantined records, of which one was replayed
    lenient.write_text(lenient.read_text().replace("mode: append", "mode: replace"))
    loader("load")
    exported = loader("rejects", "--csv").stdout
    # WHEN another file takes the place of its file
    dirty.write_text(HEADER + "new.example,domain,me,1,2026-01-01\n")
    loader("load")
    assert tables.count("raw.indicators") == 1
    # THEN its records are no longer to be replayed, though they are kept
    assert "no record is in quarantine" in loader("replay").output
    assert tables.count("raw._rejected_records") == 3
    assert exported.count("\n") == 4


def test_a_rejected_record_that_gets_lost_on_its_way_undoes_the_load(
    loader: Loader, tables: Tables, dirty: Path, project: Path
) -> None:
    # GIVEN a macro that somebody has overridden so that it drops one
    macro = project / "macros/load/quarantine.sql"
    broken = macro.read_text().replace(
        "from {{ quoted(group.stage) }}", "from {{ quoted(group.stage) }} where record <> '99'"
    )
    macro.write_text(broken)
    # WHEN it is loaded THEN nothing is
    done = loader("load", code=1)
    assert "quarantined of feed/dirty.csv 2 records, but 3 are expected. Nothing" in done.output
    tables.assert_nothing_loaded()


@pytest.mark.slow
def test_two_replays_at_once_take_a_record_once(
    loader: Loader, tables: Tables, dirty: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN quarantined records, and a replay that another overtakes while it judges
    loader("load")
    opened = Project(project)
    feed = opened.feed("indicators")
    uri = tables.rows("select uri from raw._loaded_files")[0][0]
    corrections: Corrections = {(1, uri, 98): b"eleven.example,domain,me,11,2026-01-01"}
    monkeypatch.setattr("loader.jobs.attempts._WAITS", (0.0,))
    overtaken: list[int] = []

    def overtake() -> None:
        if not overtaken:
            quiet = Meddler("never", lambda: None)
            overtaken.append(replay(opened, feed, quiet, corrections=corrections).records_loaded)

    # WHEN both come to their end THEN the record is loaded once, and the second one says why
    try:
        with pytest.raises(ConfigError, match="not in quarantine from load 1"):
            replay(opened, feed, Meddler("judging", overtake), corrections=corrections)
    finally:
        DuckDBConnectionManager.close_all_connections()
    assert overtaken == [1]
    assert tables.count("raw.indicators") == 98
    assert tables.rows("select count(*) from raw._loaded_files where status = 'replayed'") == [(1,)]


@slowly_on_both_engines
def test_an_empty_record_of_a_single_column_comes_back(
    loader: Loader, tables: Tables, project: Path
) -> None:
    # GIVEN a feed of one column in which an empty record was refused
    contract = project / "models/staging/_names__sources.yml"
    contract.write_text(
        "sources:\n"
        "  - name: lists\n"
        "    schema: raw\n"
        "    tables:\n"
        "      - name: names\n"
        f"        config: {{meta: {{feed: {{location: '{project}/names.csv',"
        " rejects: {max_rows: 1}}}}\n"
        "        data_tests: [ledger_matches_landing]\n"
        "        columns:\n"
        "          - {name: name, data_type: varchar(9), config: {meta: {required: true}}}\n"
    )
    (project / "names.csv").write_text("name\nann\n\nbob\n")
    first = loader("load", "--select", "names").output
    assert "2 of 3 records loaded, 1 rejected" in first
    # WHEN the rule is widened
    contract.write_text(contract.read_text().replace("required: true", "required: false"))
    assert "1 of 1 records loaded" in loader("replay", "--select", "names").output
    # THEN it is landed as the engine reads an empty field
    assert tables.rows("select coalesce(name, '') from raw.names order by 1") == [
        ("",),
        ("ann",),
        ("bob",),
    ]


@slowly_on_both_engines
def test_a_quarantine_is_read_piece_by_piece(
    loader: Loader, project: Path, lenient: Path, feed_folder: Path, tables: Tables
) -> None:
    # GIVEN pieces of a few records; one record has parts, and file names have what SQL minds
    macros = project / "macros/load/quarantine.sql"
    text = macros.read_text()
    assert text.count("16000000.0") == 1
    macros.write_text(text.replace("16000000.0", "2500.0"))
    lenient.write_text(lenient.read_text().replace("max_fraction: 0.03", "max_fraction: 0.99"))
    long = f"{'x' * 70_000}.example,domain,me,long,2026-01-01\n"
    names = ("a'b.csv", "c\\d.csv", "e.csv")
    for name in names:
        records = [f"{n}.example,domain,me,n{n},2026-01-01\n" for n in range(25)]
        records[7:7] = [long] if name == "e.csv" else []
        good = "good.example,domain,me,5,2026-01-01\n"
        (feed_folder / name).write_text(HEADER + good + "".join(records))
    loader("load")
    # WHEN the records are shown THEN each is there once, whole, in the order of the files
    shown = [json.loads(line) for line in loader("rejects", "--json").stdout.splitlines()]
    expected = [(f"feed/{name}", n) for name in names for n in range(2, 27 + (name == "e.csv"))]
    assert [(record["file"], record["record"]) for record in shown] == expected
    assert [record["raw"] for record in shown if len(record["raw"]) > 100] == [long.rstrip("\n")]
    of_one = loader("rejects", "--json", "--file", "feed/c\\d.csv").stdout.splitlines()
    assert len(of_one) == 25
    # AND when the rule is gone THEN all come back but the one that is too long
    rule = r"type: integer\n +minimum: 0\n +maximum: 100\n"
    widened, count = re.subn(rule, "type: text\n", lenient.read_text())
    assert count == 1
    lenient.write_text(widened)
    assert "75 of 76 records loaded" in loader("replay").stdout
    assert len(loader("rejects", "--json").stdout.splitlines()) == 1
    loader("check")
