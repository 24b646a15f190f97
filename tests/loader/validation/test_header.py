"""Columns are found by name. A wrong guess here lands one column's values in another."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from loader.errors import DataRefused
from loader.validation.header import match_header

if TYPE_CHECKING:
    from loader.conftest import JudgeBytes, MakeFeed

COLUMNS: dict[str, dict[str, Any]] = {
    "Id": {"required": True},
    "amount": {"type": "integer", "required": True},
    "note": {},
}
DATA = {"id": "a", "amount": "5", "note": "n"}


def data_for(header: str, delimiter: str = ",") -> bytes:
    """A file with this header and one record that fits it, by name."""
    names = [name.strip('\ufeff" \t\r').strip().lower() for name in header.split(delimiter)]
    values = delimiter.join(DATA.get(name, "?") for name in names)
    return f"{header}\n{values}\n".encode()


@pytest.mark.parametrize(
    "header",
    [
        "Id,amount,note",
        "note,Id,amount",
        " ID , Amount\t,\u3000NOTE\u00a0",
        '"Id","amount","note"',
        '" id ",AMOUNT,"note"',
        "\ufeffId,amount,note",
        '\ufeff"Id",amount,note',
        "Id,amount,note\r",
    ],
)
def test_headers_that_fit(make_feed: MakeFeed, judge_bytes: JudgeBytes, header: str) -> None:
    # WHEN a file has the contract's columns in any order and spelling
    judged = judge_bytes(make_feed(COLUMNS), data_for(header))
    # THEN every value is in its own column
    assert judged.verdict.refused is None
    assert judged.accepted == b"Id,amount,note\na,5,n\n"


def test_a_missing_optional_column_is_empty(make_feed: MakeFeed, judge_bytes: JudgeBytes) -> None:
    judged = judge_bytes(make_feed(COLUMNS), data_for("amount,Id"))
    assert judged.accepted == b"Id,amount,note\na,5,\n"


def test_a_missing_optional_column_may_be_an_error(make_feed: MakeFeed) -> None:
    feed = make_feed(COLUMNS, columns={"missing": "error"})
    with pytest.raises(DataRefused, match="missing: note"):
        match_header(("Id", "amount"), feed)


def test_an_unknown_column_is_left_out_if_the_contract_says_so(
    make_feed: MakeFeed, judge_bytes: JudgeBytes
) -> None:
    feed = make_feed(COLUMNS, columns={"extra": "ignore"})
    data = b"x,note,,Id,x,amount\n1,n,2,a,3,5\n,n,,b,,x\n"
    judged = judge_bytes(feed, data)
    assert judged.verdict.refused is None
    assert judged.accepted == b"Id,amount,note\na,5,n\n"
    assert [(r.column, r.value) for r in judged.rejects] == [("amount", "x")]


@pytest.mark.parametrize(
    ("header", "parts"),
    [
        ("Id,note", ["missing: amount."]),
        ("note", ["missing: Id, amount."]),
        ("Id,amount,note,extra", ["unknown: 'extra'."]),
        ("Id,amount,notes", ["unknown: 'notes'."]),
        ("Id,amount,note,", ["unknown: ''."]),
        ("Id,amount,ID", ["column Id stands in it twice"]),
        ("Id,amount,note,note ", ["column note stands in it twice"]),
        ("id,amuont", ["missing: amount", "unknown: 'amuont'"]),
        ("Id;amount;note", ["delimited by ';'", "contract says ','", "key delimiter"]),
        ("Id\tamount\tnote", [r"delimited by '\t'"]),
        ("Id|amount|note", ["delimited by '|'"]),
        ("a,5,n", ["is there a header?", "'a,5,n'"]),
        ("", ["unknown: ''"]),
        ("\x1b[31m,amount,Id", [r"\x1b[31m"]),
    ],
)
def test_headers_that_do_not_fit(
    make_feed: MakeFeed, judge_bytes: JudgeBytes, header: str, parts: list[str]
) -> None:
    judged = judge_bytes(make_feed(COLUMNS), f"{header}\nx,1,y\n".encode())
    # THEN the file is refused as a whole, and the message says how it differs and what was expected
    refused = judged.verdict.refused or ""
    assert "shop.orders" in refused
    assert "Expected: Id, amount, note." in refused
    for part in parts:
        assert part in refused
    assert judged.verdict.read == 0
    assert judged.accepted is None


def test_an_ignored_column_may_stand_there_twice(make_feed: MakeFeed) -> None:
    feed = make_feed(COLUMNS, columns={"extra": "ignore"})
    assert match_header(("x", "Id", "x", "amount"), feed) == (None, "Id", None, "amount")


def test_a_wrong_delimiter_is_seen_even_if_unknown_columns_are_ignored(make_feed: MakeFeed) -> None:
    feed = make_feed(COLUMNS, columns={"extra": "ignore"})
    with pytest.raises(DataRefused, match="delimited by ';'"):
        match_header(("Id;amount;note",), feed)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "the file is empty"),
        (b"\xef\xbb\xbf", "the file is empty"),
        (b"\n\n", "the file is empty"),
        (b"\r\n", "the file is empty"),
        (b"\xff\xfeI\x00d\x00,\x00", "say `encoding: utf-16`"),
        ("Id,amount,note\r\na,5,n\r\n".encode("utf-16"), "say `encoding: utf-16`"),
        (b"\xfe\xff" + "Id,amount,note\n".encode("utf-16-be"), "say `encoding: utf-16`"),
        (b"Id,amount,n\xf6te\n", "not UTF-8"),
        (b"Id,amount,note\ra,5,n\n", "carriage return"),
        (b'Id,"amount,note\na,5,n\n', "no well-formed header"),
        (b'Id,am"ount,note\na,5,n\n', "no well-formed header"),
        (b'"Id"x,amount,note\na,5,n\n', "no well-formed header"),
        (b"Id," + b"x" * (5 << 20), "does not end within 4 MB"),
    ],
)
def test_what_is_no_header_at_all(
    make_feed: MakeFeed, judge_bytes: JudgeBytes, data: bytes, problem: str
) -> None:
    judged = judge_bytes(make_feed(COLUMNS), data)
    assert problem in (judged.verdict.refused or "")
    assert (judged.verdict.read, judged.verdict.accepted, judged.verdict.rejected) == (0, 0, 0)


@pytest.mark.parametrize("data", [b"Id,amount,note", b"Id,amount,note\n", b"Id,amount,note\r\n\n"])
def test_a_header_alone_is_a_file_of_no_records(
    make_feed: MakeFeed, judge_bytes: JudgeBytes, data: bytes
) -> None:
    judged = judge_bytes(make_feed(COLUMNS), data)
    assert judged.verdict.refused is None
    assert (judged.verdict.read, judged.verdict.accepted) == (0, 0)
    assert judged.accepted == b"Id,amount,note\n"


def test_a_header_cell_may_hold_a_line_break(make_feed: MakeFeed, judge_bytes: JudgeBytes) -> None:
    judged = judge_bytes(make_feed(COLUMNS), b'"Id\n",amount,note\na,5,n\nb,x,n\n')
    assert judged.accepted == b"Id,amount,note\na,5,n\n"
    # THEN line numbers count the header's two lines
    assert [(r.record, r.line) for r in judged.rejects] == [(2, 4)]


@pytest.mark.parametrize("extra", ["error", "ignore"])
def test_a_header_of_forty_thousand_cells_is_refused_at_once(
    make_feed: MakeFeed, judge_bytes: JudgeBytes, extra: str
) -> None:
    # The engine would need minutes for so many columns, also where they are to be ignored.
    header = ",".join(["Id", "amount", "note", *map(str, range(40_000))])
    started = time.monotonic()
    judged = judge_bytes(make_feed(COLUMNS, columns={"extra": extra}), header.encode() + b"\n")
    assert time.monotonic() - started < 1
    assert judged.verdict.refused == "the header has 40,003 cells; 3,000 are allowed"


def test_a_message_does_not_name_thousands_of_columns(make_feed: MakeFeed) -> None:
    feed = make_feed({f"c{number}": {"required": True} for number in range(1600)})
    fields = ("c0", "c0", *(f"x{number}{'y' * 5000}" for number in range(1600)))
    with pytest.raises(DataRefused) as caught:
        match_header(fields, feed)
    told = str(caught.value)
    assert "column c0 stands in it twice; missing: c1, c2, c3" in told
    assert " and 1,579 more; unknown: 'x0yyy" in told
    assert " and 1,580 more. Expected: c0, c1" in told
    assert len(told) < 4000


def test_a_header_of_very_many_columns_is_matched_in_time(
    make_feed: MakeFeed, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A moment; what takes squared time would take many minutes.
    monkeypatch.setattr("loader.validation.header._MAX_CELLS", 200_000)
    feed = make_feed({"c7": {}}, columns={"extra": "ignore"})
    fields = tuple(f"c{number % 100_000}" for number in range(8, 200_000))
    assert match_header(fields, feed).count("c7") == 1


@pytest.mark.parametrize("header", ["{},x", "<html>,x", "[[id]],x"])
def test_a_header_that_fits_may_look_like_something_else(
    make_feed: MakeFeed, judge_bytes: JudgeBytes, header: str
) -> None:
    # Only a header that does not fit is taken for JSON or HTML.
    data = f"{header}\n1,2\n".encode()
    fits = make_feed({name: {} for name in header.split(",")})
    assert judge_bytes(fits, data).verdict.accepted == 1
    refused = judge_bytes(make_feed({"a": {}}), data).verdict.refused
    assert (refused or "").startswith("this is ")


def test_columns_that_are_kept_have_a_name_and_only_one(
    make_feed: MakeFeed, judge_bytes: JudgeBytes
) -> None:
    # GIVEN a feed that keeps what its contract does not name
    kept = make_feed(COLUMNS, columns={"extra": "keep"})
    judged = judge_bytes(kept, b'Zone,id,amount,"a""b"\n" z\xc3\xa9 ",i,1,\n')
    assert judged.accepted == (
        b'Id,amount,note,_extra\ni,1,,"{""zone"":"" z\xc3\xa9 "",""a\\""b"":null}"\n'
    )
    # THEN two of one name would be one, and one without a name could not be found again
    with pytest.raises(DataRefused, match=r"column zone stands in it twice.*repeated: number"):
        match_header(("id", "amount", "zone", "Zone"), kept)
    with pytest.raises(DataRefused, match=r"unknown: ''.*columns.blank: ignore"):
        match_header(("id", "amount", ""), kept)
    with pytest.raises(DataRefused, match=r"missing: amount\. Expected: Id, amount, note\."):
        match_header(("id", "zone"), kept)
    with pytest.raises(DataRefused, match="delimited by ';'"):
        match_header(("id;amount;zone",), kept)


def test_a_reject_names_no_column_that_the_contract_does_not(
    make_feed: MakeFeed, judge_bytes: JudgeBytes
) -> None:
    # The quarantine's column has room for a name of the contract, and none for a NUL byte.
    kept = make_feed(COLUMNS, columns={"extra": "keep"}, rejects={"max_rows": 9})
    for name in ("x" * 1025, "a\0b"):
        data = f'{name},id,amount\n5" x,i,1\n,i,5" x\n'.encode()
        rejects = judge_bytes(kept, data).rejects
        assert [(r.column, r.value) for r in rejects] == [(None, '5" x'), ("amount", '5" x')]


def test_an_object_as_long_as_its_column_is_kept(
    make_feed: MakeFeed, judge_bytes: JudgeBytes
) -> None:
    # Whatever JSON has to escape: the judge counts what the engine writes.
    feed = make_feed({"id": {}}, columns={"extra": "keep"}, rejects={"max_rows": 9})
    escaped = "\x01\x1f\x7f\\/\t\u2028\U0001f600"
    size = len('{"x":""}') + len("\\u0001\\u001F\x7f\\\\/\\t\u2028\U0001f600".encode())
    rows = "".join(f"{n},{escaped}{'y' * (65_535 - size + n)}\n" for n in range(2))
    judged = judge_bytes(feed, f"id,x\n{rows}".encode())
    assert [(r.record, r.column, r.rule) for r in judged.rejects] == [(2, "_extra", "max_bytes")]
