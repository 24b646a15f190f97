"""QUALIFY, which PostgreSQL lacks, as a filter around the query.

    select a, b as c from t x where w qualify row_number() over (...) = 1 order by 1
    select "a", "c" from (select a, b as c, (row_number() over (...) = 1) as rig_keep
        from t x where w) rig_q where rig_keep order by 1

A star becomes a reference to the whole row, taken apart again outside. Source of the rules: AWS,
"QUALIFY clause".
"""

from __future__ import annotations

from rig.sql_text import Rewrite, Statement, refuse, word_set
from rig.tokens import Kind

_AFTER_QUALIFY = word_set("order limit offset union intersect except minus with")


def rewrite_qualify(sql: str) -> tuple[str, list[Rewrite]]:
    """Replace every QUALIFY clause; returns the new text and what was changed.

    Raises RedshiftError where Redshift has a rule against it or where the rig cannot tell the
    names of the columns.
    """
    rewrites: list[Rewrite] = []
    while True:
        statement = Statement.parse(sql)
        # The last one has no other behind it, so its condition is free of them.
        clauses = [i for i in range(len(statement)) if _is_clause(statement, i)]
        if not clauses:
            return sql, rewrites
        first, last, text = _rewrite_one(statement, clauses[-1])
        start, end = statement.tokens[first].start, statement.tokens[last - 1].end
        rewrites.append(Rewrite("qualify", sql[start:end], text))
        sql = sql[:start] + text + sql[end:]


def _is_clause(statement: Statement, index: int) -> bool:
    return (
        statement.word(index) == "qualify"
        and statement.text(index - 1) != "."
        and statement.word(index - 1) != "as"
    )


def _rewrite_one(statement: Statement, qualify: int) -> tuple[int, int, str]:
    """Range of tokens from SELECT to the end of the condition, and what replaces it."""
    select = _start_of_select(statement, qualify)
    level = list(statement.level(select + 1, qualify))
    from_ = next((i for i in level if statement.word(i) == "from"), None)
    if from_ is None:
        raise statement.syntax_error(qualify)
    if statement.word(select + 1) == "distinct":
        raise refuse("SELECT DISTINCT with QUALIFY")
    end = _end_of_condition(statement, qualify)
    if end == qualify + 1:
        raise statement.syntax_error(end)
    _check_alias(statement, from_, qualify)
    inner, outer = _columns(statement, select, from_, qualify)
    condition = statement.source(qualify + 1, end)
    rest = statement.source(from_, qualify)
    if any(statement.word(i) == "over" for i in range(qualify + 1, end)):
        inner.append(f"({condition}) as rig_keep")
        condition = "rig_keep"
    text = (
        f"select {', '.join(outer)} from (select {', '.join(inner)} {rest}) rig_q where {condition}"
    )
    return select, end, text


def _start_of_select(statement: Statement, index: int) -> int:
    """Index of the SELECT that the clause at `index` belongs to."""
    i = index - 1
    while i >= 0:
        if statement.text(i) in (")", "]"):
            i = statement.opening(i)
        elif statement.text(i) == "(":
            break
        elif statement.word(i) == "select":
            return i
        i -= 1
    raise statement.syntax_error(index)


def _end_of_condition(statement: Statement, qualify: int) -> int:
    i = qualify + 1
    while i < len(statement) and statement.text(i) != ")":
        if statement.word(i) in _AFTER_QUALIFY:
            return i
        i = statement.closing(i) + 1 if statement.text(i) == "(" else i + 1
    return i


def _check_alias(statement: Statement, from_: int, qualify: int) -> None:
    """Directly behind FROM, the last relation must have an alias, or QUALIFY is taken for one."""
    words = {statement.word(i) for i in statement.level(from_ + 1, qualify)}
    if words & {"where", "group", "having", "on", "using"}:
        return
    relation = max(
        i
        for i in statement.level(from_, qualify)
        if statement.word(i) in ("from", "join") or statement.text(i) == ","
    )
    if statement.is_name(relation + 1):
        _, after = statement.name_at(relation + 1)
        if after == qualify:
            raise statement.syntax_error(qualify + 1)


def _columns(
    statement: Statement, select: int, from_: int, qualify: int
) -> tuple[list[str], list[str]]:
    """Select list of the inner query and of the outer one."""
    inner: list[str] = []
    outer: list[str] = []
    for number, (first, last) in enumerate(statement.parts(select + 1, from_)):
        if statement.text(last - 1) == "*" and statement.text(last - 2) in ("select", ".", ","):
            row = (
                statement.source(first, last - 2)
                if last - first > 1
                else _only_relation(statement, from_, qualify)
            )
            inner.append(f"{row} as rig_row{number}")
            outer.append(f"(rig_q.rig_row{number}).*")
        elif last - first == 1 and statement.text(first) == "*":
            row = _only_relation(statement, from_, qualify)
            inner.append(f"{row} as rig_row{number}")
            outer.append(f"(rig_q.rig_row{number}).*")
        else:
            name = _column_name(statement, first, last).replace('"', '""')
            inner.append(statement.source(first, last))
            outer.append(f'"{name}"')
    return inner, outer


def _only_relation(statement: Statement, from_: int, qualify: int) -> str:
    """Alias, or else name, of the one relation that the FROM clause has."""
    end = next(
        (
            i
            for i in statement.level(from_ + 1, qualify)
            if statement.word(i) in ("where", "group", "having")
        ),
        qualify,
    )
    words = {statement.text(i).lower() for i in statement.level(from_ + 1, end)}
    if words & {",", "join"}:
        raise refuse("SELECT * over a join with QUALIFY: name the columns, or write alias.*")
    return statement.tokens[end - 1].text


def _column_name(statement: Statement, first: int, last: int) -> str:
    """Name of a column of the select list: its alias, or that of the column it is."""
    name = statement.tokens[last - 1]
    if name.kind in (Kind.WORD, Kind.QUOTED):
        before = statement.tokens[last - 2] if last - first > 1 else None
        plain = all(statement.is_name(i) or statement.text(i) == "." for i in range(first, last))
        dotted = plain and (before is None or before.text == ".")
        if dotted or (before and (before.word in ("as", "end") or before.text == ")")):
            return name.name
        if before and before.kind in (Kind.NUMBER, Kind.STRING, Kind.QUOTED):
            return name.name
        if plain and before and before.kind is Kind.WORD and last - first == 2:
            return name.name
    raise refuse(f"a column without AS in a SELECT with QUALIFY: {statement.source(first, last)}")
