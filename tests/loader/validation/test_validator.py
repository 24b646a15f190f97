"""The verdict on a file: what is read is accepted, or rejected with the reason."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from e2e.strict_csv import Record, read_records
from hypothesis import given, settings
from hypothesis import strategies as st

from loader.contract.text import parse_integer
from loader.errors import ReconciliationError
from loader.records.reader import read_blocks
from loader.validation.screening import Screening
from loader.validation.validator import Validator

if TYPE_CHECKING:
    from loader.conftest import JudgeBytes, MakeFeed

COLUMNS: dict[str, dict[str, Any]] = {
    "id": {"required": True, "data_type": "varchar(8)"},
    "amount": {"type": "integer", "minimum": 0},
    "note": {},
}
HEADER = b"id,amount,note\n"


@pytest.mark.parametrize(
    ("record", "column", "rule", "value"),
    [
        (b"a,x,n", "amount", "integer", "x"),
        (b"a,-1,n", "amount", "minimum", "-1"),
        (b",1,n", "id", "required", None),
        (b'"",1,n', "id", "required", None),
        (b'" ",1,n', "id", "required", " "),
        (b"123456789,1,n", "id", "max_bytes", "123456789"),
        ("äöüäö,1,n".encode(), "id", "max_bytes", "äöüäö"),
        (b'"a\nb",1 2,"c\nd"', "amount", "integer", "1 2"),
        (b'a,"1""2",n', "amount", "integer", '1"2'),
        (b"a,1", None, "too_few_fields", None),
        (b"a,1,n,", None, "too_many_fields", None),
        (b"", None, "too_few_fields", None),
        (b'a,1,n"m', "note", "stray_quote", 'n"m'),
        (b'"a"b,1,n', "id", "text_after_quote", '"a"b'),
        (b'a,1,n,"b"c', None, "text_after_quote", '"b"c'),
        (b"a\0,1,n", None, "nul_byte", None),
        (b"caf\xe9,1,n", None, "not_utf8", None),
        (b"a\rb,1,n", None, "bare_carriage_return", None),
    ],
)
def test_a_reject_says_where_and_why(
    make_feed: MakeFeed,
    judge_bytes: JudgeBytes,
    record: bytes,
    column: str | None,
    rule: str,
    value: str | None,
) -> None:
    # GIVEN a bad record among good ones, after a value with a line break
    data = HEADER + b'ok,1,"two\nlines"\n' + record + b"\nok,2,last\n"
    # WHEN the file is judged
    judged = judge_bytes(make_feed(COLUMNS), data, "in.csv")
    # THEN it alone is rejected, with its place, its whole raw text and what is wrong with it
    assert (judged.verdict.read, judged.verdict.accepted, judged.verdict.rejected) == (3, 2, 1)
    (reject,) = judged.rejects
    assert (reject.file, reject.record, reject.line) == ("in.csv", 2, 4)
    assert (reject.column, reject.rule, reject.value) == (column, rule, value)
    assert reject.raw == record
    assert reject.message
    if column and rule in ("integer", "minimum", "required", "max_bytes"):
        assert reject.message.startswith(column)
    # AND the others are accepted as they came
    assert judged.accepted == HEADER + b'ok,1,"two\nlines"\nok,2,last\n'


def test_all_that_is_wrong_with_a_record_is_told(
    make_feed: MakeFeed, judge_bytes: JudgeBytes
) -> None:
    judged = judge_bytes(make_feed(COLUMNS), HEADER + b",x,n\n")
    assert judged.rejects[0].message == (
        "id is empty, but required; also rejected: amount (integer)"
    )


def test_rejects_are_in_the_files_order_whatever_lane_found_them(
    make_feed: MakeFeed, judge_bytes: JudgeBytes
) -> None:
    data = HEADER + b'a,x,n\nb"c,1,n\nd,1,n\n,2,n\n\ne,y,n\n"f"g,1,n\n'
    judged = judge_bytes(make_feed(COLUMNS), data)
    assert [(r.record, r.line, r.rule) for r in judged.rejects] == [
        (1, 2, "integer"),
        (2, 3, "stray_quote"),
        (4, 5, "required"),
        (5, 6, "too_few_fields"),
        (6, 7, "integer"),
        (7, 8, "text_after_quote"),
    ]
    assert judged.verdict.accepted == 1


def test_accepted_records_are_rfc_4180_in_the_contracts_order(
    make_feed: MakeFeed, judge_bytes: JudgeBytes
) -> None:
    # GIVEN reordered columns, a byte order mark, CRLF, another delimiter and quote
    feed = make_feed(COLUMNS, delimiter=";", quote="'")
    data = "\ufeffNOTE;Id;Amount\r\n'it''s; \"x\", y';a;\r\n' ';b; 7 \r\n'two\r\nlines';'c';'8'\r\n"
    # WHEN the accepted records are written
    judged = judge_bytes(feed, data.encode())
    # THEN they are raw, neither stripped nor filled in, in commas and double quotes
    assert judged.accepted == (
        b'id,amount,note\na,,"it\'s; ""x"", y"\nb, 7 , \nc,8,"two\r\nlines"\n'
    )


def test_a_value_that_looks_like_sql_or_null_is_text(
    make_feed: MakeFeed, judge_bytes: JudgeBytes
) -> None:
    values = ["NULL", "null", "\\N", "nan", "'", "--", "#x", "//", "\\", "a\tb"]
    data = HEADER + "".join(f"k,1,{value}\n" for value in values).encode()
    judged = judge_bytes(make_feed(COLUMNS), data)
    assert judged.accepted is not None
    rows = list(csv.reader(io.StringIO(judged.accepted.decode(), newline=""), strict=True))
    assert [row[2] for row in rows[1:]] == values


@pytest.mark.parametrize(
    ("data", "accepted"),
    [
        (b'v\na\n""\nb\n', ["a", "", "b"]),
        (b"v\na\n\nb\n", ["a", "", "b"]),
        (b"v\na\n\n\n", ["a"]),
        (b'v\n""', [""]),
        (b"v\r\na\r\n\r\n", ["a"]),
        (b"v\n\n\n", []),
    ],
)
def test_a_file_of_one_column(
    make_feed: MakeFeed, judge_bytes: JudgeBytes, data: bytes, accepted: list[str]
) -> None:
    # An empty line is a record with an empty value there, unless it is at the end.
    judged = judge_bytes(make_feed({"v": {}}), data)
    assert judged.verdict.read == judged.verdict.accepted == len(accepted)
    assert judged.accepted is not None
    rows = list(csv.reader(io.StringIO(judged.accepted.decode(), newline=""), strict=True))
    assert rows == [["v"], *([value] for value in accepted)]


@pytest.mark.parametrize(("required", "empty"), [(False, ["", ""]), (True, [])])
def test_empty_records_of_one_column_that_come_to_be_the_last_are_kept(
    make_feed: MakeFeed, judge_bytes: JudgeBytes, required: bool, empty: list[str]
) -> None:
    # GIVEN a value that breaks a rule, empty records, and malformed ones to the end of the file
    feed = make_feed({"v": {"data_type": "varchar(3)", "required": required}})
    judged = judge_bytes(feed, b"v\na\ntoo long\n\n\nx,y\n")
    # THEN the accepted ones are written, as many as were counted
    assert judged.accepted is not None
    rows = list(csv.reader(io.StringIO(judged.accepted.decode(), newline=""), strict=True))
    assert rows == [["v"], ["a"], *([value] for value in empty)]
    assert (judged.verdict.accepted, judged.verdict.rejected) == (1 + len(empty), 4 - len(empty))


def test_a_clean_file_is_loaded_as_it_is(make_feed: MakeFeed, tmp_path: Path) -> None:
    # Redshift copies the original object then; writing it anew would cost time and room.
    feed, spool = make_feed(COLUMNS), tmp_path / "spool"
    spool.mkdir()
    path = tmp_path / "clean.csv"
    path.write_bytes(b'note,id\n"x\ny",a\nz,b\n')
    with Validator(feed, spool) as validator:
        verdict = validator.validate("clean.csv", path)
        assert verdict.text is not None
        assert verdict.text.samefile(path)
        assert verdict.plain
    assert verdict.columns == ("note", "id")


@pytest.mark.parametrize(
    "data",
    [
        b"\xef\xbb\xbfid\na\n",
        b"id,note\r\na,b\r\n",
        b"id,note\na,b\r\nc,d\n",
        b'"id\n",note\na,b\n',
        b"id,note\na,b\n\n",
        b"id,note\n\n",
        b"id\na\n\n",
    ],
)
def test_what_another_reader_may_take_otherwise_is_not_called_plain(
    make_feed: MakeFeed, tmp_path: Path, data: bytes
) -> None:
    path, spool = tmp_path / "x.csv", tmp_path / "spool"
    path.write_bytes(data)
    spool.mkdir()
    with Validator(make_feed(COLUMNS), spool) as validator:
        verdict = validator.validate("x.csv", path)
    assert verdict.refused is None
    assert not verdict.plain


def test_a_single_column_with_empty_records_is_not_called_plain(
    make_feed: MakeFeed, tmp_path: Path
) -> None:
    # What COPY makes of empty lines no documentation says.
    path, spool = tmp_path / "x.csv", tmp_path / "spool"
    path.write_bytes(b"note\na\n\nb\n")
    spool.mkdir()
    with Validator(make_feed({"note": {}}), spool) as validator:
        verdict = validator.validate("x.csv", path)
    assert (verdict.accepted, verdict.plain) == (3, False)


def test_a_validator_judges_many_files(
    make_feed: MakeFeed, judge_bytes: JudgeBytes, tmp_path: Path
) -> None:
    spool = tmp_path / "spool"
    spool.mkdir()
    with Validator(make_feed(COLUMNS), spool) as validator:
        for number in range(20):
            path = tmp_path / f"{number}.csv"
            path.write_bytes(HEADER + b"a,1,n\n" * number + b"b,x,n\n")
            verdict = validator.validate(path.name, path)
            assert (verdict.accepted, verdict.rejected) == (number, 1)
            assert judge_bytes.accepted(validator, verdict) == HEADER + b"a,1,n\n" * number


def test_row_numbers_hold_over_many_buffers(
    make_feed: MakeFeed, judge_bytes: JudgeBytes, tmp_path: Path
) -> None:
    # GIVEN a file larger than the engine's read buffers, with a bad record every 9,973
    feed, spool = make_feed(COLUMNS), tmp_path / "spool"
    spool.mkdir()
    count, path = 400_000, tmp_path / "big.csv"
    bad = {
        n: b"r%d,x,n" % (n % 1000) if n % 2 else b'r%d,1,"n"n' % (n % 1000)
        for n in range(1, count + 1, 9973)
    }
    filler = b"n" * 90
    path.write_bytes(
        HEADER
        + b"".join(
            bad.get(n, b"r%d,%d,%s" % (n % 1000, n, filler)) + b"\n" for n in range(1, count + 1)
        )
    )
    with Validator(feed, spool) as validator:
        verdict = validator.validate("big.csv", path)
        accepted = judge_bytes.accepted(validator, verdict).decode()
    # THEN each reject has its own number and raw text, and the others are accepted, in order
    rejects = list(verdict.rejects.read())
    assert {r.record: r.raw for r in rejects} == bad
    assert [r.line - r.record for r in rejects] == [1] * len(bad)
    numbers = [int(line.split(",")[1]) for line in accepted.splitlines()[1:]]
    assert numbers == [n for n in range(1, count + 1) if n not in bad]


@pytest.mark.parametrize("changed", [b"a,1,n\n" * 3, b"a,1,nn\n" * 2, b""])
def test_a_file_that_changes_while_it_is_read_is_noticed(
    make_feed: MakeFeed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changed: bytes
) -> None:
    # Promise 1: the engine has to see as many records and bytes as the strict reader has seen.
    path, spool = tmp_path / "x.csv", tmp_path / "spool"
    spool.mkdir()
    path.write_bytes(HEADER + b"a,1,n\n" * 2)
    screen = Screening.as_it_is

    def screen_another(*arguments: Any) -> Any:
        # The strict reader has the file open, so it goes on reading what is no longer there.
        other = tmp_path / "other.csv"
        other.write_bytes(HEADER + changed)
        other.replace(path)
        return screen(*arguments)

    monkeypatch.setattr(Screening, "as_it_is", screen_another)
    unlike = pytest.raises(ReconciliationError, match="the strict reader 2 with")
    with Validator(make_feed(COLUMNS), spool) as validator, unlike:
        validator.validate("x.csv", path)


FIELD = st.text(st.sampled_from('ab1,"\n\ré \u3000-'), max_size=5)
ROWS = st.lists(st.lists(FIELD, min_size=1, max_size=4), max_size=8)


def loose(rows: list[list[str]]) -> bytes:
    """Rows written without any quoting: what is in them decides what they are."""
    return "".join(",".join(row) + "\n" for row in rows).encode()


def quoted(rows: list[list[str]]) -> bytes:
    return "".join(
        ",".join('"' + field.replace('"', '""') + '"' for field in row) + "\r\n" for row in rows
    ).encode()


DIRTY = st.one_of(
    ROWS.map(loose),
    ROWS.map(quoted),
    st.builds(lambda a, b: loose(a) + quoted(b), ROWS, ROWS),
    st.lists(st.tuples(FIELD, st.integers(-9, 9).map(str), FIELD).map(list), max_size=8).map(
        quoted
    ),
    st.binary(max_size=60),
    st.lists(st.sampled_from([b"a", b"1", b",", b'"', b"\n", b"\r\n", b"\xff", b"\0", b" "])).map(
        b"".join
    ),
)


def is_accepted(values: tuple[bytes, ...]) -> bool:
    """Whether the record satisfies COLUMNS, in plain Python."""
    key, amount, _ = (value.decode() for value in values)
    if not key.strip() or len(key.encode()) > 8:
        return False
    try:
        return not amount.strip() or parse_integer(amount.strip()) >= 0
    except ValueError:
        return False


def why_refused(dirt: bytes, records: list[Record]) -> str:
    """What a file of three columns can be refused for as a whole, if only for one reason."""
    if records[-1].swallows:
        return "opens a quote that is never closed"
    raws = [dirt[record.start : record.end] for record in records]
    # What is malformed has no number of fields.
    last = max(n for n, r in enumerate(records) if r.values is None or len(r.values) == 3)
    assert sum(map(bool, raws[last + 1 + raws[last + 1 :].index(b"") :])) > 1
    return "another table"


@settings(max_examples=250)
@given(DIRTY)
def test_nothing_is_lost_and_nothing_is_re_aligned(
    make_feed: MakeFeed, judge_bytes: JudgeBytes, dirt: bytes
) -> None:
    # GIVEN any bytes at all after a header
    judged = judge_bytes(make_feed(COLUMNS), HEADER + dirt)
    verdict = judged.verdict
    # THEN each record is either accepted or rejected, once
    assert (
        verdict.read
        == verdict.accepted + verdict.rejected
        == verdict.accepted + len(judged.rejects)
    )
    expected = read_records(dirt)
    if verdict.refused:
        assert verdict.read == 0
        assert why_refused(dirt, expected) in verdict.refused
        return
    assert verdict.read == len(expected)
    # AND those accepted are what an independent strict reader and plain rules accept
    sound = []
    for record in expected:
        raw = dirt[record.start : record.end]
        outside = raw.replace(b'""', b"").split(b'"')[::2]
        values = record.values
        if (
            values is not None
            and len(values) == 3
            and b"\0" not in raw
            and raw.decode(errors="replace").encode() == raw
            and not any(b"\r" in part for part in outside)
            and is_accepted(values)
        ):
            sound.append([value.decode() for value in values])
    assert judged.accepted is not None
    rows = list(csv.reader(io.StringIO(judged.accepted.decode(), newline=""), strict=True))
    assert rows == [["id", "amount", "note"], *sound]
    # AND the rejects' raw texts are the others', whole
    rejected = [reject.raw for reject in judged.rejects]
    raws = [dirt[record.start : record.end] for record in expected]
    assert [raws[reject.record - 1] for reject in judged.rejects] == rejected
    assert [reject.record for reject in judged.rejects] == sorted(
        {reject.record for reject in judged.rejects}
    )


@settings(max_examples=120)
@given(DIRTY, st.integers(1, 40), st.integers(1, 60))
def test_where_a_file_is_divided_does_not_show(
    make_feed: MakeFeed, judge_bytes: JudgeBytes, dirt: bytes, block_bytes: int, segment_bytes: int
) -> None:
    # GIVEN any bytes at all, and the verdict on them in one piece
    feed, data = make_feed(COLUMNS), HEADER + dirt
    whole = judge_bytes(feed, data)
    # WHEN they are read in small blocks, a few to a segment, after a look at the first
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "loader.validation.reading.read_blocks", partial(read_blocks, block_bytes=block_bytes)
        )
        patch.setattr("loader.validation.screening._SEGMENT_BYTES", segment_bytes)
        patch.setattr("loader.validation.validator._TRIED_BYTES", 0)
        parts = judge_bytes(feed, data)
    # THEN everything about it is the same
    assert parts.rejects == whole.rejects
    assert parts.accepted == whole.accepted
    for name in ("read", "accepted", "rejected", "refused", "plain", "columns", "header"):
        assert getattr(parts.verdict, name) == getattr(whole.verdict, name)


def test_a_record_that_only_the_judge_can_clear_leaves_the_file_as_it_is(
    make_feed: MakeFeed, tmp_path: Path
) -> None:
    # The screen does not know .5 for a number; writing the file anew for it would be a waste.
    path, spool = tmp_path / "x.csv", tmp_path / "spool"
    path.write_bytes(b"d\n1.5\n.5\n")
    spool.mkdir()
    with Validator(make_feed({"d": {"type": "decimal(5,2)"}}), spool) as validator:
        verdict = validator.validate("x.csv", path)
    assert (verdict.read, verdict.accepted, verdict.rejected) == (2, 2, 0)
    assert verdict.text is not None
    assert verdict.text.samefile(path)
    assert verdict.plain
    assert [file.suffix for file in spool.glob("*/*")] == [".link"]


@settings(max_examples=120)
@given(st.one_of(st.binary(max_size=60), DIRTY))
def test_no_bytes_bring_the_validator_down(
    make_feed: MakeFeed, judge_bytes: JudgeBytes, data: bytes
) -> None:
    # Not even a header need be there.
    judged = judge_bytes(make_feed({"a": {}}, columns={"extra": "ignore"}), data)
    verdict = judged.verdict
    assert verdict.read == verdict.accepted + verdict.rejected
    if verdict.refused:
        assert verdict.read == 0
        assert judged.accepted is None


@settings(max_examples=60)
@given(st.lists(FIELD, max_size=8), st.sampled_from([b"\n", b"\r\n"]), st.booleans())
def test_one_column_of_anything_is_kept(
    make_feed: MakeFeed, judge_bytes: JudgeBytes, values: list[str], end: bytes, last: bool
) -> None:
    lines = ['"' + value.replace('"', '""') + '"' for value in values]
    data = end.join([b"v", *(line.encode() for line in lines)]) + end * last
    judged = judge_bytes(make_feed({"v": {}}), data)
    assert judged.accepted is not None
    rows = list(csv.reader(io.StringIO(judged.accepted.decode(), newline=""), strict=True))
    assert rows == [["v"], *([value] for value in values)]


def test_values_of_every_type_go_through_unchanged(
    make_feed: MakeFeed, judge_bytes: JudgeBytes
) -> None:
    feed = make_feed(
        {
            "d": {"type": "decimal(5,2)"},
            "b": {"type": "boolean"},
            "t": {"type": "timestamp", "maximum": datetime(2030, 1, 1, tzinfo=UTC)},
            "f": {"type": "date", "format": "DD.MM.YYYY"},
        }
    )
    data = b"d,b,t,f\n+007.10, Yes ,2024-05-31t13:45z,31.12.1999\n\xe3\x80\x80,,,\n"
    assert judge_bytes(feed, data).accepted == data


TWO: dict[str, dict[str, Any]] = {"a": {}, "b": {}, "c": {}}


@pytest.mark.parametrize(
    ("data", "places"),
    [
        (b"a,b,c\na,b,c\n1,2,3\n", {(1, 2): "repeated_header"}),
        (b'a,b,c\r\n1,"x\r\ny",3\r\na,b,c\r\n1,2,3\r\n', {(2, 4): "repeated_header"}),
        # In another case, and quoted by another program.
        (b'A,"b",c\n1,2,3\n"a",B,"C "\n4,5,6\n', {(2, 3): "repeated_header"}),
        # Files that a spreadsheet saved, put behind one another; in the third a quote follows.
        (
            b'\xef\xbb\xbfa,b,c\n1,2,3\n\xef\xbb\xbfa,b,c\n4,5,6\n\xef\xbb\xbf"a","b","c"\n7,8,9\n',
            {(2, 3): "repeated_header", (4, 5): "repeated_header"},
        ),
        # Of files without a header.
        (b'a,b,c\n\xef\xbb\xbf1,2,3\n\xef\xbb\xbf"4",5,6\n', dict.fromkeys([(1, 2), (2, 3)])),
        # What only begins as a header does, or holds the mark elsewhere, is data.
        (b"a,b,c\na,b,d\na,b\xef\xbb\xbf,c\n", {}),
    ],
)
@pytest.mark.parametrize("block_bytes", [5, 1000])
def test_where_files_were_put_together_a_record_is_rejected(
    make_feed: MakeFeed,
    judge_bytes: JudgeBytes,
    monkeypatch: pytest.MonkeyPatch,
    data: bytes,
    places: dict[tuple[int, int], str | None],
    block_bytes: int,
) -> None:
    _, *others = read_blocks.__defaults__ or ()
    monkeypatch.setattr(read_blocks, "__defaults__", (block_bytes, *others))
    judged = judge_bytes(make_feed(TWO), data)
    found = {(reject.record, reject.line): reject.rule for reject in judged.rejects}
    assert found == {place: rule or "byte_order_mark" for place, rule in places.items()}
    assert all(reject.raw in data for reject in judged.rejects)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        # two tables in a file
        (b"a,b,c\n1,2,3\n\nx,y\n1,2\n", ["empty line 3 (record 2)", "2 follow", "another table"]),
        (b"a,b,c\n1,2,3\n\n\nw,x,y,z\n1,2,3,4\n5,6,7,8\n", ["empty line 3", "3 follow"]),
        # lines before the header
        (b"Report of May\n\nA,B,C\n1,2,3\n", ["Line 3 looks like the header", "Report of May"]),
        (b"x,y,z\nA,B,C\n1,2,3\n", ["Line 2 looks like the header"]),
        # no header
        (b"1,2,3\n4,5,6\n", ["No name of the contract is in the first line", "'1,2,3'"]),
        # another delimiter
        (b"a;b;c\n1;2;3\n", ["delimited by ';'"]),
    ],
)
def test_a_file_that_is_no_table_of_this_feed_is_refused_whole(
    make_feed: MakeFeed, judge_bytes: JudgeBytes, data: bytes, words: list[str]
) -> None:
    # Record by record it would be refused for reasons that lead nowhere, or pass as data.
    verdict = judge_bytes(make_feed(TWO), data).verdict
    assert verdict.refused is not None
    for word in words:
        assert word in verdict.refused


@pytest.mark.parametrize(
    ("data", "accepted", "rejected"),
    [
        # part of a line, or of a field, is not the header
        (b'a,b,c\n"a,b,c",2,3\nx,a,b,c\na,b,cc\n', 2, 1),
        # one closing line is a bad record, not a table
        (b"a,b,c\n1,2,3\n\nTotal,1\n", 1, 2),
        # records of the feed go on after the others
        (b"a,b,c\n1,2,3\n\nx,y\n1,2\n1,2,3\n", 2, 3),
        # no empty line before them
        (b"a,b,c\n1,2,3\nx,y\n1,2\n", 1, 2),
    ],
)
def test_what_only_looks_like_another_table_is_judged_by_record(
    make_feed: MakeFeed, judge_bytes: JudgeBytes, data: bytes, accepted: int, rejected: int
) -> None:
    verdict = judge_bytes(make_feed(TWO), data).verdict
    assert (verdict.refused, verdict.accepted, verdict.rejected) == (None, accepted, rejected)


def test_a_single_column_may_hold_its_own_name(
    make_feed: MakeFeed, judge_bytes: JudgeBytes
) -> None:
    verdict = judge_bytes(make_feed({"a": {}}), b"a\na\nb\n").verdict
    assert (verdict.refused, verdict.accepted) == (None, 2)


def test_a_feed_may_have_2000_columns(make_feed: MakeFeed, judge_bytes: JudgeBytes) -> None:
    # The engine refuses an expression of more than 1,000 levels, as a chain of additions is, and
    # takes squared time for a chain of ANDs.
    rules: list[dict[str, Any]] = [
        {"type": "integer", "minimum": 0},
        {"accepted_values": ["7", "8"], "required": True},
        {"pattern": "[0-9]+"},
        {},
    ]
    names = [f"c{number}" for number in range(2000)]
    feed = make_feed({name: rules[place % 4] for place, name in enumerate(names)})
    good = ["7"] * 2000
    bad = [*good[:1201], "x", *good[1202:]]
    header = ",".join(names)
    # WHEN one record of two is bad, in a column far to the right
    judged = judge_bytes(feed, "\n".join([header, ",".join(good), ",".join(bad), ""]).encode())
    # THEN it alone is rejected
    assert judged.verdict.refused is None
    assert [(r.record, r.column, r.rule) for r in judged.rejects] == [
        (2, "c1201", "accepted_values")
    ]
    assert judged.accepted == "\n".join([header, ",".join(good), ""]).encode()


def test_numbers_are_kept_of_a_file_that_the_judge_looked_at(
    make_feed: MakeFeed, tmp_path: Path
) -> None:
    # The judge asks the engine for patterns, on the connection that writes the numbers.
    feed = make_feed({"a": {"pattern": "[a-z]+"}}, record_number=True, rejects={"max_rows": 1})
    path = tmp_path / "a.csv"
    path.write_text("a\nx\n1\ny\n")
    with Validator(feed, tmp_path) as validator:
        verdict = validator.numbered(validator.validate("a.csv", path))
    assert verdict.text is not None
    assert sorted(verdict.text.read_text().splitlines()) == ["a,_record", "x,1", "y,3"]


@pytest.mark.slow
def test_wide_rows_fit_into_the_memory_of_the_engine(
    make_feed: MakeFeed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A clean file of 1,600 columns ran out of it with a thread for each core, and was read again.
    def by_segments(*_: object) -> None:
        raise AssertionError("it is read by segments")

    monkeypatch.setattr(Screening, "by_segments", by_segments)
    feed = make_feed({f"c{number}": {} for number in range(1600)})
    record = ",".join(["12345678"] * 1600) + "\n"
    path = tmp_path / "wide.csv"
    path.write_text(",".join(feed.column_names) + "\n" + record * 10_000)
    (tmp_path / "spool").mkdir()
    with Validator(feed, tmp_path / "spool") as validator:
        verdict = validator.validate("wide.csv", path)
    assert (verdict.refused, verdict.accepted) == (None, 10_000)
