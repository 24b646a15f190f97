"""The unmodified driver against the rig: logging in, transactions, errors, many at once."""

from __future__ import annotations

import socket
import struct
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import redshift_connector

from rig.fixtures import RedshiftDatabase
from rig.server import RedshiftRig
from rig.tls import make_certificates


def fields(caught: pytest.ExceptionInfo[Any]) -> dict[str, str]:
    """The fields of the error that the driver raised."""
    found: dict[str, str] = caught.value.args[0]
    return found


@pytest.mark.parametrize("options", [{}, {"sslmode": "verify-ca"}, {"ssl": False}])
def test_logs_in(redshift_database: RedshiftDatabase, options: dict[str, Any]) -> None:
    connection = redshift_database.connect(**options)
    cursor = connection.cursor()
    cursor.execute("select current_user, current_database()")
    assert cursor.fetchone() == ["awsuser", redshift_database.name]


def test_tls_is_verified(
    redshift_database: RedshiftDatabase, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # verify-full must mean something: another authority is not trusted.
    stranger = make_certificates(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(stranger.authority))
    with pytest.raises(Exception, match="certificate verify failed"):
        redshift_database.connect()


def test_tls_checks_the_name(redshift_database: RedshiftDatabase) -> None:
    with pytest.raises(Exception, match=r"certificate is not valid for '127\.1'"):
        # Another way to write the address, and not one of the certificate's names.
        redshift_database.connect(host="127.1")


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"password": "wrong"}, "28000"),
        ({"user": "nobody"}, "28000"),
        ({"database": "missing"}, "3D000"),
    ],
)
def test_refuses_to_log_in(
    redshift_database: RedshiftDatabase, options: dict[str, str], code: str
) -> None:
    with pytest.raises(redshift_connector.error.Error) as caught:
        redshift_database.connect(**options)
    assert fields(caught)["C"] == code


def test_autocommit_off(redshift_database: RedshiftDatabase) -> None:
    first, second = redshift_database.connect(), redshift_database.connect()
    writer, reader = first.cursor(), second.cursor()
    writer.execute("create table t (a int)")
    first.commit()
    writer.execute("insert into t values (%s)", (1,))
    reader.execute("select count(*) from t")
    assert reader.fetchone() == [0]
    first.rollback()
    writer.execute("insert into t values (2)")
    first.commit()
    second.rollback()
    reader.execute("select a from t")
    assert reader.fetchall() == ([2],)


def test_autocommit_on(redshift_database: RedshiftDatabase) -> None:
    connection = redshift_database.connect()
    connection.autocommit = True
    connection.cursor().execute("create table t (a int)")
    assert redshift_database.query("select count(*) from t") == [[0]]


def test_a_transaction_sees_one_snapshot(redshift_database: RedshiftDatabase) -> None:
    # AWS, "Isolation levels in Amazon Redshift": the snapshot is taken at the first statement that
    # reads a table, and after a LOCK, so a ledger that locks first sees what committed before.
    redshift_database.query("create table t (a int)")
    connection = redshift_database.connect()
    cursor = connection.cursor()
    cursor.execute("select count(*) from t")
    redshift_database.query("insert into t values (1)")
    cursor.execute("select count(*) from t")
    assert cursor.fetchall() == ([0],)
    connection.rollback()
    cursor.execute("lock t")
    cursor.execute("select count(*) from t")
    assert cursor.fetchall() == ([1],)


def test_lock_makes_others_wait(redshift_database: RedshiftDatabase) -> None:
    # AWS, "LOCK": reads and writes of other sessions wait until the transaction ends.
    redshift_database.query("create table ledger (id int)")
    order: list[str] = []

    def second() -> None:
        rows = redshift_database.query("select max(id) from ledger")
        order.append(f"read {rows[0][0]}")

    holder = redshift_database.connect()
    cursor = holder.cursor()
    cursor.execute("lock table ledger")
    thread = threading.Thread(target=second)
    thread.start()
    time.sleep(0.3)
    cursor.execute("insert into ledger values (7)")
    order.append("commit")
    holder.commit()
    thread.join(10)
    assert order == ["commit", "read 7"]


