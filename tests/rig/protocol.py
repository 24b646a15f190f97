"""Messages of the PostgreSQL protocol, version 3, as bytes.

Source: PostgreSQL documentation, "Frontend/Backend Protocol", which Amazon Redshift's drivers
speak as PostgreSQL 8.0 defined it.
"""

from __future__ import annotations

import contextlib
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import socket

PROTOCOL_3 = 196608
SSL_REQUEST = 80877103
GSS_REQUEST = 80877104
CANCEL_REQUEST = 80877102

_TEXT_OID = 25
_VARCHAR_OID = 1043
# severity, SQLSTATE, message, detail, hint, positions, context, file, line, routine: what
# PostgreSQL 8.0 knew. Later fields (schema, table, column, constraint) a Redshift never sends.
_FIELDS_OF_8_0 = frozenset("SCMDHPpqWFLR")


class Stream:
    """Whole messages over a blocking socket.

    Reading past the other side's end raises EOFError; a broken connection raises OSError.
    """

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self._reader = sock.makefile("rb", buffering=65536)

    def read_exactly(self, count: int) -> bytes:
        """Return `count` bytes."""
        data: bytes = self._reader.read(count)
        if len(data) != count:
            raise EOFError("the connection was closed")
        return data

    def read_untagged(self) -> bytes:
        """Return the body of a start-up message, which has no type byte."""
        (length,) = struct.unpack("!i", self.read_exactly(4))
        return self.read_exactly(length - 4)

    def read(self) -> tuple[bytes, bytes]:
        """Return the type byte and the body of the next message."""
        header = self.read_exactly(5)
        (length,) = struct.unpack("!i", header[1:])
        return header[:1], self.read_exactly(length - 4)

    def send(self, data: bytes) -> None:
        """Send messages made by message()."""
        self.sock.sendall(data)

    def close(self) -> None:
        """Close the socket; never raises."""
        for closing in (self._reader.close, self.sock.close):
            with contextlib.suppress(OSError):
                closing()


def message(kind: bytes, body: bytes = b"") -> bytes:
    """Frame one message; `kind` is empty for start-up messages."""
    return kind + struct.pack("!i", len(body) + 4) + body


def parse_pairs(body: bytes) -> dict[str, str]:
    """Read the name/value pairs of a start-up message, after its protocol number."""
    parts = body[4:].split(b"\0")
    names, values = parts[0::2], parts[1::2]
    return {
        name.decode(): value.decode() for name, value in zip(names, values, strict=False) if name
    }


def startup(parameters: dict[str, str]) -> bytes:
    """Make the start-up message with these parameters."""
    pairs = b"".join(f"{name}\0{value}\0".encode() for name, value in parameters.items())
    return message(b"", struct.pack("!i", PROTOCOL_3) + pairs + b"\0")


def parse_fields(body: bytes) -> dict[str, str]:
    """Read the single-letter fields of an error or notice."""
    return {
        part[:1].decode(): part[1:].decode("utf-8", "replace") for part in body.split(b"\0") if part
    }


def fields_message(kind: bytes, fields: dict[str, str]) -> bytes:
    """Make an error (E) or notice (N) with those of `fields` that PostgreSQL 8.0 knew."""
    body = b"".join(
        name.encode() + value.encode() + b"\0"
        for name, value in fields.items()
        if name in _FIELDS_OF_8_0
    )
    return message(kind, body + b"\0")


def parameter_status(name: str, value: str) -> bytes:
    """Tell the client the value of a server parameter."""
    return message(b"S", f"{name}\0{value}\0".encode())


def parse_row(body: bytes) -> list[str | None]:
    """Read a data row of text values."""
    (count,) = struct.unpack_from("!h", body)
    values: list[str | None] = []
    at = 2
    for _ in range(count):
        (length,) = struct.unpack_from("!i", body, at)
        at += 4
        if length < 0:
            values.append(None)
        else:
            values.append(body[at : at + length].decode())
            at += length
    return values


def text_as_varchar(body: bytes) -> bytes:
    """Rename type text to varchar in a row description: Redshift has no type text.

    Source: AWS, "Character types" (TEXT is converted to VARCHAR).
    """
    described = bytearray(body)
    (count,) = struct.unpack_from("!h", described)
    at = 2
    for _ in range(count):
        at = described.index(0, at) + 1
        if struct.unpack_from("!i", described, at + 6)[0] == _TEXT_OID:
            struct.pack_into("!i", described, at + 6, _VARCHAR_OID)
        at += 18
    return bytes(described)
