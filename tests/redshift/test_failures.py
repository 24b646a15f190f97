"""What can go wrong between a file's validation and the commit: rolled back, and clearly said.

Each test ends with the warehouse as it was and with nothing left in S3.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from redshift.cluster import WatchedRig
from redshift.site import COLUMNS, Site, indicators

pytestmark = pytest.mark.slow

# So that COPY reads the object itself, however small it is.
_ANY_SIZE = "1"
# The first and the last moment at which an object can still be lost.
_MEANWHILE = {"COPY": "^copy ", "the commit": "^insert into .*_loaded_files"}


@pytest.fixture(scope="module")
def loaded(site: Site) -> Site:
    """A warehouse with one file, so that there is something to be left alone."""
    site.put("in/loaded.csv", indicators("loaded"))
    site.load().done()
    return site


@pytest.fixture
def rig(loaded: Site) -> Iterator[WatchedRig]:
    """The rig; whatever the test does to it, the warehouse must not show."""
    rig = loaded.cluster.rig_only("changes objects between two statements of a load")
    yield rig
    loaded.clear("in/")
    loaded.put("in/loaded.csv", indicators("loaded"))
    assert loaded.landed() == [("loaded", 1)]
    assert loaded.ledger() == [("in/loaded.csv", 1, 1)]
    assert loaded.keys("work/") == []


@pytest.mark.parametrize("moment", _MEANWHILE)
def test_an_object_that_is_overwritten_is_not_loaded(
    loaded: Site, rig: WatchedRig, moment: str
) -> None:
    # Also if it is as valid as before: what was validated is what is loaded.
    uri = loaded.put("in/new.csv", indicators("validated"))
    overwritten = rig.before(
        _MEANWHILE[moment], lambda: loaded.put("in/new.csv", indicators("overwritten"))
    )
    loaded.load(CTI_COPY_AS_IS_BYTES=_ANY_SIZE).refused(3, uri, "overwritten", "Nothing was loaded")
    overwritten.check()


@pytest.mark.parametrize("moment", _MEANWHILE)
def test_an_object_that_is_deleted_is_not_loaded(
    loaded: Site, rig: WatchedRig, moment: str
) -> None:
    # At COPY the manifest still names it: mandatory.
    uri = loaded.put("in/new.csv", indicators("validated"))
    deleted = rig.before(_MEANWHILE[moment], lambda: loaded.delete("in/new.csv"))
    loaded.load(CTI_COPY_AS_IS_BYTES=_ANY_SIZE).refused(3, uri)
    deleted.check()


def test_a_manifest_that_is_gone_is_named(loaded: Site, rig: WatchedRig) -> None:
    loaded.put("in/new.csv", indicators("new"))
    deleted = rig.before("^copy ", lambda: loaded.clear("work/"))
    loaded.load().refused(3, loaded.uri("work/"), "manifest")
    deleted.check()


# What COPY finds wrong, in which line, and the column that it names.
_SPOILT = {
    "no text": (indicators("x", "y").replace(b"y,domain", b"y,do\xffmain"), 3, "indicator_type"),
    "too long": (indicators("x").replace(b"domain", b"d" * 65), 2, "indicator_type"),
    "too few fields": (indicators("x", "y") + b"a,domain\n", 4, None),
}


@pytest.mark.parametrize("spoilt", _SPOILT)
def test_what_copy_alone_refuses_is_named(loaded: Site, rig: WatchedRig, spoilt: str) -> None:
    # GIVEN a file that the validator accepts and COPY does not: as this may never happen, the
    # object is another while COPY reads it
    data, line, column = _SPOILT[spoilt]
    uri = loaded.put("in/new.csv", indicators("valid"))
    spoiling = rig.before("^copy ", lambda: loaded.put("in/new.csv", data))
    restoring = rig.before(
        "sys_load_error_detail", lambda: loaded.put("in/new.csv", indicators("valid"))
    )
    # THEN the message has what the warehouse's own log has of this very COPY.
    named = [f"column {column}"] if column else []
    loaded.load(CTI_COPY_AS_IS_BYTES=_ANY_SIZE).refused(
        3, f"{uri}, line {line}", *named, "COPY refused it"
    )
    spoiling.check()
    restoring.check()


def test_a_column_that_is_narrower_than_the_contract_is_named(
    loaded: Site, rig: WatchedRig
) -> None:
    # GIVEN a landing table that somebody makes anew by hand
    def narrow() -> None:
        loaded.query("alter table raw.indicators rename to kept")
        columns = [f"{name} varchar(8)" for name in COLUMNS]
        loaded.query(
            f"create table raw.indicators ({', '.join(columns)}, _load_id bigint not null,"
            " _loaded_at timestamp not null)"
        )

    uri = loaded.put("in/new.csv", indicators("more than eight bytes"))
    try:
        # WHEN that is after the load has compared it with the contract THEN COPY finds it out
        rig.before("^create temp", narrow)
        loaded.load(CTI_COPY_AS_IS_BYTES=_ANY_SIZE).refused(3, uri, "line 2", "column indicator")
        # WHEN it is before THEN the column is widened first
        widened = 'alter column "indicator" type varchar(2048);'
        assert widened in loaded.loader("plan").text
    finally:
        loaded.query("drop table raw.indicators")
        loaded.query("alter table raw.kept rename to indicators")


def test_a_role_that_may_not_read_is_named(loaded: Site, rig: WatchedRig) -> None:
    loaded.put("in/new.csv", indicators("new"))
    role = "arn:aws:iam::123456789012:role/somebody-elses"
    loaded.load(CTI_COPY_ROLE=role, CTI_COPY_AS_IS_BYTES=_ANY_SIZE).refused(
        2, role, "CTI_COPY_ROLE"
    )


def test_an_object_that_was_overwritten_is_told_whatever_copy_says(
    loaded: Site, rig: WatchedRig
) -> None:
    # S3 may call an object that is gone a missing right, which no retry would cure.
    loaded.put("in/new.csv", indicators("new"))
    rig.before("^copy ", lambda: loaded.put("in/new.csv", indicators("other")))
    role = "arn:aws:iam::123456789012:role/somebody-elses"
    loaded.load(CTI_COPY_ROLE=role, CTI_COPY_AS_IS_BYTES=_ANY_SIZE).refused(
        3, "in/new.csv: it was overwritten"
    )


def test_a_bucket_in_another_region_needs_the_option(loaded: Site, rig: WatchedRig) -> None:
    loaded.put("in/new.csv", indicators("new"))
    rig.region = "eu-central-1"
    try:
        # Without, COPY is turned away, and the message says what to set.
        loaded.load().refused(2, "CTI_COPY_REGION")
        # With it, COPY reads the bucket; this load ends for another reason.
        rig.forget()
        rig.before("^insert ", lambda: loaded.put("in/new.csv", indicators("other")))
        loaded.load(CTI_COPY_REGION="us-east-1").refused(3, "overwritten")
        assert "region 'us-east-1'" in rig.copies[0].sql
    finally:
        rig.region = None


def test_an_object_that_may_not_be_read_is_named(loaded: Site, rig: WatchedRig) -> None:
    # GIVEN an object that the loader may list and may not get
    uri = loaded.put("in/new.csv", indicators("new"))
    with loaded.unreadable("in/new.csv"):
        loaded.load().refused(2, uri, "access denied")


def test_no_place_for_manifests_is_said(loaded: Site, rig: WatchedRig) -> None:
    loaded.put("in/new.csv", indicators("new"))
    # Before anything is fetched, which could take hours.
    with loaded.unreadable("in/new.csv"):
        loaded.load(CTI_WORK_LOCATION="").refused(2, "CTI_WORK_LOCATION")


def test_a_warehouse_that_is_not_there_is_named(loaded: Site) -> None:
    loaded.start("loader", "history", impatient=True, more={"REDSHIFT_PORT": "1"}).wait().refused(
        3, "cannot reach the warehouse at localhost:1: Connection refused", "Check host and port"
    )
