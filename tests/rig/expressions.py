"""Rules for expressions and queries, wherever they stand in a statement.

What Redshift lacks is refused; what it writes otherwise than PostgreSQL is rewritten. Function and
type names are not checked here: those that Redshift lacks do not exist behind the rig either
(catalog/hide.sql).
"""

from __future__ import annotations

from rig.errors import RedshiftError
from rig.keywords import RESERVED
from rig.sql_text import Statement, refuse, word_set
from rig.tokens import Kind

# AWS, "Mathematical operator symbols", "Comparison conditions", "POSIX operators", "||".
_OPERATORS = word_set("+ - * / % ^ |/ ||/ @ & | # << >> ~ < > <= >= = <> != || !~ ~* !~*")
_DATE_PART_FUNCTIONS = word_set("dateadd date_add datediff date_diff date_part pgdate_part")
_TYPE_SYNONYMS = {"nvarchar": "varchar", "nchar": "char"}
# (words, must be followed by a parenthesis, description). AWS, "Unsupported PostgreSQL features"
# and "Unsupported PostgreSQL functions", or absent from the syntax on the page of the statement.
_REFUSED: tuple[tuple[tuple[str, ...], bool, str], ...] = (
    (("on", "conflict"), False, "conflict"),
    (("returning",), False, "returning"),
    (("lateral",), False, "lateral"),
    (("tablesample",), False, "tablesample"),
    (("with", "ordinality"), False, "ordinality"),
    (("symmetric",), False, "symmetric"),
    (("fetch", "first"), False, "fetch"),
    (("fetch", "next"), False, "fetch"),
    (("for", "update"), False, "for"),
    (("for", "share"), False, "for"),
    (("for", "no"), False, "for"),
    (("as", "materialized"), True, "materialized"),
    (("as", "not", "materialized"), True, "not"),
    (("row",), True, "row"),
    (("array",), True, "array"),
)


def check_expressions(statement: Statement) -> None:
    """Refuse and rewrite what the expressions of the whole statement hold.

    Raises RedshiftError: 42601 and 0A000 for what Redshift does not take.
    """
    for index in range(len(statement)):
        kind = statement.kind(index)
        if kind is Kind.OPERATOR:
            _check_operator(statement, index)
        elif kind is Kind.STRING:
            _check_string_prefix(statement, index)
        elif statement.text(index) == "[":
            raise RedshiftError('syntax error at or near "["', "42601")
        elif kind is Kind.QUOTED:
            _check_own_name(statement, index)
        elif kind is Kind.WORD:
            _check_word(statement, index)


def _check_operator(statement: Statement, index: int) -> None:
    text = statement.text(index)
    # A sign may touch the operator before it: 1=-1.
    bare = text[:-1] if len(text) > 1 and text[-1] in "+-" else text
    if text not in _OPERATORS and bare not in _OPERATORS:
        raise RedshiftError(f"operator does not exist: {text}", "42883")


def _check_string_prefix(statement: Statement, index: int) -> None:
    before = statement.tokens[index - 1] if index else None
    if before and before.end == statement.tokens[index].start and len(before.word) == 1:
        raise refuse(f"strings written {before.text}'...'")


def _check_own_name(statement: Statement, index: int) -> None:
    if statement.tokens[index].name.startswith("rig_") and not statement.own_names:
        raise refuse(f"the name {statement.text(index)}: names that begin with rig_ are its own")


def _check_word(statement: Statement, index: int) -> None:
    word = statement.word(index)
    _check_own_name(statement, index)
    if statement.text(index - 1) == ".":
        return
    call = statement.text(index + 1) == "("
    for words, with_parenthesis, at in _REFUSED:
        if statement.words(index, *words) and (
            not with_parenthesis or statement.text(index + len(words)) == "("
        ):
            raise RedshiftError(f'syntax error at or near "{at}"', "42601")
    if word == "distinct":
        _check_distinct(statement, index)
    elif word == "filter" and call and statement.text(index - 1) == ")":
        raise RedshiftError('syntax error at or near "("', "42601")
    elif word in ("intersect", "except", "minus"):
        _check_set_operation(statement, index)
    elif word == "values" and not _values_of_insert(statement, index):
        # "Unsupported PostgreSQL features": VALUES list used as constant tables
        raise RedshiftError('syntax error at or near "values"', "42601")
    elif word == "collate":
        raise refuse("COLLATE")
    elif word == "top" and statement.word(index - 1) in ("select", "distinct", "all"):
        if statement.kind(index + 1) in (Kind.NUMBER, Kind.PARAMETER):
            raise refuse("SELECT TOP")
    elif word == "as" and statement.word(index + 1) in RESERVED and not _in_cast(statement, index):
        raise statement.syntax_error(index + 1)
    elif word == "within":
        _check_within_group(statement, index)
    elif word == "approximate":
        raise refuse("APPROXIMATE")
    elif word == "sysdate" and not call:
        statement.replace("sysdate", index, index + 1, "sysdate()")
    elif call:
        _check_call(statement, index)
    elif word in _TYPE_SYNONYMS:
        statement.replace(word, index, index + 1, _TYPE_SYNONYMS[word])


def _check_distinct(statement: Statement, index: int) -> None:
    if statement.word(index + 1) == "on" and statement.text(index + 2) == "(":
        raise RedshiftError("SELECT DISTINCT ON is not supported", "0A000")
    if statement.word(index - 1) in ("is", "not") and statement.word(index + 1) == "from":
        # "Unsupported PostgreSQL functions": IS DISTINCT FROM
        raise RedshiftError('syntax error at or near "distinct"', "42601")


def _check_set_operation(statement: Statement, index: int) -> None:
    word = statement.word(index)
    if statement.word(index + 1) == "all":
        raise RedshiftError(f"{word.upper()} ALL is not supported", "0A000")
    if word == "minus":
        statement.replace("minus", index, index + 1, "except")


