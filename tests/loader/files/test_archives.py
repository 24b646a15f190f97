"""Compressed files: read whole, or refused."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import random
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from loader.errors import ConfigError, DataRefused
from loader.files.archives import plain_text, zstd

TEXT = b"a,b\n" + b"1,2\n" * 100_000
NUMBERS = b"".join(b"%d\n" % random.Random(1).getrandbits(60) for _ in range(20_000))


def zipped(
    *names: str, text: bytes = TEXT, method: int = zipfile.ZIP_DEFLATED, level: int | None = None
) -> bytes:
    """A zip archive of members with the same text; a name that ends in a slash is a folder."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method, compresslevel=level) as archive:
        for name in names or ("a.csv",):
            archive.writestr(name, b"" if name.endswith("/") else text)
    return out.getvalue()


PACK: dict[str, Callable[[bytes], bytes]] = {
    "gzip": lambda text: gzip.compress(text, mtime=0),
    "zstd": zstd.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zip": lambda text: zipped(text=text),
}
STREAMS = ["gzip", "zstd", "bzip2", "xz"]


def unpacked(folder: Path, data: bytes, name: str = "a.csv") -> bytes:
    path = folder / name
    path.write_bytes(data)
    return plain_text(name, path, folder).read_bytes()


@pytest.mark.parametrize("kind", PACK)
@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.csv.zst", "a.zip", "a.BZ2", "a"])
def test_an_archive_is_unpacked_whatever_it_is_called(tmp_path: Path, kind: str, name: str) -> None:
    # A store that unpacks what it hands out, or a colleague, leaves a name that no longer fits.
    assert unpacked(tmp_path, PACK[kind](TEXT), name) == TEXT


@pytest.mark.parametrize("name", ["a.csv.gz", "a.csv.zst", "a.csv.bz2", "a.csv.xz", "a.zip"])
@pytest.mark.parametrize("text", [TEXT, b"", b"(a)\n", b"PK,a\n1,2\n", b"BZh9,b\n", b"P*M,x\n"])
def test_plain_text_under_the_name_of_an_archive_is_itself(
    tmp_path: Path, name: str, text: bytes
) -> None:
    path = tmp_path / name
    path.write_bytes(text)
    assert plain_text(name, path, tmp_path) == path


@pytest.mark.parametrize("kind", STREAMS)
@pytest.mark.parametrize("times", [1, 3])
def test_an_archive_is_unpacked_whole(tmp_path: Path, kind: str, times: int) -> None:
    # Archives put one behind the other are one text, as command-line tools have it.
    assert unpacked(tmp_path, PACK[kind](TEXT) * times) == TEXT * times


def test_an_archive_by_pzstd_begins_with_a_frame_to_skip(tmp_path: Path) -> None:
    frame = b"\x50\x2a\x4d\x18" + (4).to_bytes(4, "little") + b"size"
    assert unpacked(tmp_path, frame + zstd.compress(TEXT)) == TEXT


@pytest.mark.parametrize("kind", ["bzip2", "xz"])
def test_nulls_may_follow_an_archive(tmp_path: Path, kind: str) -> None:
    # As xz's own padding, or a tape's.
    packed = PACK[kind](TEXT)
    assert unpacked(tmp_path, packed + b"\0" * 8 + packed + b"\0" * 2_000_000) == TEXT * 2


@pytest.mark.parametrize("kind", PACK)
def test_an_archive_of_nothing_is_an_empty_file(tmp_path: Path, kind: str) -> None:
    assert unpacked(tmp_path, PACK[kind](b"")) == b""


def test_the_contract_may_say_how_files_are_compressed(tmp_path: Path) -> None:
    path = tmp_path / "a.csv.zst"
    path.write_bytes(PACK["gzip"](TEXT))
    assert plain_text("a.csv.zst", path, tmp_path, "gzip").read_bytes() == TEXT
    assert plain_text("a.csv.zst", path, tmp_path, "none") == path
    with pytest.raises(DataRefused, match="this is no sound xz archive"):
        plain_text("a.csv.zst", path, tmp_path, "xz")


@pytest.mark.parametrize("kind", PACK)
@pytest.mark.parametrize("cut", [0.01, 0.5, 0.99])
def test_an_archive_that_is_cut_off_is_refused(tmp_path: Path, kind: str, cut: float) -> None:
    # What came before the cut looks like a shorter file; loading it would lose the rest.
    data = PACK[kind](TEXT)
    # The table of a zip archive is at its end, so nobody can tell how much is missing.
    said = "no sound zip archive" if kind == "zip" else f"the {kind} archive ends before its end"
    with pytest.raises(DataRefused, match=said):
        unpacked(tmp_path, data[: max(10, int(len(data) * cut))])


@pytest.mark.parametrize("kind", STREAMS)
def test_a_second_archive_that_is_damaged_is_no_end(tmp_path: Path, kind: str) -> None:
    # Python's readers of bzip2 and xz leave it out, and all that follows, without a word.
    first, second = PACK[kind](TEXT), PACK[kind](TEXT)
    with pytest.raises(DataRefused, match=rf"no sound {kind} archive"):
        unpacked(tmp_path, first + b"\x01" + second[1:] + PACK[kind](TEXT))


