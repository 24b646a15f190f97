"""CREATE TABLE, read against Redshift's own grammar.

Distribution, sort and encoding only say where rows lie: they are checked and dropped. Keys are
"informational only" (AWS, "Unsupported PostgreSQL features"), so PRIMARY KEY, UNIQUE and REFERENCES
are dropped too, except that a primary key makes its columns NOT NULL. Source: AWS, "CREATE TABLE"
and "CREATE TABLE AS".
"""

from __future__ import annotations

from rig.data_types import check_type
from rig.errors import RedshiftError
from rig.keywords import RESERVED
from rig.sql_text import Statement, refuse, word_set

_TABLE_CHOICES = {
    "backup": ("yes", "no"),
    "diststyle": ("auto", "even", "key", "all"),
    "encode": ("auto",),
    "sortkey": ("auto",),
}
_ENCODINGS = word_set(
    "auto az64 bytedict delta delta32k lzo mostly8 mostly16 mostly32 raw runlength text255 text32k "
    "zstd"
)


def check_create_table(statement: Statement, index: int) -> list[str]:
    """Read CREATE TABLE from the token behind TABLE on.

    Returns the columns that the distribution and sort keys of a CREATE TABLE AS name: whether they
    exist is known only once it has run (catalog/views.sql checks it).
    Raises RedshiftError for every option outside Redshift's grammar.
    """
    if statement.words(index, "if", "not", "exists"):
        index += 3
    name, index = statement.name_at(index)
    if len(name) > 3:
        raise statement.syntax_error(index)
    columns: list[str] | None = None
    if statement.text(index) == "(" and not _holds_query(statement, index):
        closing = statement.closing(index)
        columns = _columns(statement, index, closing)
        index = closing + 1
    keys: list[str] = []
    index = _table_attributes(statement, index, columns, keys)
    if statement.word(index) == "as":
        if statement.word(index + 1) not in ("select", "with") and statement.text(index + 1) != "(":
            raise statement.syntax_error(index + 1)
        if columns is not None:
            raise statement.syntax_error(index)
    elif index < len(statement) or columns is None:
        raise statement.syntax_error(index)
    return keys if columns is None else []


def _holds_query(statement: Statement, opening: int) -> bool:
    return statement.word(opening + 1) in ("select", "with") or statement.text(opening + 1) == "("


def _table_attributes(
    statement: Statement, index: int, columns: list[str] | None, keys: list[str]
) -> int:
    """Drop BACKUP, DISTSTYLE, DISTKEY, SORTKEY and ENCODE AUTO; returns the index behind them.

    The columns of the keys are added to `keys`.
    """
    while index < len(statement):
        word, after = statement.word(index), index
        if statement.word(index + 1) in _TABLE_CHOICES.get(word, ()):
            after = index + 2
        elif word == "distkey":
            after = _key_columns(statement, index + 1, columns, keys, "DISTKEY", 1)
        elif word in ("sortkey", "compound", "interleaved"):
            start = index if word == "sortkey" else statement.expect(index + 1, "sortkey") - 1
            limit = 8 if word == "interleaved" else 400
            after = _key_columns(statement, start + 1, columns, keys, "SORTKEY", limit)
        if after == index:
            return index
        statement.replace(f"table attribute {word}", index, after, "")
        index = after
    return index


def _key_columns(
    statement: Statement,
    opening: int,
    columns: list[str] | None,
    keys: list[str],
    what: str,
    limit: int,
) -> int:
    """Check the column list of a key; returns the index behind it."""
    if statement.text(opening) != "(":
        raise statement.syntax_error(opening)
    closing = statement.closing(opening)
    parts = statement.parts(opening + 1, closing)
    if not 1 <= len(parts) <= limit:
        raise RedshiftError(f"too many columns in {what}", "0A000")
    for first, last in parts:
        name, after = statement.name_at(first)
        if after != last or len(name) != 1:
            raise statement.syntax_error(after)
        # `sortkey(auto)` reads as a column called auto; so does Redshift.
        if columns is not None and name[0] not in columns:
            raise RedshiftError(f'column "{name[0]}" named in {what} does not exist', "42703")
        keys += name
    return closing + 1


