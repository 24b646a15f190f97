"""SQL that turns the text of a field into a column's value, and finds the text that will not do.

COPY converts more strictly than PostgreSQL's casts: ` 12 `, `on` and `today` are no INTEGER,
BOOLEAN and DATE. Sources: AWS, "Data conversion parameters", "Load error reference", "BOOLEAN
type", "DATEFORMAT and TIMEFORMAT strings".
"""

from __future__ import annotations

from dataclasses import dataclass

from rig.copy_command import CopyCommand
from rig.databases import quoted
from rig.sql_text import literal, refuse

_CHARACTER = {"varchar", "bpchar"}
_INTEGER = {"int2": "SmallInt", "int4": "Integer", "int8": "BigInt"}
_FLOAT = {"float4", "float8"}
_DIGITS = "[+-]?[0-9]+"
_DECIMAL = "[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)"
_DATE = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_TIME = "[0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]{1,6})?"
_BOOLEANS = "'t', 'true', 'y', 'yes', '1', 'f', 'false', 'n', 'no', '0'"


@dataclass(frozen=True)
class Column:
    """A column of the table that COPY fills.

    `type_name` is PostgreSQL's name in pg_type, `modifier` its typmod, `shown` how
    SYS_LOAD_ERROR_DETAIL names the type.
    """

    name: str
    type_name: str
    modifier: int
    not_null: bool
    shown: str

    @property
    def is_character(self) -> bool:
        return self.type_name in _CHARACTER

    @property
    def length(self) -> int:
        """Length in bytes of a character type."""
        return self.modifier - 4 if self.modifier > 4 else 65535

    @property
    def length_shown(self) -> str:
        return str(self.length) if self.is_character else "0"


def text_or_null(column: Column, field: str, command: CopyCommand) -> str:
    """SQL of a field's text, NULL where COPY loads NULL."""
    sql = f"nullif({field}, {literal(command.null_as)})"
    if not column.is_character:
        # "Blank fields for other data types, such as INT, are always loaded with NULL."
        return f"nullif(btrim({sql}, {_whitespace()}), '')"
    if command.blanks_as_null:
        sql = (
            f"case when {field} <> '' and btrim({field}, {_whitespace()}) = '' then null"
            f" else {sql} end"
        )
    if command.empty_as_null:
        sql = f"nullif({sql}, '')"
    return sql


def _whitespace() -> str:
    return r"' \t\n\013\f\r'"


def value(column: Column, field: str, command: CopyCommand) -> str:
    """SQL of the value to insert."""
    text = text_or_null(column, field, command)
    if column.is_character:
        return text
    # The text itself, blanks and all, so that what problem() finds fails here too.
    whole = f"case when {text} is not null then {field} end"
    if column.type_name == "numeric":
        # "ROUNDEC": by default COPY truncates to the scale of the column.
        return f"trunc(({whole})::numeric, {_scale(column)})::{column.shown}"
    return f"({whole})::{quoted(column.type_name)}"


def _scale(column: Column) -> int:
    return (column.modifier - 4) & 0x7FF


def problem(column: Column, field: str, command: CopyCommand) -> str:
    """SQL of 'code message' when the field cannot be loaded, else NULL."""
    text = text_or_null(column, field, command)
    cases = [f"when {text} is null then {_null_problem(column)}"]
    name = column.type_name
    if column.is_character:
        cases.append(
            f"when octet_length(rtrim({field}, ' ')) > {column.length}"
            f" then '1204 String length exceeds DDL length'"
        )
        if name == "bpchar":
            cases.append(
                f"when octet_length({field}) <> char_length({field})"
                " then '1220 Multibyte character not supported for CHAR (Hint: try using VARCHAR)'"
            )
    elif name in _INTEGER:
        kind = _INTEGER[name]
        cases += [
            f"when {field} !~ '^{_DIGITS}$' then {_invalid_digit(field, kind)}",
            f"when not {_valid(field, name)} then '1216 Overflow for type {kind}'",
        ]
    elif name == "numeric":
        integral = ((column.modifier - 4) >> 16) - _scale(column)
        cases.append(f"when {field} !~ '^{_DECIMAL}$' then {_invalid_digit(field, 'Decimal')}")
        cases.append(
            f"when abs(trunc({field}::numeric, {_scale(column)})) >= 10::numeric ^ {integral}"
            f" then '1209 Overflow for {column.shown}'"
        )
    elif name in _FLOAT:
        cases.append(
            f"when {field} !~ '^{_DECIMAL}([eE][+-]?[0-9]+)?$' or not {_valid(field, name)}"
            " then '1208 Invalid floating point value'"
        )
    elif name == "bool":
        cases.append(f"when lower({field}) not in ({_BOOLEANS}) then '1210 Unknown boolean format'")
    elif name == "date":
        cases.append(
            f"when {field} !~ '^{_DATE}$' or not {_valid(field, name)}"
            " then '1205 Invalid Date Format - expected YYYY-MM-DD'"
        )
    elif name in ("timestamp", "timestamptz"):
        between = "[ T]" if command.time_format == "auto" else " "
        offset = "[+-][0-9]{2}(:?[0-9]{2})?" if name == "timestamptz" else ""
        cases.append(
            f"when {field} !~ '^{_DATE}{between}{_TIME}{offset}$' or not {_valid(field, name)}"
            " then '1206 Invalid timestamp format or value [YYYY-MM-DD HH24:MI:SS]'"
        )
    else:
        raise refuse(f"COPY into a column of type {column.shown}")
    return f"case {' '.join(cases)} end"


def _null_problem(column: Column) -> str:
    return "'1213 Missing data for not-null field'" if column.not_null else "null"


def _valid(field: str, name: str) -> str:
    return f"rig_hidden.pg_input_is_valid({field}, '{name}')"


def _invalid_digit(field: str, kind: str) -> str:
    """Redshift's words, such as: Invalid digit, Value 'a', Pos 0, Type: Integer."""
    rest = f"rig_hidden.regexp_replace({field}, '^[+-]?[0-9.]*', '')"
    return (
        f"'1207 Invalid digit, Value ''' || left({rest}, 1) || ''', Pos '"
        f" || length({field}) - length({rest}) || ', Type: {kind}'"
    )
