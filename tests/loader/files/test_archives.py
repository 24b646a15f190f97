"""Compressed files: read whole, or refused."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from loader.errors import ConfigError, DataRefused
from loader.files.archives import plain_text, zstd

if TYPE_CHECKING:
    pass


TEXT = b"a,b\n" + b"1,2\n" * 100_000


def packed(kind: str) -> bytes:
    return gzip.compress(TEXT, mtime=0) if kind == "gzip" else zstd.compress(TEXT)


SUFFIXES = {"gzip": ".gz", "zstd": ".zst"}


@pytest.mark.parametrize("kind", ["gzip", "zstd"])
@pytest.mark.parametrize("times", [1, 3])
def test_an_archive_is_unpacked_whole(tmp_path: Path, kind: str, times: int) -> None:
    # Archives put one behind the other are one text, as command-line tools have it.
    name = f"a.csv{SUFFIXES[kind].upper()}"
    path = tmp_path / name
    path.write_bytes(packed(kind) * times)
    assert plain_text(name, path, tmp_path).read_bytes() == TEXT * times


def test_the_contract_may_say_how_files_are_compressed(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(packed("gzip"))
    assert plain_text("a.csv", path, tmp_path, "gzip").read_bytes() == TEXT
    assert plain_text("a.csv.gz", path, tmp_path, "none") == path
    assert plain_text("a.csv", path, tmp_path) == path


@pytest.mark.parametrize("kind", ["gzip", "zstd"])
@pytest.mark.parametrize("cut", [0.01, 0.5, 0.99])
def test_an_archive_that_is_cut_off_is_refused(tmp_path: Path, kind: str, cut: float) -> None:
    # What came before the cut looks like a shorter file; loading it would lose the rest.
    data = packed(kind)
    path = tmp_path / f"a.csv{SUFFIXES[kind]}"
    path.write_bytes(data[: max(6, int(len(data) * cut))])
    with pytest.raises(DataRefused, match=rf"the {kind} archive ends before its end"):
        plain_text(path.name, path, tmp_path)


@pytest.mark.parametrize("kind", ["gzip", "zstd"])
@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"a,b\n1,2\n",
        lambda data: data + b"garbage",
        lambda data: data[: len(data) // 2] + b"\xff" * 20 + data[len(data) // 2 + 20 :],
        lambda data: data[:-6] + b"\x00\x01\x02\x03\x04\x05",
    ],
    ids=["plain text", "garbage behind", "garbage inside", "wrong checksum"],
)
def test_a_damaged_archive_is_refused(
    tmp_path: Path, kind: str, damage: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / f"a.csv{SUFFIXES[kind]}"
    path.write_bytes(damage(packed(kind)))
    with pytest.raises(DataRefused, match=rf"{kind} archive"):
        plain_text(path.name, path, tmp_path)


@pytest.mark.parametrize("text", ["0", "-1", "1e9", "٣", "9" * 5000])
def test_a_limit_that_is_no_number_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("CTI_MAX_DECOMPRESSED_BYTES", text)
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"a"))
    with pytest.raises(ConfigError, match="must be a whole number above 0"):
        plain_text("a.csv.gz", tmp_path / "a.csv.gz", tmp_path)
