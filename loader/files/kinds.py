"""What a file is by its first bytes: an archive, or something else that is no delimited text."""

import re
from pathlib import Path
from typing import BinaryIO, Literal

Compression = Literal["none", "gzip", "zstd", "bzip2", "xz", "zip"]

# How many bytes tell; a tar archive shows itself last, after 257.
_HEAD = 512
# By suffix and by beginning. No text begins so: each has a control character, a byte that is no
# UTF-8, or ten of bzip2's own. pzstd writes one of RFC 8878's skippable frames first.
_ARCHIVES: dict[Compression, tuple[str, bytes]] = {
    "gzip": (".gz", rb"\x1f\x8b"),
    "zstd": (".zst", rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18"),
    "bzip2": (".bz2", rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)"),
    "xz": (".xz", rb"\xfd7zXZ\x00"),
    "zip": (".zip", rb"PK(?:\x03\x04|\x05\x06|\x07\x08)"),
}
# A text may begin as some of these do.
_OTHERS = {
    rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": "an Excel workbook (.xls)",
    rb"PAR1(?s:.*)[\x00-\x08]": "a Parquet file",
    rb"ORC(?s:.*)[\x00-\x08]": "an ORC file",
    rb"Obj\x01": "an Avro file",
    rb"%PDF-": "a PDF",
    rb"(?s:.{257})ustar": "a tar archive",
    rb"7z\xbc\xaf\x27\x1c": "a 7z archive",
    rb'(?:\xef\xbb\xbf)?\s*(?:\{\s*["}]|\[\s*[\[{"])': "JSON",
    rb"(?:\xef\xbb\xbf)?\s*<(?i:!doctype|html|head|body|table|script|style|meta|!--|\?xml)": (
        "HTML or XML, such as an error page"
    ),
    **{begin: f"a {kind} archive" for kind, (_, begin) in _ARCHIVES.items()},
}


def head_of(file: BinaryIO) -> bytes:
    """The bytes that tell what a file is."""
    file.seek(0)
    return file.read(_HEAD)


def compression_of(path: Path) -> Compression:
    """How a file is compressed, by its first bytes. Raises OSError."""
    with path.open("rb") as file:
        head = head_of(file)
    return next((kind for kind, (_, begin) in _ARCHIVES.items() if re.match(begin, head)), "none")


def named_compression(name: str) -> Compression:
    """How a file that nobody has read is compressed, as its name has it."""
    suffix = Path(name).suffix.lower()
    return next((kind for kind, (own, _) in _ARCHIVES.items() if own == suffix), "none")


def no_text(head: bytes) -> str | None:
    """What a file without a fitting header is instead, and what to do; None if nobody knows."""
    found = (what for begin, what in _OTHERS.items() if re.match(begin, head))
    return next((f"this is {what}, not delimited text; export it as CSV" for what in found), None)
