"""From a statement as Redshift takes it to the statement that PostgreSQL runs.

Everything outside an explicit list is an error: a statement that passes here but not on Redshift
makes a green test worthless. Errors are in Redshift's words where they are known; "the rig does
not imitate ..." (0A000) marks what Redshift takes and the rig does not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from rig import commands, dml
from rig.copy_command import parse_copy
from rig.ddl_alter import check_alter_table, check_create_view
from rig.ddl_table import check_create_table
from rig.errors import RedshiftError
from rig.expressions import check_expressions
from rig.qualify import rewrite_qualify
from rig.sql_text import Rewrite, Statement, literal, refuse, word_set
from rig.tokens import tokenize
from rig.translation import Translation, finish
from rig.windows import check_windows

_KNOWN_TO_REDSHIFT = word_set(
    "unload prepare execute deallocate declare fetch close call explain analyze_compression "
    "refresh use show"
)


def translate(sql: str) -> Translation:
    """Translate one statement. Raises RedshiftError when it is refused."""
    statement = Statement.parse(sql)
    if not statement.tokens:
        return Translation("empty", "")
    first = statement.word(0) or statement.text(0)
    if first == "copy":
        return Translation("copy", "", copy=parse_copy(statement))
    handler = _HANDLERS.get(first)
    if handler is None:
        if first in _KNOWN_TO_REDSHIFT:
            raise refuse(f"the statement {first.upper()}")
        raise statement.syntax_error(0)
    return handler(statement)


def _without_qualify(statement: Statement) -> tuple[Statement, tuple[Rewrite, ...]]:
    """The statement with its QUALIFY clauses rewritten, and how."""
    if not any(token.word == "qualify" for token in statement.tokens):
        return statement, ()
    # Names of the rig's own may only come from the rewrite that follows.
    check_expressions(Statement.parse(statement.sql))
    check_windows(statement)
    sql, rewrites = rewrite_qualify(statement.sql)
    rewritten = Statement.parse(sql)
    rewritten.own_names = True
    return rewritten, tuple(rewrites)


def _with_query(statement: Statement, check: Callable[[Statement], object]) -> Translation:
    """Translate a statement that may hold queries, with a check of its own kind."""
    statement, rewrites = _without_qualify(statement)
    check(statement)
    done = finish(statement)
    return Translation(done.kind, done.sql, rewrites + done.rewrites)


def _query(statement: Statement) -> Translation:
    if statement.word(0) == "with":
        return _with_clause(statement)
    return _with_query(statement, lambda _: None)


def _with_clause(statement: Statement) -> Translation:
    """WITH before a query; before UPDATE and DELETE too, but not before INSERT or MERGE."""
    starts = ("select", "insert", "update", "delete", "merge")
    main = next(
        (
            i
            for i in statement.level(1, len(statement))
            if statement.text(i - 1) == ")"
            and (statement.word(i) in starts or statement.text(i) == "(")
        ),
        len(statement),
    )
    word = statement.word(main)
    if word == "select" or statement.text(main) == "(":
        return _with_query(statement, lambda _: None)
    if word in ("update", "delete"):
        check = dml.check_update if word == "update" else dml.check_delete
        return _with_query(statement, lambda s: check(s, _find_level(s, word)))
    raise statement.syntax_error(main)


def _find_level(statement: Statement, word: str) -> int:
    return next(i for i in statement.level(1, len(statement)) if statement.word(i) == word)


def _insert(statement: Statement) -> Translation:
    return _with_query(statement, lambda s: dml.check_insert(s, 0))


def _delete(statement: Statement) -> Translation:
    return _with_query(statement, lambda s: dml.check_delete(s, 0))


def _update(statement: Statement) -> Translation:
    return _with_query(statement, lambda s: dml.check_update(s, 0))


def _merge(statement: Statement) -> Translation:
    return _with_query(statement, lambda s: dml.check_merge(s, 0))


def _truncate(statement: Statement) -> Translation:
    dml.check_truncate(statement, 0)
    return finish(statement, commits=True)


def _lock(statement: Statement) -> Translation:
    dml.check_lock(statement, 0)
    return finish(statement)


def _create(statement: Statement) -> Translation:
    index = 1
    if statement.words(index, "or", "replace"):
        index += 2
    if statement.word(index) == "local":
        index += 1
    temporary = statement.word(index) in ("temp", "temporary")
    index += temporary
    word = statement.word(index)
    if word == "table" and statement.word(1) != "or":
        keys: list[str] = []
        done = _with_query(statement, lambda s: keys.extend(check_create_table(s, index + 1)))
        return Translation(done.kind, done.sql, done.rewrites, key_columns=tuple(keys))
    if word == "view" and not temporary:
        return _create_view(statement, index + 1)
    if word == "schema" and index == 1:
        return _create_schema(statement)
    if word == "index" or statement.words(1, "unique", "index"):
        raise RedshiftError(
            f'SQL command "{statement.sql.strip()}" not supported on Redshift tables.', "0A000"
        )
    if word in ("sequence", "trigger", "rule", "domain", "type", "extension", "unlogged"):
        raise statement.syntax_error(index)
    raise refuse(f"CREATE {statement.text(index).upper()}")


def _create_view(statement: Statement, index: int) -> Translation:
    late: list[bool] = []
    done = _with_query(statement, lambda s: late.append(check_create_view(s, index)))
    if not any(late):
        return done
    plain = Statement.parse(done.sql)
    _, after = plain.name_at(index)
    name = plain.source(index, after)
    columns = ""
    if plain.text(after) == "(":
        closing = plain.closing(after)
        columns, after = plain.source(after, closing + 1), closing + 1
    query = plain.source(after + 1, len(plain))
    replaces = "true" if plain.words(1, "or", "replace") else "false"
    return Translation(
        "create",
        "",
        done.rewrites,
        procedure="select rig_hidden.create_late_binding_view("
        f"{literal(name)}, {literal(columns)}, {literal(query)}, {replaces})",
        tag="CREATE VIEW",
    )


def _create_schema(statement: Statement) -> Translation:
    index = 5 if statement.words(2, "if", "not", "exists") else 2
    _, index = statement.name_at(index)
    if statement.word(index) == "authorization":
        _, index = statement.name_at(index + 1)
    if index != len(statement):
        raise statement.syntax_error(index)
    return finish(statement)


def _alter(statement: Statement) -> Translation:
    if statement.word(1) != "table":
        raise refuse(f"ALTER {statement.text(1).upper()}")
    appends = any(statement.words(i, "append", "from") for i in range(2, len(statement)))
    if not appends:
        check_alter_table(statement, 2)
        done, (_, after) = finish(statement), statement.name_at(2)
        if not statement.words(after, "alter", "column"):
            return done
        # "ALTER TABLE": "You can't alter columns inside a multi-statement block (BEGIN...END)".
        altered = f"select rig_hidden.alter_column_type({literal(done.sql)})"
        return replace(done, sql="", procedure=altered, tag="ALTER TABLE", outside_transaction=True)
    # "ALTER TABLE APPEND": it cannot run inside a transaction block, as it commits. Outside one the
    # session says that the rig does not imitate it.
    return Translation("append", "", outside_transaction=True)


def _drop(statement: Statement) -> Translation:
    if statement.word(1) not in ("table", "view", "schema"):
        raise refuse(f"DROP {statement.text(1).upper()}")
    index = 4 if statement.words(2, "if", "exists") else 2
    while True:
        _, index = statement.name_at(index)
        if statement.text(index) != ",":
            break
        index += 1
    if statement.word(index) in ("cascade", "restrict"):
        index += 1
    if index != len(statement):
        raise statement.syntax_error(index)
    return finish(statement)


_HANDLERS: dict[str, Callable[[Statement], Translation]] = {
    "select": _query,
    "with": _query,
    "(": _query,
    "insert": _insert,
    "delete": _delete,
    "update": _update,
    "merge": _merge,
    "truncate": _truncate,
    "lock": _lock,
    "create": _create,
    "alter": _alter,
    "drop": _drop,
    "begin": commands.transaction,
    "start": commands.transaction,
    "commit": commands.transaction,
    "end": commands.transaction,
    "rollback": commands.transaction,
    "abort": commands.transaction,
    "savepoint": commands.savepoint,
    "release": commands.savepoint,
    "set": commands.set_or_reset,
    "reset": commands.set_or_reset,
    "show": commands.show,
    "grant": commands.grant,
    "revoke": commands.grant,
    "comment": commands.comment,
    "analyze": commands.analyze,
    "vacuum": commands.vacuum,
}


def mentions(sql: str, *names: str) -> bool:
    """Say whether one of these unquoted names stands in the statement."""
    return any(token.word in names for token in tokenize(sql))
