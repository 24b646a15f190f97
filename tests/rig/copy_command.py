"""The COPY statement: AWS, "COPY" and the pages of its parameters.

An option is imitated, or refused by name; none is passed over in silence except those that only
say how the rows are stored (COMPUPDATE, STATUPDATE, COMPROWS).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from rig.errors import RedshiftError
from rig.sql_text import Statement, refuse, word_set
from rig.tokens import Kind

_MAX_ERRORS = 100_000
_NOT_IMITATED = word_set(
    "acceptanydate acceptinvchars avro bzip2 delimiter_only encrypted escape explicit_ids "
    "fillrecord fixedwidth ignoreallerrors ignoreblanklines json lzop master_symmetric_key orc "
    "parquet readratio removequotes roundec shapefile ssh trimblanks truncatecolumns"
)
_KEYS_IN_SQL = word_set("credentials access_key_id secret_access_key session_token with")
_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_ROLE = re.compile(r"arn:aws[a-z-]*:iam::[0-9]{12}:role/[\w+=,.@/-]+")


@dataclass
class CopyCommand:
    """A COPY as read. `columns` is empty when the statement lists none.

    `source` is the s3:// address, `role` the ARN or "default". `null_as` is the text that stands
    for NULL. Formats "auto" and None of dates mean what AWS's pages say.
    """

    table: list[str]
    columns: list[str]
    source: str = ""
    role: str = ""
    region: str | None = None
    manifest: bool = False
    compression: str | None = None
    delimiter: str = ","
    quote: str = '"'
    ignore_header: int = 0
    null_as: str = "\\N"
    empty_as_null: bool = False
    blanks_as_null: bool = False
    max_error: int = 0
    no_load: bool = False
    date_format: str | None = None
    time_format: str | None = None
    seen: set[str] = field(default_factory=set)


def unquote(text: str) -> str:
    """The value of a string literal; a backslash is an escape in it."""
    body = text[1:-1].replace("''", "'")

    def value(match: re.Match[str]) -> str:
        code = match.group(1)
        if code[0] in "01234567":
            return chr(int(code, 8))
        return _ESCAPES.get(code, code)

    return re.sub(r"\\([0-7]{1,3}|.)", value, body, flags=re.DOTALL)


def parse_copy(statement: Statement) -> CopyCommand:
    """Read a COPY statement.

    Raises RedshiftError: 42601 for what is not in COPY's grammar, 0A000 for what the rig leaves
    out, XX000 for a missing or unusable authorization.
    """
    table, index = statement.name_at(1)
    columns: list[str] = []
    if statement.text(index) == "(":
        closing = statement.closing(index)
        for first, last in statement.parts(index + 1, closing):
            name, after = statement.name_at(first)
            if len(name) != 1 or after != last:
                raise statement.syntax_error(after)
            columns += name
        index = closing + 1
    command = CopyCommand(table, columns)
    index = statement.expect(index, "from")
    command.source, index = _string(statement, index)
    while index < len(statement):
        index = _option(statement, index, command)
    _check(command)
    return command


def _string(statement: Statement, index: int) -> tuple[str, int]:
    """A string, with an optional AS before it; returns it and the index behind it."""
    if statement.word(index) == "as":
        index += 1
    if statement.kind(index) is not Kind.STRING or statement.text(index).startswith("$"):
        raise statement.syntax_error(index)
    return unquote(statement.text(index)), index + 1


def _number(statement: Statement, index: int) -> tuple[int, int]:
    if statement.word(index) == "as":
        index += 1
    if statement.kind(index) is not Kind.NUMBER or not statement.text(index).isdigit():
        raise statement.syntax_error(index)
    return int(statement.text(index)), index + 1


def _character(statement: Statement, index: int, what: str) -> tuple[str, int]:
    text, after = _string(statement, index)
    if len(text) != 1 or ord(text) > 127:
        raise RedshiftError(f"COPY {what} must be a single ASCII character", "0A000")
    return text, after


def _option(statement: Statement, index: int, command: CopyCommand) -> int:
    """Read the option at `index` into `command`; returns the index behind it."""
    word = statement.word(index)
    after = index + 1
    if word in _KEYS_IN_SQL:
        raise RedshiftError(
            "the rig refuses access keys in SQL, where they end up in logs: use IAM_ROLE", "0A000"
        )
    if word in _NOT_IMITATED:
        raise refuse(f"COPY ... {word.upper()}")
    if word in command.seen:
        raise RedshiftError("conflicting or redundant options", "42601")
    command.seen.add(word)
    if word == "iam_role":
        if statement.word(after) == "default":
            command.role = "default"
            return after + 1
        command.role, after = _string(statement, after)
    elif word == "format":
        if statement.word(after) == "as":
            after += 1
        if statement.word(after) != "csv":
            raise refuse(f"COPY ... FORMAT {statement.text(after).upper()}")
        command.seen.add("csv")
        after += 1
    elif word in ("csv", "manifest"):
        command.manifest = command.manifest or word == "manifest"
    elif word in ("gzip", "zstd"):
        if command.compression:
            raise RedshiftError("conflicting or redundant options", "42601")
        command.compression = word
    elif word == "quote":
        command.quote, after = _character(statement, after, "quote")
    elif word == "delimiter":
        command.delimiter, after = _character(statement, after, "delimiter")
    elif word == "ignoreheader":
        command.ignore_header, after = _number(statement, after)
    elif word == "maxerror":
        command.max_error, after = _number(statement, after)
    elif word == "null":
        command.null_as, after = _string(statement, after)
    elif word == "emptyasnull":
        command.empty_as_null = True
    elif word == "blanksasnull":
        command.blanks_as_null = True
    elif word == "noload":
        command.no_load = True
    elif word == "region":
        command.region, after = _string(statement, after)
    elif word == "encoding":
        after = _encoding(statement, after)
    elif word == "dateformat":
        command.date_format, after = _string(statement, after)
    elif word == "timeformat":
        command.time_format, after = _string(statement, after)
    elif word in ("compupdate", "statupdate"):
        choices = ("on", "off", "true", "false", "preset")
        after += statement.word(after) in choices
    elif word == "comprows":
        _, after = _number(statement, after)
    else:
        raise statement.syntax_error(index)
    return after


def _encoding(statement: Statement, index: int) -> int:
    if statement.word(index) == "as":
        index += 1
    # "ENCODING": the value is written with or without quotation marks.
    value = statement.text(index).strip("'").lower()
    if value != "utf8":
        raise refuse(f"COPY ... ENCODING {value.upper()}")
    return index + 1


def _check(command: CopyCommand) -> None:
    if not command.source.startswith("s3://"):
        raise refuse("COPY from anything but s3://")
    if not command.role:
        raise RedshiftError("CREDENTIALS argument is required but not specified", "XX000")
    if command.role != "default" and not _ROLE.fullmatch(command.role):
        raise RedshiftError(f"Invalid IAM role ARN: {command.role}", "XX000")
    if "csv" not in command.seen:
        raise refuse("COPY of delimited text without CSV")
    if command.delimiter == command.quote:
        raise RedshiftError("COPY delimiter and quote must be different", "0A000")
    if command.delimiter in "\r\n" or command.quote in "\r\n":
        raise RedshiftError(
            "COPY delimiter and quote cannot be newline or carriage return", "0A000"
        )
    if command.max_error > _MAX_ERRORS:
        raise RedshiftError(f"MAXERROR must be between 0 and {_MAX_ERRORS}", "22023")
    if "\0" in command.null_as or "\n" in command.null_as:
        # "NULL AS": behaviour on NUL is described two ways, newline is reserved.
        raise refuse("COPY ... NULL AS with NUL or newline")
    for name in (command.date_format, command.time_format):
        if name not in (None, "auto"):
            raise refuse(f"COPY with the date or time format {name!r}")
    if len(set(command.columns)) != len(command.columns):
        raise RedshiftError("column specified more than once", "42701")
