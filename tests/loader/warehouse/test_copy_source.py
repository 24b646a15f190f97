"""Which files one statement copies together, and which COPY is not trusted with."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from loader.files.kinds import Compression
from loader.files.version import FileVersion
from loader.validation.rejects import Reject, RejectLog, Verdict
from loader.warehouse.copy_source import CopyGroup, as_is, copy_groups, merged
from loader.warehouse.quarantine import write_rejected
from loader.warehouse.work import WorkFolder

if TYPE_CHECKING:
    from loader.conftest import MakeFeed

A_B, B_A = ("a", "b"), ("b", "a")
SETTINGS = {"as_is_bytes": 8}


def test_files_that_look_alike_are_copied_together(make_feed: MakeFeed) -> None:
    groups = [
        CopyGroup(("1",), A_B, 10, A_B, (0,)),
        CopyGroup(("2",), B_A, 20, A_B, (1,)),
        CopyGroup(("3",), A_B, 30, A_B, (2,)),
        CopyGroup(("4",), A_B, 40, A_B, (3,), compression="gzip"),
    ]
    feed = make_feed({"a": {}})
    assert [(group.paths, group.records, group.numbers) for group in merged(feed, groups)] == [
        (("1", "3"), 40, (0, 2)),
        (("2",), 20, (1,)),
        (("4",), 40, (3,)),
    ]
    # COPY does not say which file a record is from, so with it each is alone.
    alone = merged(feed, groups, "s3://work/")
    assert [(group.paths, group.numbers) for group in alone] == [
        ((str(n),), (n - 1,)) for n in range(1, 5)
    ]
    assert len({group.manifest for group in alone}) == 4


class FakeWork(WorkFolder):
    """A work folder on disk."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.uri = "s3://work/"

    def put(self, uri: str, body: object) -> None:
        data = body.encode() if isinstance(body, str) else body.read()  # type: ignore[attr-defined]
        (self.folder / uri.removeprefix(self.uri)).write_bytes(data)


@pytest.fixture
def work(tmp_path: Path) -> FakeWork:
    folder = tmp_path / "work"
    folder.mkdir()
    return FakeWork(folder)


@pytest.mark.parametrize(
    ("uri", "columns", "plain", "size", "stored", "rewritten"),
    [
        ("s3://raw/a.csv", A_B, True, 8, "none", False),
        ("s3://raw/a.csv", B_A, True, 8, "none", False),
        ("s3://raw/a.csv", A_B, True, 8, "gzip", False),
        ("s3://raw/a.csv.gz", A_B, True, 8, "none", False),
        ("s3://raw/a.csv", A_B, True, 8, "zstd", False),
        ("s3://raw/a.csv.gz", A_B, True, 8, "bzip2", True),
        ("s3://raw/a.csv", A_B, True, 8, "xz", True),
        ("s3://raw/a.csv.gz", A_B, True, 8, "zip", True),
        ("s3://raw/a.csv", A_B, True, 8, None, True),
        ("s3://raw/a.csv", A_B, True, 7, "none", True),
        ("s3://raw/a.csv", A_B, False, 8, "none", True),
        ("s3://raw/a.csv", ("a", None), True, 8, "none", True),
        ("in/a.csv", A_B, True, 8, "none", True),
    ],
)
def test_copy_reads_an_object_itself_only_if_it_is_large_and_cannot_be_misread(
    make_feed: MakeFeed,
    tmp_path: Path,
    work: FakeWork,
    uri: str,
    columns: tuple[str | None, ...],
    plain: bool,
    size: int,
    stored: Compression | None,
    rewritten: bool,
) -> None:
    # GIVEN a file with one accepted record
    text = tmp_path / "a.csv"
    text.write_text("x,y\n1,2\n")
    verdict = Verdict(uri, 1, 1, text=text, columns=columns, plain=plain, stored=stored)
    # WHEN it is to be copied
    empty = FileVersion("s3://raw/empty.csv", 4, "e"), Verdict("s3://raw/empty.csv")
    (group,) = copy_groups(
        make_feed({"a": {}, "b": {}}),
        [empty, (FileVersion(uri, size, "e"), verdict)],
        work,
        SETTINGS,
        tmp_path,
    )
    # THEN a manifest lists it, or a part in the contract's order that holds the record
    listed = json.loads(group.manifest_text())["entries"]
    assert listed == [{"url": path, "mandatory": True} for path in group.paths]
    assert group.records == 1
    if not rewritten:
        assert (group.paths, group.columns, group.numbers) == ((uri,), columns, (1,))
        # COPY is told what the bytes are, not what the name says.
        assert group.compression == stored
        return
    (part,) = (work.folder / path.removeprefix("s3://work/") for path in group.paths)
    kept = "1," if None in columns else "1,2"
    # Each record says which file of the batch it is from.
    assert gzip.decompress(part.read_bytes()).decode() == f"a,b,_number\n{kept},1\n"
    assert (group.names, group.columns, group.numbers) == (A_B, (*A_B, "_number"), ())
    assert group.compression == "gzip"


def test_copy_reads_no_file_that_is_written_in_another_way(make_feed: MakeFeed) -> None:
    file = FileVersion("s3://raw/a.csv", 8, "e")
    assert as_is(make_feed({"a": {}}), file, "none", SETTINGS)
    assert not as_is(make_feed({"a": {}}, encoding="latin-1"), file, "none", SETTINGS)


def test_rejected_records_are_a_group_of_their_own(
    make_feed: MakeFeed, tmp_path: Path, work: FakeWork
) -> None:
    log = RejectLog(tmp_path / "log", "a.csv")
    log.write([Reject("a.csv", 1, 2, None, "r", None, "m", b"x")])
    verdict = Verdict("a.csv", read=1, rejects=log, header="a")
    path, files = tmp_path / "rejected.csv.gz", [(FileVersion("a.csv", 1, "e"), verdict)]
    (group,) = write_rejected(path, make_feed({"a": {}}), files, work)
    assert (group.table, group.compression, group.records) == ("quarantine", "gzip", 1)
    assert group.paths == ("s3://work/rejected.csv.gz",)
    assert (work.folder / "rejected.csv.gz").read_bytes() == path.read_bytes()
