"""A proxy before the S3 server that spoils what tests ask it to spoil, and passes on the rest.

Requests go on as they came, Host header and all, since that is what their signature is of.
"""

from __future__ import annotations

import http.client
import re
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, ClassVar, Literal, Self
from urllib.parse import parse_qs, unquote, urlsplit

__all__ = ["Answer", "Deed", "Request", "S3Proxy", "Strike"]

_HOP = {"connection", "expect", "transfer-encoding", "keep-alive"}
_UPSTREAM_SECONDS = 30


@dataclass(frozen=True)
class Request:
    """A request. kind: list, get, head, put, delete or post. key: of a listing, its prefix."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes = b""

    @property
    def kind(self) -> str:
        path = urlsplit(self.target).path
        is_bucket = not path.strip("/").partition("/")[2]
        return "list" if self.method == "GET" and is_bucket else self.method.lower()

    @property
    def key(self) -> str:
        if self.kind == "list":
            return self.query("prefix")
        return unquote(urlsplit(self.target).path).strip("/").partition("/")[2]

    def query(self, name: str) -> str:
        return parse_qs(urlsplit(self.target).query).get(name, [""])[0]


@dataclass(frozen=True)
class Answer:
    """An answer, and how its end is sent.

    sent: how many bytes of the body; all if None. then: keep the connection, close it in order,
    reset it, or send nothing more and wait until the client goes away.
    """

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    sent: int | None = None
    then: Literal["keep", "close", "reset", "stall"] = "keep"

    def with_header(self, name: str, value: str | None) -> Answer:
        """The same with another value of a header; None for without."""
        others = tuple(h for h in self.headers if h[0].lower() != name.lower())
        return replace(self, headers=others if value is None else (*others, (name, value)))

    def header(self, name: str) -> str | None:
        return next((v for n, v in self.headers if n.lower() == name.lower()), None)


Forward = Callable[[Request], Answer]
Deed = Callable[[Request, Forward], Answer]


@dataclass
class Strike:
    """What is done to requests of a kind for keys that the pattern is found in.

    times: how often; None for ever. after: how many such requests pass unharmed before.
    """

    kind: str
    deed: Deed
    times: int | None = None
    key: str = ""
    after: int = 0
    seen: int = 0
    struck: int = 0

    def takes(self, request: Request) -> bool:
        if request.kind != self.kind or not re.search(self.key, request.key):
            return False
        self.seen += 1
        if self.seen <= self.after or (self.times is not None and self.struck >= self.times):
            return False
        self.struck += 1
        return True


@dataclass
class S3Proxy:
    """Listens on the loopback interface while it is a context. seen: the kinds of requests."""

    upstream: str
    strikes: list[Strike] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __enter__(self) -> Self:
        proxy = self

        class Handler(_Handler):
            owner: ClassVar[S3Proxy] = proxy

        self._server = _Server(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def strike(
        self, kind: str, deed: Deed, times: int | None = None, key: str = "", after: int = 0
    ) -> Strike:
        """Spoils answers from now on; several strikes may hold, the first that fits is taken."""
        strike = Strike(kind, deed, times, key, after)
        with self.lock:
            self.strikes.append(strike)
        return strike

    def calm(self) -> None:
        """Spoils nothing any more."""
        with self.lock:
            self.strikes.clear()
            self.seen.clear()

    def answer(self, request: Request) -> Answer:
        with self.lock:
            self.seen.append(request.kind)
            due = next((s for s in self.strikes if s.takes(request)), None)
        return due.deed(request, self.forward) if due else self.forward(request)

    def forward(self, request: Request) -> Answer:
        """The server's own answer."""
        server = urlsplit(self.upstream)
        connection = http.client.HTTPConnection(
            str(server.hostname), server.port, timeout=_UPSTREAM_SECONDS
        )
        try:
            connection.putrequest(
                request.method, request.target, skip_host=True, skip_accept_encoding=True
            )
            for name, value in request.headers:
                if name.lower() not in _HOP:
                    connection.putheader(name, value)
            connection.endheaders(request.body)
            got = connection.getresponse()
            headers = tuple((n, v) for n, v in got.getheaders() if n.lower() not in _HOP)
            return Answer(got.status, headers, got.read())
        finally:
            connection.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def shutdown_request(self, request: Any) -> None:
        # Without the orderly end that comes before a close elsewhere: it would hide a reset.
        self.close_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hung up is what half of the tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    owner: ClassVar[S3Proxy]

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        request = Request(self.command, self.path, tuple(self.headers.items()), body)
        self._send(self.owner.answer(request))

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _serve  # noqa: N815

    def _send(self, answer: Answer) -> None:
        if answer.sent != -1:
            self.send_response_only(answer.status)
            for name, value in answer.headers:
                self.send_header(name, value)
            if answer.header("Content-Length") is None:
                self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body[: answer.sent])
            self.wfile.flush()
        if answer.then == "stall":
            self.connection.settimeout(_UPSTREAM_SECONDS)
            try:
                self.connection.recv(1)  # ends when the client hangs up
            except TimeoutError:
                self.owner.seen.append("the client waited for ever")
        if answer.then == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = self.close_connection or answer.then != "keep"

    def log_message(self, *args: Any) -> None:
        """Says nothing."""
