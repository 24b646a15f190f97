"""The contract as a Pydantic type: the judge of a single record."""

from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime
from decimal import Decimal
from itertools import islice
from types import GenericAlias
from typing import Annotated, Any
from unicodedata import is_normalized

from pydantic import BeforeValidator, Field, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from loader.contract.column import Column
from loader.contract.feed import Feed
from loader.contract.text import simple_lower
from loader.records.faults import Fault
from loader.validation import rules

_TYPES = {
    "text": str,
    "integer": int,
    "decimal": Decimal,
    "float": float,
    "boolean": bool,
    "date": date,
    "timestamp": datetime,
}

# The engine is asked for the patterns of so many records at once: a query takes as long as the rest
# of the judging of some dozens of records.
_TOGETHER = 1000

Values = tuple[str | None, ...]


class Judge:
    """Judges records of one feed.

    matching: which of some values match an RE2 expression as a whole, asked of the engine that the
    screen runs on, so that both lanes read a pattern alike.
    """

    def __init__(self, feed: Feed, matching: Callable[[Iterable[str], str], set[str]]) -> None:
        self._columns, self._matching = feed.columns, matching
        # Values of each column that match its pattern.
        self._matched: list[set[str]] = [set() for _ in feed.columns]
        record: Any = GenericAlias(tuple, tuple(map(_typed, feed.columns, self._matched)))
        self._record = TypeAdapter[Any](record)

    def faults(self, records: Iterable[Values]) -> Iterator[list[Fault]]:
        """What is wrong with each record, at most one fault a column, in the contract's order.

        records: their raw text, one for each column of the contract, None where empty or missing.
        A fault's column is the position in the contract.
        """
        remaining = iter(records)
        while together := list(islice(remaining, _TOGETHER)):
            for place, column in enumerate(self._columns):
                if column.pattern:
                    texts = {(values[place] or "").strip() for values in together}
                    self._matched[place].clear()
                    self._matched[place].update(self._matching(texts, column.pattern))
            yield from map(self._faults, together)

    def _faults(self, values: Values) -> list[Fault]:
        try:
            self._record.validate_python(values)
        except ValidationError as error:
            details = error.errors(include_url=False, include_input=False)
            return [self._fault(values, detail) for detail in details]
        return []

    def _fault(self, values: tuple[str | None, ...], detail: ErrorDetails) -> Fault:
        """One of Pydantic's errors, by its rule and in its words."""
        place = int(detail["loc"][0])
        column = self._columns[place]
        rule = rules.BY_ERROR.get(detail["type"]) or rules.TYPES[column.kind]
        words = rules.listed(column.accepted_words)
        missing = "one of null_values" if (values[place] or "").strip() else "empty"
        facts = {"words": words, "missing": missing, **detail.get("ctx", {})}
        return rule.broken(place, values[place], column=column, **facts)


def _typed(column: Column, matched: set[str]) -> Any:
    """A column's part of the record: its typed value, checked in the order of the rules.

    matched: values that match its pattern, as they are when a record is judged.
    """

    def value(raw: str | None) -> Any:
        size, text = len((raw or "").encode()), (raw or "").strip()
        if size > column.max_bytes:
            raise PydanticCustomError("max_bytes", "is too long", {"size": size})
        if not text or text in column.null_values:
            return None
        if column.unicode and not is_normalized("NFC", text):
            raise PydanticCustomError("unicode", "is not in normal form C")
        parsed = column.parse(text)
        if column.accepted_values and simple_lower(text) not in column.accepted_words:
            raise PydanticCustomError("accepted_values", "is none of them")
        if column.pattern and text not in matched:
            raise PydanticCustomError("pattern", "does not match")
        return parsed

    low, high = column.bounds
    kind: Any = _TYPES[column.kind]
    typed: Any = Annotated[kind, Field(strict=True, ge=low, le=high)]
    return Annotated[typed if column.required else typed | None, BeforeValidator(value)]
