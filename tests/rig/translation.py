"""The outcome of translating a statement, and the rules that every statement passes."""

from __future__ import annotations

from dataclasses import dataclass

from rig.copy_command import CopyCommand
from rig.expressions import check_expressions
from rig.leader import check_leader_functions
from rig.sql_text import Rewrite, Statement
from rig.windows import check_windows


@dataclass(frozen=True)
class Translation:
    """What to run. `sql` is PostgreSQL's; `copy` is set instead for a COPY.

    `commits`: Redshift commits when this is done (TRUNCATE). `outside_transaction`: Redshift
    refuses it inside a transaction block. `key_columns`: columns that must exist in the table that
    a CREATE TABLE AS makes. `procedure` is SQL that the session runs itself in the place of `sql`,
    and `tag` the command tag it answers then.
    """

    kind: str
    sql: str
    rewrites: tuple[Rewrite, ...] = ()
    copy: CopyCommand | None = None
    commits: bool = False
    outside_transaction: bool = False
    key_columns: tuple[str, ...] = ()
    procedure: str = ""
    tag: str = ""


def finish(statement: Statement, **properties: object) -> Translation:
    """Apply the rules for expressions and put the statement together."""
    check_expressions(statement)
    check_windows(statement)
    check_leader_functions(statement)
    return Translation(
        statement.word(0) or "select",
        statement.render(),
        tuple(statement.rewrites),
        **properties,  # type: ignore[arg-type]
    )
