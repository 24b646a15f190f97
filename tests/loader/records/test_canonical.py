"""Canonical text against a reader that goes over a file by its characters."""

from __future__ import annotations

import re
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest
from e2e.strict_csv import read_record
from hypothesis import example, given, settings
from hypothesis import strategies as st

from loader.records import canonical
from loader.records.canonical import write_canonical
from loader.records.dialect import Dialect, Form
from loader.records.origin import Origin

NAMES = ("id", "note")


def no_header(_: object) -> bool:
    return False


def slowly(data: bytes, form: Form) -> tuple[bytes, Counter[str], list[int]]:
    """The text, what was skipped, and the line of the file that each of its lines was."""
    position, line, text, skipped, lines = 0, 1, b"", Counter[str](), list[int]()
    while position < len(data):
        end = data.find(b"\n", position) + 1 or len(data)
        said = data[position:end].removesuffix(b"\n").removesuffix(b"\r").decode()
        if form.comment and said.startswith(form.comment):
            reason = "comment"
        elif any(re.fullmatch(pattern, said) for pattern in form.skip_lines):
            reason = "skip_lines"
        elif form.skip_blank_rows and not said.strip(" \t,"):
            reason = "skip_blank_rows"
        else:
            reason, end = "", read_record(data, position, ord(","), ord('"')).next
        count = data.count(b"\n", position, end)
        if reason:
            skipped[reason] += 1
        else:
            text += data[position:end]
            lines += range(line, line + count)
        position, line = end, line + count
    return text, skipped, lines


PIECES = st.sampled_from(
    [
        "#",
        "#",
        "Total",
        "a",
        ",",
        ",",
        '"',
        '"',
        '""',
        "\n",
        "\n",
        "\r\n",
        " ",
        "é",
        '\n#"\n',
        "\n\n",
    ]
)


@settings(max_examples=600, deadline=None)
@given(
    st.lists(PIECES, max_size=40).map("".join),
    st.sampled_from([None, "#", "##"]),
    st.sampled_from([(), ("Total.*",), ("(a|Total),.*", "é+"), (r"\s*a", "[^#]+")]),
    st.booleans(),
    st.integers(1, 9),
)
@example('"a\n#b"\n#c', "#", (), False, 2)
@example('a"b\n#c\n"\n#d\n', "#", (), False, 3)
@example('a\n#"\n"\n#"\nb', "#", (), False, 4)
def test_lines_are_skipped_where_records_begin(
    tmp_path_factory: pytest.TempPathFactory,
    said: str,
    comment: str | None,
    patterns: tuple[str, ...],
    blank: bool,
    block: int,
) -> None:
    form = Form(comment=comment, skip_lines=patterns, skip_blank_rows=blank)
    folder, data = tmp_path_factory.getbasetemp(), said.encode()
    file, text = folder / "file.csv", folder / "text.canonical"
    file.write_bytes(data)
    with pytest.MonkeyPatch.context() as patch:
        # Of a few bytes each: where a file is divided must not show.
        patch.setattr(canonical, "_BLOCK_BYTES", block)
        write_canonical(file, text, form, Dialect(), NAMES, no_header)
    expected, skipped, lines = slowly(data, form)
    origin = Origin.of(text)
    # Whether blank lines are records, too, depends on whether one follows them, so they may stay.
    assert text.read_bytes() == expected
    assert +origin.skipped == skipped
    assert [origin.line(number) for number, _ in enumerate(lines, start=1)] == lines
    assert all(a[0] < b[0] for a, b in pairwise(origin.shifts.tolist()))


@pytest.mark.parametrize(
    ("encoding", "said"),
    [
        ("windows-1252", "id,note\n1,Café \u2013 “quoted”\n"),
        ("latin-1", "id,note\n1,São João\n"),
        ("utf-16", "id,note\n1,Ελλάδα 𝄞\n"),
        ("utf-16-le", "\ufeffid,note\n1,x\n"),
        ("utf-32", "id,note\n1,漢字\n"),
        ("shift_jis", "id,note\n1,表示\n"),
        ("gb18030", "id,note\n1,表示€\n"),
    ],
)
@pytest.mark.parametrize("block", [1, 3, 1000])
def test_an_encoding_is_turned_into_utf8(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encoding: str, said: str, block: int
) -> None:
    monkeypatch.setattr(canonical, "_BLOCK_BYTES", block)
    (tmp_path / "file").write_bytes(said.encode(encoding))
    text = tmp_path / "text.canonical"
    write_canonical(tmp_path / "file", text, Form(encoding), Dialect(), NAMES, no_header)
    assert text.read_bytes() == said.removeprefix("\ufeff").encode()
