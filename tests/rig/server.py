"""RedshiftRig: a server that Redshift's driver and dbt-redshift take for a cluster."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Self

from rig.copy_target import CopyAccess
from rig.databases import (
    backend_settings,
    create_database,
    drop_database,
    prepare_template,
    state_folder,
    transaction_level,
)
from rig.errors import RedshiftError
from rig.faults import Faults
from rig.front import Front
from rig.load_log import LoadLog
from rig.postgres import Postgres
from rig.sql_text import Rewrite
from rig.tls import Certificates, make_certificates

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path
    from types import TracebackType

    from rig.s3 import S3Server

_PASSWORD = "Rig-password-1"
ROLE = "arn:aws:iam::123456789012:role/rig-copy"


class RedshiftRig:
    """A stand-in for a Redshift cluster on the loopback interface.

    `with RedshiftRig(s3=server) as rig:` starts it (some two seconds) and stops it. `user` and
    `password` are what clients log in with, `database` exists from the start. COPY reads from
    `s3`, with the server's own keys, when the statement names one of `roles` (or default, which is
    the first of them). `region` is the cluster's, by default the bucket's. `isolation` is
    "snapshot", Redshift's default, or "serializable".

    Raises RigStartError when it does not come up.
    """

    def __init__(
        self,
        *,
        s3: S3Server | None = None,
        user: str = "awsuser",
        password: str = _PASSWORD,
        database: str = "dev",
        roles: tuple[str, ...] = (ROLE,),
        region: str | None = None,
        isolation: str = "snapshot",
        port: int = 0,
    ) -> None:
        self.user = user
        self.password = password
        self.database = database
        self.roles = roles
        self.host = "localhost"
        self.port = port
        self.region = region
        self.faults = Faults()
        # The statements that clients sent, oldest first.
        self.statements: deque[str] = deque(maxlen=10_000)
        self.transaction_level = transaction_level(isolation)
        self._s3 = s3
        self._rewrites: dict[Rewrite, None] = {}
        self._lock = threading.Lock()
        self._postgres = Postgres(backend_settings())
        self._postgres.settings["rig.folder"] = str(state_folder(self._postgres))
        self._front: Front | None = None
        self._certificates: Certificates
        self.load_log: LoadLog

    # For tests ---------------------------------------------------------------

    @property
    def role(self) -> str:
        """ARN of a role that COPY may use."""
        return self.roles[0]

    @property
    def certificate_authority(self) -> Path:
        """PEM file that a client has to trust (SSL_CERT_FILE) for sslmode verify-full."""
        return self._certificates.authority

    def rewrites(self) -> list[Rewrite]:
        """Every different change made to a statement so far, in the order of its first use."""
        with self._lock:
            return list(self._rewrites)

    def create_database(self, name: str) -> None:
        """Make an empty database (some 30 ms)."""
        create_database(self._postgres, name, self.user)

    def copy_database(self, source: str, name: str) -> None:
        """Make a database with all that another has, cutting the connections to that."""
        create_database(self._postgres, name, self.user, source)

    def drop_database(self, name: str) -> None:
        """Drop a database, cutting the connections to it."""
        drop_database(self._postgres, name)

    def admin_query(self, sql: str, database: str | None = None) -> list[list[str | None]]:
        """Ask the PostgreSQL behind the rig, past all rules; for a test's own look at the data."""
        backend = self._postgres.connect(database or self.database)
        try:
            return backend.query(sql).rows
        finally:
            backend.close()

    # Running -----------------------------------------------------------------

    def start(self) -> RedshiftRig:
        """Start PostgreSQL and listen."""
        try:
            self._postgres.start()
            folder = state_folder(self._postgres)
            folder.mkdir()
            folder.chmod(0o755)
            self.load_log = LoadLog(folder)
            self._certificates = make_certificates(folder)
            prepare_template(self._postgres, self.user)
            self.create_database(self.database)
            self._front = Front(self, self._certificates.server_context(), self.port)
            self.port = self._front.port
        except BaseException:
            self.stop()
            raise
        return self

    def restart(self) -> None:
        """Do what a cluster's reboot does to clients; some 0.3 s. Committed data stays."""
        self._postgres.restart()

    def stop(self) -> None:
        """Cut all connections, stop PostgreSQL and delete its data."""
        front, self._front = self._front, None
        if front is not None:
            front.stop()
        self._postgres.stop()
        if front is not None:
            front.join()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    # For sessions ------------------------------------------------------------

    def record(self, sql: str, rewrites: Iterable[Rewrite]) -> None:
        """Keep a statement and the changes made to it."""
        with self._lock:
            self.statements.append(sql)
            self._rewrites.update(dict.fromkeys(rewrites))

    @property
    def backend_socket(self) -> str:
        """Unix socket of the PostgreSQL behind the rig."""
        return self._postgres.socket

    def copy_access(self) -> CopyAccess:
        """What a COPY may read."""
        if self._s3 is None:
            raise RedshiftError("this rig was started without an S3 server", "XX000")
        return CopyAccess(
            self._s3.client,
            self._s3.region,
            self.region or self._s3.region,
            frozenset(self.roles),
            self.roles[0] if self.roles else None,
            self.user,
        )

    def terminate(self, pid: int) -> None:
        """End a session of PostgreSQL, rolling back what it does, and wait until it is gone."""
        self.admin_query(f"select pg_terminate_backend({pid}, 5000)", "postgres")
