"""How a delimited text is written: what gives it its structure, and how long a record may be."""

import re
from collections.abc import Sequence
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


@dataclass(frozen=True)
class Form:
    """How a file is written besides its delimiter and quote.

    header_rows: how many rows the header has; 0 for none, and the columns are the contract's.
    skip_rows: lines before it, None for all up to the contract's names. comment: begins a line that
    is no record. skip_lines: patterns of whole lines that are none. skip_blank_rows: whether lines
    of blanks and delimiters are none. skip_repeated_header: whether lines are none that are the
    header once more. drop_trailing: whether a delimiter at the end of a record may be one too many.
    pad_short: whether empty fields at the end of a record may be missing. delimiter: if it
    becomes a tab. quoted: whether quotes are more than text. escape: before structure it makes it
    text. double_quote: whether a quote in a quoted field is doubled. skip_initial_space: whether
    blanks before a field are no part of it.
    """

    encoding: str = "utf-8"
    header_rows: int = 1
    skip_rows: int | None = 0
    comment: str | None = None
    skip_lines: tuple[str, ...] = ()
    skip_blank_rows: bool = False
    skip_repeated_header: bool = False
    drop_trailing: bool = False
    pad_short: bool = False
    delimiter: str | None = None
    quoted: bool = True
    escape: str | None = None
    double_quote: bool = True
    skip_initial_space: bool = False

    def skipped(self, dialect: Dialect, header: Sequence[str] = ()) -> re.Pattern[bytes] | None:
        """What a line is skipped by, each reason a group; None if none is.

        header: the cells of the file's header, once they are known. Raises re.error.
        """
        quote = re.escape(bytes([dialect.quote]))
        delimiter = re.escape((self.delimiter or chr(dialect.delimiter)).encode())
        cells = [re.escape(name.strip().encode()) for name in header]
        # A tab that is the delimiter is no blank.
        blanks = b"[ \t]*" if b"\t" not in delimiter else b"[ ]*"
        cells = [blanks.join((b"", quote + b"?", cell, quote + b"?", b"")) for cell in cells]
        reasons = [
            b"(?P<comment>%b[^\n]*)" % re.escape((self.comment or "").encode()),
            b"(?P<skip_lines>%b)" % b"|".join(map(_of_bytes, self.skip_lines)),
            b"(?P<skip_blank_rows>(?:[ \t]|%b)*)" % delimiter,
            # Behind a byte order mark where files were put together.
            b"(?P<repeated_header>(?:\xef\xbb\xbf)?(?i:%b))" % delimiter.join(cells),
        ]
        again = self.skip_repeated_header and cells
        stated = (self.comment, self.skip_lines, self.skip_blank_rows, again)
        reasons = [reason for reason, word in zip(reasons, stated, strict=True) if word]
        whole = b"^(?:%b)\r{0,2}$" % b"|".join(reasons)
        return re.compile(whole, re.MULTILINE) if reasons else None


def _of_bytes(pattern: str) -> bytes:
    """A pattern of text as one of UTF-8, in which a character beyond ASCII is several bytes.

    Flags at its beginning are for it alone.
    """
    flags = re.match(r"\(\?([ims]+)\)", pattern)
    rest = pattern[flags.end() :] if flags else pattern
    whole = re.sub("([^\x00-\x7f])", r"(?:\1)", rest).encode()
    return b"(?%b:%b)" % (flags[1].encode() if flags else b"", whole)
