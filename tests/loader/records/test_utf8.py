"""The engine reads a text only if it is UTF-8, so the strict reader need not look where both read.

The borders between the classes of bytes: Unicode, "Table 3-7. Well-Formed UTF-8 Byte Sequences".
"""

from __future__ import annotations

from itertools import product
from pathlib import Path

import duckdb
import pytest

from loader.records import engine
from loader.records.dialect import Dialect

_LEADS = bytes.fromhex("80bf c0c1c2df e0e1ecedeeef f0f1f3f4f5 f8fcfeff")
_FOLLOWERS = bytes.fromhex("41 7f 808f 909f a0bf c0e0f0ff")


def _sequences() -> list[bytes]:
    """Every lead byte at a border of its class, with up to three bytes after it."""
    following = [bytes(p) for n in range(3) for p in product(_FOLLOWERS, repeat=n)]
    long = [bytes(p) for p in product(_FOLLOWERS[2:6], repeat=3)]
    leads = [bytes([lead]) for lead in _LEADS]
    return [lead + rest for lead in leads for rest in [*following, *long]]


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


@pytest.mark.slow
def test_the_engine_reads_utf8_and_nothing_else(tmp_path: Path) -> None:
    path, names = tmp_path / "x.csv", ("a", "b")
    query = engine.select_text([path], names, names, Dialect())
    sequences = _sequences()
    assert 100 < sum(map(_is_utf8, sequences)) < len(sequences) / 2
    with engine.connect() as connection:
        for number, text in enumerate(sequences):
            quote = b'"' * (number % 2)
            path.write_bytes(b"a,b\nx," + quote + text + quote + b"\n")
            try:
                rows = connection.execute(f"select strlen(b) from ({query})").fetchall()
            except duckdb.Error:
                rows = []
            assert rows == ([(len(text),)] if _is_utf8(text) else []), text
