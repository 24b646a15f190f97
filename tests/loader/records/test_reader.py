"""Where records start and end, and which are malformed. Promise 2: nothing is re-aligned.

What the fast reader says is held against a reader that goes character by character.
"""

from __future__ import annotations

import csv
import io
import tracemalloc
from dataclasses import dataclass

import pytest
from e2e.strict_csv import read_records
from hypothesis import given, settings
from hypothesis import strategies as st

from loader.errors import DataRefused
from loader.records.dialect import MAX_RECORD_BYTES, Dialect
from loader.records.reader import (
    Block,
    is_one_record,
    read_blocks,
    read_header,
)

DIALECTS = {
    "comma": Dialect(),
    "semicolon": Dialect(ord(";"), ord("'")),
    # Bytes that mean something in regular expressions.
    "pipe": Dialect(ord("|"), ord("^")),
    "bracket": Dialect(ord("]"), ord("\\")),
    "tab": Dialect(ord("\t"), ord("-")),
}


@dataclass(frozen=True)
class Seen:
    """A record as the reader under test gives it."""

    raw: bytes
    line: int
    rule: str | None


def read(
    data: bytes, width: int, dialect: Dialect = DIALECTS["comma"], block_bytes: int = 1 << 20
) -> list[Block]:
    return list(read_blocks(io.BytesIO(data), dialect, width, 0, 1, block_bytes))


def seen(blocks: list[Block]) -> list[Seen]:
    records: list[Seen] = []
    for block in blocks:
        assert block.first_record == len(records) + 1
        for index in range(len(block)):
            fault = block.faults.get(index)
            records.append(
                Seen(block.raw(index), block.line(index), fault.rule.name if fault else None)
            )
    return records


def rules(data: bytes, width: int = 2) -> list[str | None]:
    return [record.rule for record in seen(read(data, width))]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        # well-formed
        (b"a,b\n", [None]),
        (b"a,b", [None]),
        (b"a,b\r\n", [None]),
        (b"a,b\r\nc,d\ne,f\n", [None, None, None]),
        (b",\n", [None]),
        (b'"",""\n', [None]),
        (b'"a,b",c\n', [None]),
        (b'"a\nb",c\n', [None]),
        (b'"a\r\nb\r",c\n', [None]),
        (b'"a""b",""""\n', [None]),
        (b'""",""",x\n', [None]),
        (b" a , b \n", [None]),
        (b"a,b\n\n\n\r\n", [None]),
        (b"\xef\xbb\xbf,b\n", ["byte_order_mark"]),
        (b"\xc3\xa4,\xf0\x9f\x92\xb8\n", [None]),
        (b"", []),
        (b"\n\r\n\n", []),
        # ragged
        (b"a\n", ["too_few_fields"]),
        (b"a,b,c\n", ["too_many_fields"]),
        (b"a,b,\n", ["too_many_fields"]),
        (b",,\n", ["too_many_fields"]),
        (b'a,b,""\n', ["too_many_fields"]),
        (b"a,b\n\nc,d\n", [None, "too_few_fields", None]),
        (b"\r\na,b\n", ["too_few_fields", None]),
        (b" \n", ["too_few_fields"]),
        (b'"a,b"\n', ["too_few_fields"]),
        # quotes
        (b'78.07"All, Round\n', ["stray_quote"]),
        (b'a,b"\n', ["stray_quote"]),
        (b' "a",b\n', ["stray_quote"]),
        (b'a, "b"\nc,d\n', ["stray_quote", None]),
        (b'a"b"c,d\n', ["stray_quote"]),
        (b'"a"b,c\n', ["text_after_quote"]),
        (b'"a" ,c\n', ["text_after_quote"]),
        (b'"a""b"c,d\n', ["text_after_quote"]),
        (b'"a"\rb,c\n', ["text_after_quote"]),
        (b'a,"b"\r', ["bare_carriage_return"]),
        (b'a,"b\n', ["unterminated_quote"]),
        (b'a,"', ["unterminated_quote"]),
        (b'a,"b""\n', ["unterminated_quote"]),
        # a malformed record ends at the first line end outside quotes
        (b'a"x,"b\nc",d\ne,f\n', ["stray_quote", None]),
        (b'"a"x,"b\nc"\ne,f\n', ["text_after_quote", None]),
        (b'a,"b\nc,d"x\ne,f\n', ["text_after_quote", None]),
        # bytes
        (b"a\x00,b\n", ["nul_byte"]),
        (b"\xff,b\nc,d\n", ["not_utf8", None]),
        (b"a,b\nc,\xe9t\xe9\ne,f\n", [None, "not_utf8", None]),
        (b"\xc3,b\n", ["not_utf8"]),
        (b"\xed\xa0\x80,b\n", ["not_utf8"]),
        (b"\xc0\x80,b\n", ["not_utf8"]),
        (b"\xf4\x90\x80\x80,b\n", ["not_utf8"]),
        (b"a,\xe2\x82\nc,d\n", ["not_utf8", None]),
        (b"a\rb,c\n", ["bare_carriage_return"]),
        (b"a,b\r\r\n", ["bare_carriage_return"]),
        (b"a,b\r", ["bare_carriage_return"]),
        (b"a,b\rc,d\r", ["bare_carriage_return"]),
        # of several faults, the one that makes the others unsure
        (b'a"\x00\n', ["stray_quote"]),
        (b"\x00\n", ["nul_byte"]),
    ],
)
def test_every_kind_of_dirt(data: bytes, expected: list[str | None]) -> None:
    assert rules(data) == expected


