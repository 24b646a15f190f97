"""Files with escapes, long delimiters, quotes that are text, and blanks before fields."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from loader.conftest import JudgeBytes, MakeFeed

COLUMNS: dict[str, dict[str, Any]] = {"id": {"required": True}, "name": {}, "note": {}}
BARS = {"delimiter": "||"}
TEXT = {"quote": "none"}
ESCAPE = {"escape": "\\"}
BLANKS = {"skip_initial_space": True}


@pytest.mark.parametrize(
    ("options", "data", "accepted", "rejected"),
    [
        # Whether quoted or not, before structure alone, and at any place of a field.
        (ESCAPE, rb'1,"Ann \"Annie\" Lee",\N', rb'1,"Ann ""Annie"" Lee",\N', []),
        (ESCAPE, rb'1,"C:\\temp\\",C:\temp', rb'1,"C:\temp\",C:\temp', []),
        (ESCAPE, rb"1,Lee\, Bo,\"x\"", rb'1,"Lee, Bo","""x"""', []),
        (ESCAPE, rb'1,"Lee\, Bo",a\\\,b', rb'1,"Lee, Bo","a\,b"', []),
        (ESCAPE, b'1,a\\\nb,c\n2,"a\\\nb",""""', b'1,"a\nb",c\n2,"a\nb",""""', []),
        (ESCAPE, b"1,a\\\r\nb,c\\,\r\n2,b,c\\\r", b'1,"a\r\nb","c,"\n', [(2, 4)]),
        (ESCAPE, b"1,b,c\\\r\r\n2,b,c\r\n", b'1,b,"c\r"\n2,b,c', []),
        ({**ESCAPE, "quote": "'"}, rb"1,'it\'s','\N'", rb"1,'it''s','\N'", []),
        ({"escape": "^"}, b'1,a^,b,"^^"', b'1,"a,b","^"', []),
        # MySQL escapes the line feed of a CR LF alone; others escape both, or the two together.
        (
            {"quote": "none", **ESCAPE, "delimiter": "\t"},
            b'1\tx\r\\\ny\t5"\r\\\n\n2\tx\\\r\\\ny\tx\\\r\ny\n3\tx\r\\\\\n',
            b'1\t"x\r\ny"\t"5""\r\n"\n2\t"x\r\ny"\t"x\r\ny"',
            [(3, 8)],
        ),
        (
            ESCAPE,
            b'1,x\r\\\ny,"z\r\\\n"\r\n2,\r\\\n,\\\r\n\r\n',
            b'1,"x\r\ny","z\r\n"\n2,"\r\n","\r\n"',
            [],
        ),
        # What is malformed stays so, of as many lines.
        (ESCAPE, b'1,a"b\\,c,d\n2,b,c', b"2,b,c", [(1, 2)]),
        (ESCAPE, b'1,a"b\\\nc,d\n2,b,c', b"2,b,c", [(1, 2)]),
        (ESCAPE, b'1,\\"b"c,"d\n"\n2,b,c', b"2,b,c", [(1, 2)]),
        (ESCAPE, b'1,"a\\"b"c,d\n2,b,c', b"2,b,c", [(1, 2)]),
        (ESCAPE, b'1,"a\\"b"\\",d\n2,b,c', b"2,b,c", [(1, 2)]),
        (ESCAPE, b"1,a\\,\rb,c\n2,b,c", b"2,b,c", [(1, 2)]),
        (ESCAPE, b'1,b,c\n2,"b\\",c', b"1,b,c", [(2, 3)]),
        (ESCAPE, b"1,b,c\n2,b,c\\", b"1,b,c", [(2, 3)]),
        (ESCAPE, b"1,b,c\n2,b,c\\\r\n", b"1,b,c", [(2, 3)]),
        (ESCAPE, b"1,b,c\n2,b,c\\\\\n", b"1,b,c\n2,b,c\\", []),
        (ESCAPE, b"1,\xff\\,,c\n2,b,c\n", b"2,b,c", [(1, 2)]),
        # A comment has no escapes, so it takes no record with it.
        (
            {**ESCAPE, "comment": "#"},
            b'# C:\\\n1,b,c\n# "\n1,"\\"\n#",c',
            b'1,b,c\n1,"""\n#",c',
            [],
        ),
        ({**ESCAPE, "comment": "#"}, b"1,a\\\n#b,c\n# x", b'1,"a\n#b",c', []),
        (BARS, b'1||"a||b"||c|d', b'1\t"a||b"\tc|d', []),
        (BARS, b'1||\t||"\t"\n2||"b"||', b'1\t"\t"\t"\t"\n2\t"b"\t', []),
        (BARS, b'1||"b"c||\td\n2||b||c|\n||||', b"2\tb\tc|", [(1, 2), (3, 4)]),
        (BARS, b'1||a\t"b||c\n2||b"||c\n3||b||c', b"3\tb\tc", [(1, 2), (2, 3)]),
        ({"delimiter": "~|~"}, b"1~|~~~|~|~", b"1\t~\t|~", []),
        ({"delimiter": "\x01", **TEXT}, b'1\x01\\N\x01"', b'1\t\\N\t""""', []),
        ({"delimiter": "\u2021"}, "1\u2021é\u2021".encode(), "1\té\t".encode(), []),
        (
            {**BARS, "skip_lines": r"T\|\|.*", "skip_blank_rows": True},
            b'1||"\nT||b"||c\n||||\nT||1',
            b'1\t"\nT||b"\tc',
            [],
        ),
        ({**BARS, **ESCAPE}, rb'1||a\|\|b||"\|"', b'1\t"a||b"\t"|"', []),
        (TEXT, b'1,"b,c"\n2,5" x 3",', b'1,"""b","c"""\n2,"5"" x 3""",', []),
        (TEXT, b'"\n1,",\n2,b', b'1,"""",', [(1, 2), (3, 4)]),
        (
            {**TEXT, **ESCAPE, "delimiter": "\t"},
            b'1\ta\\\tb\\\nc\t\\N"\n2\t\\"\t\\\\',
            b'1\t"a\tb\nc"\t"\\N"""\n2\t"\\"""\t\\',
            [],
        ),
        (BLANKS, b'1, "b, c",\t d\n 2,b ,\t', b'1,"b, c",d\n2,b ,', []),
        (BLANKS, b'1, "b, " , c\n  "2",  "b\n, ", ""', b'"2","b\n, ",""', [(1, 2)]),
        ({**BLANKS, **BARS}, b'1|| "b|| c" || d\n2|| "b"|| c ', b'2\t"b"\tc ', [(1, 2)]),
        ({"double_quote": False}, b'1,"a""b",c\n2,"","c"', b'2,"","c"', [(1, 2)]),
        (
            {"double_quote": False, **ESCAPE},
            b'1,"a\\"\\"b","""c"\n2,"\\"",""""\n3,"\\"\\"",',
            b'3,"""""",',
            [(1, 2), (2, 3)],
        ),
    ],
    ids=lambda value: ",".join(value) if isinstance(value, dict) else "",
)
def test_a_file_is_read_in_its_dialect(
    make_feed: MakeFeed,
    judge_bytes: JudgeBytes,
    options: dict[str, Any],
    data: bytes,
    accepted: bytes,
    rejected: list[tuple[int, int]],
) -> None:
    feed = make_feed(COLUMNS, rejects={"max_rows": 9}, **options)
    header = (feed.options.delimiter.join(COLUMNS) + "\n").encode()
    judged = judge_bytes(feed, header + data)
    assert judged.verdict.refused is None
    assert judged.verdict.text is not None
    text = judged.verdict.text.read_bytes()
    assert text.rstrip(b"\n").partition(b"\n")[2] == accepted.rstrip(b"\n")
    assert [(reject.record, reject.line) for reject in judged.rejects] == rejected


