"""The front door: connections, TLS, passwords, cancel requests."""

from __future__ import annotations

import contextlib
import hashlib
import secrets
import socket
import struct
import threading
from typing import TYPE_CHECKING

from rig.backend import Backend, BackendError
from rig.errors import RigError
from rig.ports import LOOPBACK
from rig.protocol import (
    CANCEL_REQUEST,
    GSS_REQUEST,
    PROTOCOL_3,
    SSL_REQUEST,
    Stream,
    fields_message,
    message,
    parameter_status,
    parse_pairs,
)
from rig.session import Session

if TYPE_CHECKING:
    import ssl

    from rig.server import RedshiftRig

# Of the client's start-up parameters. Redshift's drivers send many more, about themselves, that
# PostgreSQL does not know; `options` could change settings behind the rig's back.
_FORWARDED = ("application_name",)
_STATUSES = {
    # AWS, "Amazon Redshift and PostgreSQL": based on PostgreSQL 8.0.2; the drivers look at it.
    "server_version": "8.0.2",
    "server_encoding": "UTF8",
    "client_encoding": "UTF8",
    "DateStyle": "ISO, MDY",
    "TimeZone": "UTC",
    "integer_datetimes": "on",
    "is_superuser": "off",
    "standard_conforming_strings": "off",
}


class Front:
    """Listens on the loopback interface and serves every connection in a thread of its own.

    Port 0 takes a free one; `port` tells which.
    """

    def __init__(self, rig: RedshiftRig, tls: ssl.SSLContext, port: int) -> None:
        self._rig = rig
        self._tls = tls
        self._lock = threading.Lock()
        self._sessions: dict[bytes, tuple[Session, Backend]] = {}
        self._connections: set[socket.socket] = set()
        self._stopping = False
        self._listener = socket.create_server((LOOPBACK, port), backlog=64)
        self.port = int(self._listener.getsockname()[1])
        self._threads = [threading.Thread(target=self._accept, name="rig-accept", daemon=True)]
        self._threads[0].start()

    def stop(self) -> None:
        """Take no more connections and cut those there are."""
        self._stopping = True
        # Closing alone does not wake a thread that waits in accept().
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            connections = list(self._connections)
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def join(self) -> None:
        """Wait for the threads to end, once PostgreSQL is gone too."""
        for thread in self._threads:
            thread.join(5)

    def _accept(self) -> None:
        while not self._stopping:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            thread = threading.Thread(
                target=self._serve, args=(connection,), name="rig-session", daemon=True
            )
            self._threads = [t for t in self._threads if t.is_alive()]
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with self._lock:
            self._connections.add(connection)
        opened: list[socket.socket] = [connection]
        try:
            self._serve_connection(connection, opened)
        except (OSError, EOFError):
            # The client left, or the rig is stopping.
            pass
        finally:
            with self._lock:
                self._connections.difference_update(opened)
            for sock in opened:
                with contextlib.suppress(OSError):
                    sock.close()

    def _serve_connection(self, connection: socket.socket, opened: list[socket.socket]) -> None:
        while True:
            body = _read_startup(connection)
            (code,) = struct.unpack_from("!i", body)
            if code == SSL_REQUEST:
                connection.sendall(b"S")
                connection = self._tls.wrap_socket(connection, server_side=True)
                opened.append(connection)
                with self._lock:
                    self._connections.add(connection)
            elif code == GSS_REQUEST:
                connection.sendall(b"N")
            elif code == CANCEL_REQUEST:
                self._cancel(body[4:])
                return
            elif code == PROTOCOL_3:
                break
            else:
                raise EOFError("unknown protocol")
        stream = Stream(connection)
        try:
            self._serve_session(stream, parse_pairs(body))
        finally:
            stream.close()

    def _serve_session(self, stream: Stream, parameters: dict[str, str]) -> None:
        user = parameters.get("user", "")
        if not self._authenticate(stream, user):
            _fatal(stream, "28000", f'password authentication failed for user "{user}"')
            return
        database = parameters.get("database", user)
        kept = {name: parameters[name] for name in _FORWARDED if name in parameters}
        try:
            backend = Backend.open(
                self._rig.backend_socket, kept | {"user": user, "database": database}
            )
        except BackendError as error:
            _fatal(stream, error.fields.get("C", "XX000"), error.fields.get("M", ""))
            return
        except RigError as error:
            _fatal(stream, "57P03", str(error))
            return
        session = Session(self._rig, stream, backend, database)
        key = backend.cancel_key
        with self._lock:
            self._sessions[key] = (session, backend)
        try:
            statuses = _STATUSES | {"session_authorization": user}
            stream.send(
                message(b"R", struct.pack("!i", 0))
                + b"".join(parameter_status(*status) for status in statuses.items())
                + message(b"K", key)
                + message(b"Z", b"I")
            )
            session.serve()
        finally:
            with self._lock:
                self._sessions.pop(key, None)
            backend.close()
            self._rig.load_log.end_session(backend.pid)

    def _authenticate(self, stream: Stream, user: str) -> bool:
        """Ask for the password, hashed with a salt (AuthenticationMD5Password)."""
        salt = secrets.token_bytes(4)
        stream.send(message(b"R", struct.pack("!i", 5) + salt))
        kind, body = stream.read()
        wanted = "md5" + _md5(_md5(self._rig.password + self._rig.user).encode() + salt)
        given = body[:-1].decode("utf-8", "replace")
        return kind == b"p" and user == self._rig.user and secrets.compare_digest(given, wanted)

    def _cancel(self, key: bytes) -> None:
        with self._lock:
            found = self._sessions.get(key)
        if found is not None:
            session, backend = found
            session.cancelled.set()
            with contextlib.suppress(OSError):
                backend.cancel()


def _md5(text: str | bytes) -> str:
    data = text.encode() if isinstance(text, str) else text
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def _read_startup(connection: socket.socket) -> bytes:
    """Read a start-up message byte for byte: behind it TLS may begin."""
    (length,) = struct.unpack("!i", _receive(connection, 4))
    if not 8 <= length <= 10_000:
        raise EOFError("not a start-up message")
    return _receive(connection, length - 4)


def _receive(connection: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        more = connection.recv(count - len(data))
        if not more:
            raise EOFError("the connection was closed")
        data += more
    return data


def _fatal(stream: Stream, code: str, text: str) -> None:
    stream.send(fields_message(b"E", {"S": "FATAL", "C": code, "M": text}))
