"""The warehouse and the bucket that the suite works with: the rig's, or a real cluster's.

Everything here has secrets that occur nowhere else, so a test can look for them in all that a run
wrote. On the rig a test can also act between two statements of the loader, to the statement.
"""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import boto3
import pytest
import redshift_connector
from rig.s3 import S3Server
from rig.server import RedshiftRig
from rig.sql_text import Rewrite

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

__all__ = [
    "TEST_MARK",
    "Cluster",
    "Moment",
    "SentCopy",
    "WatchedRig",
    "is_remote",
    "remote_cluster",
    "rig_cluster",
]

# Begins every statement of the tests themselves, so that they are not taken for the project's.
TEST_MARK = "/* test */ "

# The manifest that a COPY reads: bucket, folder and name.
_MANIFEST = re.compile(r"(?<=from ')s3://([^/']+)/([^']*/)(manifest[^/']*)(?=')")

_PASSWORD = "Marked-Redshift-pass9"
_ACCESS_KEY = "AKIAMARKEDACCESSKEY9"
_SECRET_KEY = "marked+aws/secret/key9"
# Read while tests are collected: later the tests' environment has no settings of the developer's.
_SETTINGS = {
    name: value
    for name, value in os.environ.items()
    if name.startswith(("REDSHIFT_E2E_", "AWS_")) and value
}


def is_remote() -> bool:
    """Whether a real cluster is used."""
    return "REDSHIFT_E2E_HOST" in _SETTINGS


@dataclass
class Moment:
    """Something that a test does just before a statement of the project is run.

    happened: set once it is done. error: what it raised.
    """

    pattern: re.Pattern[str]
    action: Callable[[], object]
    happened: threading.Event = field(default_factory=threading.Event)
    error: Exception | None = None

    def check(self) -> None:
        """Fail the test if it never came to it, or if it went wrong."""
        if self.error is not None:
            raise self.error
        assert self.happened.is_set(), f"no statement like {self.pattern.pattern!r} was sent"


@dataclass(frozen=True)
class SentCopy:
    """A COPY of the loader as it was sent, and what lay in S3 at that moment.

    entries: of its manifest. beside: the keys in the manifest's folder. parts: the bytes of those
    of the entries that lie there too.
    """

    sql: str
    manifest: str
    entries: list[dict[str, Any]]
    beside: list[str]
    parts: dict[str, bytes]

    @property
    def urls(self) -> list[str]:
        """What it copies."""
        return [entry["url"] for entry in self.entries]


class WatchedRig(RedshiftRig):
    """A rig that tells the project's statements from the tests' own, and hands them to tests.

    copies: each COPY since the last `forget`, oldest first.
    """

    def __init__(self, s3: S3Server, **options: Any) -> None:
        super().__init__(s3=s3, **options)
        self.copies: list[SentCopy] = []
        self._client = s3.client()
        self._watch = threading.Lock()
        self._sent: list[str] = []
        self._needed: dict[Rewrite, None] = {}
        self._moments: list[Moment] = []

    def forget(self) -> None:
        """Begin anew with what is kept of statements."""
        with self._watch:
            self._sent, self._needed, self.copies = [], {}, []

    def sent(self) -> list[str]:
        """Every statement of the project so far, from whichever session."""
        with self._watch:
            return list(self._sent)

    def needed_rewrites(self) -> list[Rewrite]:
        """What the rig had to change in them."""
        with self._watch:
            return list(self._needed)

    def before(self, pattern: str, action: Callable[[], object]) -> Moment:
        """Do something when the next statement that the pattern is found in comes, once."""
        moment = Moment(re.compile(pattern, re.IGNORECASE), action)
        with self._watch:
            self._moments.append(moment)
        return moment

    def calm(self) -> None:
        """Forget faults and moments."""
        self.faults.clear()
        with self._watch:
            self._moments.clear()

    def _keep_copy(self, sql: str, found: re.Match[str]) -> None:
        manifest, bucket, folder, name = found[0], found[1], found[2], found[3]
        read = self._client.get_object(Bucket=bucket, Key=f"{folder}{name}")["Body"].read()
        entries = json.loads(read)["entries"]
        listed = self._client.list_objects_v2(Bucket=bucket, Prefix=folder).get("Contents", [])
        keys = [entry["Key"] for entry in listed]
        parts = {
            key: self._client.get_object(Bucket=bucket, Key=key)["Body"].read()
            for key in keys
            if f"s3://{bucket}/{key}" in [entry["url"] for entry in entries]
        }
        beside = [key.removeprefix(folder) for key in keys]
        self.copies.append(SentCopy(sql, manifest, entries, beside, parts))

    def record(self, sql: str, rewrites: Iterable[Rewrite]) -> None:
        """Called with each statement before it is run."""
        super().record(sql, rewrites)
        if sql.startswith(TEST_MARK):
            return
        with self._watch:
            self._sent.append(sql)
            self._needed.update(dict.fromkeys(rewrites))
            if found := _MANIFEST.search(sql):
                self._keep_copy(sql, found)
            due = [m for m in self._moments if m.pattern.search(sql)]
            self._moments = [m for m in self._moments if m not in due]
        for moment in due:
            try:
                moment.action()
            except Exception as error:
                moment.error = error
            finally:
                moment.happened.set()


