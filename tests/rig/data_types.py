"""Types of columns: AWS, "Data types" and "Character types"."""

from __future__ import annotations

from rig.errors import RedshiftError
from rig.sql_text import Statement, refuse, word_set
from rig.tokens import Kind

_TYPES_WITHOUT_SIZE = word_set(
    "smallint int2 integer int int4 bigint int8 real float4 float8 float boolean bool date "
    "timestamp timestamptz time timetz text"
)
# Length that a type has when the column gives none: "Character types".
_DEFAULT_LENGTH = {
    "varchar": 256,
    "nvarchar": 256,
    "char": 1,
    "character": 1,
    "nchar": 1,
    "bpchar": 256,
}
_MAX_LENGTH = {"varchar": 65535, "char": 4096}


def check_type(statement: Statement, index: int) -> int:
    """Check a column's type, giving it the length that Redshift gives; returns the index behind.

    Raises RedshiftError (42704) for a type that Redshift lacks, as far as its name goes.
    """
    word, after = statement.word(index), index + 1
    if word == "national":
        raise refuse("NATIONAL CHARACTER")
    if statement.words(index, "double", "precision"):
        return index + 2
    if statement.words(index, "character", "varying"):
        word, after = "varchar", index + 2
    if word in ("timestamp", "time") and statement.word(after) in ("with", "without"):
        return statement.expect(after + 1, "time", "zone")
    sized = statement.text(after) == "("
    if word in ("decimal", "numeric"):
        if not sized:
            # "DECIMAL or NUMERIC type": the default precision is 18, the default scale 0.
            statement.insert_after("decimal(18,0)", after - 1, "(18,0)")
        return statement.closing(after) + 1 if sized else after
    if word in _DEFAULT_LENGTH:
        return _character_type(statement, index, word, after, sized)
    if word == "text":
        statement.replace("text is varchar(256)", index, after, "varchar(256)")
        return after
    if word in _TYPES_WITHOUT_SIZE and not sized:
        return after
    if word in ("super", "varbyte", "varbinary", "geometry", "geography", "hllsketch", "interval"):
        raise refuse(f"the type {word}")
    raise RedshiftError(f'type "{statement.text(index)}" does not exist', "42704")


def _character_type(statement: Statement, index: int, word: str, after: int, sized: bool) -> int:
    """Check a type of characters; its size is in bytes, MAX, or the default."""
    family = "varchar" if word.endswith("varchar") else "char"
    if not sized:
        length = _DEFAULT_LENGTH[word]
        rule = f"{word} is {family}({length})"
        if word in ("nvarchar", "nchar"):
            # expressions.py sees to the name.
            statement.insert_after(rule, index, f"({length})")
        else:
            statement.replace(rule, index, after, f"{family}({length})")
        return after
    closing = statement.closing(after)
    # expressions.py rewrites MAX and the N types wherever they stand.
    if closing != after + 2 or (
        statement.kind(after + 1) is not Kind.NUMBER and statement.word(after + 1) != "max"
    ):
        raise statement.syntax_error(after + 1)
    if statement.kind(after + 1) is Kind.NUMBER:
        length, limit = int(statement.text(after + 1)), _MAX_LENGTH[family]
        if not 1 <= length <= limit:
            raise RedshiftError(
                f"length for type {family} cannot exceed {limit}"
                if length > limit
                else f"length for type {family} must be at least 1",
                "22023",
            )
    return closing + 1
