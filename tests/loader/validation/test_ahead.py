"""Small files are judged together, ahead of time, and get the verdicts that they get one by one."""

from __future__ import annotations

import gzip
import itertools
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loader.errors import ReconciliationError
from loader.files.version import FileVersion
from loader.validation import validator as module
from loader.validation.rejects import Reject
from loader.validation.screening import Screening
from loader.validation.validator import Validator

if TYPE_CHECKING:
    from loader.conftest import MakeFeed

COLUMNS: dict[str, dict[str, Any]] = {
    "id": {"required": True, "data_type": "varchar(8)"},
    "amount": {"type": "integer", "minimum": 0},
    "note": {},
}

HEADERS = [
    b"id,amount,note\n",
    b"note,id,amount\n",
    b"id,amount,note,extra\n",
    b"ID,note\n",
    b"id,amount,note\r\n",
    b"\xef\xbb\xbfid,amount,note\n",
    b'id,amount,"note\n"\n',
    b"id,price\n",
    b"",
]
RECORDS = [
    b"a,1,n",
    b"b,2,",
    b"a,1,n,x",
    b"c,3",
    b"d,x,n",
    b",4,n",
    # The screen leaves it to the judge, who accepts it.
    "f,\u20031,n".encode(),
    b'"g\nh",5,"n,""m"""',
    b'"g\r\nh",6,n',
    b'i"j,7,n',
    b'"k',
    b"l\0,8,n",
    b"m\xff,9,n",
    b"",
]
FILE = st.builds(
    lambda header, records, end, last, tail: header + end.join(records) + last * end + tail,
    st.sampled_from(HEADERS),
    st.lists(st.sampled_from(RECORDS), max_size=6) | st.lists(st.sampled_from(RECORDS[:3])),
    st.sampled_from([b"\n", b"\n", b"\r\n"]),
    st.booleans(),
    st.sampled_from([b"", b"", b"\n\n", b"\r\n", b"\r"]),
)


def listed(folder: Path, contents: Sequence[bytes]) -> list[tuple[FileVersion, Path]]:
    """Files of these contents, every fourth compressed, as a store returns them."""
    files = []
    for number, content in enumerate(contents):
        name = f"{number:03d}.csv" + ".gz" * (number % 4 == 3)
        stored = gzip.compress(content) if name.endswith("gz") else content
        (folder / name).write_bytes(stored)
        files.append((FileVersion(name, len(stored)), folder / name))
    return files


def told(
    validator: Validator, spool: Path, file: FileVersion, path: Path
) -> tuple[dict[str, Any], list[Reject], bytes | None]:
    """What a verdict says, its rejects, and the accepted records; as a load asks for it."""
    text = validator.plain_text(file.uri, path)
    verdict = validator.validate(file.uri, text)
    seen = {name: getattr(verdict, name) for name in ("file", "read", "accepted", "rejected")}
    seen |= {name: getattr(verdict, name) for name in ("refused", "columns", "plain", "header")}
    if verdict.text is None:
        return seen, [], None
    seen["as it is"] = verdict.text.samefile(text)
    target = spool / "told.csv"
    validator.write_accepted(verdict, target)
    return seen, list(verdict.rejects.read()), target.read_bytes()


@settings(max_examples=20)
@given(st.lists(FILE, min_size=2, max_size=12))
def test_verdicts_are_those_of_files_judged_one_by_one(
    make_feed: MakeFeed, contents: list[bytes]
) -> None:
    feed = make_feed(COLUMNS, columns={"extra": "ignore"})
    with ExitStack() as stack:
        spools = [Path(stack.enter_context(tempfile.TemporaryDirectory())) for _ in range(3)]
        files = listed(spools[0], contents)
        alone, ahead = (stack.enter_context(Validator(feed, spool)) for spool in spools[1:])
        expected = [told(alone, spools[1], *file) for file in files]
        found = [told(ahead, spools[2], *file) for file in ahead.ahead(files, ())]
    assert found == expected


@settings(max_examples=12)
@given(
    st.lists(
        st.lists(st.sampled_from([b"a", b"", b'""', b"x,y", b"long"])).map(b"\n".join), min_size=2
    )
)
def test_verdicts_on_files_of_one_column_too(make_feed: MakeFeed, contents: list[bytes]) -> None:
    # An empty line is a record there.
    feed = make_feed({"v": {"data_type": "varchar(3)"}})
    with ExitStack() as stack:
        spools = [Path(stack.enter_context(tempfile.TemporaryDirectory())) for _ in range(3)]
        files = listed(spools[0], [b"v\n" + content for content in contents])
        alone, ahead = (stack.enter_context(Validator(feed, spool)) for spool in spools[1:])
        expected = [told(alone, spools[1], *file) for file in files]
        found = [told(ahead, spools[2], *file) for file in ahead.ahead(files, ())]
    assert found == expected


