"""A strict RFC 4180 reader, one character after another, to hold the loader's fast one against.

It is written from the rules alone: a field is quoted, with every quote in it doubled and nothing
between the closing quote and the next delimiter or line end; or it holds no quote. Lines end in LF
or CRLF. A malformed record ends at the first line end outside quotes, where a stray quote is plain
text and a quote that begins a field opens it. Empty lines at the end are no records.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Record", "read_record", "read_records"]


@dataclass(frozen=True)
class Record:
    """A record's place (start and end of its text, start of the next), values, and what is wrong.

    problem: the rule broken by its form, of the first field that breaks one; None if it is sound.
    values: None if the form is broken. swallows: its last field opens a quote
    that is never closed, and lines of text follow inside it.
    """

    start: int
    end: int
    next: int
    values: tuple[bytes, ...] | None
    problem: str | None
    swallows: bool = False


def read_records(data: bytes, delimiter: bytes = b",", quote: bytes = b'"') -> list[Record]:
    """All records of a text."""
    records, position = [], 0
    while position < len(data):
        record = read_record(data, position, delimiter[0], quote[0])
        records.append(record)
        position = record.next
    while records and records[-1].start == records[-1].end:
        records.pop()
    return records


def read_record(data: bytes, start: int, delimiter: int, quote: int) -> Record:
    position, values, problem = start, list[bytes](), None
    while True:
        if position < len(data) and data[position] == quote:
            value, position, trouble = _read_quoted(data, position + 1, delimiter, quote)
        else:
            value, position, trouble = _read_plain(data, position, delimiter, quote)
        values.append(value)
        problem = problem or trouble
        if position == len(data) or data[position] == ord("\n"):
            break
        position += 1
    following = min(position + 1, len(data))
    end = position
    is_open = trouble == "unterminated_quote"
    swallows = is_open and b"\n" in values[-1].rstrip(b"\r\n")
    if is_open and data.endswith(b"\n"):
        # The file's last line end ends the record even here, so that its text is shown without.
        end -= 1
        following = len(data)
        if end > start and data[end - 1] == ord("\r"):
            end -= 1
    elif end < len(data) and end > start and data[end - 1] == ord("\r"):
        end -= 1
    return Record(start, end, following, None if problem else tuple(values), problem, swallows)


def _read_plain(
    data: bytes, position: int, delimiter: int, quote: int
) -> tuple[bytes, int, str | None]:
    start, trouble = position, None
    while position < len(data) and data[position] not in (delimiter, ord("\n")):
        if data[position] == quote:
            trouble = "stray_quote"
        position += 1
    value = data[start:position]
    if data[position : position + 1] == b"\n":
        value = value.removesuffix(b"\r")
    return value, position, trouble


def _read_quoted(
    data: bytes, position: int, delimiter: int, quote: int
) -> tuple[bytes, int, str | None]:
    value = bytearray()
    while position < len(data):
        if data[position] != quote:
            value.append(data[position])
            position += 1
        elif data[position + 1 : position + 2] == bytes([quote]):
            value.append(quote)
            position += 2
        else:
            break
    else:
        return bytes(value), position, "unterminated_quote"
    position += 1
    rest = data[position : position + 2]
    if rest[:1] in (b"", b"\n", bytes([delimiter])):
        return bytes(value), position, None
    if rest in (b"\r\n", b"\r"):
        return bytes(value), position + 1, None
    _, position, _ = _read_plain(data, position, delimiter, quote)
    return bytes(value), position, "text_after_quote"