def test_a_reject_says_which_field_is_at_fault(
    make_feed: MakeFeed, judge_bytes: JudgeBytes
) -> None:
    feed = make_feed(COLUMNS, rejects={"max_rows": 9}, **ESCAPE)
    (reject,) = judge_bytes(feed, b'id,name,note\n"1\\"",Lee\\, Bo,5"\n').rejects
    assert (reject.column, reject.rule, reject.value) == ("note", "stray_quote", '5"')
    assert reject.raw == b'"1""","Lee, Bo",5"'


@pytest.mark.parametrize(
    ("options", "data"),
    [
        (ESCAPE, b'id,"na\\me",no\\te\n1,b,c\n'),
        (BARS, b"id||name||note\n1||b||c\n"),
        (TEXT, b"id,name,note\n1,b,c\n"),
        (BLANKS, b'id, "name", note\n1, b, c\n'),
        ({**BLANKS, **BARS, "skip_rows": "to_header"}, b'made\\\n"\nid|| "name"|| note\n1||b||c\n'),
        ({**BARS, "repeated_header": "skip"}, b"id||name||note\nID||name||note\n1||b||c\n"),
        ({**TEXT, "header_rows": 2}, b"i,n,n\nd,ame,ote\n1,b,c\n"),
        ({**TEXT, "header": False}, b"1,b,c\n"),
        ({}, b"id,name,note\r\r\n1,b,c\r\r\n"),
        ({"comment": "#"}, b"#\r\r\nid,name,note\r\r\n#\r\r\n1,b,c\r\r\n"),
        ({**BARS, "columns": {"blank": "ignore"}}, b"id||name||note||\n1||b||c||\n"),
        ({**BARS, "record_number": True}, b"id||name||note\n1||b||c\n"),
    ],
    ids=lambda value: ",".join(value) if isinstance(value, dict) else "",
)
def test_a_header_is_read_in_the_dialect_too(
    make_feed: MakeFeed, judge_bytes: JudgeBytes, options: dict[str, Any], data: bytes
) -> None:
    names = {"header": ["i d"]}, {"header": ["na\\me", "n ame"]}, {"header": ["no\\te", "n ote"]}
    columns = dict(zip(COLUMNS, names, strict=True))
    judged = judge_bytes(make_feed(columns, **options), data)
    assert judged.verdict.refused is None
    assert judged.accepted == b"id,name,note\n1,b,c\n"
    assert not judged.verdict.plain