def test_a_fault_names_field_and_value() -> None:
    block = read(b'a,b"x,c\n"d"e,f,g\nh,i,"j\n', 3)[0]
    faults = [block.faults[index] for index in range(3)]
    assert [(f.rule.name, f.column, f.value) for f in faults] == [
        ("stray_quote", 1, 'b"x'),
        ("text_after_quote", 0, '"d"e'),
        ("unterminated_quote", 2, '"j'),
    ]


def test_numbers_of_fields_are_told() -> None:
    block = read(b"a\nb,c,d\n", 2)[0]
    assert [block.faults[i].message for i in (0, 1)] == [
        "the record has 1 fields; the header has 2",
        "the record has 3 fields; the header has 2",
    ]


@pytest.mark.parametrize(
    "data",
    [
        b'a,b\nc,"d\ne,f\n',
        b'a,b\nc,"d\ne,f',
        b'"\n\nx',
        b'a"b,"c\nd\n',
    ],
)
def test_a_quote_that_swallows_the_rest_spoils_the_file(data: bytes) -> None:
    # Which of the lines after it are records nobody can tell, so none is silently lost.
    with pytest.raises(DataRefused, match=r"record \d opens a quote that is never closed"):
        read(data, 2)


def test_a_quote_never_closed_on_the_last_line_is_one_record() -> None:
    assert rules(b'a,b\nc,"d\n\n\r\n') == [None, "unterminated_quote"]
    # A line break inside a sound field of the same record is not inside that quote.
    assert rules(b'a,b\n"c\nd","e') == [None, "unterminated_quote"]


TEXT = st.text(st.sampled_from('ab,"\n\r'), max_size=60)
QUOTY = st.text(st.sampled_from('aa,"\n'), max_size=60)
PLAIN = st.text(st.sampled_from("aaaaaab,,\n\r\0é"), max_size=60)
FIELD = st.text(st.sampled_from('ab,"\n\ré '), max_size=6)
SOUND = st.lists(st.lists(FIELD, min_size=1, max_size=3), max_size=8).map(
    lambda rows: "".join(
        ",".join('"' + f.replace('"', '""') + '"' for f in row) + "\n" for row in rows
    )
)


