"""SQL as a list of tokens with their places."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, auto

from rig.errors import RedshiftError


class Kind(Enum):
    """What a token is."""

    WORD = auto()
    QUOTED = auto()
    STRING = auto()
    NUMBER = auto()
    PARAMETER = auto()
    OPERATOR = auto()
    PUNCTUATION = auto()


@dataclass(frozen=True)
class Token:
    """A token: `text` as written, `word` in small letters when it is an unquoted word, else ''."""

    kind: Kind
    text: str
    start: int
    end: int
    word: str = ""

    @property
    def name(self) -> str:
        """The identifier it stands for: folded to small letters unless quoted."""
        return self.text[1:-1].replace('""', '"') if self.kind is Kind.QUOTED else self.word


# Redshift reads a backslash in an ordinary string as an escape (PostgreSQL 8.0's behaviour).
_TOKEN = re.compile(
    r"""
    (?P<SPACE>\s+|--[^\n]*)
  | (?P<COMMENT>/\*)
  | (?P<STRING>'(?:[^'\\]|\\.|'')*'|(?P<tag>\$[^\W\d]*\$).*?(?P=tag))
  | (?P<QUOTED>"(?:[^"]|"")+")
  | (?P<PARAMETER>\$[0-9]+)
  | (?P<NUMBER>(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)
  | (?P<WORD>[^\W\d][\w$]*)
  | (?P<PUNCTUATION>::|[(),.;\[\]])
  | (?P<OPERATOR>(?:(?!--|/\*)[-+*/<>=~!@\#%^&|`?:])+)
    """,
    re.VERBOSE | re.DOTALL,
)
_COMMENT_EDGE = re.compile(r"/\*|\*/")


def tokenize(sql: str) -> list[Token]:
    """Split a statement into tokens, leaving out space and comments.

    Raises RedshiftError (42601) for an unterminated string, name or comment and for a character
    that starts nothing.
    """
    tokens: list[Token] = []
    at = 0
    while at < len(sql):
        match = _TOKEN.match(sql, at)
        if match is None:
            raise RedshiftError(f'syntax error at or near "{sql[at : at + 20]}"', "42601")
        kind = str(match.lastgroup)
        if kind == "COMMENT":
            at = _comment_end(sql, at)
            continue
        if kind != "SPACE":
            text = match.group()
            word = text.lower() if kind == "WORD" else ""
            tokens.append(Token(Kind[kind], text, at, match.end(), word))
        at = match.end()
    return tokens


def _comment_end(sql: str, at: int) -> int:
    """Where the comment that starts at `at` ends; comments nest."""
    depth = 0
    for edge in _COMMENT_EDGE.finditer(sql, at):
        depth += 1 if edge.group() == "/*" else -1
        if depth == 0:
            return edge.end()
    raise RedshiftError("unterminated /* comment", "42601")
