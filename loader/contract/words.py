"""What the words of a contract are read as: parts of the models that feed and columns share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict

from loader.contract import text

Kind = Literal["text", "integer", "decimal", "float", "boolean", "date", "timestamp"]


class Frozen(BaseModel):
    """A part of a contract: it cannot be changed, and knows no other keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def scalar_text(value: object) -> object:
    """YAML reads 2024-01-01 as a date and 5 as a number; a bound or an accepted value is text."""
    return str(value) if value is not None and not isinstance(value, (list, dict, bool)) else value


Text = Annotated[str, BeforeValidator(scalar_text)]


def listed(value: object) -> object:
    """A single value is a list of one."""
    return value if value is None or isinstance(value, (list, tuple, dict)) else [value]


def _null_value(value: object) -> object:
    """A marker as it is compared, stripped."""
    # YAML reads NULL as no text, -9999 as a number, and "\\N" in double quotes as a blank (U+0085).
    if not isinstance(value, str) or not value.strip():
        raise ValueError(
            f"YAML reads {value!r}, which is no text or a blank one. Write it in single quotes,"
            " such as 'NULL', '\\N' or '-9999'; an empty value is NULL anyway"
        )
    return value.strip()


NullValues = tuple[Annotated[str, BeforeValidator(_null_value)], ...]
DecimalChar = Literal[".", ","]
GroupChar = Literal["", ".", ",", "'", " ", "\u2019", "\u00a0", "\u202f"]


def layout_tokens(layout: str, read_as: str) -> Mapping[str, int]:
    """The tokens of a layout of dates, by name. Raises ValueError that says what is allowed."""
    try:
        return text.format_pattern(read_as).groupindex
    except ValueError as error:
        raise ValueError(
            f"{layout!r} {error}; allowed tokens: YYYY MM DD HH24 MI SS,"
            " separators: - / . : T and a blank"
        ) from None
