"""Cuts delimited text into records, strictly, a block of bytes at a time.

The rules are RFC 4180's: a field either is quoted, with every quote inside it doubled and nothing
between the closing quote and the next delimiter or line end, or holds no quote at all. Line ends
are LF or CRLF. The work is done with numpy on whole blocks; only malformed records are looked at
one by one.

Where a malformed record ends: at the first line end outside quotes, a stray quote counting as
plain text. So an unterminated quote takes with it every line up to the next quote, and text inside
somebody's quotes is never mistaken for records.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

__all__ = ["CR", "Cut", "Dialect", "Positions", "cut_records"]

LF, CR = 10, 13

Positions = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Dialect:
    """The two bytes that give a file its structure."""

    delimiter: int = ord(",")
    quote: int = ord('"')

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
class Cut:
    """A block of bytes cut into records. quotes and inside are None where it has no quote.

    open_at: where a quote is that the end of the file leaves open.
    """

    starts: Positions
    ends: Positions
    nexts: Positions
    line_feeds: Positions
    malformed_starts: frozenset[int] = frozenset()
    quotes: Positions | None = None
    inside: npt.NDArray[np.uint8] | None = None
    open_at: int | None = None


def cut_records(data: bytes, dialect: Dialect, final: bool) -> Cut:
    """Cuts data into records, leaving off the last one if it may go on in the next read."""
    array = np.frombuffer(data, np.uint8)
    line_feeds = np.flatnonzero(array == LF)
    stops = line_feeds
    open_at: int | None = None
    malformed: list[tuple[int, int]] = []
    quotes = inside = None
    if dialect.quote in data:
        marks = (array == dialect.quote).view(np.uint8)
        quotes = np.flatnonzero(marks)
        malformed, limit, open_at = _malformed_spans(
            data, array, quotes, line_feeds, dialect, final
        )
        for start, end in malformed:
            marks[start:end] = 0
        inside = np.bitwise_xor.accumulate(marks)
        is_stop = (inside[line_feeds] == 0) & (line_feeds < limit)
        for start, end in malformed:
            low, high = np.searchsorted(line_feeds, (start, end - 1))
            is_stop[low:high] = False
        stops = line_feeds[is_stop]
    nexts = stops + 1
    if final and len(data) > (nexts[-1] if len(nexts) else 0):
        nexts = np.append(nexts, len(data))
        if quotes is not None and inside is not None and inside[-1]:
            open_at = _opening(quotes)
            malformed.append((int(nexts[-2]) if len(nexts) > 1 else 0, len(data)))
    starts = np.concatenate(([0], nexts[:-1])) if len(nexts) else nexts
    ends = nexts - (array[nexts - 1] == LF)
    ends = ends - ((ends > starts) & (array[ends - 1] == CR) & (ends < nexts))
    # Empty lines may be the last of the file, so they wait until something follows them.
    filled = np.flatnonzero(ends > starts)
    count = int(filled[-1]) + 1 if len(filled) else 0
    return Cut(
        starts[:count],
        ends[:count],
        nexts[:count],
        line_feeds,
        frozenset(start for start, _ in malformed),
        quotes,
        inside,
        open_at,
    )


def _opening(quotes: Positions) -> int:
    """Where the field of the last, opening, quote begins: doubled quotes do not begin it."""
    index = len(quotes) - 1
    while index >= 2 and quotes[index - 1] == quotes[index] - 1:
        index -= 2
    return int(quotes[index])


def _malformed_spans(
    data: bytes,
    array: npt.NDArray[np.uint8],
    quotes: Positions,
    line_feeds: Positions,
    dialect: Dialect,
    final: bool,
) -> tuple[list[tuple[int, int]], int, int | None]:
    """The records with a misplaced quote, as (start, next), where the readable text ends, and
    where a quote is that the end of the file leaves open.

    Quotes are taken in turn as opening and closing. Where each opening one begins a field (or is
    the second of a doubled pair) and each closing one ends it (or is the first of a pair), that is
    the strict reading. The first quote that does not is in a malformed record; its end is found
    and the reading starts anew there.
    """
    delimiter, quote = dialect.delimiter, dialect.quote
    # What lies before and after the data counts as a line end.
    last = len(array) - 1
    before = np.where(quotes > 0, array[quotes - 1], LF)
    after = np.where(quotes < last, array[np.minimum(quotes + 1, last)], LF)
    second = np.where(quotes < last - 1, array[np.minimum(quotes + 2, last)], LF)
    opens_ill = (before != delimiter) & (before != LF) & (before != quote)
    closes_ill = (
        (after != delimiter) & (after != LF) & (after != quote) & ~((after == CR) & (second == LF))
    )
    odd = (np.arange(len(quotes)) & 1).astype(bool)
    # Which quotes are ill placed if an even one opens, and if an odd one does.
    ill = (
        np.flatnonzero(np.where(odd, closes_ill, opens_ill)),
        np.flatnonzero(np.where(odd, opens_ill, closes_ill)),
    )
    if not len(ill[0]) and not len(ill[1]):
        return [], len(data), None
    # Line feeds with an even and with an odd number of quotes before them.
    parity = np.searchsorted(quotes, line_feeds) & 1
    feeds = (line_feeds[parity == 0], line_feeds[parity == 1])
    spans: list[tuple[int, int]] = []
    first, resumed_at = 0, 0
    open_at: int | None = None
    while True:
        candidates = ill[first & 1]
        found = int(np.searchsorted(candidates, first))
        if found == len(candidates):
            return spans, len(data), open_at
        position = int(quotes[candidates[found]])
        # The record starts after the last line feed outside quotes.
        feed = int(np.searchsorted(feeds[first & 1], position)) - 1
        start = max(resumed_at, int(feeds[first & 1][feed]) + 1) if feed >= 0 else resumed_at
        match = dialect.rest_of_malformed.match(data, position + 1)
        stop = match.end() if match else position + 1
        if stop < len(data) and data[stop] == LF:
            end = stop + 1
        elif final:
            # It stopped before a quote that nothing closes, or at the end.
            end, open_at = len(data), stop + 1 if stop < len(data) else None
        else:
            return spans, start, None
        spans.append((start, end))
        first, resumed_at = int(np.searchsorted(quotes, end)), end