def _values_of_insert(statement: Statement, index: int) -> bool:
    """Say whether the VALUES at `index` are those of an INSERT or a MERGE, in no parentheses."""
    if statement.word(0) not in ("insert", "merge", "with") or statement.text(index + 1) != "(":
        return statement.word(index - 1) == "default"
    return index in set(statement.level(0, len(statement)))


def _in_cast(statement: Statement, index: int) -> bool:
    """Say whether the AS at `index` is that of CAST(... AS type)."""
    depth = 0
    for i in range(index - 1, -1, -1):
        if statement.text(i) == ")":
            depth += 1
        elif statement.text(i) == "(":
            if depth == 0:
                return statement.word(i - 1) == "cast"
            depth -= 1
    return False


def _check_within_group(statement: Statement, index: int) -> None:
    if statement.word(index + 1) != "group" or statement.text(index - 1) != ")":
        return
    function = statement.word(statement.opening(index - 1) - 1)
    if function not in ("listagg", "percentile_cont"):
        raise RedshiftError('syntax error at or near "within"', "42601")


def _check_call(statement: Statement, index: int) -> None:
    word = statement.word(index)
    opening = index + 1
    if word == "nvl":
        statement.replace("nvl", index, index + 1, "coalesce")
    elif word == "nvl2":
        _rewrite_nvl2(statement, index)
    elif word == "decode":
        _rewrite_decode(statement, index)
    elif word == "listagg":
        _rewrite_listagg(statement, index)
    elif word in ("try_cast", "convert"):
        raise refuse(word.upper())
    elif word in _DATE_PART_FUNCTIONS:
        if statement.kind(opening + 1) is Kind.WORD and statement.text(opening + 2) == ",":
            part = statement.word(opening + 1)
            statement.replace("date part", opening + 1, opening + 2, f"'{part}'")
    elif word in ("varchar", "char", "character", "varying", "nvarchar", "nchar", "bpchar"):
        if statement.word(opening + 1) == "max":
            size = "65535" if word in ("varchar", "varying", "nvarchar") else "4096"
            statement.replace(f"{word}(max)", opening + 1, opening + 2, size)
        if word in _TYPE_SYNONYMS:
            statement.replace(word, index, index + 1, _TYPE_SYNONYMS[word])


def _rewrite_nvl2(statement: Statement, index: int) -> None:
    """NVL2(a, b, c): b if a is not null, else c (AWS, "NVL2 function")."""
    closing = statement.closing(index + 1)
    arguments = statement.parts(index + 2, closing)
    if len(arguments) != 3:
        raise RedshiftError("function nvl2 takes three arguments", "42883")
    statement.replace("nvl2", index, index + 2, "(case when (")
    first, second, third = arguments
    statement.replace("nvl2", first[1], first[1] + 1, ") is not null then (")
    statement.replace("nvl2", second[1], second[1] + 1, ") else (")
    statement.replace("nvl2", third[1], third[1] + 1, ") end)")


def _rewrite_decode(statement: Statement, index: int) -> None:
    """DECODE(e, search, result [, ...] [, default]); two NULLs match (AWS, "DECODE function")."""
    closing = statement.closing(index + 1)
    arguments = statement.parts(index + 2, closing)
    if len(arguments) < 3:
        raise RedshiftError("function decode takes at least three arguments", "42883")
    expression = statement.source(*arguments[0])
    if any(statement.text(i) == "(" for i in range(*arguments[0])):
        raise refuse("DECODE of an expression with parentheses")
    statement.replace("decode", index, arguments[1][0], "(case ")
    rest = arguments[1:]
    for number, (first, last) in enumerate(rest):
        separator = last < closing
        if number % 2 == 1:
            if separator:
                statement.replace("decode", last, last + 1, " ")
        elif number + 1 < len(rest):
            statement.insert_after(
                "decode", first - 1, f" when ({expression}) is not distinct from "
            )
            statement.replace("decode", last, last + 1, " then ")
        else:
            statement.insert_after("decode", first - 1, " else ")
    statement.replace("decode", closing, closing + 1, " end)")


def _rewrite_listagg(statement: Statement, index: int) -> None:
    """LISTAGG(x, ',') WITHIN GROUP (ORDER BY y) becomes listagg(x, ',' ORDER BY y).

    AWS, "LISTAGG function". With DISTINCT, PostgreSQL orders by what is aggregated only.
    """
    closing = statement.closing(index + 1)
    arguments = statement.parts(index + 2, closing)
    if not 1 <= len(arguments) <= 2:
        raise RedshiftError("function listagg takes one or two arguments", "42883")
    first = arguments[0][0]
    first += statement.word(first) in ("distinct", "all")
    measure = statement.source(first, arguments[0][1])
    statement.insert_after("listagg", first - 1, " (")
    statement.insert_after("listagg", arguments[0][1] - 1, ")::text")
    if len(arguments) == 1:
        statement.insert_after("listagg", arguments[0][1] - 1, ", null::text")
    if not statement.words(closing + 1, "within", "group"):
        return
    ordering = closing + 3
    end = statement.closing(ordering)
    statement.expect(ordering + 1, "order", "by")
    if statement.words(first - 1, "distinct"):
        if statement.source(ordering + 3, end).lower() != measure.lower():
            raise refuse("LISTAGG(DISTINCT a) WITHIN GROUP (ORDER BY b)")
        statement.insert_after("listagg", ordering + 2, " (")
        statement.insert_after("listagg", end - 1, ")::text")
    # The rest of WITHIN GROUP, with its closing parenthesis, stays where it is.
    statement.replace("listagg", closing, ordering + 1, " ")
