"""A connection to the PostgreSQL behind the rig, for forwarded messages and for its own SQL."""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Iterable
from dataclasses import dataclass

from rig.errors import RigError, RigStartError
from rig.protocol import (
    CANCEL_REQUEST,
    Stream,
    message,
    parse_fields,
    parse_row,
    startup,
)


class BackendError(RigError):
    """PostgreSQL refused a statement of the rig's own. `fields` are its error fields."""

    def __init__(self, fields: dict[str, str]) -> None:
        super().__init__(f"{fields.get('C')}: {fields.get('M')} {fields.get('W', '')}".strip())
        self.fields = fields


@dataclass
class Result:
    """What a statement gave: its rows (text values) and its command tag."""

    rows: list[list[str | None]]
    tag: str


class Backend:
    """One session of PostgreSQL.

    `status` is the transaction status of the last ReadyForQuery: I idle, T in a transaction,
    E in a failed one.
    """

    def __init__(self, stream: Stream, path: str) -> None:
        self.stream = stream
        self.status = "I"
        self.pid = 0
        self.parameters: dict[str, str] = {}
        self._path = path
        self.cancel_key = b""

    @classmethod
    def open(cls, path: str, parameters: dict[str, str]) -> Backend:
        """Connect over the unix socket `path`.

        Raises BackendError when the session is refused (no such database or user), OSError or
        EOFError when no server answers.
        """
        sock = socket.socket(socket.AF_UNIX)
        try:
            sock.connect(path)
        except OSError:
            sock.close()
            raise
        backend = cls(Stream(sock), path)
        try:
            backend._start(parameters)
        except BaseException:
            backend.stream.close()
            raise
        return backend

    def _start(self, parameters: dict[str, str]) -> None:
        self.stream.send(startup(parameters))
        while True:
            kind, body = self.stream.read()
            if kind == b"E":
                fields = parse_fields(body)
                if fields.get("C") == "57P03":
                    raise RigStartError(fields.get("M", "PostgreSQL is starting"))
                raise BackendError(fields)
            if kind == b"S":
                name, value = body[:-1].split(b"\0")
                self.parameters[name.decode()] = value.decode()
            elif kind == b"K":
                (self.pid,) = struct.unpack_from("!i", body)
                self.cancel_key = body
            elif kind == b"Z":
                return

    def read(self) -> tuple[bytes, bytes]:
        """Return the next message, minding the transaction status it may carry."""
        kind, body = self.stream.read()
        if kind == b"Z":
            self.status = body.decode()
        return kind, body

    def query(self, sql: str, data: Iterable[bytes] | None = None) -> Result:
        """Run SQL of the rig's own in this session, sending `data` to a COPY FROM STDIN in it.

        Several statements may be given; the rows are those of all of them, the tag the last.
        Raises BackendError with the first error, once the session is ready again. An error raised
        by `data` itself ends the COPY and comes out as it is.
        """
        self.stream.send(message(b"Q", sql.encode() + b"\0"))
        rows: list[list[str | None]] = []
        tag = ""
        error: dict[str, str] | None = None
        source_error: RigError | None = None
        while True:
            kind, body = self.read()
            if kind == b"G":
                source_error = self._feed(data or ())
            elif kind == b"D":
                rows.append(parse_row(body))
            elif kind == b"C":
                tag = body[:-1].decode()
            elif kind == b"E":
                error = error or parse_fields(body)
            elif kind == b"Z":
                break
        if source_error is not None:
            raise source_error
        if error is not None:
            raise BackendError(error)
        return Result(rows, tag)

    def _feed(self, data: Iterable[bytes]) -> RigError | None:
        """Send COPY data; returns the error that cut it short."""
        try:
            for block in data:
                self.stream.send(message(b"d", block))
        except RigError as error:
            self.stream.send(message(b"f", b"the source of the data failed\0"))
            return error
        self.stream.send(message(b"c"))
        return None

    def value(self, sql: str) -> str | None:
        """Return the only value of the only row of a query."""
        (row,) = self.query(sql).rows
        return row[0]

    def cancel(self) -> None:
        """Ask PostgreSQL to cancel what this session runs; safe from another thread."""
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(self._path)
            sock.sendall(message(b"", struct.pack("!i", CANCEL_REQUEST) + self.cancel_key))
            # Wait until it has been dealt with, so that it cannot hit the next statement.
            sock.settimeout(5)
            sock.recv(1)

    def close(self) -> None:
        """End the session; never raises."""
        with contextlib.suppress(OSError):
            self.stream.send(message(b"X"))
        self.stream.close()
