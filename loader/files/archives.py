"""Compressed files: their text on disk."""

import bz2
import gzip
import hashlib
import lzma
import os
import re
import struct
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from loader.errors import ConfigError, DataRefused
from loader.files.kinds import Compression, compression_of

if sys.version_info >= (3, 14):
    from compression import zstd as zstd
else:
    from backports import zstd as zstd

_CHUNK = 1024 * 1024
_MAX_TEXT = 10 * 1024**3
# xz at its strongest needs 65 MiB.
_XZ_MEMORY = 256 * 1024**2
# gzip and bzip2 raise an OSError without a number for damage; zipfile raises many things.
_DAMAGED = (
    *(OSError, zlib.error, zstd.ZstdError, lzma.LZMAError),
    *(zipfile.BadZipFile, struct.error, ValueError, NotImplementedError),
)
# What Finder packs beside a file.
_FINDER = re.compile(r"(?:.*/)?(?:__MACOSX/.*|\.DS_Store)")


def plain_text(name: str, path: Path, spool: Path, compression: Compression | None = None) -> Path:
    """The file itself if it is not compressed, else its text in the spool.

    Its first bytes say how it is compressed, whatever it is called, unless `compression` does.
    Raises DataRefused for an archive that is cut off or damaged, or holds more than is allowed,
    and for a zip archive of anything but one file.
    """
    kind = compression or compression_of(path)
    if kind == "none":
        return path
    target, limit = spool / f"{hashlib.sha256(name.encode()).hexdigest()[:24]}.txt", _max_text()
    with path.open("rb") as file, target.open("wb") as out:
        try:
            for chunk in _CHUNKS[kind](file):
                if out.tell() + len(chunk) > limit:
                    target.unlink()
                    raise DataRefused(
                        f"the {kind} archive of {path.stat().st_size:,} bytes holds more than"
                        f" {limit:,} bytes of text; split it, or if it is sound, set"
                        " CTI_MAX_DECOMPRESSED_BYTES to more"
                    )
                out.write(chunk)
        except EOFError:
            raise DataRefused(
                f"the {kind} archive ends before its end: the file is cut off; get it again"
            ) from None
        except _DAMAGED as error:
            if isinstance(error, OSError) and error.errno:
                raise
            raise DataRefused(f"this is no sound {kind} archive ({error}); get it again") from None
    return target


def _read(open_archive: Callable[[Any], Any], what: object) -> Iterator[bytes]:
    with open_archive(what) as archive:
        yield from iter(partial(archive.read, _CHUNK), b"")


def _streams(
    decoder_of: Callable[[], bz2.BZ2Decompressor | lzma.LZMADecompressor], file: BinaryIO
) -> Iterator[bytes]:
    """The text of archives put one behind the other, with nothing but NULs between them.

    Python's own readers take a damaged one behind another for the end.
    """
    data = file.read(_CHUNK)
    while data:
        decoder = decoder_of()
        while not decoder.eof:
            if decoder.needs_input and not data and not (data := file.read(_CHUNK)):
                raise EOFError
            text, data = decoder.decompress(data, _CHUNK), b""
            if text:
                yield text
        data = decoder.unused_data.lstrip(b"\0")
        while not data and (more := file.read(_CHUNK)):
            data = more.lstrip(b"\0")


def _zip(file: BinaryIO) -> Iterator[bytes]:
    """The text of the one file in a zip archive. Raises DataRefused for any other archive."""
    with zipfile.ZipFile(file) as archive:
        entries, problem = archive.infolist(), None
        files = [entry for entry in entries if not entry.is_dir()]
        files = [e for e in files if len(files) == 1 or not _FINDER.fullmatch(e.filename)]
        if "[Content_Types].xml" in archive.namelist():
            problem = "this is an Excel workbook or another Office document; export it as CSV"
        elif len(files) != 1:
            problem = f"the zip archive holds {len(files):,} files; pack each alone"
        elif files[0].flag_bits & 1:
            problem = "the zip archive is encrypted; pack it without a password"
        elif files[0].compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            # Windows packs what is larger than 2 GB by method 9, Deflate64.
            method = files[0].compress_type
            problem = f"the zip archive is packed by method {method}, not Deflate; pack it as gzip"
        elif min(entry.header_offset for entry in entries):
            problem = "the zip archive begins with something else, such as another; part them"
        if problem:
            raise DataRefused(problem)
        yield from _read(archive.open, files[0])


_CHUNKS: dict[Compression, Callable[[BinaryIO], Iterator[bytes]]] = {
    "gzip": partial(_read, gzip.open),
    "zstd": partial(_read, zstd.open),
    "bzip2": partial(_streams, bz2.BZ2Decompressor),
    "xz": partial(_streams, partial(lzma.LZMADecompressor, lzma.FORMAT_XZ, _XZ_MEMORY)),
    "zip": _zip,
}


def _max_text() -> int:
    """How many bytes an archive may hold. Raises ConfigError."""
    text = os.environ.get("CTI_MAX_DECOMPRESSED_BYTES") or str(_MAX_TEXT)
    if not re.fullmatch("[0-9]{1,18}", text) or not int(text):
        raise ConfigError(
            f"CTI_MAX_DECOMPRESSED_BYTES={text[:30]!r}: must be a whole number above 0, of up to 18"
            " digits"
        )
    return int(text)
