"""What a case is, to those who run it."""

from __future__ import annotations

from typing import Any, Protocol

__all__ = ["Case", "Cases"]


class Case(Protocol):
    """Bytes, and how they are to be read: str() says that."""

    @property
    def data(self) -> bytes: ...

    def with_data(self, data: bytes) -> Any: ...


class Cases(Protocol):
    """Makes cases by seed and number, and checks them, many one after the other."""

    name: str

    def make(self, seed: int, number: int) -> Any: ...

    def check(self, case: Any) -> None:
        """Raises whatever it raises if the case did not end well."""

    def close(self) -> None: ...
