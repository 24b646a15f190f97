"""Functions that run on Redshift's leader node only, and therefore not on user tables.

Source: AWS, "Leader node-only functions": a query that uses one must reference catalog tables
(PG_...) or nothing.
"""

from __future__ import annotations

from rig.errors import RedshiftError
from rig.sql_text import Statement, word_set

_FUNCTIONS = word_set(
    "current_schema current_schemas has_database_privilege has_schema_privilege "
    "has_table_privilege age current_time current_timestamp localtime localtimestamp isfinite now "
    "format_type obj_description pg_get_userbyid version"
)
_WITHOUT_PARENTHESES = word_set("current_time current_timestamp localtime localtimestamp")


def check_leader_functions(statement: Statement) -> None:
    """Refuse a leader-node function in a statement that reads a user's table."""
    for index in range(len(statement)):
        word = statement.word(index)
        if word not in _FUNCTIONS or statement.text(index - 1) == ".":
            continue
        if statement.text(index + 1) != "(" and word not in _WITHOUT_PARENTHESES:
            continue
        table = _user_table(statement)
        if table is not None:
            raise RedshiftError(
                f'Function "{word}" not supported. Specified types or functions (one per INFO'
                " message) not supported on Redshift tables.",
                "0A000",
            )


def _user_table(statement: Statement) -> str | None:
    """A table that the statement reads and that is neither a catalog table nor a WITH query."""
    queries = {
        statement.tokens[i].name
        for i in range(len(statement))
        if statement.is_name(i)
        and statement.words(i + 1, "as")
        and statement.text(i + 2) == "("
        and (statement.word(i - 1) in ("with", "recursive") or statement.text(i - 1) == ",")
    }
    for index in range(len(statement)):
        if statement.word(index) not in ("from", "join") or not statement.is_name(index + 1):
            continue
        if statement.word(index - 1) == "distinct":
            continue
        name, after = statement.name_at(index + 1)
        if statement.text(after) == "(" or (len(name) == 1 and name[0] in queries):
            continue
        if name[0] in ("pg_catalog", "information_schema") or name[-1].startswith("pg_"):
            continue
        return ".".join(name)
    return None
