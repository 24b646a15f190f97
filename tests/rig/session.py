"""One client's connection: its messages in, PostgreSQL's answers out, Redshift's ways in between.

The drivers use the extended protocol only: Parse, Describe and Sync, then Bind, Execute and Sync.
A client waits after Sync, so each message is carried out and answered before the next is read, and
one thread per connection needs no more than two blocking sockets.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rig.backend import Backend, BackendError
from rig.copy_run import CopyRun, LoadFailed
from rig.error_words import client_fields
from rig.errors import RedshiftError
from rig.protocol import Stream, fields_message, message
from rig.relay import Relay
from rig.session_state import SESSION_FUNCTIONS, Output, SessionState
from rig.translate import mentions, translate
from rig.translation import Translation

if TYPE_CHECKING:
    from rig.faults import Fault
    from rig.server import RedshiftRig

# How long a statement runs before a fault "during" it ends the session.
_MIDDLE_SECONDS = 0.05


class SessionOver(Exception):
    """The connection ends here: the client left, or a fault cut it."""


@dataclass
class Prepared:
    """A statement that the client has prepared."""

    sql: str
    translation: Translation


class Session:
    """Serves one connection until the client leaves."""

    def __init__(self, rig: RedshiftRig, stream: Stream, backend: Backend, database: str) -> None:
        self._rig = rig
        self._client = stream
        self._backend = backend
        self._database = database
        self._output = Output(stream)
        self._relay = Relay(backend, self._output)
        self._statements: dict[bytes, Prepared] = {}
        self._portals: dict[bytes, Prepared] = {}
        # After an error the rest of the messages up to Sync is skipped.
        self._skipping = False
        self._state = SessionState(backend.pid, rig.load_log)
        self.cancelled = threading.Event()

    def serve(self) -> None:
        """Answer messages until the client leaves or the connection breaks."""
        handlers: dict[bytes, Callable[[bytes], None]] = {
            b"P": self._parse,
            b"D": self._describe,
            b"B": self._bind,
            b"E": self._execute,
            b"C": self._close,
        }
        try:
            while True:
                kind, body = self._client.read()
                if kind == b"X":
                    return
                if kind == b"S":
                    self._sync()
                elif kind == b"H":
                    self._output.flush()
                elif self._skipping:
                    continue
                elif kind in handlers:
                    self._answer(handlers[kind], body)
                else:
                    self._error(RedshiftError("the rig speaks the extended protocol only", "08P01"))
        except (SessionOver, EOFError, OSError):
            pass

    def _answer(self, handler: Callable[[bytes], None], body: bytes) -> None:
        try:
            handler(body)
        except RedshiftError as error:
            self._relay.fail_transaction()
            self._error(error)
        except BackendError as error:
            self._relay.fail_transaction()
            self._output.send(fields_message(b"E", client_fields(error.fields)))
            self._skipping = True

    # Messages of the client --------------------------------------------------

    def _parse(self, body: bytes) -> None:
        name, sql, rest = body.split(b"\0", 2)
        text = sql.decode()
        translation = translate(text)
        self._rig.record(text, translation.rewrites)
        if translation.sql or translation.kind == "empty":
            self._forward(b"P", name + b"\0" + translation.sql.encode() + b"\0" + rest, b"1")
        else:
            if self._backend.status == "E":
                raise _aborted()
            self._output.send(message(b"1"))
        self._statements[name] = Prepared(text, translation)

    def _describe(self, body: bytes) -> None:
        prepared = self._named(
            body[1:-1], of=self._statements if body[:1] == b"S" else self._portals
        )
        if prepared.translation.sql or prepared.translation.kind == "empty":
            self._forward(b"D", body, b"T", b"n")
        else:
            if body[:1] == b"S":
                self._output.send(message(b"t", b"\0\0"))
            self._output.send(message(b"n"))

    def _bind(self, body: bytes) -> None:
        portal, name, _ = body.split(b"\0", 2)
        prepared = self._named(name, of=self._statements)
        self._portals[portal] = prepared
        if prepared.translation.sql or prepared.translation.kind == "empty":
            self._prepare_session(prepared)
            self._forward(b"B", body, b"2")
        else:
            self._output.send(message(b"2"))

    def _execute(self, body: bytes) -> None:
        prepared = self._named(body[: body.index(0)], of=self._portals)
        translation = prepared.translation
        faults = self._rig.faults.strike(prepared.sql)
        self._before(prepared, faults)
        if translation.outside_transaction and self._backend.status != "I":
            name = " ".join(prepared.sql.split()[:2]).upper()
            raise RedshiftError(f"{name} cannot run inside a transaction block", "25001")
        if translation.kind == "append":
            raise RedshiftError("the rig does not imitate ALTER TABLE APPEND", "0A000")
        self._state.next_query()
        during = any(fault.cut == "during" for fault in faults)
        status = self._backend.status
        if translation.copy is not None:
            self._copy(translation, during)
        elif translation.procedure:
            self._backend.query(translation.procedure)
            self._output.send(message(b"C", translation.tag.encode() + b"\0"))
        elif during:
            self._cut_during(body)
        else:
            self._forward(b"E", body, b"C", b"I", b"s")
        if translation.kind in ("begin", "start") and status == "I" and not self._skipping:
            self._relay.sync()
            self._backend.query(f"set transaction isolation level {self._rig.transaction_level}")
        if translation.commits and status == "T" and not self._skipping:
            self._relay.sync()
            self._backend.query("commit")
        if any(fault.cut == "after" for fault in faults):
            self._relay.sync()
            raise SessionOver
        if not self._skipping:
            self._state.transaction(translation.kind, self._backend.status)

    def _close(self, body: bytes) -> None:
        self._statements.pop(body[1:-1], None) if body[:1] == b"S" else self._portals.pop(
            body[1:-1], None
        )
        self._forward(b"C", body, b"3")

    def _sync(self) -> None:
        self._skipping = False
        self._portals.clear()
        self._relay.sync(tell=True)
        self._output.flush()

    # Parts of carrying out a statement ---------------------------------------

    def _before(self, prepared: Prepared, faults: list[Fault]) -> None:
        """Let the faults strike that do so before the statement runs."""
        for fault in faults:
            if fault.delay:
                time.sleep(fault.delay)
            if fault.cut == "before":
                raise SessionOver
            if fault.error is not None:
                if prepared.translation.kind in ("commit", "end"):
                    self._backend.query("rollback")
                raise fault.error

    def _prepare_session(self, prepared: Prepared) -> None:
        """Lay out what the statement will look for outside its transaction."""
        if mentions(prepared.sql, *SESSION_FUNCTIONS):
            self._state.save()
        keys = prepared.translation.key_columns
        if prepared.translation.kind == "create" and self._backend.status != "E":
            names = "\n".join(keys).replace("\\", "\\\\").replace("'", "''")
            self._backend.query(f"set rig.key_columns = '{names}'")

    def _copy(self, translation: Translation, during: bool) -> None:
        assert translation.copy is not None
        if self._backend.status == "E":
            raise _aborted()
        own_transaction = self._backend.status == "I"
        if own_transaction:
            self._backend.query("begin")
        run = CopyRun(
            translation.copy,
            self._backend,
            self._rig.copy_access(),
            self._rig.load_log,
            self._database,
            self._state.query_id,
            lambda: self._on_copy_block(during),
        )
        self.cancelled.clear()
        try:
            rows = run.run()
            if during:
                # Too little data for a block in the middle: the load is done but not committed.
                raise SessionOver
        except (RedshiftError, BackendError) as error:
            if isinstance(error, LoadFailed):
                self._state.copy_failed()
            if own_transaction:
                self._backend.query("rollback")
            raise
        if own_transaction:
            self._backend.query("commit")
        self._state.copy_done(rows)
        for text in run.notices(rows):
            self._output.send(fields_message(b"N", {"S": "INFO", "C": "00000", "M": text}))
        self._output.send(message(b"C", b"COPY\0"))

    def _on_copy_block(self, cut: bool) -> None:
        if cut:
            raise SessionOver
        if self.cancelled.is_set():
            raise RedshiftError("Query cancelled on user's request", "57014")

    def _cut_during(self, body: bytes) -> None:
        """Let the statement begin, then end its session: what it did is undone."""
        self._backend.stream.send(message(b"E", body) + message(b"H"))
        time.sleep(_MIDDLE_SECONDS)
        self._rig.terminate(self._backend.pid)
        raise SessionOver

    def _forward(self, kind: bytes, body: bytes, *until: bytes) -> None:
        if not self._relay.forward(kind, body, *until):
            self._skipping = True

    # The client's side -------------------------------------------------------

    def _named(self, name: bytes, *, of: dict[bytes, Prepared]) -> Prepared:
        if name not in of:
            raise RedshiftError(f'prepared statement "{name.decode()}" does not exist', "26000")
        return of[name]

    def _error(self, error: RedshiftError) -> None:
        fields = {"S": "ERROR", "C": error.code, "M": error.message, **error.fields}
        self._output.send(fields_message(b"E", fields))
        self._skipping = True


def _aborted() -> RedshiftError:
    return RedshiftError(
        "current transaction is aborted, commands ignored until end of transaction block", "25P02"
    )