def test_lines_behind_a_header_that_went_through_text_mode_twice(
    make_feed: MakeFeed, judge_bytes: JudgeBytes
) -> None:
    feed = make_feed(COLUMNS, rejects={"max_rows": 2})
    judged = judge_bytes(feed, b"id,name,note\n1,b,c\r\r\n2,b,c\r\r\n")
    assert judged.accepted == b"id,name,note\n1,b,c\n2,b,c\n"
    judged = judge_bytes(feed, b"id,name,note\n1,b,c\r\r\n2,b,c\n")
    assert [reject.rule for reject in judged.rejects] == ["bare_carriage_return"]


def test_lines_that_went_through_text_mode_twice(
    make_feed: MakeFeed, judge_bytes: JudgeBytes
) -> None:
    feed = make_feed(COLUMNS, rejects={"max_rows": 9})
    data = b'id,name,note\r\r\n1,"b\r\r\nb","c"\r\r\n2,"b" ,c\r\r\n3,b,\r\r\n4,b,\r\r\r\n\r\r\n'
    judged = judge_bytes(feed, data)
    # What is within quotes is as it came.
    assert judged.accepted == b'id,name,note\n1,"b\r\r\nb",c\n3,b,\n'
    assert [(r.record, r.line, r.rule) for r in judged.rejects] == [
        (2, 4, "text_after_quote"),
        (4, 6, "bare_carriage_return"),
    ]
    assert judged.rejects[0].raw == b'2,"b" ,c'
    # Where only some lines end so, they are rejected.
    judged = judge_bytes(feed, b"id,name,note\r\n1,b,c\r\r\n2,b,c\r\n")
    assert [reject.rule for reject in judged.rejects] == ["bare_carriage_return"]


