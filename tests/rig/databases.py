"""Databases that look like Redshift's: made from one template, in some 30 ms each."""

from __future__ import annotations

import re
from importlib import resources
from pathlib import Path

from rig.backend import Backend
from rig.errors import RigError
from rig.postgres import Postgres

TEMPLATE = "template1"
FOLDER_NAME = "rig"
_NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")


def backend_settings() -> dict[str, str]:
    """Settings that make PostgreSQL read SQL and isolate transactions as Redshift does.

    A statement on its own must not read as of before a lock that it waited for (a table that
    another transaction swapped would seem empty), so it runs as READ COMMITTED.
    """
    return {
        "default_transaction_isolation": "read committed",
        "standard_conforming_strings": "off",
        "escape_string_warning": "off",
        "backslash_quote": "on",
        "TimeZone": "UTC",
        "DateStyle": "ISO, MDY",
        "extra_float_digits": "0",
        "statement_timeout": "0",
    }


def transaction_level(isolation: str) -> str:
    """PostgreSQL's level for a transaction begun by BEGIN.

    `isolation` is "snapshot" or "serializable", the two levels a Redshift database can have (AWS,
    "Isolation levels in Amazon Redshift"). Redshift takes the snapshot at the first statement that
    reads or writes a table, after any LOCK, which is what PostgreSQL's REPEATABLE READ does.
    """
    levels = {"snapshot": "repeatable read", "serializable": "serializable"}
    if isolation not in levels:
        raise RigError(f"isolation is {isolation!r}: it must be 'snapshot' or 'serializable'")
    return levels[isolation]


def _sql(name: str) -> str:
    return (resources.files("rig") / "catalog" / name).read_text(encoding="utf-8")


def _allowed_functions() -> str:
    """SQL that puts the lines of functions.txt into the temporary table rig_allowed."""
    lines = [line.partition("#")[0].strip() for line in _sql("functions.txt").splitlines()]
    rows = []
    for line in filter(None, lines):
        name, parenthesis, arguments = line.partition("(")
        signature = f"'{arguments.rstrip(')')}'" if parenthesis else "null"
        rows.append(f"('{name}', {signature})")
    return (
        "create temporary table rig_allowed (name text, signature text);"
        f"insert into rig_allowed values {', '.join(rows)};"
    )


def _mistakes(backend: Backend) -> list[str | None]:
    """Lines of functions.txt that no function of PostgreSQL matches."""
    missing = backend.query(
        "select a.name || coalesce('(' || a.signature || ')', '') from rig_allowed a"
        " where not exists (select from pg_proc p where p.proname = a.name"
        " and p.pronamespace = 'pg_catalog'::regnamespace"
        " and a.signature is not distinct from"
        " case when a.signature is not null then pg_get_function_identity_arguments(p.oid) end)"
    )
    return [row[0] for row in missing.rows]


def prepare_template(postgres: Postgres, user: str) -> None:
    """Turn the template database into a Redshift of sorts and make the login role `user`."""
    backend = postgres.connect(TEMPLATE)
    try:
        backend.query("set standard_conforming_strings = on")
        backend.query(_allowed_functions())
        if missing := _mistakes(backend):
            raise RigError(f"functions.txt names functions that PostgreSQL lacks: {missing}")
        for name in ("hide.sql", "functions.sql", "views.sql"):
            backend.query(_sql(name))
        backend.query("drop table rig_allowed")
        backend.query(f"create role {quoted(user)} login")
    finally:
        backend.close()


def create_database(postgres: Postgres, name: str, owner: str, template: str = TEMPLATE) -> None:
    """Create an empty database, or a copy of another one, whose sessions are ended.

    Raises RigError for a name that would need quoting.
    """
    if not _NAME.fullmatch(name):
        raise RigError(f"database name {name!r}: use small letters, digits and underscores")
    backend = postgres.connect("postgres")
    try:
        # PostgreSQL copies no database that somebody is connected to.
        backend.query(
            f"select pg_terminate_backend(pid) from pg_stat_activity where datname = '{template}'"
        )
        backend.query(
            f"create database {quoted(name)} owner {quoted(owner)} template {quoted(template)}"
            " strategy file_copy"
        )
    finally:
        backend.close()


def drop_database(postgres: Postgres, name: str) -> None:
    """Drop a database, ending the sessions in it."""
    backend = postgres.connect("postgres")
    try:
        backend.query(f"drop database if exists {quoted(name)} with (force)")
    finally:
        backend.close()


def quoted(identifier: str) -> str:
    """Quote an identifier for SQL."""
    return '"' + identifier.replace('"', '""') + '"'


def state_folder(postgres: Postgres) -> Path:
    """Folder of the files that the system views read (setting rig.folder)."""
    return postgres.folder / FOLDER_NAME
