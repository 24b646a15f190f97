"""Compressed files: what compresses them, and their text on disk."""

import gzip
import hashlib
import os
import re
import sys
import zlib
from pathlib import Path
from typing import Literal

from loader.errors import ConfigError, DataRefused

if sys.version_info >= (3, 14):
    from compression import zstd as zstd
else:
    from backports import zstd as zstd

Compression = Literal["none", "gzip", "zstd"]

_CHUNK = 1024 * 1024
_MAX_TEXT = 10 * 1024**3
_DAMAGED = (gzip.BadGzipFile, zlib.error, zstd.ZstdError)
_SUFFIXES: dict[str, Compression] = {".gz": "gzip", ".zst": "zstd"}


def compression_of(name: str, compression: Compression | None = None) -> Compression:
    """How a file is compressed: as the contract says, else by its suffix."""
    return compression or _SUFFIXES.get(Path(name).suffix.lower(), "none")


def plain_text(name: str, path: Path, spool: Path, compression: Compression | None = None) -> Path:
    """The file itself if it is not compressed, else its text in the spool.

    name: its suffix, .gz or .zst, says how it is compressed unless `compression` does. Raises
    DataRefused for an archive that is cut off or damaged, or holds more than is allowed.
    """
    kind = compression_of(name, compression)
    if kind == "none":
        return path
    target = spool / f"{hashlib.sha256(name.encode()).hexdigest()[:24]}.txt"
    limit, open_archive = _max_text(), gzip.open if kind == "gzip" else zstd.open
    with open_archive(path) as archive, target.open("wb") as out:
        try:
            while chunk := archive.read(_CHUNK):
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
            raise DataRefused(f"this is no sound {kind} archive ({error}); get it again") from None
    return target


def _max_text() -> int:
    """How many bytes an archive may hold. Raises ConfigError."""
    text = os.environ.get("CTI_MAX_DECOMPRESSED_BYTES") or str(_MAX_TEXT)
    if not re.fullmatch("[0-9]{1,18}", text) or not int(text):
        raise ConfigError(
            f"CTI_MAX_DECOMPRESSED_BYTES={text[:30]!r}: must be a whole number above 0, of up to 18"
            " digits"
        )
    return int(text)
