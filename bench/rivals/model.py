"""The contract of models/staging/cti/_cti__sources.yml, as a Pydantic model that people write.

It is hard-coded on purpose. That it says the same as the contract is checked in each run by the
number of records that it refuses.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, Field, ValidationError

__all__ = ["COLUMNS", "errors"]

_Type = Literal[
    "domain", "hostname", "ipv4", "ipv6", "url", "email", "md5", "sha1", "sha256",
    "fqdn", "host", "ip", "ip-dst", "ip-src", "ipv4-addr", "ipv6-addr", "uri", "link",
    "email-addr", "e-mail", "sha-1", "sha-256",
]  # fmt: skip


class Indicator(BaseModel):
    """A record with its blanks stripped, None for what is empty."""

    indicator: Annotated[str, Field(max_length=2048)]
    indicator_type: Annotated[_Type, BeforeValidator(lambda text: text and text.lower())]
    source: Annotated[str, Field(max_length=256)]
    confidence: Annotated[int, Field(ge=0, le=100)] | None
    first_seen: datetime
    last_seen: datetime | None
    description: Annotated[str, Field(max_length=4096)] | None


COLUMNS = list(Indicator.model_fields)


def errors(record: Mapping[str, str | None]) -> list[Any] | None:
    """What is wrong with a record of raw text; None if nothing is."""
    # What readers put in the place of fields that are too many or too few.
    if None in record or None in record.values():
        return ["wrong number of fields"]
    try:
        Indicator.model_validate(
            {name: (text or "").strip() or None for name, text in record.items()}
        )
    except ValidationError as error:
        return error.errors(include_url=False, include_context=False)
    return None
