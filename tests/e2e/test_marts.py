"""A mart of one's own: newest_by_key with a key and an order, in fewer than 20 lines of SQL."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from conftest import let_go_of_the_database
from e2e.engines import on_both_engines, slowly_on_both_engines
from e2e.meddler import Meddler

from loader.jobs.rollback import Taken, roll_back
from loader.warehouse.project import Project

if TYPE_CHECKING:
    from conftest import Loader
    from e2e.conftest import Dbt
    from e2e.engines import Tables

SOURCES = """
sources:
  - name: market
    schema: raw
    tables:
      - name: stalls
        config:
          meta:
            feed: {location: stalls/*.csv}
        data_tests: [ledger_matches_landing]
        columns:
          - {name: town, data_type: varchar(20), config: {meta: {required: true}}}
          - {name: place, data_type: varchar(20)}
          - {name: rent, data_type: varchar(20), config: {meta: {type: "decimal(9,2)"}}}
"""

STAGING = """
{{ config(bind=false) }}

select
    {{ clean_text('town') }} as town,
    {{ clean_text('place') }} as place,
    {{ clean_decimal('rent', 9, 2) }} as rent,
    _load_id,
    _file,
    _file_time,
    _record
from {{ landed('market', 'stalls') }}
"""

MART = """
{{
    config(
        incremental_strategy='newest',
        unique_key=['town', 'place'],
        pre_hook="{{ forget_if_miscounted(source('market', 'stalls')) }}",
    )
}}

{{
    newest_by_key(
        ref('stg_market__stalls'),
        key=['town', 'place'],
        columns=['rent'],
    )
}}
"""

MODELS = """
models:
  - name: stalls
    data_tests:
      - counts_every_record:
          arguments: {landed: "source('market', 'stalls')"}
      - counts_every_key:
          arguments: {landed: ref('stg_market__stalls'), key: [town, place]}
      - unique_combination:
          arguments: {columns: [town, place]}
    columns:
      - {name: town}
      # Without an enforced contract dbt makes no constraint of it.
      - {name: place, constraints: [{type: not_null}]}
      - {name: rent}
      - {name: occurrences}
      - {name: last_load_id}
"""


@pytest.fixture
def stalls(project: Path) -> Path:
    """A project with the feed and its mart; the folder where its files go."""
    folder = project / "models/staging/market"
    folder.mkdir()
    (folder / "_market__sources.yml").write_text(SOURCES)
    (folder / "stg_market__stalls.sql").write_text(STAGING)
    (project / "models/marts/stalls.sql").write_text(MART)
    (project / "models/marts/stalls.yml").write_text(MODELS)
    files = project / "stalls"
    files.mkdir()
    return files


def test_the_mart_is_short() -> None:
    assert len([line for line in MART.splitlines() if line.strip()]) < 20


@pytest.mark.usefixtures("artifacts")
@on_both_engines
@pytest.mark.slow
def test_a_key_with_a_null_that_new_rows_touch_is_compared(
    loader: Loader, dbt: Dbt, project: Path, stalls: Path, tables: Tables
) -> None:
    # GIVEN a load that is built but not tested, and an old row that has the key of a new one
    (stalls / "a.csv").write_text("town,place,rent\nYork,,10\nLeeds,,1\n")
    loader("run", "--select", "stalls")
    (stalls / "b.csv").write_text("town,place,rent\nYork,,12\n")
    loader("load", "--select", "stalls")
    dbt("run", "--select", "+stalls")
    test = "unique_combination_stalls"
    row = "insert into analytics.stalls (town, occurrences, last_load_id) values ('{}', 1, 1)"
    tables.rows(row.format("york"))
    # THEN the test sees it, and asks for no more than Redshift allows: one column for each IN.
    with pytest.raises(AssertionError, match=test):
        dbt("test", "--select", f"{test}*")
    (sql,) = (path.read_text() for path in project.glob(f"target/run/**/{test}*.sql"))
    assert sql.count(" in (select ") == 2
    assert "(town, place) in" not in sql


@on_both_engines
@pytest.mark.slow
def test_a_null_in_a_key_is_one_key(loader: Loader, stalls: Path, tables: Tables) -> None:
    # GIVEN keys of which a part is missing, twice, in two loads
    (stalls / "a.csv").write_text("town,place,rent\nYork,,10\nYork,north,5\nYork, ,9\n")
    loader("run", "--select", "stalls")
    (stalls / "b.csv").write_text("town,place,rent\nYORK,,12\nyork,North,6\nLeeds,,1\n")
    # WHEN the mart takes up the second THEN each key is one row, its records counted
    loader("run", "--select", "stalls")
    rows = tables.rows("select town, place, rent, occurrences from analytics.stalls")
    assert sorted((town, place or "", float(rent), int(n)) for town, place, rent, n in rows) == [
        ("leeds", "", 1.0, 1),
        ("york", "", 12.0, 3),
        ("york", "north", 6.0, 2),
    ]
    # AND a build from nothing makes the same of them
    loader("check", "--select", "stalls")


@on_both_engines
@pytest.mark.slow
def test_only_keys_that_lost_records_are_made_anew(
    loader: Loader, stalls: Path, project: Path, tables: Tables
) -> None:
    # GIVEN loads 1 to 4, a replay, a mart of them, and some of its rows altered by hand
    contract = project / "models/staging/market/_market__sources.yml"
    rejects = "stalls/*.csv, rejects: {max_fraction: 0.9}"
    contract.write_text(contract.read_text().replace("stalls/*.csv", rejects))
    for name, records in {
        "a": "York,,10 York,north,5 Leeds,,1 Hull,east,2 Bath,,3 Ely,,4",
        "b": "York,,12 Bath,,1 Goole,,9",
        "c": "Hull,east,much Ripon,,dear Derby,,1",
        "d": "York,north,6 Leeds,,8",
    }.items():
        (stalls / f"{name}.csv").write_text("\n".join(["town,place,rent", *records.split(), ""]))
        os.utime(stalls / f"{name}.csv", (0, 100 * ord(name)))
        loader("load", "--select", "stalls")
    fixed = loader("rejects", "--select", "stalls", "--csv").stdout
    fixed = fixed.replace("much", "7").replace("dear", "7")
    Path("fixed.csv").write_text(fixed, newline="")
    loader("replay", "--select", "stalls", "--from", "fixed.csv")
    loader("run", "--select", "stalls")
    tables.rows("update analytics.stalls set rent = 99 where town in ('york', 'leeds', 'hull')")
    # WHEN an old load, of which a file comes again, and the replay are rolled back before one build
    opened = Project(project)
    for load in (2, 5):
        roll_back(opened, opened.feed("stalls"), Taken(load), Meddler("never", lambda: None))
    let_go_of_the_database()
    (stalls / "e.csv").write_text("town,place,rent\nSelby,,1\nEly,,5\n")
    loader("load", "--select", "stalls", "--reload", "stalls/b.csv")
    # THEN a build that fails at its end leaves the mart as it was
    before = tables.rows("select * from analytics.stalls order by 1, 2")
    model = project / "models/marts/stalls.sql"
    model.write_text(MART.replace("pre_hook=", "post_hook='select * from nowhere', pre_hook="))
    loader("run", "--select", "stalls", code=2)
    assert tables.rows("select * from analytics.stalls order by 1, 2") == before
    model.write_text(MART)
    said = loader("run", "--select", "stalls").stdout
    # AND one that does not makes their keys anew, NULLs among them, and takes up new loads
    found = tables.rows("select town, place, rent, occurrences, last_load_id from analytics.stalls")
    assert sorted((town, place or "", *map(int, numbers)) for town, place, *numbers in found) == [
        ("bath", "", 1, 2, 6),
        ("derby", "", 1, 1, 3),
        ("ely", "", 5, 2, 7),
        ("goole", "", 9, 1, 6),
        ("hull", "east", 2, 1, 1),
        # Nobody has touched the rows of these.
        ("leeds", "", 99, 2, 4),
        ("selby", "", 1, 1, 7),
        ("york", "", 12, 2, 6),
        ("york", "north", 99, 2, 4),
    ]
    assert "stalls: 5 of 9 keys are made anew from all landed records; some that it had" in said
    # AND the tests that a run leaves out hold as well
    loader("check", "--full", "--select", "stalls")


@pytest.mark.slow
def test_a_null_in_a_key_of_new_rows_is_looked_for_in_old_ones(
    loader: Loader, stalls: Path, tables: Tables, dbt: Dbt
) -> None:
    # GIVEN a key with a NULL that was tested, and a row with it of a load that was not
    (stalls / "a.csv").write_text("town,place,rent\nYork,,10\n")
    loader("run", "--select", "stalls")
    (stalls / "b.csv").write_text("town,place,rent\nLeeds,south,1\n")
    loader("load", "--select", "stalls")
    tables.rows(
        "insert into analytics.stalls select * replace (2 as last_load_id) from analytics.stalls"
    )
    with pytest.raises(AssertionError, match="unique_combination_stalls"):
        dbt("test", "--select", "unique_combination_stalls*")


@slowly_on_both_engines
def test_increments_and_a_full_refresh_give_the_same(
    loader: Loader, stalls: Path, tables: Tables, dbt: Dbt
) -> None:
    for number in range(4):
        records = [f"t{n % 5},{'' if n % 3 else n % 2},{n * number % 7}" for n in range(40)]
        (stalls / f"{number}.csv").write_text("\n".join(("town,place,rent", *records)))
        loader("run", "--select", "stalls")
    increments = tables.rows("select * from analytics.stalls")
    dbt("run", "--full-refresh", "--select", "stalls")
    rebuilt = tables.rows("select * from analytics.stalls")
    assert sorted(increments, key=str) == sorted(rebuilt, key=str)
    assert int(tables.rows("select sum(occurrences) from analytics.stalls")[0][0]) == 160


def test_a_mart_is_counted_by_its_landing_table(
    loader: Loader, stalls: Path, project: Path
) -> None:
    # A staging model may leave records out, which then nobody would miss.
    path = project / "models/marts/stalls.yml"
    by_source = """landed: "source('market', 'stalls')\""""
    assert by_source in MODELS
    path.write_text(MODELS.replace(by_source, "landed: ref('stg_market__stalls')"))
    (stalls / "a.csv").write_text("town,place,rent\nYork,,10\n")
    result = loader("run", "--select", "stalls", code=2)
    assert "counts_every_record: landed must be a feed's source table" in result.output


def test_a_mart_without_yaml_is_refused_by_name(
    loader: Loader, stalls: Path, project: Path
) -> None:
    (project / "models/marts/stalls.yml").unlink()
    result = loader("load", "--select", "stalls", code=2)
    assert "model stalls: nothing counts its records" in result.stderr


@on_both_engines
@pytest.mark.slow
def test_urls_that_only_the_case_of_their_path_tells_apart(
    loader: Loader, project: Path, feed_folder: Path, tables: Tables, dbt: Dbt
) -> None:
    # GIVEN two such, one with another spelling of its host, and a domain in two spellings
    lines = ["indicator,indicator_type,source,confidence,first_seen"]
    for name in ("https://s.example/AbCd", "https://s.example/aBcD", "HTTPS://S.example/AbCd"):
        lines.append(f"{name},url,a,1,2026-01-01")
    lines += [f"{name},domain,a,1,2026-01-01" for name in ("D.example", "d.EXAMPLE")]
    (feed_folder / "a.csv").write_text("\n".join(lines))
    # THEN they are one, and dbt warns of that one
    said = loader("run").stdout
    assert "WARN 1 source_differs_in_case_alone" in said
    keys = "select indicator, occurrences from analytics.indicators order by 1"
    merged = [("d.example", 2), ("https://s.example/abcd", 3)]
    assert [(name, int(count)) for name, count in tables.rows(keys)] == merged
    # WHEN their case is to be kept THEN they are two, and there is nothing to warn of
    settings = project / "dbt_project.yml"
    text = settings.read_text()
    assert "keep_url_path_case: false" in text
    settings.write_text(text.replace("keep_url_path_case: false", "keep_url_path_case: true"))
    dbt("run", "--select", "stg_cti__indicators", "indicators")
    apart = [("d.example", 2), ("https://s.example/AbCd", 2), ("https://s.example/aBcD", 1)]
    assert sorted((name, int(count)) for name, count in tables.rows(keys)) == apart
    assert "WARN 1" not in loader("run").stdout


def _nightly(*values: str) -> Any:
    return pytest.param(*values, marks=pytest.mark.nightly)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("key=['town', 'place']", "key='town'"),
        _nightly("columns=['rent']", "columns=[]"),
        _nightly("columns=['rent']", "columns=['rent', 'town']"),
        _nightly("columns=['rent']", "columns=['rent'], order_by=none"),
        _nightly("columns=['rent']", "columns=['rent'], order_by=['last_load_id desc nulls last']"),
        ("columns=['rent']", "columns=['rent'], order_by=['rent desc']"),
        ("unique_key=['town', 'place']", "unique_key='town'"),
        _nightly("incremental_strategy='newest'", "incremental_strategy='merge'"),
        ("pre_hook=", "post_hook="),
        (
            "forget_if_miscounted(source('market', 'stalls'))",
            "forget_if_miscounted(ref('stg_market__stalls'))",
        ),
    ],
)
def test_a_mistake_in_a_mart_is_refused_by_name(
    loader: Loader, stalls: Path, project: Path, wrong: str, said: str
) -> None:
    path = project / "models/marts/stalls.sql"
    assert wrong in MART
    path.write_text(MART.replace(wrong, said))
    (stalls / "a.csv").write_text("town,place,rent\nYork,,10\n")
    result = loader("run", "--select", "stalls", code=2)
    argument = "order_by" if "order_by" in said else wrong.partition("=")[0]
    argument = argument.replace("unique_key", "key")
    if "forget" in wrong:
        assert "forget_if_miscounted: landing must be a feed's source table" in result.output
    else:
        assert f"newest_by_key: {argument} must be " in result.output


@on_both_engines
def test_a_number_too_long_for_its_type_reaches_no_cast(
    project: Path, dbt: Dbt, capfd: pytest.CaptureFixture[str]
) -> None:
    # An engine that rounds, cuts or overflows would make another number of it.
    numbers = {"a": ("1" * 20, 19, 0), "b": ("100.0", 3, 1), "c": ("-1.0", 1, 1)}
    for name, (number, precision, scale) in numbers.items():
        (project / f"models/marts/number_{name}.sql").write_text(
            "{{ config(materialized='table') }}\n"
            f"""select {{{{ clean_decimal("'{number}'", {precision}, {scale}) }}}} as n"""
        )
    # THEN dbt says so of each
    with pytest.raises(AssertionError):
        dbt("run", "--select", *(f"number_{name}" for name in numbers))
    printed = capfd.readouterr().out
    for number, precision, scale in numbers.values():
        assert f'"not a decimal({precision}, {scale}): {number}"' in printed
