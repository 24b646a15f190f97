"""The two bytes that give a delimited text its structure, and how long a record may be."""

import re
from dataclasses import dataclass
from functools import cached_property

# Redshift: "COPY from Amazon S3", a single input row may have at most 4 MB.
MAX_RECORD_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True)
class Dialect:
    """A delimiter and a quote, as byte values."""

    delimiter: int = ord(",")
    quote: int = ord('"')

    @cached_property
    def marks(self) -> bytes:
        """For each byte value 1 if it gives a text its structure, else 0."""
        return bytes(value in (self.delimiter, self.quote, *b"\r\n") for value in range(256))

    @cached_property
    def rest_of_malformed(self) -> re.Pattern[bytes]:
        """From inside an unquoted field to the record's end, or to a quote that stays open.

        Possessive throughout, so the time is linear in the text.
        """
        d, q = re.escape(bytes([self.delimiter])), re.escape(bytes([self.quote]))
        plain = b"[^%b\n]*+" % d
        quoted = b"%b(?:[^%b]++|%b%b)*+%b" % (q, q, q, q, q)
        return re.compile(b"%b(?:%b(?:%b%b|(?!%b)%b))*+" % (plain, d, quoted, plain, q, plain))

    @cached_property
    def one_field(self) -> re.Pattern[bytes]:
        """One strict field and what follows it: a delimiter, the end, or (a fault) neither."""
        d, q = re.escape(bytes([self.delimiter])), re.escape(bytes([self.quote]))
        return re.compile(
            b"(?:%b((?:[^%b]++|%b%b)*+)%b|([^%b%b\n]*+))(%b|\\Z)?" % (q, q, q, q, q, q, d, d)
        )
