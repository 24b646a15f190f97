"""What the contract says of values is written once: staging reads them by it, on both engines."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from e2e.engines import on_both_engines, slowly_on_both_engines

if TYPE_CHECKING:
    from conftest import Loader
    from e2e.conftest import Dbt
    from e2e.engines import Tables

SOURCES = r"""
sources:
  - name: wx
    schema: raw
    tables:
      - name: readings
        config:
          meta:
            feed:
              location: wx/*.csv
              rejects: {max_fraction: 1}
              null_values: ['NULL', '\N', 'N/A', '(D)', '.', "it's", '-', 'straße', 'N A',
                ':', '#N/A N/A', '-1.#IND', '·', '<NA>']
        data_tests: [ledger_matches_landing]
        columns:
          - {name: Station, data_type: varchar(20), config: {meta: {required: true}}}
          - name: link
            data_type: varchar(60)
            data_tests: [differs_in_case_alone]
          - name: rain
            data_type: varchar(20)
            config: {meta: {type: 'decimal(6,1)', minimum: 0, null_values: ['-9999']}}
          - name: level
            data_type: varchar(20)
            config: {meta: {type: 'decimal(9,2)', decimal_char: ',', group_char: .}}
          - {name: hits, data_type: varchar(20), config: {meta: {type: integer, group_char: "'"}}}
          - name: day
            data_type: varchar(20)
            config: {meta: {type: date, format: [DD/MM/YYYY, YYYYMMDD], null_values: ['00000000']}}
          - name: at
            data_type: varchar(20)
            config:
              meta:
                type: timestamp
                format: ['YYYY-MM-DDTHH24:MI', 'DD.MM.YYYY HH24.MI.SS']
          - {name: code, data_type: varchar(20), config: {meta: {null_values: []}}}
"""

STAGING = """
{{ config(bind=false) }}

select
    {{ clean_text('"Station"') }} as station,
    link,
    {{ clean_decimal('rain', 6, 1) }} as rain,
    {{ clean_text('code', case='keep') }} as code,
    {{ clean_decimal('level', 9, 2) }} as level,
    {{ clean_integer('hits') }} as hits,
    {{ clean_date('"day"') }} as reading_on,
    {{ clean_timestamp('"at"') }} as read_at,
    _load_id
from {{ landed('wx', 'readings') }}
"""


@pytest.fixture
def readings(project: Path) -> Path:
    """A project with a feed of numbers and markers added; the file to be."""
    folder = project / "models/staging/wx"
    folder.mkdir()
    (folder / "_wx__sources.yml").write_text(SOURCES, encoding="utf-8")
    (folder / "stg_wx__readings.sql").write_text(STAGING)
    (project / "wx").mkdir()
    return project / "wx/a.csv"


MARKERS = ["NULL", r"\N", " N/A", "(D)", ".", "it's", "\u3000-\t", "straße ", "N A"]
MARKERS += [":", "#N/A N/A", "-1.#IND", "·", " <NA>"]


@on_both_engines
def test_a_marker_is_null_before_every_rule_and_in_staging(
    loader: Loader, dbt: Dbt, readings: Path, tables: Tables
) -> None:
    # GIVEN each marker in an optional column, and in one that is required
    texts = [*MARKERS, "null", "n/a", "-9999", "N/A x", "DD"]
    lines = [f"s{number},{text},1.5,{text}\n" for number, text in enumerate(texts)]
    lines += ["t1,a,-9999,1\n", "t2,a, -9999 ,2\n", "t3,a,NULL,3\n", "t4,a,,4\n"]
    lines += [f"{marker},a,1,x\n" for marker in MARKERS]
    readings.write_text("Station,link,rain,code\n" + "".join(lines), encoding="utf-8")
    # WHEN it is loaded and staged
    loader("load", "--select", "readings")
    dbt("run", "--select", "stg_wx__readings")
    # THEN a required one is rejected, and so is what is no marker of its column
    rejected = tables.rows("select column_name, rule, value from raw._rejected_records")
    expected = [("Station", "required", marker) for marker in MARKERS]
    assert sorted(rejected) == sorted([*expected, ("rain", "decimal", "NULL")])
    # AND raw stays raw
    landed = dict(tables.rows('select "Station", link from raw.readings'))
    assert [landed[f"s{number}"] for number in range(len(texts))] == texts
    # AND staging has NULL for a marker, and everything else as it is
    found = {row[0]: row[1:4] for row in tables.rows("select * from analytics.stg_wx__readings")}
    for number, text in enumerate(texts):
        link = None if text in MARKERS else text
        assert found[f"s{number}"][0] == link, text
        assert found[f"s{number}"][2] == text.strip(), text
    assert [found[f"t{number}"][1] for number in (1, 2, 4)] == [None] * 3
    assert len(found) == len(texts) + 3
    # AND a marker is not taken for the spelling of a URL, though n/a is in there too.
    assert dbt("test", "--select", "source_differs_in_case_alone_wx_readings_link") == 1


@on_both_engines
def test_numbers_are_read_by_the_contracts_signs(
    loader: Loader, dbt: Dbt, readings: Path, tables: Tables
) -> None:
    # GIVEN numbers in each of their forms, and what only looks like one
    levels = {
        "1.234.567,8": "1234567.80",
        "1234567,8": "1234567.80",
        " 922,": "922.00",
        ",5": "0.50",
        "-1.234": "-1234.00",
        "\u3000+12.345,67\t": "12345.67",
        "-": None,
        " ": None,
    }
    hits = {"1'234'567": 1234567, "7": 7, " -12'345 ": -12345, "\\N": None}
    lines = [f's{number},"{text}",\n' for number, text in enumerate(levels)]
    lines += [f't{number},,"{text}"\n' for number, text in enumerate(hits)]
    bad = [("level", text) for text in ("1.5", "12.34,5", "1,234,5", "1.234.5", "1_234")]
    bad += [("hits", text) for text in ("1'23", "1234'567", "1_234", "1.234", "'123")]
    lines += [f'x,"{text}",\n' if name == "level" else f'x,,"{text}"\n' for name, text in bad]
    readings.write_text("Station,level,hits\n" + "".join(lines), encoding="utf-8")
    # WHEN they are loaded and staged
    loader("load", "--select", "readings")
    dbt("run", "--select", "stg_wx__readings")
    # THEN what is no number is rejected, and the others mean what a person takes them for
    rejected = tables.rows("select column_name, value from raw._rejected_records")
    assert sorted(rejected) == sorted(bad)
    rows = tables.rows("select station, level, hits from analytics.stg_wx__readings")
    found = {station: (level and str(level), hit) for station, level, hit in rows}
    assert [found[f"s{number}"][0] for number in range(len(levels))] == list(levels.values())
    assert [found[f"t{number}"][1] for number in range(len(hits))] == list(hits.values())
    # AND raw stays raw
    raw = {row[0] for row in tables.rows("select level from raw.readings")}
    assert raw == {*levels, None}


@slowly_on_both_engines
def test_each_of_several_forms_is_read(
    loader: Loader, dbt: Dbt, readings: Path, tables: Tables
) -> None:
    # GIVEN days and moments in each form, and in another
    days = {" 29/02/2024": "2024-02-29", "20240301\u3000": "2024-03-01", "00000000": None}
    moments = {
        "2024-02-29T23:59": "2024-02-29 23:59:00",
        "01.03.2024 00.00.07": "2024-03-01 00:00:07",
    }
    bad = [("day", text) for text in ("2024-03-01", "02/29/2024", "20240230", "240301")]
    bad += [("at", text) for text in ("2024-02-29 23:59", "2024-02-29T24:00", "29.02.2024 23.59")]
    lines = [f"d{number},{text},\n" for number, text in enumerate(days)]
    lines += [f"m{number},,{text}\n" for number, text in enumerate(moments)]
    lines += [f"x,{text},\n" if name == "day" else f"x,,{text}\n" for name, text in bad]
    readings.write_text("Station,day,at\n" + "".join(lines), encoding="utf-8")
    # WHEN they are loaded and staged
    loader("load", "--select", "readings")
    dbt("run", "--select", "stg_wx__readings")
    # THEN each is read by its form, without a word of it in the model, and the others are rejected
    rejected = tables.rows("select column_name, value from raw._rejected_records")
    assert sorted(rejected) == sorted(bad)
    rows = tables.rows("select station, reading_on, read_at from analytics.stg_wx__readings")
    found = {row[0]: row[1:] for row in rows}
    for number, day in enumerate(days.values()):
        assert found[f"d{number}"] == (day and date.fromisoformat(day), None)
    for number, moment in enumerate(moments.values()):
        assert found[f"m{number}"] == (None, datetime.fromisoformat(moment))


@slowly_on_both_engines
@pytest.mark.parametrize(
    ("column", "text"),
    [
        ("level", "1.5"),
        pytest.param("level", "1_234,5", marks=pytest.mark.nightly),
        ("hits", "1'23"),
        pytest.param("hits", "1_234", marks=pytest.mark.nightly),
    ],
)
def test_a_number_of_former_signs_stops_the_build(
    loader: Loader, dbt: Dbt, readings: Path, tables: Tables, column: str, text: str
) -> None:
    # GIVEN a value that was landed when the contract said something else of its column
    readings.write_text(f"Station,{column}\na,7\n")
    loader("load", "--select", "readings")
    literal = text.replace("'", "''")
    tables.rows(f"update raw.readings set {column} = '{literal}'")
    dbt("run", "--select", "stg_wx__readings")
    # WHEN it is read THEN it is no number, and not another one
    query = f"select cast({column} as varchar(40)) from analytics.stg_wx__readings"
    with pytest.raises(Exception, match=r"not (a decimal|an integer)"):
        tables.rows(query)


@slowly_on_both_engines
def test_a_marker_that_is_added_rebuilds_the_mart(
    loader: Loader, project: Path, feed_folder: Path, tables: Tables
) -> None:
    # GIVEN a mart with a marker in it
    header = "indicator,indicator_type,source,confidence,first_seen,last_seen,description\n"
    lines = ["a.example,domain,x,1,2026-01-01,,N/A\n", "b.example,domain,x,1,2026-01-01,,text\n"]
    (feed_folder / "a.csv").write_text(header + "".join(lines))
    loader("run")
    query = "select indicator, description from analytics.indicators order by 1"
    assert tables.rows(query) == [("a.example", "n/a"), ("b.example", "text")]
    # WHEN the contract says so
    contract = project / "models/staging/cti/_cti__sources.yml"
    text = contract.read_text()
    contract.write_text(
        text.replace("mode: append\n", "mode: append\n              null_values: ['N/A']\n")
    )
    # THEN the next run rebuilds the mart from what has landed, and says why
    said = loader("run").stdout
    assert "its rules have changed since it was built: stg_cti__indicators" in said
    assert tables.rows(query) == [("a.example", None), ("b.example", "text")]
    assert "is rebuilt" not in loader("run").stdout