ESCAPE_HELPS = "if a backslash escapes what follows it, say `escape: '\\'`"
BLANKS_HELPS = "if blanks before a field are no part of it, say `skip_initial_space: true`"


@pytest.mark.parametrize(
    ("options", "record", "told"),
    [
        ({}, b'1,"a \\"b\\" c",d', ESCAPE_HELPS),
        ({}, b"1,a\\,b,c,d", ESCAPE_HELPS),
        ({}, b'1, "b",c', BLANKS_HELPS),
        ({}, b'1,5",c', None),
        (ESCAPE, b'1,"a\\"b"c,d', None),
        (BLANKS, b'1,"b"c, "c"', None),
        ({}, b"1,\xe9,c", "if the file is windows-1252 or another, say so with the key encoding"),
        ({"encoding": "cp1252"}, b"1,\x81,c", None),
    ],
    ids=lambda value: ",".join(value) if isinstance(value, dict) else "",
)
def test_a_reject_names_the_word_that_helps(
    make_feed: MakeFeed,
    judge_bytes: JudgeBytes,
    options: dict[str, Any],
    record: bytes,
    told: str | None,
) -> None:
    feed = make_feed(COLUMNS, rejects={"max_rows": 9}, **options)
    (reject,) = judge_bytes(feed, b"id,name,note\n" + record + b"\n").rejects
    if told:
        assert reject.message.endswith(f"; {told}")
    else:
        assert ";" not in reject.message


@pytest.mark.parametrize(
    ("options", "data", "told"),
    [
        ({}, b'id, "name",note\n1,b,c\n', BLANKS_HELPS),
        ({}, b'"i\\"d",name,note\n1,b,c\n', ESCAPE_HELPS),
        ({}, b'id,name,note\n1,"5\\"",c\n2,b,c\n3,b,c\n', ESCAPE_HELPS),
        ({}, b"id||name||note\n1||b||c\n", "It seems to be delimited by '||'"),
        (BARS, b"id\tname\tnote\n1\tb\tc\n", "It seems to be delimited by '\\t'"),
        (BARS, b"id;name;note\n1;b;c\n", "by ';'; the contract says '||' (key delimiter)"),
        # By its own beginning, not by that of what was made of it.
        ({"skip_rows": 2}, b'[\n  {"id": 1},\n  {"id": 2}\n]\n', "this is JSON"),
        ({"skip_rows": "to_header"}, b"<html>\n<body>\n", "this is HTML"),
        ({"encoding": "utf-16"}, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\xd8" * 99, "an Excel"),
        ({"encoding": "latin-1"}, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 99, "an Excel"),
        ({**TEXT, "comment": "#"}, b"PAR1\x15\x04\x15", "a Parquet file"),
    ],
    ids=lambda value: ",".join(value) if isinstance(value, dict) else "",
)
def test_a_refusal_says_what_helps(
    make_feed: MakeFeed, judge_bytes: JudgeBytes, options: dict[str, Any], data: bytes, told: str
) -> None:
    assert told in (judge_bytes(make_feed(COLUMNS, **options), data).verdict.refused or "")


def test_escapes_on_every_line_take_little_time(
    make_feed: MakeFeed, judge_bytes: JudgeBytes
) -> None:
    feed = make_feed(COLUMNS, comment="#", **ESCAPE)
    record = b'1,"\\"b\\"",c\\,\n# x\n2,"b",' + b"c" * 300 + b"\n"
    judged = judge_bytes(feed, b"id,name,note\n" + record * 20_000)
    assert judged.verdict.accepted == judged.verdict.read == 40_000
