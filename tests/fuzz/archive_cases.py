"""Damaged archives: a clear refusal or the right content, never anything else."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import random
import re
import tempfile
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, get_args

from loader.errors import DataRefused
from loader.files.archives import plain_text, zstd

__all__ = ["ArchiveCases", "HostileArchive"]

Kind = Literal["gzip", "zstd", "bzip2", "xz", "zip"]
_MAGIC = (b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd", b"\x50\x2a\x4d\x18")
# A checksum, as the zstd command writes; without one no reader can see that a byte was changed.
_CHECKSUM = {int(zstd.CompressionParameter.checksum_flag): 1}


@dataclass(frozen=True)
class HostileArchive:
    """data: what became of an archive. parts: the texts of its members."""

    kind: Kind
    data: bytes
    parts: tuple[bytes, ...]

    def may_hold(self, text: bytes) -> bool:
        """Whether it is members, whole ones; that some are missing or doubled nobody can see."""
        return bool(re.fullmatch(b"(?:%b)*" % b"|".join(map(re.escape, self.parts)), text))

    def with_data(self, data: bytes) -> HostileArchive:
        return replace(self, data=data)

    def __str__(self) -> str:
        return f"a {self.kind} archive of {self.parts!r:.500}"


class ArchiveCases:
    """Checks archives one after the other."""

    name = "archives"

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory()

    def make(self, seed: int, number: int) -> HostileArchive:
        rng = random.Random(f"{seed}:{number}")
        kind = rng.choice(get_args(Kind))
        members = 1 if kind == "zip" else rng.choice([1, 1, 1, 2, 3])
        parts = tuple(_text(rng) for _ in range(members))
        data = b"".join(_compressed(rng, kind, part) for part in parts)
        for _ in range(rng.choice([0, 1, 1, 1, 2, 5])):
            data = _damaged(rng, data)
        return HostileArchive(kind, data, parts)

    def check(self, archive: HostileArchive) -> None:
        """Raises AssertionError, or what the loader raises, if it is no refusal."""
        path = Path(self._folder.name) / "data.csv"
        path.write_bytes(archive.data)
        for kind in (archive.kind, None):
            text = _text_of(path, kind)
            # Without a word of the contract's, what does not begin as an archive is taken for text.
            itself = kind is None and text == archive.data
            assert text is None or itself or archive.may_hold(text), f"read as {text!r:.500}"

    def close(self) -> None:
        self._folder.cleanup()


def _text_of(path: Path, kind: Kind | None) -> bytes | None:
    try:
        return plain_text(path.name, path, path.parent, kind).read_bytes()
    except DataRefused as error:
        _check_refusal(str(error))
        return None


def _check_refusal(message: str) -> None:
    assert "archive" in message, message
    assert "get it again" in message or message.startswith("the zip archive"), message


def _text(rng: random.Random) -> bytes:
    lines = [f"{rng.randrange(10**6)},some words,{n}\n" for n in range(rng.choice([0, 1, 9, 200]))]
    return "".join(lines).encode()


def _compressed(rng: random.Random, kind: Kind, text: bytes) -> bytes:
    if kind == "gzip":
        return gzip.compress(text, rng.choice([0, 1, 9]), mtime=rng.randrange(2**31))
    if kind == "bzip2":
        return bz2.compress(text, rng.choice([1, 9]))
    if kind == "xz":
        return lzma.compress(text)
    if kind == "zip":
        packed = io.BytesIO()
        method = rng.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
        with zipfile.ZipFile(packed, "w", method) as archive:
            archive.writestr("data.csv", text)
        return packed.getvalue()
    return zstd.compress(text, options=_CHECKSUM)


def _damaged(rng: random.Random, data: bytes) -> bytes:
    """The archive after an accident. Headers and ends are short, and so hit more often."""
    edge = rng.choice([len(data), len(data), 24])
    here = min(rng.randrange(edge + 1), len(data))
    if rng.random() < 0.2:
        here = len(data) - min(here, len(data))
    there = min(len(data), here + rng.choice([1, 1, 2, 8, 100]))
    before, span, after = data[:here], data[here:there], data[there:]
    match rng.randrange(8):
        case 0 | 1:
            flipped = bytes(byte ^ 1 << rng.randrange(8) for byte in span[:1])
            return before + flipped + span[1:] + after
        case 2:
            return before + rng.randbytes(len(span)) + after
        case 3:
            return before
        case 4:
            return before + after
        case 5:
            return before + rng.choice([b"\0", b"\xff", b"\0" * 9, b"\n", span]) + span + after
        case 6:
            return data + rng.choice([b"\0", b"\0" * 512, b"x", *_MAGIC, data])
        case _:
            return after
