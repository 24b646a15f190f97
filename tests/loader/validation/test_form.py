"""Files that are not written as RFC 4180 says, once the contract says how."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from loader.errors import ConfigError
from loader.files.version import FileVersion
from loader.records import canonical
from loader.validation import validator as validator_module
from loader.validation.validator import Validator

if TYPE_CHECKING:
    from loader.conftest import JudgeBytes, MakeFeed

COLUMNS: dict[str, dict[str, Any]] = {
    "seen": {"type": "date", "required": True},
    "address": {"required": True},
    "note": {},
}
BLOCK = b"""\
# Blocklist of an example
# "quoted, in part
"seen","address","note"
2026-01-01,192.0.2.1,"two
# lines, not a comment"
# half-way
2026-01-x,192.0.2.2,
2026-01-03,192.0.2.3,\xc3\xa9
# 3 records
"""


@pytest.mark.parametrize(
    ("options", "data", "accepted", "skipped"),
    [
        (
            {"comment": "#"},
            BLOCK,
            b'2026-01-01,192.0.2.1,"two\n# lines, not a comment"\n2026-01-03,192.0.2.3,\xc3\xa9\n',
            {"comment": 4},
        ),
        (
            {"encoding": "windows-1252"},
            b"seen,address,note\n2026-01-01,a,Caf\xe9 \x96 \x80\n2026-01-01,b,\x81\n",
            "2026-01-01,a,Café \u2013 €\n".encode(),
            {},
        ),
        (
            {"encoding": "utf-16", "delimiter": "\t", "skip_lines": ["sep=.*"]},
            "sep=\t\r\nseen\taddress\tnote\r\n2026-01-01\tä\tx\r\n".encode("utf-16"),
            "2026-01-01,ä,x\n".encode(),
            {"skip_lines": 1},
        ),
        (
            {"header": False, "comment": "!"},
            b'!made\n2026-01-01,a,"1\n2"\n2026-01-02,b,\n',
            b'2026-01-01,a,"1\n2"\n2026-01-02,b,\n',
            {"comment": 1},
        ),
        (
            {"skip_rows": 2},
            b'Region: "South\nStation\nnote,address,seen\nn,a,2026-01-01\n',
            b"2026-01-01,a,n\n",
            {"skip_rows": 2},
        ),
        (
            {"skip_rows": "to_header", "comment": "#"},
            b"#\n# by hand\n# seen,address\n2026-01-01,a\n#2\n",
            b"2026-01-01,a,\n",
            {"skip_rows": 2, "comment": 1},
        ),
        (
            {"header_rows": 2, "skip_rows": 1, "columns": {"extra": "ignore"}},
            b'x\n"seen",address,note,max\n,,,"of day"\n2026-01-01,a,n,9\n',
            b"2026-01-01,a,n\n",
            {"skip_rows": 1},
        ),
        (
            {"skip_lines": "(?i)TOTAL,.*", "comment": "#"},
            b"seen,address,note\n2026-01-01,a,n\ntotal,1\n",
            b"2026-01-01,a,n\n",
            {"skip_lines": 1},
        ),
        (
            {"comment": "#", "header": False},
            b'2026-01-01,a,n\n# x\r2026-01-02,b,"\n#"\n\n\n',
            b"2026-01-01,a,n\n",
            {},
        ),
        (
            {
                **{"skip_rows": "to_header", "comment": "#", "delimiter": "\t"},
                "columns": {"blank": "ignore"},
            },
            b"# \tnote\tseen\taddress\n\tn\t2026-01-01\ta\n",
            b"2026-01-01,a,n\n",
            {},
        ),
        (
            {"skip_lines": ["Total,.*", "(ü|Ü)bertrag.*"], "skip_blank_rows": True},
            "seen,address,note\n\n2026-01-01,a,n\n,,\nÜbertrag\n2026-01-02,b,\nTotal,2,\n".encode(),
            b"2026-01-01,a,n\n2026-01-02,b,\n",
            {"skip_blank_rows": 2, "skip_lines": 2},
        ),
        (
            {"repeated_header": "skip"},
            b'seen,address,note\n2026-01-01,a,"x\nseen,address,note"\n'
            b'\xef\xbb\xbf"Seen",address, NOTE\r\n2026-01-02,b,\nseen,address,note',
            b'2026-01-01,a,"x\nseen,address,note"\n2026-01-02,b,\n',
            {"repeated_header": 2},
        ),
        (
            {"repeated_header": "skip", "delimiter": "\t"},
            b"seen\taddress\tnote\n2026-01-01\ta\t\nseen\t address\tnote\nseen\t\taddress\tnote\n",
            b"2026-01-01,a,\n",
            {"repeated_header": 1},
        ),
        (
            {"repeated_header": "skip", "header": False},
            b"2026-01-01,a,\nseen,address,note\n2026-01-02,b,\n",
            b"2026-01-01,a,\n2026-01-02,b,\n",
            {"repeated_header": 1},
        ),
        (
            {"columns": {"blank": "ignore", "short": "null"}, "comment": "#"},
            b'#x\nseen,address,note\r\n2026-01-01,a\r\n#y\n2026-01-08,h\n2026-01-02,"b,",n,\n2026-01-03,c,n\n'
            b'2026-01-04,d,n,,\n2026-01-05,e",\n2026-01-06,"f\n,"\n2026-01-07,g',
            b'2026-01-01,a,\n2026-01-08,h,\n2026-01-02,"b,",n\n2026-01-03,c,n\n2026-01-06,"f\n,",\n2026-01-07,g,\n',
            {"comment": 2, "columns.short": 4},
        ),
        (
            {"comment": "#"},
            b'#\rseen,address,note\r2026-01-01,a,"1\r#2"\r#\r2026-01-02,b,\r\r',
            b'2026-01-01,a,"1\r#2"\n2026-01-02,b,\n',
            {"comment": 2},
        ),
        (
            {"columns": {"blank": "ignore"}},
            b'seen,address,note,, \n2026-01-01,a,n,,\n2026-01-02,b,n,,""\n2026-01-03,b,n,"",""\n'
            b"2026-01-04,c,n, ,\n2026-01-05,d,n,,,\n2026-01-06,x,y,n,\n2026-01-06,x,y,n,,\n"
            b"2026-01-07,x,y,z,n\n2026-01-08,x,y,,n,\n",
            b"2026-01-01,a,n\n2026-01-02,b,n\n2026-01-03,b,n\n2026-01-04,c,n\n2026-01-05,d,n\n",
            {},
        ),
    ],
    ids=lambda value: ",".join(value) if isinstance(value, dict) and value else "",
)
def test_a_file_is_read_as_the_contract_says_it_is_written(
    make_feed: MakeFeed,
    judge_bytes: JudgeBytes,
    options: dict[str, Any],
    data: bytes,
    accepted: bytes,
    skipped: dict[str, int],
) -> None:
    options = {"rejects": {"max_rows": 9}, **options}
    feed = make_feed(COLUMNS, **options)
    judged = judge_bytes(feed, data)
    assert judged.verdict.refused is None
    assert judged.accepted == b"seen,address,note\n" + accepted
    assert judged.verdict.skipped == skipped
    assert judged.verdict.to_json()["skipped"] == skipped
    assert judged.verdict.plain == (feed.options.form is None)


def test_a_reject_has_its_own_line_and_number(make_feed: MakeFeed, judge_bytes: JudgeBytes) -> None:
    (reject,) = judge_bytes(make_feed(COLUMNS, comment="#"), BLOCK).rejects
    assert (reject.record, reject.line, reject.rule, reject.value) == (2, 7, "date", "2026-01-x")
    feed = make_feed(COLUMNS, header=False, skip_rows=1)
    (reject,) = judge_bytes(feed, b"made today\n2026-01-01,a,\n2026-01-01,b\n").rejects
    assert (reject.record, reject.line, reject.rule) == (2, 3, "too_few_fields")
    assert reject.raw == b"2026-01-01,b"


def test_values_may_be_called_as_columns_are(make_feed: MakeFeed, judge_bytes: JudgeBytes) -> None:
    names = ("id", "place", "country", "code", "state", "n")
    feed = make_feed({name: {} for name in names}, header=False)
    judged = judge_bytes(feed, b"1,Place,Country,A,x,2\n")
    assert judged.accepted == b"id,place,country,code,state,n\n1,Place,Country,A,x,2\n"
    assert judge_bytes(feed, b"1,Place,Country,Code,x,2\n").verdict.refused


def test_a_byte_that_the_encoding_has_not_rejects_its_record(
    make_feed: MakeFeed, judge_bytes: JudgeBytes
) -> None:
    feed = make_feed(COLUMNS, encoding="cp1252")
    data = b"seen,address,note\n2026-01-01,a,\xe9\n2026-01-01,b,\xe9\x81\n"
    judged = judge_bytes(feed, data)
    (reject,) = judged.rejects
    assert (judged.verdict.accepted, reject.line, reject.rule) == (1, 3, "not_utf8")
    assert reject.message == "the record holds bytes that are not cp1252"


def test_columns_that_repeat_a_name_are_numbered(
    make_feed: MakeFeed, judge_bytes: JudgeBytes
) -> None:
    columns: dict[str, dict[str, Any]] = {
        **{name: {"type": "integer"} for name in ("amount", "amount_2")},
        "id": {},
    }
    data = b"ID,Amount, amount,\n1,2,3,\n"
    told = "`columns.repeated: number` tells columns of one name apart."
    assert told in (judge_bytes(make_feed(columns), data).verdict.refused or "")
    feed = make_feed(columns, columns={"repeated": "number", "blank": "ignore"})
    assert judge_bytes(feed, data).accepted == b"amount,amount_2,id\n2,3,1\n"


def test_a_column_may_have_other_names_in_files(
    make_feed: MakeFeed, judge_bytes: JudgeBytes
) -> None:
    columns: dict[str, dict[str, Any]] = {
        "amount_eur": {"header": ["Amount (EUR)", "Betrag"], "required": True},
        "day": {"header": "Date of sale"},
    }
    feed = make_feed(columns)
    for header in ("amount (eur),DATE OF SALE", "Betrag,day", "AMOUNT_EUR, Day "):
        assert judge_bytes(feed, f"{header}\n1,x\n".encode()).accepted == b"amount_eur,day\n1,x\n"
    refused = judge_bytes(feed, b"Betrag,amount_eur\n1,x\n").verdict.refused
    assert "column amount_eur stands in it twice" in (refused or "")


@pytest.mark.parametrize(
    ("options", "data", "told"),
    [
        ({}, b"\xff\xfes\0e\0", "say `encoding: utf-16`"),
        ({}, b"seen,address,gr\xfc\xdfe\n", "such as windows-1252, say so with the key encoding"),
        ({}, b"made today\nseen,address,note\n", "Line 2 looks like the header: `skip_rows: to_he"),
        ({}, b"2026-01-01,a,n\n", "is there a header? If not, say `header: false`."),
        ({}, b"seen,address,,\n", "`columns.blank: ignore` leaves out columns with"),
        ({"skip_rows": "to_header"}, b"a\nb\n", "none of the first 2 lines has the contract's nam"),
        (
            {"skip_rows": "to_header"},
            b"a\n# seen,address\n",
            "line 2 has the contract's names behind",
        ),
        ({}, b"a\n#seen,address,note\n", "`skip_rows: to_header`, with `comment: '#'` for"),
        ({}, b"seen,,note\n", "hold data, the contract can name all in their order: `header: f"),
        ({}, b"seen,address,remark\n", "The key `header` of a column gives it the other names"),
        ({"header": False}, b"address,seen\n1,2\n", "'address,seen' has the contract's names, but"),
        ({"encoding": "utf-16"}, b"\xff\xfes", "near byte 3: truncated data; the contract says t"),
        ({"encoding": "utf-16"}, b"", "the file is empty: it has no header"),
        ({"encoding": "utf-16"}, "seen".encode("utf-16-be"), "say utf-16-le or utf-16-be"),
        ({"skip_rows": 9}, b"a\nb\n", "the file has 2 lines; the contract skips 9"),
        (
            {"skip_rows": 1},
            b"x\r1\nseen,address\n",
            "skips (skip_rows) has a carriage return in it",
        ),
        (
            {"encoding": "cp1252"},
            b"\xef\xbb\xbfseen,address\n",
            "begins with the mark of utf-8; the",
        ),
        ({"encoding": "latin-1"}, b"\xff\xfes\0", "begins with the mark of utf-16; the contract"),
        (
            {"skip_rows": "to_header", "comment": "#"},
            b"#seen,address\n2026-01-01,a\n#address,seen\nb,2026-01-01\n",
            "line 3 is another header, '#address,seen\\n'",
        ),
        (
            {"header_rows": 2, "columns": {"extra": "ignore"}},
            b"seen,address,note\n,,x\n2026-01-01,a,n\nseen,address,note\n,,x\n",
            "behind line 2 the first row of the header comes once more",
        ),
        ({"header_rows": 2}, b'seen,"ad\ndress"\n', "has a quote that goes on in the next line"),
    ],
)
def test_a_file_that_is_written_otherwise_is_refused_with_the_word_that_helps(
    make_feed: MakeFeed, judge_bytes: JudgeBytes, options: dict[str, Any], data: bytes, told: str
) -> None:
    assert told in (judge_bytes(make_feed(COLUMNS, **options), data).verdict.refused or "")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"encoding": "latin-99"}, "key encoding: must be an encoding that Python knows"),
        ({"encoding": "utf-7"}, "key encoding: must be an encoding that Python knows"),
        ({"encoding": "hex"}, "key encoding: must be an encoding that Python knows"),
        ({"header": "no"}, "key header: Input should be a valid boolean (got 'no')."),
        ({"skip_rows": -1}, "key skip_rows"),
        ({"comment": ""}, "key comment: String should have at least 1 character"),
        ({"comment": "# "}, "key comment: must be what a line begins with, without blanks"),
        ({"encoding": "unicode_escape"}, "key encoding: must be an encoding that Python knows"),
        ({"comment": None}, "key comment: is empty; YAML takes # for its own comment"),
        ({"comment": '"'}, "key comment: begins as a record may"),
        ({"comment": ",,"}, "key comment: begins as a record may"),
        ({"skip_lines": [r"\ATotal"]}, "has no meaning in a pattern of a line"),
        ({"skip_lines": [r"(.)\1"]}, "has no meaning in a pattern of a line"),
        ({"header_rows": 2, "repeated_header": "skip"}, "does not go with header_rows"),
        ({"skip_lines": ["("]}, "key skip_lines: '(' is no regular expression"),
        ({"skip_lines": [".*"]}, "key skip_lines: '.*' matches an empty line"),
        ({"skip_lines": ["[é]"]}, "key skip_lines: '[é]': with [] or \\ only ASCII"),
        ({"skip_lines": ["\\é"]}, "key skip_lines: '\\\\é': with [] or \\ only ASCII"),
        ({"header": False, "skip_rows": "to_header"}, "header: false goes with neither"),
        ({"header_rows": 2, "skip_rows": "to_header"}, "skip_rows: to_header finds one line"),
        ({"columns": {"blank": "drop"}}, "key columns.blank: Input should be 'error' or 'ignore'"),
    ],
)
def test_a_contract_that_cannot_be_meant_is_an_error(
    make_feed: MakeFeed, options: dict[str, Any], told: str
) -> None:
    with pytest.raises(ConfigError) as error:
        make_feed(COLUMNS, **options)
    assert told in str(error.value)


def test_lines_of_an_old_mac(make_feed: MakeFeed, judge_bytes: JudgeBytes) -> None:
    data = b'seen,address,note\r2026-01-01,a,"1\r2"\r2026-01-x,b,\r2026-01-01,c,n'
    judged = judge_bytes(make_feed(COLUMNS), data)
    assert judged.accepted == b'seen,address,note\n2026-01-01,a,"1\r2"\n2026-01-01,c,n\n'
    (reject,) = judged.rejects
    assert (reject.record, reject.rule, reject.raw) == (2, "date", b"2026-01-x,b,")
    assert not judged.verdict.plain
    # Where some lines end otherwise, nobody knows which ones are meant.
    assert "all in CR" in (judge_bytes(make_feed(COLUMNS), data + b"\n").verdict.refused or "")


def test_lines_of_an_old_mac_are_counted_within_quotes_too(
    make_feed: MakeFeed, judge_bytes: JudgeBytes
) -> None:
    feed = make_feed(COLUMNS, rejects={"max_rows": 9})
    data = (
        b'seen,address,note\r2026-01-01,a,"1\r2\r"\r2026-01-x,b,"\r"\r2026-01-01,c,n\r2026-01-x,d,'
    )
    judged = judge_bytes(feed, data)
    assert [(reject.record, reject.line) for reject in judged.rejects] == [(2, 5), (4, 8)]
    told = judge_bytes(feed, data + b'"x\ry\r').verdict.refused or ""
    assert "opens a quote that is never closed, and the 1 lines after it" in told


def test_no_return_becomes_a_line_end_when_a_delimiter_is_dropped(
    make_feed: MakeFeed, judge_bytes: JudgeBytes
) -> None:
    feed = make_feed(COLUMNS, columns={"blank": "ignore"}, rejects={"max_rows": 9})
    judged = judge_bytes(feed, b"seen,address,note\n2026-01-01,a,n\r,\n2026-01-01,b,n,\r\n")
    assert [(reject.record, reject.rule) for reject in judged.rejects] == [
        (1, "bare_carriage_return")
    ]


def test_a_byte_that_makes_utf8_by_chance_rejects_its_record(
    make_feed: MakeFeed, judge_bytes: JudgeBytes
) -> None:
    # In EUC-KR C9 begins no character, but with the next byte it is one of UTF-8.
    feed = make_feed(COLUMNS, encoding="euc_kr", rejects={"max_rows": 1})
    judged = judge_bytes(feed, b"seen,address,note\n2026-01-01,a,\xc9\xbe\n")
    assert [reject.rule for reject in judged.rejects] == ["not_utf8"]


def test_a_strangers_files_beside_the_file_mean_nothing(
    make_feed: MakeFeed, tmp_path: Path
) -> None:
    for suffix in (".csv", ".skipped", ".shifts", ".origin"):
        (tmp_path / f"a{suffix}").write_bytes(b"seen,address,note\n2026-01-01,a,n\n")
    with Validator(make_feed(COLUMNS), tmp_path) as validator:
        verdict = validator.validate("a.csv", validator.plain_text("a.csv", tmp_path / "a.csv"))
    assert (verdict.accepted, verdict.plain, verdict.skipped) == (1, True, {})


def test_a_small_file_is_turned_once(
    make_feed: MakeFeed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    turned, write = list[Path](), canonical.write_canonical

    def noted(path: Path, *others: Any) -> None:
        turned.append(path)
        write(path, *others)

    monkeypatch.setattr(validator_module, "write_canonical", noted)
    files = [(FileVersion(name, 9, name), tmp_path / name) for name in ("a", "b")]
    for _, path in files:
        path.write_bytes(b"# x\nseen,address,note\n2026-01-01,a,n\n")
    with Validator(make_feed(COLUMNS, comment="#"), tmp_path) as validator:
        for file, path in validator.ahead(files, ()):
            text = validator.plain_text(file.uri, path)
            assert validator.validate(file.uri, text).skipped == {"comment": 1}
    assert turned == [path for _, path in files]


def test_many_lines_with_quotes_are_skipped_in_little_time(
    make_feed: MakeFeed, judge_bytes: JudgeBytes
) -> None:
    feed = make_feed(COLUMNS, comment="#", skip_blank_rows=True)
    record = b'"2026-01-01","a # b","x"\n# "it" is\n\r\n"2026-01-01","a\n# b","y"\n'
    judged = judge_bytes(feed, b"seen,address,note\n" + record * 30_000)
    # It took a minute when each line was looked at by itself.
    assert judged.verdict.skipped == {"comment": 30_000, "skip_blank_rows": 30_000}
    assert judged.verdict.read == judged.verdict.accepted == 60_000


def test_null_in_yaml_is_the_word(make_feed: MakeFeed) -> None:
    assert make_feed(COLUMNS, columns={"short": None}).options.columns.short == "null"


@pytest.mark.parametrize(
    ("header", "told"),
    [
        (" Address", "Address is the name or a header of the columns address and note"),
        (["x", ""], "key header.1: String should match pattern"),
        ([], None),
    ],
)
def test_two_columns_do_not_share_a_header(
    make_feed: MakeFeed, header: object, told: str | None
) -> None:
    columns = {**COLUMNS, "note": {"header": header}}
    if told is None:
        assert make_feed(columns).columns[2].header == ()
        return
    with pytest.raises(ConfigError) as error:
        make_feed(columns)
    assert told in str(error.value)


@pytest.mark.slow
def test_a_quote_that_is_never_closed_is_not_looked_through_for_ever(
    make_feed: MakeFeed, judge_bytes: JudgeBytes
) -> None:
    data = b'seen,address,note\n2026-01-01,a,"' + b"# x\n" * 2_000_000
    told = judge_bytes(make_feed(COLUMNS, comment="#"), data).verdict.refused or ""
    assert "the record on line 2 does not end within 6 MiB" in told
    many = b"#\n" * 300_000 + b"seen,address,note\n2026-01-01,a,\n"
    judged = judge_bytes(make_feed(COLUMNS, comment="#"), many)
    assert (judged.verdict.read, judged.verdict.skipped) == (1, {"comment": 300_000})
    feed = make_feed(COLUMNS, skip_rows=1)
    assert "do not end within 6 MiB" in (judge_bytes(feed, b"x" * 8_000_000).verdict.refused or "")


def test_a_contract_without_these_words_keeps_its_fingerprint(make_feed: MakeFeed) -> None:
    plain = make_feed(COLUMNS).fingerprint
    assert plain == "bb71781118fc5f97d08b26fb1b7b2c5e11db6ce605ccede9200ee24d0462eda7"
    said: list[dict[str, Any]] = [
        {"header": False},
        {"encoding": "latin-1"},
        {"comment": "#"},
        {"skip_rows": 1},
    ]
    others = {make_feed(COLUMNS, **options).fingerprint for options in said}
    assert len(others | {plain}) == 1 + len(said)