@dataclass
class Cluster:
    """One warehouse and one folder of a bucket. environment: what reaches both.

    rig: None on a real cluster. secrets: texts that no run may write anywhere.
    """

    environment: Mapping[str, str]
    bucket: str
    prefix: str
    s3: S3Client
    login: dict[str, Any]
    secrets: tuple[str, ...]
    rig: WatchedRig | None = None

    @property
    def database(self) -> str:
        """Its name."""
        return str(self.login["database"])

    @property
    def settings(self) -> dict[str, str]:
        """The variables that lead every command here instead of to DuckDB."""
        work = f"s3://{self.bucket}/{self.prefix}work/"
        return {**self.environment, "CTI_TARGET": "redshift", "CTI_WORK_LOCATION": work}

    def rig_only(self, reason: str) -> WatchedRig:
        """The rig; on a real cluster the test is skipped, and says why."""
        if self.rig is None:
            pytest.skip(f"needs the rig: {reason}")
        return self.rig

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Run one statement in a connection of its own; its rows."""
        connection = self.connect()
        try:
            connection.autocommit = True
            cursor = connection.cursor()
            cursor.execute(TEST_MARK + sql)
            return [tuple(row) for row in cursor.fetchall()] if cursor.description else []
        finally:
            connection.close()

    def empty(self) -> None:
        """Empty the database: on the rig it is made anew, on a cluster the schemas are dropped."""
        if self.rig is not None:
            self.rig.calm()
            self.rig.drop_database(self.database)
            self.rig.create_database(self.database)
            return
        connection = self.connect()
        connection.autocommit = True
        cursor = connection.cursor()
        for schema in ("analytics", "raw", "lake_dev"):
            cursor.execute(f"{TEST_MARK}drop schema if exists {schema} cascade")
        connection.close()

    def keep(self, name: str) -> None:
        """Keep a copy of the database under a name, to be put back; only the rig can."""
        assert self.rig is not None
        self.rig.copy_database(self.database, name)

    def put_back(self, name: str) -> None:
        """Make the database what it was when it was kept."""
        assert self.rig is not None
        self.rig.calm()
        self.rig.drop_database(self.database)
        self.rig.copy_database(name, self.database)

    def connect(self) -> Any:
        """A connection of redshift-connector over verified TLS."""
        with pytest.MonkeyPatch.context() as patch:
            # Only now: another rig of this process has another authority.
            for name in self.environment.keys() & {"SSL_CERT_FILE"}:
                patch.setenv(name, self.environment[name])
            return redshift_connector.connect(**self.login)


def _environment(login: Mapping[str, Any], role: str) -> dict[str, str]:
    """The variables that profiles.yml.example and the macros read."""
    return {
        "REDSHIFT_HOST": login["host"],
        "REDSHIFT_PORT": str(login["port"]),
        "REDSHIFT_DATABASE": login["database"],
        "REDSHIFT_USER": login["user"],
        "DBT_ENV_SECRET_REDSHIFT_PASSWORD": login["password"],
        "REDSHIFT_SSLMODE": "verify-full",
        "CTI_COPY_ROLE": role,
    }


def _login(host: str, port: int, database: str, user: str, password: str) -> dict[str, Any]:
    return {
        "host": host,
        "port": port,
        "database": database,
        "user": user,
        "password": password,
        "ssl": True,
        "sslmode": "verify-full",
    }


@contextmanager
def rig_cluster() -> Iterator[Cluster]:
    """The rig and its S3 server, started and stopped."""
    with (
        S3Server(access_key=_ACCESS_KEY, secret_key=_SECRET_KEY) as s3,
        WatchedRig(s3=s3, password=_PASSWORD) as rig,
    ):
        authority = str(rig.certificate_authority)
        login = _login(rig.host, rig.port, rig.database, rig.user, rig.password)
        environment = s3.env() | _environment(login, rig.role) | {"SSL_CERT_FILE": authority}
        secrets = (_PASSWORD, _ACCESS_KEY, _SECRET_KEY)
        yield Cluster(environment, s3.buckets[0], "suite/", s3.client(), login, secrets, rig)


@contextmanager
def remote_cluster() -> Iterator[Cluster]:
    """The cluster of REDSHIFT_E2E_*, and its bucket with the keys of AWS_*."""
    given = {
        name.removeprefix("REDSHIFT_E2E_"): value
        for name, value in _SETTINGS.items()
        if name.startswith("REDSHIFT_E2E_")
    }
    wanted = ("DATABASE", "USER", "PASSWORD", "IAM_ROLE", "S3_LOCATION")
    if missing := [f"REDSHIFT_E2E_{name}" for name in wanted if name not in given]:
        pytest.fail(f"REDSHIFT_E2E_HOST is set, but not {', '.join(missing)}")
    aws = {name: value for name, value in _SETTINGS.items() if name.startswith("AWS_")}
    bucket, _, prefix = given["S3_LOCATION"].removeprefix("s3://").partition("/")
    prefix = f"{prefix.rstrip('/')}/" if prefix else ""
    login = _login(
        given["HOST"],
        int(given.get("PORT", "5439")),
        given["DATABASE"],
        given["USER"],
        given["PASSWORD"],
    )
    keys = [aws[name] for name in ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN") if name in aws]
    environment = aws | _environment(login, given["IAM_ROLE"])
    with pytest.MonkeyPatch.context() as patch:
        for name, value in aws.items():
            patch.setenv(name, value)
        patch.delenv("AWS_SHARED_CREDENTIALS_FILE", raising=False)
        patch.delenv("AWS_CONFIG_FILE", raising=False)
        client = boto3.client("s3")
    yield Cluster(environment, bucket, prefix, client, login, (login["password"], *keys))
