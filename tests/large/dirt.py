"""One record of each kind of dirt, and a large file of the example feed that has them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.make_feed import make_feed

__all__ = ["DIRT", "LargeFile", "Speck", "write_large_file"]


@dataclass(frozen=True)
class Speck:
    """A rejected record: its bytes, and why and for which value it is refused."""

    raw: bytes
    rule: str
    column: str | None = None
    value: str | None = None


def _record(
    indicator: bytes = b"bad.example",
    kind: bytes = b"domain",
    source: bytes = b"me",
    confidence: bytes = b"50",
    first_seen: bytes = b"2026-01-01",
    last_seen: bytes = b"",
    description: bytes = b"",
) -> bytes:
    return b",".join((indicator, kind, source, confidence, first_seen, last_seen, description))


_GOOD_LINE = b"good.example,domain,me,50,2026-01-01,,"
_OPEN_QUOTE = _record(description=b'"never closed')
_SWALLOWING = b"\n".join([_OPEN_QUOTE, _GOOD_LINE, _GOOD_LINE, b'x,domain,"me",50,2026-01-01,,'])
_129_LETTERS = "é" * 129  # 258 bytes in a column of 256
_LARGE = b"x" * (4 * 1024 * 1024)

DIRT: dict[str, Speck] = {
    # the form
    "too few fields": Speck(_record().removesuffix(b","), "too_few_fields"),
    "too many fields": Speck(_record(description=b"a,b"), "too_many_fields"),
    "an empty extra last field": Speck(_record() + b",", "too_many_fields"),
    "an empty line": Speck(b"", "too_few_fields"),
    "a quote in an unquoted field": Speck(
        _record(description=b'78.07"All, Round'), "stray_quote", "description", '78.07"All'
    ),
    "text after a closing quote": Speck(
        _record(source=b'"me"too'), "text_after_quote", "source", '"me"too'
    ),
    "a quote that swallows three lines": Speck(
        _SWALLOWING,
        "text_after_quote",
        "description",
        _SWALLOWING[_SWALLOWING.index(b'"never') :].decode().split('me"')[0] + 'me"',
    ),
    "a NUL byte": Speck(_record(b"nul\0.example"), "nul_byte"),
    "Latin-1": Speck(_record(b"caf\xe9.example"), "not_utf8"),
    "a surrogate": Speck(_record(description=b"\xed\xa0\x80"), "not_utf8"),
    "over 4 MB": Speck(_record(description=b'"' + _LARGE + b'"'), "record_too_large"),
    "a bare carriage return": Speck(_record(b"a\rb.example"), "bare_carriage_return"),
    # the values
    "over its column's bytes": Speck(
        _record(source=_129_LETTERS.encode()), "max_bytes", "source", _129_LETTERS
    ),
    "missing": Speck(_record(source=b""), "required", "source"),
    "blank": Speck(_record(indicator=b" \xe3\x80\x80"), "required", "indicator", " \u3000"),
    "quoted, and missing": Speck(_record(first_seen=b'""'), "required", "first_seen"),
    "no integer": Speck(_record(confidence=b"eighty"), "integer", "confidence", "eighty"),
    "over 64 bits": Speck(_record(confidence=b"9" * 20), "integer", "confidence", "9" * 20),
    "below the minimum": Speck(_record(confidence=b"-1"), "minimum", "confidence", "-1"),
    "above the maximum": Speck(_record(confidence=b"101"), "maximum", "confidence", "101"),
    "an unknown type": Speck(_record(kind=b"asn"), "accepted_values", "indicator_type", "asn"),
    "a timestamp of another form": Speck(
        _record(first_seen=b"31/05/2026"), "timestamp", "first_seen", "31/05/2026"
    ),
    "no day of the calendar": Speck(
        _record(last_seen=b"2026-02-30"), "timestamp", "last_seen", "2026-02-30"
    ),
}
# Its quote is closed by nothing, so it can only be the last.
LAST = Speck(_OPEN_QUOTE, "unterminated_quote", "description", '"never closed')


@dataclass(frozen=True)
class LargeFile:
    """good: a piece of the file, with its header, that stands in it `pieces` times.

    refused: record number, physical line and what is wrong, in the file's order.
    """

    good: bytes
    pieces: int
    records: int
    refused: list[tuple[int, int, Speck]]


def write_large_file(path: Path, records: int, line_end: bytes = b"\n") -> LargeFile:
    """Writes so many good records, all kinds of dirt spread evenly among them, one of each."""
    pieces = len(DIRT) + 1
    size = records // pieces
    make_feed(path, size)
    good = path.read_bytes().replace(b"\n", line_end)
    # The column names hold no line end; some of the values do, so that a line is not a record.
    header_end = good.index(line_end) + len(line_end)
    header, piece = good[:header_end], good[header_end:]
    lines = piece.count(b"\n")
    assert lines > size
    refused: list[tuple[int, int, Speck]] = []
    record, line = 1, 2
    with path.open("wb") as out:
        out.write(header)
        for speck in _after_each_piece():
            out.write(piece)
            record, line = record + size, line + lines
            refused.append((record, line, speck))
            out.write(speck.raw + line_end)
            record, line = record + 1, line + speck.raw.count(b"\n") + 1
    return LargeFile(good, pieces, record - 1, refused)


def _after_each_piece() -> Iterator[Speck]:
    yield from DIRT.values()
    yield LAST
