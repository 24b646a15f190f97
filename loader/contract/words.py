"""What the words of a contract are read as: parts of the models that feed and columns share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from loader.contract import moments

Kind = Literal["text", "integer", "decimal", "float", "boolean", "date", "timestamp"]


class Frozen(BaseModel):
    """A part of a contract: it cannot be changed, and knows no other keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def scalar_text(value: object) -> object:
    """YAML reads 2024-01-01 as a date and 5 as a number; a bound or an accepted value is text."""
    return str(value) if value is not None and not isinstance(value, (list, dict, bool)) else value


def newer(default: Any) -> Any:
    """A field of a later version: it is not in the fingerprint of a contract without the word."""
    return Field(default=default, exclude_if=lambda value: value == default)


Text = Annotated[str, BeforeValidator(scalar_text)]


def listed(value: object) -> object:
    """A single value is a list of one."""
    return value if value is None or isinstance(value, (list, tuple, dict)) else [value]


def _word(value: object) -> object:
    """A marker, or a word for true or false, as it is compared, stripped."""
    # YAML reads NULL as no text, -9999 as a number, and "\\N" in double quotes as a blank (U+0085).
    if not isinstance(value, str) or not value.strip():
        raise ValueError(
            f"YAML reads {value!r}, which is no text or a blank one. Write it in single quotes,"
            " such as 'NULL', '\\N', '-9999' or 'no'; an empty value is NULL anyway"
        )
    return value.strip()


Words = tuple[Annotated[str, BeforeValidator(_word)], ...]
DecimalChar = Literal[".", ","]
Year = Annotated[int, Field(ge=1000, le=9900, strict=True)]
GroupChar = Literal["", ".", ",", "'", " ", "\u2019", "\u00a0", "\u202f"]


def layout_tokens(layout: str, read_as: str) -> Mapping[str, int]:
    """The tokens of a layout of dates, by name. Raises ValueError that says what is allowed."""
    try:
        return moments.format_pattern(read_as).groupindex
    except ValueError as error:
        raise ValueError(
            f"{layout!r} {error}; allowed tokens: {moments.TOKENS},"
            " separators: - / . , : T and a blank"
        ) from None