def test_truncate_commits(redshift_database: RedshiftDatabase) -> None:
    # AWS, "TRUNCATE": it commits the transaction in which it is run.
    redshift_database.query("create table t (a int)")
    redshift_database.query("insert into t values (1)")
    connection = redshift_database.connect()
    cursor = connection.cursor()
    cursor.execute("create table other (a int)")
    cursor.execute("truncate t")
    connection.rollback()
    assert redshift_database.query("select count(*) from t") == [[0]]
    assert redshift_database.query("select count(*) from other") == [[0]]


def test_append_is_refused_in_a_transaction(redshift_database: RedshiftDatabase) -> None:
    cursor = redshift_database.connect().cursor()
    with pytest.raises(redshift_connector.error.Error) as caught:
        cursor.execute("alter table a append from b")
    assert fields(caught)["M"] == "ALTER TABLE cannot run inside a transaction block"
    with pytest.raises(redshift_connector.error.Error) as caught:
        redshift_database.query("alter table a append from b")
    assert "the rig does not imitate" in fields(caught)["M"]


@pytest.mark.parametrize("wrong", ["select string_agg('a', ',')", "select 1 on conflict", "copy x"])
def test_an_error_fails_the_transaction(redshift_database: RedshiftDatabase, wrong: str) -> None:
    # Whoever goes on after an error must be stopped, as on Redshift, and can roll back.
    connection = redshift_database.connect()
    cursor = connection.cursor()
    cursor.execute("create table t (a int)")
    with pytest.raises(redshift_connector.error.Error):
        cursor.execute(wrong)
    for sql in ("insert into t values (1)", "copy t from 's3://lake/x' iam_role default csv"):
        with pytest.raises(redshift_connector.error.Error) as caught:
            cursor.execute(sql)
        assert fields(caught)["C"] == "25P02"
    connection.rollback()
    cursor.execute("select 1")
    assert cursor.fetchone() == [1]


def test_errors_have_the_fields_of_8_0(redshift_database: RedshiftDatabase) -> None:
    with pytest.raises(redshift_connector.error.Error) as caught:
        redshift_database.query("insert into missing values (1)")
    assert fields(caught)["M"] == 'relation "missing" does not exist'
    assert set(fields(caught)) <= set("SCMDHPFLR")


def test_write_conflict_is_1023(redshift_database: RedshiftDatabase) -> None:
    # AWS, "Serializable isolation": ERROR:1023 DETAIL: Serializable isolation violation on table
    redshift_database.query("create table t (a int)")
    redshift_database.query("insert into t values (1)")
    connection = redshift_database.connect()
    cursor = connection.cursor()
    cursor.execute("select * from t")
    redshift_database.query("update t set a = 2")
    with pytest.raises(redshift_connector.error.Error) as caught:
        cursor.execute("update t set a = 3")
    assert (fields(caught)["C"], fields(caught)["M"]) == ("XX000", "1023")
    assert fields(caught)["D"].startswith("Serializable isolation violation on table - ")


def test_merge_refuses_two_matches(redshift_database: RedshiftDatabase) -> None:
    # AWS, "MERGE", usage notes
    for sql in (
        "create table target (id int, name char(10))",
        "create table source (id int, name char(10))",
        "insert into target values (1, 'Bob'), (2, 'John')",
        "insert into source values (1, 'Tony'), (1, 'Alice'), (3, 'Bill')",
    ):
        redshift_database.query(sql)
    merge = (
        "merge into target using source on target.id = source.id when matched then update set"
        " name = source.name when not matched then insert values (source.id, source.name)"
    )
    with pytest.raises(Exception, match="Found multiple matches to update the same tuple"):
        redshift_database.query(merge)
    redshift_database.query("delete from source where name = 'Alice'")
    redshift_database.query(merge)
    assert redshift_database.query("select id, btrim(name) from target order by id") == [
        [1, "Tony"],
        [2, "John"],
        [3, "Bill"],
    ]


