"""The statements of a load: what is asked once, and what a transaction begins with."""

from __future__ import annotations

from pathlib import Path

import pytest

from redshift.cluster import WatchedRig
from redshift.site import Site, indicators

pytestmark = pytest.mark.slow


@pytest.fixture
def rig(site: Site) -> WatchedRig:
    """The rig, with the tables of the feed there and one new file."""
    rig = site.cluster.rig_only("looks at the statements of a load")
    site.clear("in/")
    site.put("in/first.csv", indicators("first"))
    site.load().done()
    site.put("in/new.csv", indicators("new"))
    rig.calm()
    return rig


def test_each_connection_lists_the_tables_once_and_keeps_no_transaction(
    site: Site, rig: WatchedRig
) -> None:
    site.load().done()
    executed = [" ".join(sql.lower().split()) for sql in rig.faults.executed]
    # One connection for the plan, one for the landing.
    assert sum("table_catalog as database" in sql for sql in executed) == 2
    assert (
        sum(sql.startswith("select coalesce(max(load_id), 0) as newest") for sql in executed) == 2
    )
    begun = [sql for sql in executed if sql in ("begin", "commit")]
    # Each connection lists tables, then their columns, and ends what dbt begins for that; the last
    # is the load's own.
    assert begun == ["begin", "commit"] * 5
    assert executed[executed.index('lock "raw"."_load_lock"') - 1] == "begin"


def test_the_lock_comes_first_whatever_the_profile_says(
    site: Site, rig: WatchedRig, tmp_path: Path
) -> None:
    # GIVEN a profile with which the driver begins a transaction before the first statement
    profile = (site.project / "profiles.yml").read_text()
    assert "      type: redshift\n" in profile
    (tmp_path / "profiles.yml").write_text(
        profile.replace("      type: redshift\n", "      type: redshift\n      autocommit: false\n")
    )
    # WHEN a file is loaded THEN none is begun but by the load, and it is there for all to see
    site.load(DBT_PROFILES_DIR=str(tmp_path)).done()
    assert "begin transaction" not in [sql.lower() for sql in rig.faults.executed]
    assert ("new", 2) in [(name.split(".")[0], load) for name, load in site.landed()]


def test_a_target_that_retries_statements_builds_nothing(site: Site, tmp_path: Path) -> None:
    # GIVEN a profile with which dbt would go on outside of the transaction that it has lost
    profile = (site.project / "profiles.yml").read_text()
    assert "      retries: 0\n" in profile
    (tmp_path / "profiles.yml").write_text(profile.replace("      retries: 0\n", ""))
    # THEN dbt alone, and the loader's run, say what to set
    outcome = site.dbt("run", DBT_PROFILES_DIR=str(tmp_path))
    assert outcome.code != 0
    assert "set retries: 0" in outcome.text
    site.loader("run", DBT_PROFILES_DIR=str(tmp_path)).refused(2, "set retries: 0")
