"""A mart whose rules have changed is rebuilt by the next build, which says why; else it is not."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from e2e.engines import on_both_engines, slowly_on_both_engines

if TYPE_CHECKING:
    from conftest import Loader
    from e2e.conftest import BeginWith, Dbt
    from e2e.engines import Tables

HEADER = "indicator,indicator_type,source,confidence,first_seen\n"
REBUILT = "analytics.indicators is rebuilt from all landed records"
STAGING, MART, ALIASES = (
    "models/staging/cti/stg_cti__indicators.sql",
    "models/marts/indicators.sql",
    "seeds/indicator_type_aliases.csv",
)


def change(project: Path, file: str, old: str, new: str) -> None:
    """Another text in a file of the project."""
    path = project / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def mart(tables: Tables, column: str) -> list[str]:
    """A column of the mart, in order."""
    return sorted(str(row[0]) for row in tables.rows(f"select {column} from analytics.indicators"))


@pytest.fixture
def built(loader: Loader, feed_folder: Path, begin_with: BeginWith) -> Path:
    """A warehouse in which a file was loaded and built; the folder of the feed."""

    def make() -> None:
        lines = ["a.example/A,link,Source,1,2026-01-01\n", "b.example,domain,Other,2,2026-01-02\n"]
        (feed_folder / "a.csv").write_text(HEADER + "".join(lines))
        assert REBUILT not in loader("run").stdout

    begin_with(make)
    return feed_folder


@on_both_engines
@pytest.mark.slow
def test_an_alias_that_is_added_is_enough(
    loader: Loader, project: Path, feed_folder: Path, tables: Tables
) -> None:
    # GIVEN a mart of an alias that the seed lacked
    change(project, ALIASES, "link,url\n", "")
    (feed_folder / "a.csv").write_text(HEADER + "a.example/A,link,Source,1,2026-01-01\n")
    loader("run", code=1)
    assert mart(tables, "indicator_type") == ["link"]
    # WHEN it is added THEN the next run rebuilds the mart and says why, the one after it does not
    change(project, ALIASES, "uri,url\n", "uri,url\nlink,url\n")
    said = loader("run").stdout
    why = "; its rules have changed since it was built: indicator_type_aliases"
    assert f"{REBUILT}{why}\n" in said
    assert mart(tables, "indicator_type") == ["url"]
    assert REBUILT not in loader("run").stdout


@pytest.mark.parametrize(
    ("file", "old", "new", "why", "column", "expected"),
    [
        (
            *("macros/clean/clean_text.sql", "case == 'lower'", "case == 'upper'"),
            *("stg_cti__indicators", "source", ["Other", "Source"]),
        ),
        (
            *("dbt_project.yml", "keep_url_path_case: false", "keep_url_path_case: true"),
            *("stg_cti__indicators", "indicator", ["a.example/A", "b.example"]),
        ),
        (
            *(MART, "columns=['conf", "columns=['_loaded_at', 'conf"),
            *("indicators", "_loaded_at is null", ["False", "False"]),
        ),
        (
            *(STAGING, "select * from typed", "select * from typed where confidence <> 2"),
            *("stg_cti__indicators", "indicator", ["a.example/a"]),
        ),
        (
            *("macros/marts/newest_by_key.sql", "' desc nulls last'", "' asc nulls last'"),
            *("indicators", "indicator", ["a.example/a", "b.example"]),
        ),
    ],
    ids=["macro", "variable", "column", "model", "ranking"],
)
def test_a_rule_that_changes_rebuilds_the_mart(
    loader: Loader, project: Path, built: Path, tables: Tables, file: str, old: str, new: str,
    why: str, column: str, expected: list[str],
) -> None:  # fmt: skip
    change(project, file, old, new)
    if column.startswith("_loaded_at"):
        where = "      - name: source\n        description: Who reported the w"
        added = "      - {name: _loaded_at, description: When, data_type: timestamp}\n"
        change(project, "models/marts/indicators.yml", where, added + where)
    # A model that leaves records out is told by the tests.
    said = loader("run", code=1 if file == STAGING else 0).stdout
    assert f"{REBUILT}; its rules have changed since it was built: {why}\n" in said
    assert mart(tables, column) == expected


@pytest.mark.slow
def test_a_comment_a_blank_and_a_description_change_nothing(
    loader: Loader, project: Path, built: Path, tables: Tables
) -> None:
    rules = "select * from raw._built_models where model <> 'analytics.stg_cti__indicators'"
    before = tables.rows(rules)
    for file in (STAGING, MART):
        path = project / file
        path.write_text(path.read_text().rstrip() + "   \n\n-- it's a comment\n/* 'another */\n")
    change(project, STAGING, "select * from typed", "select  *\n  from typed")
    change(project, "models/staging/cti/stg_cti__indicators.yml", " Who reported it", " Who")
    assert REBUILT not in loader("run").stdout
    assert sorted(tables.rows(rules)) == sorted(before)


@slowly_on_both_engines
def test_a_mart_that_is_built_alone_knows_what_it_reads(
    project: Path, built: Path, tables: Tables, dbt: Dbt
) -> None:
    # GIVEN another rule of staging, whose view is not made yet
    change(project, STAGING, "lower(cleaned.indicator) as", "upper(cleaned.indicator) as")
    # WHEN the mart is built alone THEN it is as the view is that it reads
    dbt("run", "--select", "indicators")
    assert mart(tables, "indicator") == ["a.example/a", "b.example"]
    # AND once the view is new, the mart is rebuilt
    dbt("run", "--select", "stg_cti__indicators")
    dbt("run", "--select", "indicators")
    assert mart(tables, "indicator") == ["A.EXAMPLE/A", "B.EXAMPLE"]


@pytest.mark.slow
def test_a_mart_of_unknown_rules_is_rebuilt_once(
    loader: Loader, built: Path, tables: Tables
) -> None:
    # GIVEN a warehouse that was built before rules were noted
    tables.rows("drop table raw._built_models")
    said = loader("run").stdout
    assert f"{REBUILT}; nobody noted by what rules it was built\n" in said
    assert REBUILT not in loader("run").stdout


@slowly_on_both_engines
def test_a_build_from_nothing_notes_its_rules(
    loader: Loader, project: Path, built: Path, tables: Tables, dbt: Dbt
) -> None:
    change(project, STAGING, "lower(cleaned.indicator) as", "upper(cleaned.indicator) as")
    dbt("run", "--full-refresh")
    assert REBUILT not in loader("run").stdout
    tables.rows("drop table analytics.indicators")
    assert REBUILT not in loader("run").stdout
    assert mart(tables, "indicator") == ["A.EXAMPLE/A", "B.EXAMPLE"]


@pytest.mark.slow
def test_a_mart_of_one_s_own_sql_is_rebuilt_too(
    loader: Loader, project: Path, built: Path, tables: Tables
) -> None:
    # GIVEN a mart that another macro than newest_by_key has written
    (project / "models/marts/sources.sql").write_text(
        "{{ config(incremental_strategy='append', unique_key=none,"
        " pre_hook=\"{{ forget_if_miscounted(source('cti', 'indicators')) }}\") }}\n"
        "select source, count(*) as occurrences, max(_load_id) as last_load_id\n"
        "from {{ ref('stg_cti__indicators') }}\n"
        "{% if is_incremental() %}\n"
        "where _load_id > (select coalesce(max(last_load_id), 0) from {{ this }})\n"
        "{% endif %}\ngroup by 1\n"
    )
    (project / "models/marts/sources.yml").write_text(
        "models: [{name: sources, columns: [{name: occurrences}, {name: last_load_id}], data_tests:"
        " [{counts_every_record: {arguments: {landed: \"source('cti', 'indicators')\"}}}]}]\n"
    )
    for _ in range(2):
        loader("run")
    change(project, "macros/clean/clean_text.sql", "case == 'lower'", "case == 'upper'")
    assert "analytics.sources is rebuilt" in loader("run").stdout
    rows = tables.rows("select source from analytics.sources order by 1")
    assert rows == [("Other",), ("Source",)]
    assert "analytics.sources is rebuilt" not in loader("run").stdout
    # So it is when records that it had counted are gone, as is any mart that has a key twice
    tables.rows("delete from raw.indicators where source = 'Other'")
    twice = "select * from analytics.indicators where source = 'Source'"
    tables.rows(f"insert into analytics.indicators {twice}")
    said = loader("run").stdout
    for name in ("sources", "indicators"):
        why = "from all landed records; some that it had counted are gone"
        assert f"analytics.{name} is rebuilt {why}" in said
        assert tables.rows(f"select lower(source) from analytics.{name}") == [("source",)]