def test_late_binding_views_follow_names(redshift_database: RedshiftDatabase) -> None:
    # AWS, "CREATE VIEW": with no schema binding, the table under a view can be dropped and made
    # anew; a view of PostgreSQL would hold on to the old one.
    query = redshift_database.query
    query("create table t (a varchar(5), b int)")
    query("create view v as select a, b + 1 as c from t where a <> 'it\\'s' with no schema binding")
    query("alter table t rename to old")
    query("create table t (a varchar(5), b int)")
    query("insert into t values ('x', 1)")
    query("drop table old")
    assert query("select a, c from v") == [["x", 2]]
    query("drop table t")
    with pytest.raises(Exception, match='relation "t" does not exist'):
        query("select * from v")
    query("drop view v")


def test_a_column_is_widened_under_late_binding_views(redshift_database: RedshiftDatabase) -> None:
    # AWS, "ALTER TABLE": only the size of a VARCHAR, and not in a transaction block.
    query = redshift_database.query
    query("create table t (a varchar(2))")
    query("create view v as select a, 1 as one from t with no schema binding")
    query("create view w as select a from v with no schema binding")
    connection = redshift_database.connect()
    with pytest.raises(redshift_connector.error.Error) as caught:
        connection.cursor().execute("alter table t alter column a type varchar(5)")
    assert fields(caught)["M"] == "ALTER TABLE cannot run inside a transaction block"
    connection.rollback()
    query('alter table t alter column "a" type varchar(5)')
    query("insert into t values ('abcde')")
    query("create table copied as select a from w")
    query("insert into copied values ('12345')")
    assert query("select a from w") == [["abcde"]]
    with pytest.raises(Exception, match="value too long"):
        query("insert into copied values ('123456')")


def test_many_connections_at_once(redshift_database: RedshiftDatabase) -> None:
    # Four threads of dbt and eight loaders share one cluster.
    redshift_database.query("create table t (worker int, n int)")

    def work(worker: int) -> None:
        connection = redshift_database.connect()
        cursor = connection.cursor()
        for n in range(5):
            cursor.execute("insert into t values (%s, %s)", (worker, n))
            connection.commit()
        connection.close()

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(work, range(12)))
    assert redshift_database.query("select count(*), count(distinct worker) from t") == [[60, 12]]


def test_a_session_can_be_terminated(redshift_database: RedshiftDatabase) -> None:
    # dbt cancels a query this way on Ctrl-C.
    connection = redshift_database.connect()
    cursor = connection.cursor()
    cursor.execute("select pg_backend_pid()")
    (pid,) = cursor.fetchone()
    redshift_database.query(f"select pg_terminate_backend({pid})")
    with pytest.raises(redshift_connector.error.Error):
        cursor.execute("select 1")


def test_a_query_can_be_cancelled(redshift_database: RedshiftDatabase) -> None:
    connection = redshift_database.connect()
    redshift_database.query("create table t (a int)")
    holder = redshift_database.connect()
    holder.cursor().execute("lock t")

    def cancel() -> None:
        time.sleep(0.3)
        request = struct.pack("!ii", 16, 80877102) + connection._backend_key_data
        with socket.create_connection(("127.0.0.1", redshift_database.rig.port)) as sock:
            sock.sendall(request)
            sock.recv(1)

    thread = threading.Thread(target=cancel)
    thread.start()
    with pytest.raises(redshift_connector.error.Error) as caught:
        connection.cursor().execute("select * from t")
    thread.join(10)
    assert fields(caught)["C"] == "57014"


def test_rewrites_and_statements_are_kept(redshift_database: RedshiftDatabase) -> None:
    # The project keeps a reviewed snapshot of the rewrites that its SQL needs.
    rig = redshift_database.rig
    redshift_database.query("select nvl(null, 42)")
    assert "select nvl(null, 42)" in rig.statements
    assert ("nvl", "nvl", "coalesce") in [(r.rule, r.before, r.after) for r in rig.rewrites()]


def test_stops_with_open_connections() -> None:
    rig = RedshiftRig().start()
    folder = rig._postgres.folder
    database = RedshiftDatabase(rig, "dev")
    connection = database.connect(ssl=False)
    began = time.monotonic()
    rig.stop()
    assert time.monotonic() - began < 5
    assert not folder.exists()
    with pytest.raises(redshift_connector.error.Error):
        connection.cursor().execute("select 1")
    database.close()
    rig.stop()
