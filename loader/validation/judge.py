"""The contract as a Pydantic model: the judge of a single record."""

from collections.abc import Callable, Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal
from unicodedata import is_normalized

from pydantic import BeforeValidator, Field, ValidationError, create_model
from pydantic_core import ErrorDetails, PydanticCustomError

from loader.contract.feed import Column, Feed
from loader.contract.text import simple_lower
from loader.records.faults import Fault
from loader.validation import rules

_TYPES = {
    "text": str,
    "integer": int,
    "decimal": Decimal,
    "boolean": bool,
    "date": date,
    "timestamp": datetime,
}


class Judge:
    """Judges records of one feed.

    matches: whether a value matches an RE2 expression as a whole, asked of the engine that the
    screen runs on, so that both lanes read a pattern alike.
    """

    def __init__(self, feed: Feed, matches: Callable[[str, str], bool]) -> None:
        self._columns = feed.columns
        # A column may have any name, so in the model it has a number.
        self._names = [f"c{place}" for place in range(len(feed.columns))]
        fields: dict[str, Any] = {
            f"{name}_{aspect}": (annotation, Field(validation_alias=name))
            for name, column in zip(self._names, feed.columns, strict=True)
            for aspect, annotation in _aspects(column, matches)
        }
        self._model = create_model("Record", **fields)

    def faults(self, values: tuple[str | None, ...]) -> list[Fault]:
        """What is wrong with a record, at most one fault a column, in the contract's order.

        values: its raw text, one for each column of the contract, None where empty or missing. A
        fault's column is the position in the contract.
        """
        try:
            self._model.model_validate(dict(zip(self._names, values, strict=True)))
        except ValidationError as error:
            found: dict[int, list[Fault]] = {}
            for detail in error.errors(include_url=False, include_input=False):
                place = int(str(detail["loc"][0])[1:])
                found.setdefault(place, []).append(self._fault(place, values[place], detail))
            # The first in the catalogue, which is the order in which a person would check.
            return [
                min(faults, key=lambda fault: rules.VALUE_RULES.index(fault.rule))
                for faults in found.values()
            ]
        return []

    def _fault(self, place: int, value: str | None, detail: ErrorDetails) -> Fault:
        """One of Pydantic's errors, by its rule and in its words."""
        column = self._columns[place]
        rule = rules.BY_ERROR.get(detail["type"]) or rules.TYPES[column.kind]
        words = ", ".join(column.accepted_words)
        return rule.broken(place, value, column=column, words=words, **detail.get("ctx", {}))


def _aspects(column: Column, matches: Callable[[str, str], bool]) -> Iterator[tuple[str, Any]]:
    """The fields of the model for a column: its typed value, and its text where that has rules."""

    parse, max_bytes = column.parse, column.max_bytes

    def value(raw: str | None) -> Any:
        if raw is None:
            return None
        size = len(raw.encode())
        if size > max_bytes:
            raise PydanticCustomError("max_bytes", "is too long", {"size": size})
        text = raw.strip()
        if column.unicode and not is_normalized("NFC", text):
            raise PydanticCustomError("unicode", "is not in normal form C")
        return parse(text) if text else None

    def like(raw: str | None) -> str | None:
        text = (raw or "").strip()
        if text and not matches(text, column.pattern or ""):
            raise PydanticCustomError("pattern", "does not match")
        return text

    low, high = column.bounds
    kind: Any = _TYPES[column.kind]
    typed: Any = Annotated[kind, Field(strict=True, ge=low, le=high)]
    yield "value", Annotated[typed if column.required else typed | None, BeforeValidator(value)]
    if column.accepted_words:
        words: Any = Literal[tuple(column.accepted_words)]
        yield "word", Annotated[words | None, BeforeValidator(_word)]
    if column.pattern:
        yield "text", Annotated[str, BeforeValidator(like)]


def _word(raw: str | None) -> str | None:
    return simple_lower((raw or "").strip()) or None
