"""The contract as a Pydantic model: the judge of a single record, and author of its message."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, NamedTuple

from pydantic import BeforeValidator, ValidationError, create_model
from pydantic_core import PydanticCustomError

from loader.contract.feed import Column, Feed
from loader.contract.text import simple_lower

__all__ = ["Finding", "Judge"]


class Finding(NamedTuple):
    """A rule that a value breaks."""

    column: str
    rule: str
    value: str | None
    message: str


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
        self._columns = feed.columns
        self._model = create_model("Record", **fields)

    def findings(self, values: tuple[str | None, ...]) -> list[Finding]:
        """What is wrong with a record, in the contract's column order; nothing if it is valid.

        values: its raw text, one for each column of the contract, None where empty or missing.
        """
        try:
            self._model.model_validate({f"c{i}": value for i, value in enumerate(values)})
        except ValidationError as error:
            return [
                Finding(
                    column=self._columns[int(str(detail["loc"][0])[1:])].name,
                    rule=detail["type"],
                    value=detail["input"],
                    message=detail["msg"],
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
            raise _broken(
                "max_bytes", f"has {len(raw.encode()):,} bytes; the limit is {column.max_bytes:,}"
            )
        text = (raw or "").strip()
        if not text:
            if column.required:
                raise _broken("required", "is empty, but required")
            return None
        try:
            value = column.parse(text)
        except ValueError as error:
            raise _broken(column.kind, str(error)) from None
        if accepted is not None and simple_lower(text) not in accepted:
            raise _broken("accepted_values", f"is none of {', '.join(sorted(accepted))}")
        if column.pattern is not None and not matches(text, column.pattern):
            raise _broken("pattern", f"does not match {column.pattern}")
        if low is not None and value < low:
            raise _broken("minimum", f"is below the minimum, {column.minimum}")
        if high is not None and value > high:
            raise _broken("maximum", f"is above the maximum, {column.maximum}")
        return value

    return check


def _broken(rule: str, problem: str) -> PydanticCustomError:
    # Braces would be read as a template's.
    return PydanticCustomError(rule, "{problem}", {"problem": problem})
