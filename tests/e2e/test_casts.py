"""What the macros of macros/clean make of values, beyond the tests that dbt itself runs on them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from e2e.engines import on_both_engines

if TYPE_CHECKING:
    from e2e.conftest import Dbt

# By the cast and what it says: values that some engine's own cast would take, or that are as long
# as the usual one.
REFUSED = {
    ("clean_timestamp('landed')", "not an ISO 8601 timestamp"): [
        "2024-01-01  1:02:03",
        "2024-01-01 1:02:003",
        "2024-01-01 10:00: 1",
        "02024-1-01 10:00:00",
        "-2024-1-01 10:00:00",
        "2024/01/01 10:00:00",
        "2024-01-01 10:00:0\u0663",
        "2024-01-01 24:00:00",
        "2024-01-01 23:60:00",
        "2024-01-01T23:59:60",
        "2024-01-01 10:00:00.",
        "2024-01-01 10:00:00.1234567",
        "2024-01-01 10:00:00 Z",
        "2024-01-01 10:00:00ZZ",
        "2024-01-01T",
        "2024-01-01Z",
        "2024-01-01 10",
        "2024-01-01+02:00",
        "2024-01-01 10:00+1",
        "2024-01-01 10:00+15",
        "2024-01-01 10:00+14:01",
        "2024-01-01 10:00+01:60",
        "2024-01-01 10:00+01:00:00",
        "2024-01-01 10:00+01Z",
        "2024-01-01 10:00Z+01",
        "2024-01-01 10:00+01-01",
        "2024-01-01 10:00 +01",
        "2024-01-01 10:00  UTC",
        "2024-01-01 10:00 GMT",
        "2024-01-01 UTC",
        "2024-01-01 10:00+01 UTC",
        "24:00",
        "infinity",
        "epoch",
        "now",
    ],
    # Of the right form, and no day of the calendar.
    ("clean_timestamp('landed')", ""): ["2024-02-30", "2023-02-29 10:00", "2024-13-01T10:00-01"],
    ("clean_date('landed')", ""): ["2023-02-29", "2024-00-01"],
    ("clean_date('landed')", "not a date"): ["2024-1-001", "2024/01/01", "2024-01-01 00:00"],
    ("clean_date('landed')", "not a date as YYYY"): ["1/01/02024", "01/01/2024", "01/01/24"],
    ("clean_integer('landed')", "not an integer"): ["5.6", "1e3", "+-5", "1_000", "0x10", "\u0663"],
    ("clean_decimal('landed', 5, 2)", "not a decimal"): ["1.005", "1000", "1e2", "1,5", "nan", "."],
    ("clean_float('landed')", "not a number"): [
        *(
            "nan",
            "inf",
            "-infinity",
            "1e",
            "e5",
            ".",
            "1e1234",
            "0x10",
            "1_0",
            "1,5",
            "1 e5",
            "++1",
        ),
    ],
    # Infinite.
    ("clean_float('landed')", ""): ["1e309", "-1e999", "9" * 310],
    ("clean_boolean('landed')", "not a boolean"): ["on", "2", "tru", "\u0661"],
}
CASES = [(cast, said, text) for (cast, said), texts in REFUSED.items() for text in texts]


@on_both_engines
def test_a_value_of_another_form_stops_the_build_and_is_named(
    project: Path, dbt: Dbt, capsys: pytest.CaptureFixture[str]
) -> None:
    # GIVEN a model for each value
    folder = project / "models/marts/refused"
    folder.mkdir()
    for number, (cast, _, text) in enumerate(CASES):
        (folder / f"refused_{number}.sql").write_text(
            "{{ config(materialized='table') }}\n"
            f"select {{{{ {cast} }}}} as v from (select '{text}' as landed) as landing"
        )
    # WHEN all are built
    with pytest.raises(AssertionError):
        dbt("run", "--select", "path:models/marts/refused")
    # THEN each fails, and says why
    failures = capsys.readouterr().out.split("Error in model refused_")[1:]
    messages = {int(failure.partition(" ")[0]): failure for failure in failures}
    for number, (_, said, text) in enumerate(CASES):
        assert said in messages[number], text
        assert not said or text.lower() in messages[number], text


def test_the_zone_of_a_session_moves_no_timestamp(project: Path, dbt: Dbt) -> None:
    # GIVEN a profile with a time zone of its own
    profiles = project / "profiles.yml"
    profile = profiles.read_text()
    assert profile.count("type: duckdb") == 1
    zone = "type: duckdb\n      settings: {TimeZone: Asia/Kathmandu}"
    profiles.write_text(profile.replace("type: duckdb", zone))
    # WHEN timestamps with and without an offset are cast THEN they are the same moments in UTC
    assert dbt("test", "--select", "clean_timestamp_casts") == 1
