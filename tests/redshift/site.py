"""A place to work in: a database, a folder in S3, a copy of the project, and its command lines."""

from __future__ import annotations

import gzip
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Any

import duckdb
from redshift_connector.error import Error as DriverError

from redshift.cluster import Cluster
from redshift.commands import Commands, Outcome, Running

__all__ = ["ROOT", "Site", "copy_project", "csv_of", "indicators", "packed", "plain", "plain_rows"]

ROOT = Path(__file__).resolve().parents[2]
_PROJECT = ("dbt_project.yml", "macros", "models", "seeds", "tests/dbt")

Row = tuple[Any, ...]


@dataclass
class Site:
    """The cluster's database and folder in the bucket, and a copy of the project.

    One for the whole run, emptied for each module: dbt reads a project that it knows in an instant.
    """

    cluster: Cluster
    folder: Path
    project: Path
    commands: Commands
    connections: list[Any] = field(default_factory=list)

    def empty(self) -> None:
        """Make everything as if nobody had ever loaded anything; what commands wrote stays."""
        self.close()
        self.cluster.empty()
        self.clear("")
        (self.folder / "warehouse.duckdb").unlink(missing_ok=True)

    def close(self) -> None:
        """End what a test left running or open."""
        self.commands.close()
        for connection in self.connections:
            with suppress(DriverError, OSError):
                connection.close()
        self.connections.clear()

    # Commands -----------------------------------------------------------------

    def environment(self) -> dict[str, str]:
        """What a command finds in its environment, and nothing of this process's own settings."""
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(self.folder),
            # No answer may depend on where the machine is.
            "TZ": "Asia/Kathmandu",
            "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
            **self.cluster.environment,
            "CTI_INDICATORS_LOCATION": self.uri("in/"),
            "LAB_LOCATION": self.uri("lab/"),
            "LAB_PRICES_LOCATION": self.uri("prices/"),
            "CTI_WORK_LOCATION": self.uri("work/"),
            "CTI_DUCKDB_PATH": str(self.folder / "warehouse.duckdb"),
        }

    def start(
        self,
        program: str,
        *arguments: str,
        impatient: bool = False,
        more: Mapping[str, str] = MappingProxyType({}),
        prepare: Callable[[], object] | None = None,
    ) -> Running:
        """Start a command in the project's folder. more: variables of its environment."""
        given = arguments if "--target" in arguments else (*arguments, "--target", "redshift")
        target = given[given.index("--target") + 1]
        environment = self.environment() | {"DBT_TARGET_PATH": f"target/{target}"} | dict(more)
        return self.commands.start(program, given, environment, self.project, impatient, prepare)

    def load(self, *arguments: str, impatient: bool = False, **more: str) -> Outcome:
        """`python -m loader load`, of the indicators unless others are selected, done or not."""
        return self.start_load(*arguments, impatient=impatient, **more).wait()

    def start_load(self, *arguments: str, impatient: bool = False, **more: str) -> Running:
        """The same, not waited for."""
        select = () if "--select" in arguments else ("--select", "indicators")
        arguments = ("load", "--json", *select, *arguments)
        # dbt's artifacts take longer than a small load, and whole_run.py has them.
        more = {"DBT_WRITE_JSON": "false"} | more
        return self.start("loader", *arguments, impatient=impatient, more=more)

    def loader(self, *arguments: str, **more: str) -> Outcome:
        """`python -m loader`."""
        return self.start("loader", *arguments, more=more).wait()

    def dbt(self, *arguments: str, **more: str) -> Outcome:
        """`dbt`."""
        return self.start("dbt", *arguments, more=more).wait()

    # S3 -----------------------------------------------------------------------

    def uri(self, name: str) -> str:
        """The address of an object of this site."""
        return f"s3://{self.cluster.bucket}/{self.cluster.prefix}{name}"

    def put(self, name: str, data: bytes) -> str:
        """Write an object; its address."""
        self.cluster.s3.put_object(
            Bucket=self.cluster.bucket, Key=f"{self.cluster.prefix}{name}", Body=data
        )
        return self.uri(name)

    def get(self, uri: str) -> bytes:
        """The bytes of an object."""
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        return self.cluster.s3.get_object(Bucket=bucket, Key=key)["Body"].read()

    def delete(self, name: str) -> None:
        """Delete an object."""
        self.cluster.s3.delete_object(
            Bucket=self.cluster.bucket, Key=f"{self.cluster.prefix}{name}"
        )

    @contextmanager
    def unreadable(self, name: str) -> Iterator[None]:
        """Let nobody read an object for a while; it can still be listed."""
        s3, bucket = self.cluster.s3, self.cluster.bucket
        denied = {
            "Effect": "Deny",
            "Principal": "*",
            "Action": ["s3:GetObject"],
            "Resource": [f"arn:aws:s3:::{bucket}/{self.cluster.prefix}{name}"],
        }
        policy = {"Version": "2012-10-17", "Statement": [denied]}
        s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))
        try:
            yield
        finally:
            s3.delete_bucket_policy(Bucket=bucket)

    def keys(self, under: str = "") -> list[str]:
        """Names of the objects under a folder of this site."""
        pages = self.cluster.s3.get_paginator("list_objects_v2").paginate(
            Bucket=self.cluster.bucket, Prefix=f"{self.cluster.prefix}{under}"
        )
        return [
            entry["Key"].removeprefix(self.cluster.prefix)
            for page in pages
            for entry in page.get("Contents", [])
        ]

    def clear(self, under: str) -> None:
        """Delete every object under a folder of this site."""
        for name in self.keys(under):
            self.delete(name)

    # The warehouses -----------------------------------------------------------

    def connect(self) -> Any:
        """A connection to the database, closed with the site."""
        connection = self.cluster.connect()
        self.connections.append(connection)
        return connection

    def query(self, sql: str) -> list[Row]:
        """Run one statement in a connection of its own; its rows."""
        return self.cluster.query(sql)

    def duckdb(self, sql: str) -> list[Row]:
        """The rows of a query of the DuckDB warehouse."""
        with duckdb.connect(str(self.folder / "warehouse.duckdb"), read_only=True) as connection:
            return connection.execute(sql).fetchall()

    def landed(self) -> list[tuple[str, int]]:
        """Every indicator in the landing table with the id of its load, in order."""
        rows = self.query("select indicator, _load_id from raw.indicators order by 1, 2")
        return [(str(name), int(load)) for name, load in rows]

    def ledger(self) -> list[tuple[str, int, int]]:
        """Name of every loaded file, its load and its records, in order."""
        rows = self.query(
            "select uri, load_id, records_loaded from raw._loaded_files order by load_id, uri"
        )
        return [(str(uri).removeprefix(self.uri("")), int(i), int(n)) for uri, i, n in rows]