def _columns(statement: Statement, opening: int, closing: int) -> list[str]:
    """Check the column definitions and table constraints; returns the names of the columns."""
    names: list[str] = []
    ends: dict[str, int] = {}
    keys: list[str] = []
    parts = statement.parts(opening + 1, closing)
    for number, (first, last) in enumerate(parts):
        word = statement.word(first)
        if word == "like":
            _like(statement, first, last)
        elif word in ("constraint", "primary", "unique", "foreign", "check", "exclude"):
            keys += _table_constraint(statement, first, last)
            # With its comma: PostgreSQL takes no empty place in the list.
            if number == 0:
                raise refuse("a table that begins with a constraint")
            statement.replace("informational key", first - 1, last, "")
        else:
            name = check_column(statement, first, last)
            names.append(name)
            ends[name] = last - 1
    for key in keys:
        if key not in ends:
            raise RedshiftError(f'column "{key}" named in key does not exist', "42703")
        statement.insert_after("primary key", ends[key], " not null")
    # LIKE brings columns that are not listed here, so names cannot be checked against it.
    return names if not any(statement.word(first) == "like" for first, _ in parts) else _Unknown()


class _Unknown(list[str]):
    """The columns of a table that is made LIKE another: any name may be among them."""

    def __contains__(self, name: object) -> bool:
        return True


def _like(statement: Statement, first: int, last: int) -> None:
    _, after = statement.name_at(first + 1)
    if statement.word(after) in ("including", "excluding"):
        after = statement.expect(after + 1, "defaults")
    if after != last:
        raise statement.syntax_error(after)


def _table_constraint(statement: Statement, first: int, last: int) -> list[str]:
    """Check a table constraint; returns the columns of a primary key."""
    index = first
    if statement.word(index) == "constraint":
        _, index = statement.name_at(index + 1)
    word = statement.word(index)
    if word == "primary":
        index = statement.expect(index, "primary", "key")
    elif word == "unique":
        index += 1
    elif word == "foreign":
        index = statement.expect(index, "foreign", "key")
    else:
        # "Unsupported PostgreSQL features": check and exclusion constraints
        raise statement.syntax_error(index)
    if statement.text(index) != "(":
        raise statement.syntax_error(index)
    closing = statement.closing(index)
    names = [statement.name_at(start)[0][0] for start, _ in statement.parts(index + 1, closing)]
    index = closing + 1
    if word == "foreign":
        index = _references(statement, index)
    if index != last:
        raise statement.syntax_error(index)
    return names if word == "primary" else []


def _references(statement: Statement, index: int) -> int:
    _, index = statement.name_at(statement.expect(index, "references"))
    return statement.closing(index) + 1 if statement.text(index) == "(" else index


def check_column(statement: Statement, first: int, last: int) -> str:
    """Check a column definition; returns the column's name."""
    if statement.word(first) in RESERVED:
        raise statement.syntax_error(first)
    parts, index = statement.name_at(first)
    if len(parts) != 1:
        raise statement.syntax_error(first + 1)
    index = check_type(statement, index)
    while index < last:
        index = _column_attribute(statement, index, last)
    return parts[0]


def _column_attribute(statement: Statement, index: int, last: int) -> int:
    """Check one attribute of a column; returns the index behind it."""
    word = statement.word(index)
    if statement.words(index, "not", "null"):
        return index + 2
    if word == "null":
        return index + 1
    if word == "default":
        return _default(statement, index + 1, last)
    if word == "encode" and statement.word(index + 1) in _ENCODINGS:
        statement.replace("column encoding", index, index + 2, "")
        return index + 2
    if word in ("distkey", "sortkey"):
        statement.replace(f"column {word}", index, index + 1, "")
        return index + 1
    if statement.words(index, "primary", "key"):
        statement.replace("primary key", index, index + 2, "not null")
        return index + 2
    if word == "unique":
        statement.replace("informational key", index, index + 1, "")
        return index + 1
    if word == "references":
        after = _references(statement, index)
        statement.replace("informational key", index, after, "")
        return after
    if word == "identity" or statement.words(index, "generated", "by", "default", "as", "identity"):
        return _identity(statement, index)
    raise statement.syntax_error(index)


def _default(statement: Statement, index: int, last: int) -> int:
    """Pass a default expression, which ends where the next attribute begins."""
    ends = ("not", "null", "encode", "distkey", "sortkey", "primary", "unique", "references")
    start = index
    for i in statement.level(index, last):
        if i > start and statement.word(i) in ends:
            return i
        if statement.word(i) == "select":
            raise statement.syntax_error(i)
    return last


def _identity(statement: Statement, index: int) -> int:
    opening = index + 1 if statement.word(index) == "identity" else index + 5
    if statement.text(opening) != "(":
        raise statement.syntax_error(opening)
    closing = statement.closing(opening)
    numbers = [statement.source(*part) for part in statement.parts(opening + 1, closing)]
    if len(numbers) != 2:
        raise statement.syntax_error(closing)
    statement.replace(
        "identity",
        index,
        closing + 1,
        f"generated by default as identity (start with {numbers[0]} increment by {numbers[1]})",
    )
    return closing + 1
