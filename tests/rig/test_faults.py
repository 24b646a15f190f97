"""Faults strike where they are told to: tests of a loader's recovery stand on it."""

from __future__ import annotations

import time
from typing import Any

import pytest
import redshift_connector

from rig.errors import RedshiftError
from rig.fixtures import RedshiftDatabase
from rig.s3 import S3Server
from rig.server import ROLE

_LOST = redshift_connector.error.InterfaceError


@pytest.fixture
def cursor(redshift_database: RedshiftDatabase) -> Any:
    redshift_database.query("create table t (a int)")
    return redshift_database.connect().cursor()


@pytest.mark.parametrize(("when", "rows"), [("before", 0), ("during", 0), ("after", 1)])
def test_cut_at_commit(
    cursor: Any, redshift_database: RedshiftDatabase, when: Any, rows: int
) -> None:
    # "after" is the nasty one: the data is in, and the client does not know.
    fault = redshift_database.rig.faults.cut("^commit", when)
    cursor.execute("insert into t values (1)")
    with pytest.raises(_LOST):
        cursor._c.commit()
    assert fault.fired.is_set()
    count = redshift_database.query("select count(*) from t")
    # A COMMIT that is cut while it runs may be done or not; both are right.
    assert count == [[rows]] or when == "during"


@pytest.mark.parametrize(("when", "rows"), [("before", 0), ("during", 0), ("after", 1)])
def test_cut_at_autocommitted_insert(
    cursor: Any, redshift_database: RedshiftDatabase, when: Any, rows: int
) -> None:
    cursor._c.autocommit = True
    redshift_database.rig.faults.cut("insert into t", when)
    with pytest.raises(_LOST):
        cursor.execute("insert into t select 1")
    assert redshift_database.query("select count(*) from t") == [[rows]]


@pytest.mark.parametrize(("when", "rows"), [("before", 0), ("during", 0), ("after", 30_000)])
def test_cut_at_copy(
    cursor: Any, redshift_database: RedshiftDatabase, s3_server: S3Server, when: Any, rows: int
) -> None:
    s3_server.client().put_object(Bucket="lake", Key="faults", Body=b"1\n" * 30_000)
    cursor._c.autocommit = True
    redshift_database.rig.faults.cut("^copy", when)
    with pytest.raises(_LOST):
        cursor.execute(f"copy t from 's3://lake/faults' iam_role '{ROLE}' csv")
    assert redshift_database.query("select count(*) from t") == [[rows]]


def test_error_at_the_second_match(cursor: Any, redshift_database: RedshiftDatabase) -> None:
    redshift_database.rig.faults.error("insert into t", nth=2)
    cursor.execute("insert into t values (1)")
    with pytest.raises(redshift_connector.error.Error) as caught:
        cursor.execute("insert into t values (2)")
    assert (caught.value.args[0]["C"], caught.value.args[0]["M"]) == ("XX000", "1023")
    cursor._c.rollback()
    # It strikes once: the retry goes through.
    cursor.execute("insert into t values (3)")
    cursor._c.commit()
    assert redshift_database.query("select a from t") == [[3]]


def test_error_at_commit_rolls_back(cursor: Any, redshift_database: RedshiftDatabase) -> None:
    redshift_database.rig.faults.error("^commit", RedshiftError("disk full", "53100"))
    cursor.execute("insert into t values (1)")
    with pytest.raises(redshift_connector.error.Error, match="disk full"):
        cursor._c.commit()
    assert redshift_database.query("select count(*) from t") == [[0]]
    assert not cursor._c.in_transaction


def test_delay(cursor: Any, redshift_database: RedshiftDatabase) -> None:
    redshift_database.rig.faults.delay("select 42", 0.2)
    began = time.monotonic()
    cursor.execute("select 42")
    assert time.monotonic() - began >= 0.2


def test_clear(cursor: Any, redshift_database: RedshiftDatabase) -> None:
    fault = redshift_database.rig.faults.cut("select 43", "before")
    redshift_database.rig.faults.clear()
    cursor.execute("select 43")
    assert not fault.fired.is_set()
