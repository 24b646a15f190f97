"""Fixtures: one S3 server and one rig per test run, one fresh database per test.

Use them with `pytest_plugins = ["rig.fixtures"]` in the topmost conftest.py, or import them there.
"""

from __future__ import annotations

import contextlib
import gc
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import redshift_connector
from redshift_connector.error import Error as DriverError

from rig.s3 import S3Server
from rig.server import RedshiftRig

_numbers = itertools.count(1)
# What a developer's shell may set that would lead an SDK or a driver elsewhere.
_STRAY = ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL", "PGSSLMODE", "PGHOST", "PGPORT")


def pytest_configure(config: pytest.Config) -> None:
    """Let the driver pass where warnings are errors: it is not ours to mend."""
    for warning in (
        "ignore:ssl.SSLContext.. without protocol argument is deprecated:DeprecationWarning",
        "ignore:ssl.PROTOCOL_TLS is deprecated:DeprecationWarning",
        # A connection that is refused or cut: the driver forgets its socket.
        "ignore:unclosed <ssl.SSLSocket:ResourceWarning",
    ):
        config.addinivalue_line("filterwarnings", warning)


@dataclass
class RedshiftDatabase:
    """A database of the rig that belongs to one test."""

    rig: RedshiftRig
    name: str
    _connections: list[Any] = field(default_factory=list)

    def connect(self, **options: Any) -> Any:
        """Open a connection of redshift-connector, over verified TLS; closed after the test."""
        settings: dict[str, Any] = {
            "host": self.rig.host,
            "port": self.rig.port,
            "database": self.name,
            "user": self.rig.user,
            "password": self.rig.password,
            "ssl": True,
            "sslmode": "verify-full",
        }
        connection = redshift_connector.connect(**settings | options)
        self._connections.append(connection)
        return connection

    def query(self, sql: str) -> list[list[Any]]:
        """Run one statement in a connection of its own, autocommit on; returns its rows."""
        connection = self.connect()
        connection.autocommit = True
        cursor = connection.cursor()
        cursor.execute(sql)
        rows: list[list[Any]] = list(cursor.fetchall()) if cursor.description else []
        connection.close()
        return rows

    def close(self) -> None:
        """Close the connections that the test left open."""
        for connection in self._connections:
            # Closed by the test already, or cut by a fault: then the driver forgets its sockets.
            sockets = connection._sock, connection._usock
            with contextlib.suppress(DriverError, OSError):
                connection.close()
            for socket in sockets:
                with contextlib.suppress(AttributeError, OSError):
                    socket.close()


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    """A running S3 server with the bucket "lake"."""
    with S3Server() as server:
        yield server


@pytest.fixture(scope="session")
def redshift_rig(s3_server: S3Server) -> Iterator[RedshiftRig]:
    """A running rig whose COPY reads from s3_server."""
    with RedshiftRig(s3=s3_server) as rig:
        yield rig
        # What refused log-ins left behind goes now, while the filters above are in force.
        gc.collect()


@pytest.fixture
def redshift_database(
    redshift_rig: RedshiftRig, monkeypatch: pytest.MonkeyPatch
) -> Iterator[RedshiftDatabase]:
    """A fresh, empty database. SSL_CERT_FILE is set so that clients trust the rig."""
    for name in _STRAY:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SSL_CERT_FILE", str(redshift_rig.certificate_authority))
    database = RedshiftDatabase(redshift_rig, f"test_{next(_numbers)}")
    redshift_rig.create_database(database.name)
    yield database
    database.close()
    redshift_rig.faults.clear()
    redshift_rig.drop_database(database.name)
