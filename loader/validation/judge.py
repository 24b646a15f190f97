"""The contract as a Pydantic model: the judge of a single record, and author of its message."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import BeforeValidator, ValidationError, create_model
from pydantic_core import PydanticCustomError

from loader.contract.feed import Column, Feed
from loader.contract.text import simple_lower
from loader.records.faults import Fault, Rule
from loader.validation import rules


class Judge:
    """Judges records of one feed.

    matches: whether a value matches an RE2 expression as a whole, asked of the engine that the
    screen runs on, so that both lanes read a pattern alike.
    """

    def __init__(self, feed: Feed, matches: Callable[[str, str], bool]) -> None:
        fields: dict[str, Any] = {
            # Column names may be anything, so the model's own fields are numbered.
            f"c{position}": (Annotated[Any, BeforeValidator(_validator(column, matches))], ...)
            for position, column in enumerate(feed.columns)
        }
        self._model = create_model("Record", **fields)

    def faults(self, values: tuple[str | None, ...]) -> list[Fault]:
        """What is wrong with a record, in the contract's column order; nothing if it is valid.

        values: its raw text, one for each column of the contract, None where empty or missing.
        """
        try:
            self._model.model_validate({f"c{i}": value for i, value in enumerate(values)})
        except ValidationError as error:
            return [
                Fault(
                    rules.RULES[detail["type"]],
                    detail["msg"],
                    column=int(str(detail["loc"][0])[1:]),
                    value=detail["input"],
                )
                for detail in error.errors(include_url=False)
            ]
        return []


def _validator(column: Column, matches: Callable[[str, str], bool]) -> Callable[[str | None], Any]:
    """The rules of one column, in the order in which a person would check them."""
    accepted = (
        frozenset(simple_lower(value.strip()) for value in column.accepted_values)
        if column.accepted_values
        else None
    )
    low = None if column.minimum is None else column.parse_bound(column.minimum)
    high = None if column.maximum is None else column.parse_bound(column.maximum)

    def check(raw: str | None) -> Any:
        if raw is not None and len(raw.encode()) > column.max_bytes:
            raise _broken(rules.MAX_BYTES, size=len(raw.encode()), limit=column.max_bytes)
        text = (raw or "").strip()
        if not text:
            if column.required:
                raise _broken(rules.REQUIRED)
            return None
        try:
            value = column.parse(text)
        except ValueError as error:
            raise _broken(rules.TYPES[column.kind], problem=error) from None
        if accepted is not None and simple_lower(text) not in accepted:
            raise _broken(rules.ACCEPTED_VALUES, accepted=", ".join(sorted(accepted)))
        if column.pattern is not None and not matches(text, column.pattern):
            raise _broken(rules.PATTERN, pattern=column.pattern)
        if low is not None and value < low:
            raise _broken(rules.MINIMUM, bound=column.minimum)
        if high is not None and value > high:
            raise _broken(rules.MAXIMUM, bound=column.maximum)
        return value

    return check


def _broken(rule: Rule, **facts: object) -> PydanticCustomError:
    # Pydantic would take braces in the message for its own.
    return PydanticCustomError(rule.name, "{message}", {"message": rule.message.format(**facts)})