def copy_project(project: Path) -> None:
    """The project as it is kept, with the profiles that its example has."""
    for part in _PROJECT:
        target = project / part
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, target)
        else:
            shutil.copy(ROOT / part, target)
    shutil.copy(ROOT / "profiles.yml.example", project / "profiles.yml")


def plain(value: Any) -> Any:
    """A value in the one form that both engines' drivers are brought to."""
    match value:
        case bool() | None:
            return value
        case Decimal():
            # -0, 0.0 and 0.000 are one number. Not normalize(): it rounds to 28 digits.
            text = format(value, "f")
            text = text.rstrip("0").rstrip(".") if "." in text else text
            return text if value else "0"
        case datetime():
            if value.tzinfo is not None:
                value = value.astimezone(UTC).replace(tzinfo=None)
            return value.isoformat(" ")
        case date():
            return value.isoformat()
        case float():
            # -0 and 0 are one number.
            return repr(value + 0.0)
        case int() | str():
            return value
        case _:
            raise TypeError(f"no form for {value!r}")


def plain_rows(rows: Iterable[Row]) -> list[Row]:
    """Rows in one form and one order, whatever order the engine gave them."""
    return sorted((tuple(plain(value) for value in row) for row in rows), key=repr)


def csv_of(columns: Iterable[str], rows: Iterable[Iterable[str | None]], end: str = "\n") -> bytes:
    """RFC 4180 text with a header; quotes where they have to be; None is an empty field."""
    lines = [list(columns), *rows]
    return "".join(",".join(map(_field, line)) + end for line in lines).encode()


def _field(value: str | None) -> str:
    if value is None:
        return ""
    quoted = any(c in value for c in ',"\r\n') or not value
    return '"' + value.replace('"', '""') + '"' if quoted else value


COLUMNS = (
    "indicator",
    "indicator_type",
    "source",
    "confidence",
    "first_seen",
    "last_seen",
    "description",
)


def indicators(*names: str, columns: Iterable[str] = COLUMNS) -> bytes:
    """A clean file of indicators with these names."""
    names_of = list(columns)
    values = {
        "indicator_type": "domain",
        "source": "lab",
        "confidence": "50",
        "first_seen": "2026-01-01",
        "last_seen": "2026-01-02",
        "description": "x",
    }
    return csv_of(
        names_of,
        ([(values | {"indicator": name})[column] for column in names_of] for name in names),
    )


def packed(data: bytes) -> bytes:
    """Gzip, the same bytes every time."""
    return gzip.compress(data, mtime=0)