@pytest.mark.parametrize("kind", PACK)
@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data + b"garbage",
        lambda data: data[: len(data) // 2] + b"\xff" * 20 + data[len(data) // 2 + 20 :],
        lambda data: data[:-6] + b"\x00\x01\x02\x03\x04\x05",
    ],
    ids=["garbage behind", "garbage inside", "wrong checksum"],
)
def test_a_damaged_archive_is_refused(
    tmp_path: Path, kind: str, damage: Callable[[bytes], bytes], request: pytest.FixtureRequest
) -> None:
    data = damage(PACK[kind](NUMBERS))
    if kind == "zip" and request.node.callspec.id.startswith("garbage behind"):
        # The table is looked for from the end on, so that an archive may have a comment.
        assert unpacked(tmp_path, data) == NUMBERS
        return
    with pytest.raises(DataRefused, match=rf"{kind} archive"):
        unpacked(tmp_path, data)


@pytest.mark.parametrize("kind", PACK)
def test_plain_text_is_no_archive_of_the_contracts_kind(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(TEXT)
    with pytest.raises(DataRefused, match=rf"this is no sound {kind} archive .*get it again"):
        plain_text("a.csv", path, tmp_path, kind)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", PACK)
def test_an_archive_that_holds_too_much_is_refused_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    # GIVEN 64 MB in some kilobytes, and for zip a table that speaks of one byte
    data = bytearray(PACK[kind](bytes(64_000_000)))
    monkeypatch.setenv("CTI_MAX_DECOMPRESSED_BYTES", "1000000")
    # WHEN it is unpacked THEN it is refused, in memory that does not grow with what it holds
    tracemalloc.start()
    with pytest.raises(DataRefused, match=rf"the {kind} archive of .* holds more than 1,000,000"):
        unpacked(tmp_path, bytes(data))
    assert tracemalloc.get_traced_memory()[1] < 16_000_000
    tracemalloc.stop()
    # AND what it held is not left on the disk
    assert not list(tmp_path.glob("*.txt"))


def test_a_zip_archive_that_lies_about_its_size_is_refused(tmp_path: Path) -> None:
    # Cut at the size that its table has, the text would be a shorter file.
    data = zipped(text=b"a,b\n1,2\n3,4\n")
    sizes = (12).to_bytes(4, "little"), (8).to_bytes(4, "little")
    with pytest.raises(DataRefused, match="no sound zip archive"):
        unpacked(tmp_path, data.replace(*sizes))


@pytest.mark.parametrize(
    "names",
    [
        ("data/", "data/a.csv"),
        ("a.csv", "__MACOSX/", "__MACOSX/._a.csv"),
        ("data/", "data/.DS_Store", "data/a.csv", "__MACOSX/data/._a.csv"),
        (".a.csv",),
        ("__MACOSX/a.csv",),
    ],
)
def test_folders_and_what_finder_adds_are_no_files_of_a_zip_archive(
    tmp_path: Path, names: tuple[str, ...]
) -> None:
    assert unpacked(tmp_path, zipped(*names)) == TEXT


def encrypted() -> bytes:
    """A zip archive whose member is marked as encrypted, in its own header and in the table."""
    data = bytearray(zipped(text=b"x"))
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    return bytes(data)


def by_method(method: int) -> bytes:
    """A zip archive by a method that Python may not know."""
    data = bytearray(zipped(text=b"x"))
    data[8] = data[data.index(b"PK\x01\x02") + 10] = method
    return bytes(data)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (zipped("a.csv", "b.csv"), "the zip archive holds 2 files; pack each alone"),
        (zipped("data/"), "the zip archive holds 0 files"),
        (b"PK\x05\x06" + bytes(18), "the zip archive holds 0 files"),
        (encrypted(), "the zip archive is encrypted; pack it without a password"),
        (by_method(9), "packed by method 9, not Deflate; pack it as gzip"),
        (zipped(method=zipfile.ZIP_LZMA), "packed by method 14, not Deflate"),
        (zipped() + zipped("b.csv"), "begins with something else, such as another; part them"),
        (zipped("[Content_Types].xml", "xl/workbook.xml"), "this is an Excel workbook .* as CSV"),
    ],
)
def test_a_zip_archive_of_anything_but_one_file_is_refused_by_what_it_is(
    tmp_path: Path, data: bytes, problem: str
) -> None:
    with pytest.raises(DataRefused, match=problem):
        unpacked(tmp_path, data)


@pytest.mark.parametrize("text", ["0", "-1", "1e9", "٣", "9" * 5000])
def test_a_limit_that_is_no_number_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("CTI_MAX_DECOMPRESSED_BYTES", text)
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"a"))
    with pytest.raises(ConfigError, match="must be a whole number above 0"):
        plain_text("a.csv.gz", tmp_path / "a.csv.gz", tmp_path)
