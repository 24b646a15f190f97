"""Messages to PostgreSQL, and its answers on to the client in Redshift's manner."""

from __future__ import annotations

from rig.backend import Backend, BackendError
from rig.error_words import client_fields
from rig.protocol import fields_message, message, parse_fields, text_as_varchar
from rig.session_state import Output


class Relay:
    """Stands between one client's output and its session of PostgreSQL."""

    def __init__(self, backend: Backend, output: Output) -> None:
        self._backend = backend
        self._output = output

    def forward(self, kind: bytes, body: bytes, *until: bytes) -> bool:
        """Send a message on and pass the answers back, up to one of the kinds in `until`.

        Returns False when an error came instead.
        """
        self._backend.stream.send(message(kind, body) + message(b"H"))
        while True:
            got, answer = self._backend.read()
            self._pass_on(got, answer)
            if got == b"E":
                return False
            if got in until:
                return True

    def _pass_on(self, kind: bytes, body: bytes) -> None:
        if kind == b"T":
            body = text_as_varchar(body)
        elif kind in (b"E", b"N"):
            fields = parse_fields(body)
            self._output.send(fields_message(kind, client_fields(fields)))
            if fields.get("S") == "FATAL":
                # The session is over; nothing will ask for what waits.
                self._output.flush()
            return
        elif kind == b"S":
            # The client was told Redshift's parameters once and for all.
            return
        self._output.send(message(kind, body))

    def sync(self, *, tell: bool = False) -> None:
        """Let PostgreSQL end the implicit transaction; passes its status on if `tell`."""
        self._backend.stream.send(message(b"S"))
        while True:
            kind, body = self._backend.read()
            if kind == b"Z":
                if tell:
                    self._output.send(message(b"Z", body))
                return
            if tell:
                self._pass_on(kind, body)

    def fail_transaction(self) -> None:
        """Put an open transaction into the failed state, as any error does."""
        self.sync()
        if self._backend.status == "T":
            try:
                self._backend.query("rig fails this transaction")
            except BackendError:
                # The syntax error was the purpose.
                return