def expected_rule(record: bytes, problem: str | None, fields: int, width: int) -> str | None:
    """The rule that a record breaks, by the reader written from the rules."""
    if problem:
        return problem
    if b"\0" in record:
        return "nul_byte"
    try:
        record.decode()
    except UnicodeDecodeError:
        return "not_utf8"
    outside, bare = True, False
    for byte in record:
        outside ^= byte == ord('"')
        bare |= outside and byte == ord("\r")
    if bare:
        return "bare_carriage_return"
    return None if fields == width else "too_few_fields" if fields < width else "too_many_fields"


def translated(data: bytes, dialect: Dialect) -> bytes:
    """The same text in another dialect; what its own bytes were goes the other way."""
    new = bytes([dialect.delimiter, dialect.quote])
    return data.translate(bytes.maketrans(b',"' + new, new + b',"'))


@settings(max_examples=400)
@given(
    st.one_of(TEXT, QUOTY, PLAIN, SOUND),
    st.integers(1, 3),
    st.sampled_from([1, 2, 3, 5, 8, 13, 1000]),
    st.sampled_from(sorted(DIALECTS)),
)
def test_the_fast_reader_sees_what_the_slow_one_sees(
    text: str, width: int, block_bytes: int, dialect_name: str
) -> None:
    # GIVEN any text, read in blocks of any size
    data, dialect = text.encode(), DIALECTS[dialect_name]
    expected = read_records(data)
    swallows = bool(expected) and expected[-1].swallows
    try:
        blocks = read(translated(data, dialect), width, dialect, block_bytes)
    except DataRefused:
        assert swallows
        return
    assert not swallows
    # THEN records, lines and rules are those of the slow reader
    records = seen(blocks)
    assert [(translated(r.raw, dialect), r.line, r.rule) for r in records] == [
        (
            data[e.start : e.end],
            1 + data.count(b"\n", 0, e.start),
            expected_rule(data[e.start : e.end], e.problem, len(e.values or ()), width),
        )
        for e in expected
    ]
    # AND nothing of the text is outside a record but line ends
    gaps = b"".join(
        block.data[block.cut.ends[i] : block.cut.nexts[i]]
        for block in blocks
        for i in range(len(block))
    )
    assert set(gaps) <= set(b"\r\n")
    read_bytes = sum(len(block.data) for block in blocks)
    assert set(translated(data, dialect)[read_bytes:]) <= set(b"\r\n")
    assert b"".join(block.data for block in blocks) == translated(data, dialect)[:read_bytes]
    # AND the values of its sound records have as many bytes
    sound = [e for e, r in zip(expected, records, strict=True) if r.rule is None]
    assert sum(int(block.cut.value_bytes[block.sound].sum()) for block in blocks) == sum(
        len(value) for record in sound for value in record.values or ()
    )


@settings(max_examples=200)
@given(st.one_of(TEXT, SOUND), st.integers(1, 3))
def test_a_sound_record_is_what_the_csv_module_reads(text: str, width: int) -> None:
    data = text.encode()
    try:
        blocks = read(data, width)
    except DataRefused:
        return
    for record in seen(blocks):
        if record.rule is None:
            rows = list(csv.reader(io.StringIO(record.raw.decode(), newline=""), strict=True))
            assert len(rows) == 1 or (rows == [] and width == 1)
            assert all(len(row) == width for row in rows if row)


@settings(max_examples=200)
@given(st.one_of(TEXT, PLAIN, SOUND), st.integers(1, 3), st.sampled_from([3, 8, 1000]))
def test_what_is_kept_is_the_sound_records_and_nothing_else(
    text: str, width: int, block_bytes: int
) -> None:
    data = text.encode()
    try:
        blocks = read(data, width, block_bytes=block_bytes)
    except DataRefused:
        return
    kept = b"".join(block.without(sorted(block.faults)) for block in blocks)
    assert kept == b"".join(r.raw + b"\n" for r in seen(blocks) if r.rule is None)


