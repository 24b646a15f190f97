"""Turns text of any encoding into UTF-8."""

import codecs
from collections.abc import Iterator
from typing import BinaryIO

from loader.errors import DataRefused

_MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


def as_utf8(file: BinaryIO, encoding: str, block_bytes: int) -> Iterator[bytes]:
    """The text as UTF-8, without a byte order mark, in blocks of some size.

    A byte that the encoding does not have makes its record no UTF-8. Raises DataRefused.
    """
    name = codecs.lookup(encoding).name
    # In these a unit has several bytes, so what stands alone is half of a character.
    wide = name.startswith(("utf-16", "utf-32"))
    decoder = codecs.getincrementaldecoder(name)("surrogatepass" if wide else "surrogateescape")
    position, first = 0, True
    while True:
        data = file.read(block_bytes)
        for mark, other in () if position or wide else _MARKS.items():
            if data.startswith(mark) and name != other:
                raise DataRefused(
                    f"the file begins with the mark of {other}; the contract says that it is"
                    f" {encoding} (key encoding)"
                )
        try:
            decoded = decoder.decode(data, final=not data)
        except UnicodeError as error:
            hint = (
                " If it has no mark at its beginning, say utf-16-le or utf-16-be." if wide else ""
            )
            raise DataRefused(
                f"near byte {position:,}: {getattr(error, 'reason', error)}; the contract says that"
                f" the file is {encoding} (key encoding).{hint}"
            ) from None
        position += len(data)
        if first and decoded:
            decoded, first = decoded.removeprefix("\ufeff"), False
        # Of a byte that is carried on in a surrogate, UTF-8 is no text; the byte itself may be.
        yield decoded.encode("utf-8", "surrogatepass")
        if not data:
            return
