"""INSERT, UPDATE, DELETE, MERGE, TRUNCATE and LOCK, read against Redshift's own grammar.

Source: AWS, the page of each statement in "SQL commands".
"""

from __future__ import annotations

from rig.errors import RedshiftError
from rig.sql_text import Statement, refuse


def check_insert(statement: Statement, index: int) -> None:
    """INSERT INTO t [(columns)] {DEFAULT VALUES | VALUES ... | query}."""
    _, index = statement.name_at(statement.expect(index, "insert", "into"))
    if statement.word(index) in ("as", "overriding"):
        raise statement.syntax_error(index)


def check_delete(statement: Statement, index: int) -> None:
    """DELETE [FROM] t [USING tables] [WHERE condition]; the table takes no alias."""
    index = statement.expect(index, "delete")
    if statement.word(index) == "from":
        index += 1
    else:
        statement.insert_after("delete from", index - 1, " from")
    if statement.word(index) == "only":
        raise statement.syntax_error(index)
    _, index = statement.name_at(index)
    if index < len(statement) and statement.word(index) not in ("using", "where"):
        raise statement.syntax_error(index)


def check_update(statement: Statement, index: int) -> None:
    """UPDATE t [[AS] alias] SET column = value [, ...] [FROM ...] [WHERE ...]."""
    index = statement.expect(index, "update")
    if statement.word(index) == "only":
        raise statement.syntax_error(index)
    _, index = statement.name_at(index)
    if statement.word(index) == "as":
        index += 1
    if statement.word(index) != "set":
        _, index = statement.name_at(index)
    index = statement.expect(index, "set")
    if statement.text(index) == "(":
        raise statement.syntax_error(index)
    ends = [i for i in statement.level(index, len(statement)) if _ends_set(statement, i)]
    for first, _ in statement.parts(index, ends[0] if ends else len(statement)):
        name, after = statement.name_at(first)
        if len(name) != 1:
            # "Do not include the table name in the specification of a target column."
            raise statement.syntax_error(first + 1)
        if statement.text(after) != "=":
            raise statement.syntax_error(after)


def _ends_set(statement: Statement, index: int) -> bool:
    return statement.word(index) in ("from", "where")


def check_merge(statement: Statement, index: int) -> None:
    """MERGE INTO t USING s [[AS] alias] ON ... WHEN MATCHED ... WHEN NOT MATCHED ...

    Both branches are needed, neither has a condition of its own, the source is a table and not a
    query, and there is no WITH.
    """
    target, index = statement.name_at(statement.expect(index, "merge", "into"))
    if statement.word(index) != "using":
        raise statement.syntax_error(index)
    index += 1
    if statement.text(index) == "(":
        raise RedshiftError("Source of MERGE must be a table, not a view or a subquery", "0A000")
    source, index = statement.name_at(index)
    if source == target:
        raise RedshiftError("Source and target of MERGE cannot be the same table", "0A000")
    if statement.word(index) == "as":
        index += 1
    if statement.word(index) != "on":
        _, index = statement.name_at(index)
    index = statement.expect(index, "on")
    if statement.words(len(statement) - 2, "remove", "duplicates"):
        raise refuse("MERGE ... REMOVE DUPLICATES")
    branches = [
        i
        for i in statement.level(index, len(statement))
        if statement.word(i) == "when" and statement.word(i + 1) in ("matched", "not")
    ]
    if len(branches) != 2:
        raise statement.syntax_error(branches[2] if len(branches) > 2 else len(statement))
    matched = statement.expect(branches[0], "when", "matched", "then")
    if statement.word(matched) == "update":
        index = statement.expect(matched, "update", "set")
        for first, _ in statement.parts(index, branches[1]):
            name, after = statement.name_at(first)
            if len(name) != 1 or statement.text(after) != "=":
                raise statement.syntax_error(first + 1)
    elif statement.expect(matched, "delete") != branches[1]:
        raise statement.syntax_error(matched + 1)
    index = statement.expect(branches[1], "when", "not", "matched", "then", "insert")
    if statement.text(index) == "(":
        index = statement.closing(index) + 1
    if statement.word(index) != "values" or statement.text(index + 1) != "(":
        raise statement.syntax_error(index)
    if statement.closing(index + 1) + 1 != len(statement):
        raise statement.syntax_error(statement.closing(index + 1) + 1)


def check_truncate(statement: Statement, index: int) -> None:
    """TRUNCATE [TABLE] t: one table and no options."""
    index = statement.expect(index, "truncate")
    if statement.word(index) == "table":
        index += 1
    _, index = statement.name_at(index)
    if index != len(statement):
        raise statement.syntax_error(index)


def check_lock(statement: Statement, index: int) -> None:
    """LOCK [TABLE] t [, ...]: always ACCESS EXCLUSIVE, so there is no mode to write."""
    index = statement.expect(index, "lock")
    if statement.word(index) == "table":
        index += 1
    while True:
        _, index = statement.name_at(index)
        if statement.text(index) != ",":
            break
        index += 1
    if index != len(statement):
        raise statement.syntax_error(index)
