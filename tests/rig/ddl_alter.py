"""CREATE VIEW and ALTER TABLE, read against Redshift's own grammar.

Source: AWS, "CREATE VIEW" and "ALTER TABLE".
"""

from __future__ import annotations

from rig.data_types import check_type
from rig.ddl_table import check_column
from rig.errors import RedshiftError
from rig.sql_text import Statement, refuse


def check_create_view(statement: Statement, index: int) -> bool:
    """Read CREATE VIEW from the token behind VIEW on; says whether it binds late."""
    _, index = statement.name_at(index)
    if statement.text(index) == "(":
        index = statement.closing(index) + 1
    if statement.word(index) != "as":
        raise statement.syntax_error(index)
    end = len(statement)
    if statement.words(end - 4, "with", "no", "schema", "binding"):
        statement.replace("with no schema binding", end - 4, end, "")
        return True
    if statement.words(end - 2, "check", "option"):
        raise statement.syntax_error(end - 2)
    return False


def check_alter_table(statement: Statement, index: int) -> None:
    """Read ALTER TABLE from the token behind TABLE on."""
    _, index = statement.name_at(index)
    end = len(statement)
    if statement.words(index, "rename", "to"):
        name, after = statement.name_at(index + 2)
        if len(name) != 1 or after != end:
            raise statement.syntax_error(index + 3)
    elif statement.words(index, "rename", "column"):
        after = statement.expect(statement.name_at(index + 2)[1], "to")
        if statement.name_at(after)[1] != end:
            raise statement.syntax_error(after + 1)
    elif statement.word(index) == "add" and statement.word(index + 1) not in (
        "constraint",
        "primary",
        "unique",
        "foreign",
        "check",
    ):
        first = index + 2 if statement.word(index + 1) == "column" else index + 1
        if len(statement.parts(index, end)) != 1:
            # "Features that are implemented differently": ADD COLUMN adds only one column.
            raise statement.syntax_error(statement.parts(index, end)[1][0] - 1)
        check_column(statement, first, end)
    elif statement.word(index) == "drop":
        first = index + 2 if statement.word(index + 1) == "column" else index + 1
        _, after = statement.name_at(first)
        if statement.word(after) in ("restrict", "cascade"):
            after += 1
        if after != end:
            raise statement.syntax_error(after)
    elif statement.words(index, "owner", "to"):
        return
    elif statement.words(index, "append", "from"):
        raise refuse("ALTER TABLE APPEND")
    else:
        _alter_column_type(statement, index, end)


def _alter_column_type(statement: Statement, index: int, end: int) -> None:
    """ALTER COLUMN c TYPE varchar(n), the only change of a column's type that Redshift makes."""
    if statement.word(index) != "alter":
        raise statement.syntax_error(index)
    if statement.word(index + 1) != "column":
        raise refuse(f"ALTER TABLE ... {statement.source(index, end)}")
    _, after = statement.name_at(index + 2)
    if statement.word(after) == "encode":
        raise refuse("ALTER COLUMN ... ENCODE")
    if statement.word(after) != "type":
        raise statement.syntax_error(after)
    if statement.word(after + 1) not in ("varchar", "character", "nvarchar"):
        raise RedshiftError("ALTER COLUMN TYPE is only supported for VARCHAR columns", "0A000")
    if check_type(statement, after + 1) != end:
        raise statement.syntax_error(check_type(statement, after + 1))
