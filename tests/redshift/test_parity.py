"""One answer: the same files give the same tables on both engines, value for value.

If one of these fails, somebody who works offline on DuckDB sees other numbers than production does.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from typing import Any

import pytest

from loader.contract.column import Column
from loader.contract.text import STRIP_CHARACTERS, simple_lower
from redshift.lab import measurements_feed
from redshift.site import plain
from redshift.whole_run import TABLES, Rows, WholeRun

pytestmark = pytest.mark.slow

_TEXT_COLUMNS = {0: "indicator", 2: "source", 6: "description"}


def _assert_same(redshift: Rows, duckdb: Rows) -> None:
    """Equal as bags of rows; if not, shows the first few that are not."""
    only_redshift = list((Counter(redshift) - Counter(duckdb)).elements())
    only_duckdb = list((Counter(duckdb) - Counter(redshift)).elements())
    assert (only_redshift[:5], only_duckdb[:5]) == ([], [])


@pytest.mark.parametrize("table", TABLES)
def test_the_first_load_is_the_same(whole_run: WholeRun, table: str) -> None:
    assert whole_run.first["redshift"][table]
    _assert_same(whole_run.first["redshift"][table], whole_run.first["duckdb"][table])


@pytest.mark.parametrize("table", TABLES)
def test_the_second_load_is_the_same(whole_run: WholeRun, table: str) -> None:
    # GIVEN new files, changed files, and a feed in replace mode that was replaced
    # THEN the tables are the same again
    assert whole_run.second["redshift"][table]
    _assert_same(whole_run.second["redshift"][table], whole_run.second["duckdb"][table])
    changed = {"seed", "lab landing", "lab staging"}
    was = whole_run.first["redshift"][table]
    assert (whole_run.second["redshift"][table] != was) is (table not in changed)


@pytest.mark.parametrize("target", ["redshift", "duckdb"])
def test_a_full_refresh_gives_what_the_increments_gave(whole_run: WholeRun, target: str) -> None:
    _assert_same(whole_run.rebuilt[target]["mart"], whole_run.second[target]["mart"])


@pytest.mark.parametrize("target", ["redshift", "duckdb"])
def test_staging_is_what_python_makes_of_the_landing_table(
    whole_run: WholeRun, target: str
) -> None:
    # Both engines could be wrong alike: what is blank and what is lower case is Python's to say.
    tables = whole_run.second[target]
    for place in _TEXT_COLUMNS:
        expected = Counter(_cleaned(row[place]) for row in tables["landing"])
        found = Counter(row[place] for row in tables["staging"])
        assert expected - found == Counter()
        assert found - expected == Counter()


def test_the_blanks_were_there_to_be_stripped(whole_run: WholeRun) -> None:
    # Guards the tests above: raw stays raw, so what they compare is really dirty.
    landed = {row[0] for row in whole_run.first["redshift"]["landing"]}
    for blank in STRIP_CHARACTERS:
        assert any(name.startswith(blank) and name.endswith(blank) for name in landed)
    assert max(len(name.encode()) for name in landed) == 2048


@pytest.mark.parametrize("target", ["redshift", "duckdb"])
def test_empty_and_missing_are_null_and_nothing_else_is(whole_run: WholeRun, target: str) -> None:
    rows = whole_run.first[target]["staging"]
    by_name = {row[0]: row[6] for row in rows}
    assert [by_name[f"empty {n}"] for n in range(4)] == [None] * 4
    assert by_name["sparse 7"] is None
    texts = {row[6] for row in rows}
    assert {"\\n", "null", "none", "nan", "''", '""', "a\\", "\\", "line\nline"} <= texts


@pytest.mark.parametrize("target", ["redshift", "duckdb"])
def test_what_the_loader_accepts_casts_to_what_it_means(whole_run: WholeRun, target: str) -> None:
    # GIVEN records made at random that the validator let pass
    accepted = list(csv.reader(io.StringIO(whole_run.measurements.decode(), newline="")))
    header, records = accepted[0], accepted[1:]
    assert 900 < len(records) < 1600
    assert {row[place].strip() for row in records for place in (5, 7)} > {"-9999", "\\N", "(D)"}
    columns = {column.name: column for column in measurements_feed().columns}
    # THEN staging has for each value what the contract's own parser reads in it
    expected = [
        tuple(_meant(columns[name], value) for name, value in zip(header, record, strict=True))
        for record in records
    ]
    _assert_same([row[:-3] for row in whole_run.first[target]["lab staging"]], expected)


def test_the_generated_values_are_worth_the_name(whole_run: WholeRun) -> None:
    # If the validator refused nearly all, the test above would say little.
    rows = whole_run.first["redshift"]["lab staging"]
    for place in range(1, 20):
        assert sum(row[place] is not None for row in rows) > 500
    values = {value for row in rows for value in row}
    assert {9223372036854775807, -9223372036854775808, "0001-01-01", "9999-12-31"} <= values
    assert {"9" * 28 + "." + "9" * 10, "999999999.999", "9999-12-31 23:59:59.999999"} <= values
    assert {"é" * 48, "漢" * 32, "\U0001f600" * 24} <= values


@pytest.mark.parametrize("table", TABLES)
def test_what_is_rolled_back_leaves_the_same(whole_run: WholeRun, table: str) -> None:
    # GIVEN a replay rolled back, and then the load whose records it had taken
    _assert_same(whole_run.rolled_back["redshift"][table], whole_run.rolled_back["duckdb"][table])
    untouched = ("lab", "prices", "seed")
    was = whole_run.second["redshift"][table]
    left = whole_run.rolled_back["redshift"][table]
    assert (left == was) is table.startswith(untouched)


@pytest.mark.parametrize("target", ["redshift", "duckdb"])
def test_a_replay_marks_its_records_and_changes_no_other(whole_run: WholeRun, target: str) -> None:
    was, now = whole_run.first[target]["quarantine"], whole_run.second[target]["quarantine"]
    assert not Counter(row[:-1] for row in was) - Counter(row[:-1] for row in now)
    assert {row[-1] for row in was} == {None}
    assert sorted(int(row[4]) for row in now if row[-1] is not None) == [101, 501]


@pytest.mark.parametrize("target", ["redshift", "duckdb"])
def test_two_rollbacks_take_the_records_of_two_loads(whole_run: WholeRun, target: str) -> None:
    was, left = whole_run.second[target], whole_run.rolled_back[target]
    # The replay, and the load of the samples, which was the feed's first.
    batches = {row[9] for row in was["ledger"] if row[8] == "replayed"}
    batches.add(min(row[9] for row in was["ledger"] if row[1] == "cti.indicators"))
    assert len(batches) == 2
    loads = {row[0] for row in was["ledger"] if row[9] in batches}
    for table, load_id in (("landing", -1), ("staging", -1), ("quarantine", 0)):
        expected = [row for row in was[table] if row[load_id] not in loads]
        assert len(expected) < len(was[table])
        assert expected or table == "quarantine"
        _assert_same(left[table], expected)
    rolled_back = {row[0] for row in left["ledger"] if row[8] == "rolled back"}
    assert rolled_back == loads


def test_both_engines_find_nothing_lost(whole_run: WholeRun) -> None:
    # The first with --rules, a line more for each of three feeds.
    for step, count in {"check": 6 + 5 + 5 + 3, "rollback 3": 6 + 5 + 5}.items():
        found = {
            target: whole_run.outcomes[f"{step} on {target}"].objects
            for target in ("redshift", "duckdb")
        }
        assert {finding["state"] for finding in found["redshift"]} == {"holds"}
        assert len(found["redshift"]) == count
        assert found["redshift"] == found["duckdb"]


def _cleaned(text: str | None) -> str | None:
    return simple_lower((text or "").strip()) or None


def _meant(column: Column, value: str) -> Any:
    text = value.strip()
    if not text or text in column.null_values:
        return None
    return simple_lower(text) if column.kind == "text" else plain(column.parse(text))
