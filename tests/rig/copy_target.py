"""Who may COPY from where, and into which columns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rig.backend import Backend, BackendError
from rig.copy_columns import Column
from rig.copy_command import CopyCommand
from rig.databases import quoted
from rig.errors import RedshiftError
from rig.sql_text import literal

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client


@dataclass(frozen=True)
class CopyAccess:
    """What the cluster may read: a way to S3, the Regions, and the roles attached to it."""

    client: Callable[[], S3Client]
    bucket_region: str
    cluster_region: str
    roles: frozenset[str]
    default_role: str | None
    user: str

    def check_role(self, role: str) -> None:
        """Refuse a role that is not attached to the cluster.

        Source: AWS, "Authorization parameters"; the words are those of the error users report.
        """
        if role == "default":
            if self.default_role is None:
                raise RedshiftError("The cluster has no default IAM role", "XX000")
        elif role not in self.roles:
            raise RedshiftError(
                f"User arn:aws:redshift:{self.cluster_region}:123456789012:dbuser:rig/{self.user}"
                f" is not authorized to assume IAM Role {role}",
                "XX000",
            )


def table_columns(backend: Backend, command: CopyCommand) -> tuple[int, list[Column]]:
    """Id of the table, and those of its columns that the fields go to, in the fields' order.

    Raises RedshiftError for a table or a column that does not exist.
    """
    table = command.table[-1]
    name = literal(".".join(quoted(part) for part in command.table))
    try:
        rows = backend.query(
            "select a.attrelid, a.attname, t.typname, a.atttypmod, a.attnotnull,"
            " format_type(a.atttypid, a.atttypmod), c.relkind"
            " from pg_catalog.pg_attribute a join pg_catalog.pg_type t on t.oid = a.atttypid"
            " join pg_catalog.pg_class c on c.oid = a.attrelid"
            f" where a.attrelid = {name}::regclass"
            " and a.attnum > 0 and not a.attisdropped order by a.attnum"
        ).rows
    except BackendError as error:
        if error.fields.get("C") in ("42P01", "3F000"):
            raise RedshiftError(f"Cannot COPY into nonexistent table {table}", "XX000") from error
        raise
    known = {
        str(row[1]): Column(str(row[1]), str(row[2]), int(row[3] or 0), row[4] == "t", str(row[5]))
        for row in rows
    }
    if rows[0][6] != "r":
        raise RedshiftError(f'"{table}" is not a table', "42809")
    for column in command.columns:
        if column not in known:
            raise RedshiftError(f'column "{column}" of relation "{table}" does not exist', "42703")
    return int(rows[0][0] or 0), [known[name] for name in command.columns or known]