def count_calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The calls of the screen from now on, each by its name."""
    calls = list[str]()

    def counted(name: str) -> None:
        original = getattr(Screening, name)

        def call(*arguments: Any) -> Any:
            calls.append(name)
            return original(*arguments)

        monkeypatch.setattr(Screening, name, call)

    counted("as_it_is")
    counted("unclear_rows")
    return calls


def test_the_engine_is_asked_once_for_files_of_a_kind(
    make_feed: MakeFeed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN files that are read as they are, and others of CRLF, of faults, of other columns
    spool = tmp_path / "spool"
    spool.mkdir()
    header = b"id,amount,note\n"
    kinds = [
        header + b"a,1,n\n" * 9,
        header + b"a,1,n\nb,x,n\nc,3,n\n",
        header + b"a,1,n\n" + b'b"c,2,n\n',
        (header + b"a,1,n\n").replace(b"\n", b"\r\n"),
        b"note,id\nn,a\n",
        header,
    ]
    files = listed(tmp_path, kinds * 8)
    calls = count_calls(monkeypatch)
    # WHEN they are judged
    with Validator(make_feed(COLUMNS), spool) as validator:
        verdicts = [
            validator.validate(file.uri, validator.plain_text(file.uri, path))
            for file, path in validator.ahead(files, ())
        ]
        # AND are not judged again when a load is tried again
        assert list(validator.ahead(files, {file.key for file, _ in files})) == files
    # THEN the engine has read at once those as they are, those to be written anew, the reordered
    assert calls == ["unclear_rows"] * 3
    assert [(v.accepted, v.rejected) for v in verdicts[:6]] == [
        (9, 0),
        (2, 1),
        (1, 1),
        (1, 0),
        (1, 0),
        (0, 0),
    ]


def test_a_file_that_the_readers_take_differently_is_named_and_the_others_are_judged(
    make_feed: MakeFeed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Promise 2. GIVEN three files, of which the engine always finds another text in the second
    spool = tmp_path / "spool"
    spool.mkdir()
    header = b"id,amount,note\n"
    files = listed(tmp_path, [header + b"a,1,n\n" * 2] * 3)
    changes, second = itertools.count(2), files[1][1]

    def changing(original: Callable[..., Any]) -> Callable[..., Any]:
        def screen(*arguments: Any) -> Any:
            other = tmp_path / "other"
            other.write_bytes(header + b"a,1,n\n" + b"a,1,%s\n" % (b"n" * next(changes)))
            other.replace(second)
            return original(*arguments)

        return screen

    for name in ("as_it_is", "unclear_rows"):
        monkeypatch.setattr(Screening, name, changing(getattr(Screening, name)))
    # WHEN they are judged THEN it is reported, by its name, and it alone
    unlike = pytest.raises(ReconciliationError, match=r"^001\.csv: the engine reads 2 records")
    with Validator(make_feed(COLUMNS), spool) as validator:
        for file, path in validator.ahead(files, ()):
            with unlike if path == second else nullcontext():
                assert validator.validate(file.uri, path).accepted == 2


def test_files_are_fetched_when_it_is_their_turn(
    make_feed: MakeFeed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A file that is fetched and waits is no progress that anybody sees, and may be a large one.
    monkeypatch.setattr(module, "_TOGETHER", 3)
    monkeypatch.setattr(module, "_SMALL_BYTES", 50)
    spool = tmp_path / "spool"
    spool.mkdir()
    small, large = b"id,amount,note\na,1,n\n", b"id,amount,note\n" + b"a,1,n\n" * 9
    files = listed(tmp_path, [small, small, large, small, large, large, small, small, small, small])
    sizes = [file.bytes for file, _ in files]
    fetched = list[str]()

    def fetch() -> Iterator[tuple[FileVersion, Path]]:
        for file, path in files:
            fetched.append(file.uri)
            yield file, path

    waiting = list[int]()
    with Validator(make_feed(COLUMNS), spool) as validator:
        for number, (file, _) in enumerate(validator.ahead(fetch(), ())):
            assert file is files[number][0]
            waiting.append(len(fetched) - number - 1)
    assert max(sizes[0], sizes[3]) <= 50 < sizes[2]
    # At a small file the others of its group, and the one that ended it; at a large one no more.
    assert waiting == [2, 1, 0, 1, 0, 0, 2, 1, 0, 0]