@settings(max_examples=300)
@given(st.binary(max_size=80), st.sampled_from([1, 7, 1000]))
def test_no_bytes_bring_the_reader_down(data: bytes, block_bytes: int) -> None:
    dialect = DIALECTS["comma"]
    file = io.BytesIO(data)
    try:
        header = read_header(file, dialect)
        width = len(header.fields)
        blocks = list(
            read_blocks(file, dialect, width, header.data_offset, header.data_line, block_bytes)
        )
    except DataRefused:
        return
    records = seen(blocks)
    assert header.data_line == 1 + data.count(b"\n", 0, header.data_offset)
    for record in records:
        if record.rule is None:
            record.raw.decode()


def test_the_limit_of_4_mb_is_to_the_byte() -> None:
    # Redshift's limit: one byte more, and COPY would refuse the file.
    at_limit = b"a," + b"x" * (MAX_RECORD_BYTES - 2)
    data = at_limit + b"\n" + at_limit + b"y\n" + b"c,d\n"
    for block_bytes in (1 << 16, 1 << 22, 1 << 24):
        records = seen(read(data, 2, block_bytes=block_bytes))
        assert [record.rule for record in records] == [None, "record_too_large", None]


def test_a_record_that_never_ends_does_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("loader.records.reader._MAX_UNFINISHED_BYTES", 1 << 20)
    data = b'a,b\n"' + b"x,y\n" * 1_000_000
    with pytest.raises(DataRefused, match="record 2 on line 2 does not end within 1 MiB"):
        read(data, 2, block_bytes=1 << 16)


@pytest.mark.parametrize("dirt", [b",", b'""', b"\n", b"\r\n", b"x"])
def test_a_record_of_60_mib_does_not_fill_the_memory(dirt: bytes) -> None:
    # It took 2.5 GB; whoever loads has a gibibyte.
    data = b'a,b\n"' + dirt * ((60 << 20) // len(dirt)) + b'",b\n'
    tracemalloc.start()
    try:
        with pytest.raises(DataRefused, match="record 2 on line 2 does not end within 6 MiB"):
            read(data, 2)
        assert tracemalloc.get_traced_memory()[1] < 400 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("bad", [b"\xff", b"caf\xe9,", b'"', b'"x"y', b"\x00", b"\r"])
def test_a_file_of_nothing_but_dirt_is_read_in_time(bad: bytes) -> None:
    # 2 MB in a second or two; what takes squared time would take many minutes.
    data = bad * ((2 << 20) // len(bad)) + b"\n"
    try:
        blocks = read(data, 2)
    except DataRefused:
        return
    assert all(record.rule for record in seen(blocks))


@pytest.mark.parametrize(
    ("data", "fields", "offset", "line"),
    [
        (b"a,b\nc,d\n", ("a", "b"), 4, 2),
        (b"\xef\xbb\xbfa,b\r\nc,d", ("a", "b"), 8, 2),
        (b'"a","b ""x"""\nc,d\n', ("a", 'b "x"'), 14, 2),
        (b'"a\nb",c\n', ("a\nb", "c"), 8, 3),
        (b"a,b", ("a", "b"), 3, 1),
        (b",\n", ("", ""), 2, 2),
    ],
)
def test_the_header_ends_where_the_data_begins(
    data: bytes, fields: tuple[str, ...], offset: int, line: int
) -> None:
    header = read_header(io.BytesIO(data), DIALECTS["comma"])
    assert (header.fields, header.data_offset, header.data_line) == (fields, offset, line)


@pytest.mark.parametrize(
    ("raw", "whole"),
    [
        (b"a,b", True),
        (b'"a\n1","b"', True),
        (b"a", True),
        (b"a,b,c", True),
        (b"a,b\nc,d", False),
        (b"a,b\n", False),
        (b"a,b\r", False),
        (b'a,"b', False),
        (b'a,"b\nc,d\ne,f', False),
        (b'a,b"c', False),
        (b"", False),
        (b"a,\xff", False),
    ],
)
def test_only_what_is_one_record_comes_to_stand_among_others(raw: bytes, whole: bool) -> None:
    # Else an open quote would take the records after it along.
    assert is_one_record(raw, Dialect()) is whole
