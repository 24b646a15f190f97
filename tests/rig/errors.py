"""Errors of the rig itself, as opposed to errors it sends to a client.

RigError
├── RigStartError      a server did not come up; carries the tail of its log
└── RedshiftError      a refusal in Redshift's words, sent to the client (see below)
"""

from __future__ import annotations


class RigError(Exception):
    """Root of everything the rig raises."""


class RigStartError(RigError):
    """A server of the rig did not become ready in time or died while starting."""


class RedshiftError(RigError):
    """A statement is refused the way Redshift refuses it.

    `code` is the SQLSTATE. Redshift's leader node reports most of its own refusals as XX000
    and 0A000; the parser it has from PostgreSQL 8 reports 42601 (syntax), 42883 (function),
    42703 (column) and 42P01 (table). `fields` are further single-letter fields of the protocol's
    error message, such as D (detail) and H (hint).
    """

    def __init__(self, message: str, code: str = "XX000", **fields: str) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.fields = fields
