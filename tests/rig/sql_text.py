"""Edits of a statement at the places of its tokens.

A statement is never written anew from a tree: what the rig does not touch reaches PostgreSQL as
the client wrote it, byte for byte, and every change has a name and is recorded.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from rig.errors import RedshiftError
from rig.tokens import Kind, Token, tokenize


@dataclass(frozen=True)
class Rewrite:
    """A change the rig made to a statement: the rule's name, the text before and after."""

    rule: str
    before: str
    after: str


@dataclass
class Statement:
    """One statement, its tokens, and the edits made to it so far."""

    sql: str
    tokens: list[Token]
    rewrites: list[Rewrite] = field(default_factory=list)
    # Set once the rig itself has put names that begin with rig_ into the text.
    own_names: bool = False
    _edits: list[tuple[int, int, str]] = field(default_factory=list)

    @classmethod
    def parse(cls, sql: str) -> Statement:
        """Tokenize one statement, without the semicolon at its end.

        Raises RedshiftError (42601) when there is more than one.
        """
        tokens = tokenize(sql)
        while tokens and tokens[-1].text == ";":
            sql = sql[: tokens.pop().start]
        if any(token.text == ";" for token in tokens):
            raise RedshiftError(
                "cannot insert multiple commands into a prepared statement", "42601"
            )
        return cls(sql, tokens)

    def __len__(self) -> int:
        return len(self.tokens)

    def word(self, index: int) -> str:
        """The unquoted word at `index` in small letters; '' when there is none."""
        return self.tokens[index].word if 0 <= index < len(self.tokens) else ""

    def text(self, index: int) -> str:
        """The token at `index` as written; '' when there is none."""
        return self.tokens[index].text if 0 <= index < len(self.tokens) else ""

    def kind(self, index: int) -> Kind | None:
        """The kind of the token at `index`."""
        return self.tokens[index].kind if 0 <= index < len(self.tokens) else None

    def words(self, index: int, *expected: str) -> bool:
        """Say whether these words stand at `index`, one after the other."""
        return all(self.word(index + i) == word for i, word in enumerate(expected))

    def is_name(self, index: int) -> bool:
        """Say whether an identifier (or a keyword that looks like one) stands at `index`."""
        return self.kind(index) in (Kind.WORD, Kind.QUOTED)

    def closing(self, index: int) -> int:
        """Index of the parenthesis that closes the one at `index`."""
        depth = 0
        for i in range(index, len(self.tokens)):
            if self.tokens[i].text in ("(", "["):
                depth += 1
            elif self.tokens[i].text in (")", "]"):
                depth -= 1
                if depth == 0:
                    return i
        raise RedshiftError("syntax error at end of input", "42601")

    def opening(self, index: int) -> int:
        """Index of the parenthesis that the one at `index` closes."""
        depth = 0
        for i in range(index, -1, -1):
            if self.tokens[i].text in (")", "]"):
                depth += 1
            elif self.tokens[i].text in ("(", "["):
                depth -= 1
                if depth == 0:
                    return i
        raise RedshiftError('syntax error at or near ")"', "42601")

    def level(self, first: int, last: int) -> Iterator[int]:
        """Indexes from `first` up to `last` that lie in no parentheses opened in between."""
        i = first
        while i < last:
            yield i
            i = self.closing(i) + 1 if self.tokens[i].text in ("(", "[") else i + 1

    def parts(self, first: int, last: int) -> list[tuple[int, int]]:
        """Split the tokens from `first` up to `last` at the commas of their own level."""
        commas = [i for i in self.level(first, last) if self.tokens[i].text == ","]
        starts = [first, *(i + 1 for i in commas)]
        return [pair for pair in zip(starts, [*commas, last], strict=True) if pair[0] < pair[1]]

    def source(self, first: int, last: int) -> str:
        """The text of the tokens from `first` up to `last`, as written."""
        return self.sql[self.tokens[first].start : self.tokens[last - 1].end]

    def name_at(self, index: int) -> tuple[list[str], int]:
        """Read a name, dotted or not, at `index`; returns its parts and the index after it."""
        if not self.is_name(index):
            raise self.syntax_error(index)
        parts = [self.tokens[index].name]
        index += 1
        while self.text(index) == "." and self.is_name(index + 1):
            parts.append(self.tokens[index + 1].name)
            index += 2
        return parts, index

    def syntax_error(self, index: int) -> RedshiftError:
        """The error for an unexpected token at `index`."""
        if index >= len(self.tokens):
            return RedshiftError("syntax error at end of input", "42601")
        token = self.tokens[index]
        return RedshiftError(
            f'syntax error at or near "{token.text}"', "42601", P=str(token.start + 1)
        )

    def expect(self, index: int, *words: str) -> int:
        """Require these words (or signs) at `index`; returns the index after them."""
        for word in words:
            if (self.word(index) or self.text(index)) != word:
                raise self.syntax_error(index)
            index += 1
        return index

    def replace(self, rule: str, first: int, last: int, text: str) -> None:
        """Put `text` in the place of the tokens from `first` up to `last`."""
        start, end = self.tokens[first].start, self.tokens[last - 1].end
        self.rewrites.append(Rewrite(rule, self.sql[start:end], text))
        self._edits.append((start, end, text))

    def insert_after(self, rule: str, index: int, text: str) -> None:
        """Put `text` behind the token at `index`."""
        end = self.tokens[index].end
        self.rewrites.append(Rewrite(rule, self.tokens[index].text, self.tokens[index].text + text))
        self._edits.append((end, end, text))

    def render(self) -> str:
        """The statement with its edits.

        Raises RedshiftError when two rules changed the same place, as no order would be right.
        """
        pieces: list[str] = []
        at = 0
        for start, end, text in sorted(self._edits, key=lambda edit: edit[:2]):
            if start < at:
                raise refuse(f"this combination of constructs: {self.sql[start:at]}")
            pieces += [self.sql[at:start], text]
            at = end
        return "".join(pieces) + self.sql[at:]


def word_set(words: str) -> frozenset[str]:
    """The words of a text, for tables of keywords."""
    return frozenset(words.split())


def literal(text: str) -> str:
    """Quote a string for SQL that reads a backslash as an escape."""
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


def refuse(what: str) -> RedshiftError:
    """The error for what Redshift may well do but the rig does not."""
    return RedshiftError(f"the rig does not imitate {what}", "0A000")
