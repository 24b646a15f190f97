"""A view on Redshift stays as it is until its SQL, its description or its grants change."""

from __future__ import annotations

from pathlib import Path

import pytest

from redshift.site import Site, indicators

pytestmark = pytest.mark.slow

_FOLDER = Path("models/staging/cti")
_VIEW = "stg_cti__indicators"


def _id(site: Site, view: str = _VIEW) -> int:
    """What a view is to the server; another once it has been dropped and made anew."""
    query = "select oid from pg_class where relname = '{}' and relkind = 'v'"
    ((oid,),) = site.query(query.format(view))
    return int(oid)


@pytest.fixture
def built(site: Site) -> Site:
    """A warehouse with its views."""
    site.put("in/a.csv", indicators("a"))
    site.load().done()
    site.dbt(
        *("build", "--exclude-resource-type", "test", "unit_test"),
        *("--select", "indicator_type_aliases", "+indicators", "load_quality"),
    ).done()
    return site


def test_views_and_what_is_granted_on_them_stay(built: Site) -> None:
    views = (_VIEW, "load_quality")
    for view in views:
        built.query(f"grant select on analytics.{view} to public")
    before = [_id(built, view) for view in views]
    outcome = built.dbt("run", "--select", *views).done()
    assert outcome.text.count("UNCHANGED") == 2
    assert [_id(built, view) for view in views] == before
    rights = "select relacl from pg_class where relname in ('load_quality', 'stg_cti__indicators')"
    assert all("=r/" in str(row[0]) for row in built.query(rights))


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        (f"{_VIEW}.sql", "select * from typed", "select * from typed where true"),
        (f"{_VIEW}.yml", "nothing is\n      left out", "nothing at all is\n      left out"),
        (f"{_VIEW}.yml", "    desc", "    config: {grants: {select: [public]}}\n    desc"),
    ],
    ids=["sql", "description", "grants"],
)
def test_a_view_that_changes_is_made_anew(built: Site, file: str, old: str, new: str) -> None:
    before = _id(built)
    path = built.project / _FOLDER / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    try:
        built.dbt("run", "--select", _VIEW).done()
    finally:
        path.write_text(text)
    assert _id(built) != before


def test_a_view_is_made_anew_if_asked_or_dropped(built: Site) -> None:
    before = _id(built)
    built.dbt("run", "--full-refresh", "--select", _VIEW).done()
    again = _id(built)
    assert again != before
    built.query(f"drop view analytics.{_VIEW}")
    built.dbt("run", "--select", _VIEW).done()
    assert _id(built) != again


def test_a_description_may_have_any_character(built: Site) -> None:
    # The driver takes a % for a parameter, but only in a statement that has some.
    rig = built.cluster.rig_only("looks at a comment past dbt")
    path = built.project / _FOLDER / f"{_VIEW}.yml"
    before = path.read_text()
    try:
        path.write_text(before.replace("One row per record", "100% it's; a\\b $$ {x} %s", 1))
        built.dbt("run", "--select", _VIEW).done()
    finally:
        path.write_text(before)
    query = (
        "select description from pg_description as d join pg_class as c on c.oid = d.objoid"
        f" where c.relname = '{_VIEW}' and objsubid = 0"
    )
    ((comment,),) = rig.admin_query(query, built.cluster.database)
    assert str(comment).startswith("100% it's; a\\b $$ {x} %s of the landing table")
