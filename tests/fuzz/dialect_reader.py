"""Reads a file in a dialect, one character after another, to hold the loader against.

It is written from the contract's words alone and shares no code with the loader.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from fuzz.contracts import COLUMNS
from fuzz.expected import broken_rule

__all__ = ["Fate", "Refused", "Unsettled", "Verdict", "read"]

QUOTE_RULES = frozenset({"stray_quote", "text_after_quote", "unterminated_quote"})
WIDTH_RULES = frozenset({"too_few_fields", "too_many_fields"})
Values = tuple[str | None, ...]


class Refused(Exception):
    """The file is refused as a whole. The message is part of what the loader says."""


class Unsettled(Exception):
    """The contract's words do not say what becomes of the file."""


@dataclass(frozen=True)
class Fate:
    """What becomes of a record. rules: those it may be refused for, empty if it is accepted.

    values: by the contract's columns; None if its form is at fault. cells: of a sound record, as
    the file has them. is_empty: whether it is an empty line.
    """

    line: int
    rules: frozenset[str]
    values: Values | None = None
    cells: tuple[str, ...] | None = None
    is_empty: bool = False


@dataclass
class Verdict:
    """The records of a file, and how many lines were skipped, by the word that skips them."""

    fates: list[Fate] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class _Record:
    """cells: the fields' values; opened: which of them are not quoted. next: where it ends."""

    cells: tuple[str, ...]
    plain: tuple[bool, ...]
    malformed: bool
    bare_return: bool
    next: int
    swallows: bool = False


class _Dialect:
    """The contract's words, and the reading of one field and one record."""

    def __init__(self, options: Mapping[str, Any], text: str) -> None:
        self.options, self.text = options, text
        self.delimiter: str = options.get("delimiter", ",")
        quote = options.get("quote", '"')
        self.quote: str | None = None if quote == "none" else quote
        self.escape: str | None = options.get("escape")
        self.double: bool = options.get("double_quote", True)
        self.long = len(self.delimiter.encode()) > 1 or self.delimiter < "\t"
        canonical = "\t" if self.long else self.delimiter
        self.blanks = ""
        if options.get("skip_initial_space"):
            self.blanks = " " if canonical == "\t" else " \t"
        first, _, _ = text.partition("\n")
        others = text.split("\n")[1:-1]
        self.twice = "\n" in text and first.endswith("\r\r")
        self.twice |= len(others) > 1 and all(
            line.endswith("\r\r") and line.strip("\r") for line in others
        )

    def line_end(self, at: int) -> int:
        """How many characters of a line end begin here."""
        ends = ["\r\r\n", "\r\n", "\n"] if self.twice else ["\r\n", "\n"]
        found = next((end for end in ends if self.text.startswith(end, at)), "")
        return len(found)

    def escaped(self, at: int) -> str:
        """What the escape at this place makes text; empty if it is text itself."""
        behind = at + 1
        if size := self.line_end(behind):
            return self.text[behind : behind + size]
        sign = self.text[behind : behind + 1]
        signs = {self.escape, self.delimiter[0], "\r", self.quote} - {None}
        return sign if sign and sign in signs else ""

    def record(self, at: int) -> _Record:
        """The record that begins here."""
        cells, plain, malformed, bare = list[str](), list[bool](), False, False
        while True:
            while (
                at < len(self.text)
                and self.text[at] in self.blanks
                and not self.text.startswith(self.delimiter, at)
            ):
                at += 1
            is_quoted = self.quote is not None and self.text.startswith(self.quote, at)
            value, start, trouble, is_open = "", at, False, False
            if is_quoted:
                value, at, doubled, is_open = self._quoted(at + 1)
                trouble = doubled
                if is_open:
                    rest = self.text[start + 1 :].rstrip("\r\n")
                    cells.append(value)
                    return _Record(
                        tuple(cells), (*plain, False), True, False, at, swallows="\n" in rest
                    )
                if self.text[at:] == "\r":
                    at, bare = at + 1, True
            tail, behind, stray, returns = self._plain(at)
            bare |= returns
            malformed |= trouble or stray or (is_quoted and bool(tail))
            cells.append(value + tail)
            plain.append(not is_quoted)
            at = behind
            if self.text.startswith(self.delimiter, at) and not self.line_end(at):
                at += len(self.delimiter)
                continue
            return _Record(
                tuple(cells), tuple(plain), malformed, bare, at + self.line_end(at) or at
            )

    def _quoted(self, at: int) -> tuple[str, int, bool, bool]:
        """A quoted field's value, where it ends, if a quote is doubled that may not be, if it is
        never closed."""
        value, doubled, quote = "", False, self.quote or ""
        while at < len(self.text):
            sign = self.text[at]
            if sign == self.escape and (literal := self.escaped(at)):
                value, at = value + literal, at + 1 + len(literal)
            elif sign == quote and self.text.startswith(quote * 2, at):
                value, at, doubled = value + quote, at + 2, not self.double or doubled
            elif sign == quote:
                return value, at + 1, doubled, False
            else:
                value, at = value + sign, at + 1
        return value, at, doubled, True

    def _plain(self, at: int) -> tuple[str, int, bool, bool]:
        """Text up to a delimiter or a line end; if it is malformed, if it has a bare return."""
        value, malformed, signed = "", False, False
        returns: list[int] = []
        while at < len(self.text):
            sign = self.text[at]
            if self.text.startswith(self.delimiter, at):
                break
            if self.line_end(at):
                break
            if sign == "\r" and self.escape and self.text.startswith(f"{self.escape}\n", at + 1):
                # Text by the line feed that is escaped behind it.
                value, signed, at = value + sign, True, at + 1
                continue
            if sign == self.escape:
                literal = self.escaped(at)
                # Nothing comes behind it, or nothing behind the line end.
                malformed |= at + 1 + len(literal) == len(self.text) and not literal.strip("\r\n")
                signed |= bool(literal) and literal != self.escape
                value, at = value + (literal or sign), at + 1 + len(literal)
                continue
            malformed |= sign == self.quote
            returns += [at] if sign == "\r" else []
            signed |= (sign == '"' and self.quote is None) or (sign == "\t" and self.long)
            value, at = value + sign, at + 1
        hidden = value.startswith("\ufeff")
        if returns and returns != [len(self.text) - 1]:
            hidden = True
        # What it needs quotes for would hide a carriage return, or a byte order mark.
        malformed |= signed and hidden
        return value, at, malformed, bool(returns)

    def skip_reason(self, line: str, header: tuple[str, ...] | None) -> str | None:
        """The word by which a line is skipped."""
        options, line = self.options, self.without_end(line)
        if "\r" in line:
            return None
        if options.get("comment") and line.startswith(options["comment"]):
            return "comment"
        if any(re.fullmatch(pattern, line) for pattern in options.get("skip_lines", ())):
            return "skip_lines"
        if options.get("skip_blank_rows") and not line.replace(self.delimiter, " ").strip(" \t"):
            return "skip_blank_rows"
        if options.get("repeated_header") == "skip" and header is not None:
            cells = line.removeprefix("\ufeff").split(self.delimiter)
            if [self._name(cell) for cell in cells] == [_ascii_lower(c.strip()) for c in header]:
                return "repeated_header"
        return None

    def _name(self, cell: str) -> str:
        quote, cell = self.quote or '"', cell.strip(" \t")
        return _ascii_lower(cell.removeprefix(quote).removesuffix(quote).strip(" \t"))

    def without_end(self, line: str) -> str:
        line = line.removesuffix("\n").removesuffix("\r")
        return line.removesuffix("\r") if self.twice else line

    def line(self, at: int) -> str:
        """The line that begins here, with its end."""
        return self.text[at : (self.text.find("\n", at) + 1) or len(self.text)]


def _ascii_lower(text: str) -> str:
    return "".join(c.lower() if c.isascii() else c for c in text)


def _lower(text: str) -> str:
    return "".join("i" if c == "\u0130" else c.lower() for c in text)


def read(data: bytes, options: Mapping[str, Any], columns: Mapping[str, Any]) -> Verdict:
    """What becomes of a file's records. Raises Refused, Unsettled."""
    text = _decoded(data, options.get("encoding", "utf-8"))
    swaps = "\n" not in text and "\r" in text
    if swaps and "\r" not in text[:-1]:
        raise Unsettled("one line that may end in a carriage return")
    if swaps:
        text = text.translate({10: 13, 13: 10})
    dialect, verdict = _Dialect(options, text), Verdict()
    at = _behind_preamble(dialect, verdict, columns)
    header, at = _header(dialect, verdict, columns, at)
    names = _names(header, options, columns)
    for record, start in _records(dialect, verdict, header, columns, at):
        line = 1 + text.count("\n", 0, start)
        verdict.fates.append(_fate(dialect, verdict, record, start, line, header, names, columns))
    if verdict.fates and verdict.fates[-1].is_empty:
        while verdict.fates and verdict.fates[-1].is_empty:
            verdict.fates.pop()
    if swaps:
        verdict.fates = [_swapped(fate) for fate in verdict.fates]
    if _ends_in_another_table(verdict.fates):
        raise Refused("another table seems to begin")
    return verdict


def _decoded(data: bytes, encoding: str) -> str:
    """The text; a byte that is none is a lone surrogate."""
    wide = encoding.startswith("utf-16")
    if encoding == "utf-16" and data and not data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise Refused("near byte")
    try:
        text = data.decode(encoding, "surrogatepass" if wide else "surrogateescape")
    except UnicodeDecodeError as error:
        raise Refused("near byte") from error
    if encoding != "utf-8" and not wide and data.startswith((b"\xef\xbb\xbf", b"\xff\xfe")):
        raise Refused("begins with the mark")
    if encoding == "utf-8" and data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise Refused("begins with the mark")
    return text.removeprefix("\ufeff")


def _cells(dialect: _Dialect, line: str) -> tuple[str, ...]:
    """The cells of a line that may be a header, without the comment's mark."""
    mark = dialect.options.get("comment")
    if dialect.options.get("skip_rows") == "to_header" and mark and line.startswith(mark):
        line = line.removeprefix(mark).lstrip(" ")
    alone = _Dialect(dialect.options, line)
    alone.twice = dialect.twice
    record = alone.record(0)
    if record.malformed or record.next < len(line):
        if sum(name in line.lower() for name in COLUMNS) > 1:
            raise Unsettled("a line that may be a header is malformed")
        return ()
    return () if _surrogates(line) else record.cells


def _is_header(cells: tuple[str, ...], columns: Mapping[str, Any]) -> bool:
    named = {_lower(cell.strip()) for cell in cells} & set(columns)
    required = {name for name, meta in columns.items() if meta.get("required")}
    return len(named) >= 2 and required <= named


def _behind_preamble(dialect: _Dialect, verdict: Verdict, columns: Mapping[str, Any]) -> int:
    """Where the first line behind skip_rows begins."""
    rows, at, text = dialect.options.get("skip_rows", 0), 0, dialect.text
    if rows == "to_header":
        while at < len(text):
            if _is_header(_cells(dialect, dialect.line(at)), columns):
                break
            at, verdict.skipped["skip_rows"] = (
                at + len(dialect.line(at)),
                verdict.skipped["skip_rows"] + 1,
            )
        else:
            raise Refused("has the contract's names")
    else:
        for _ in range(rows):
            if at >= len(text):
                raise Refused("; the contract skips")
            at += len(dialect.line(at))
        verdict.skipped["skip_rows"] = rows
    if any("\r" in dialect.without_end(line + "\n") for line in text[:at].split("\n")):
        raise Refused("has a carriage return in it")
    return at


def _header(
    dialect: _Dialect, verdict: Verdict, columns: Mapping[str, Any], at: int
) -> tuple[tuple[str, ...], int]:
    """The cells of the header, and where it ends."""
    options, text = dialect.options, dialect.text
    if options.get("skip_rows") == "to_header":
        line = dialect.line(at)
        return _one_line(dialect, line), at + len(line)
    start = at
    while at < len(text) and (reason := dialect.skip_reason(dialect.line(at), None)):
        verdict.skipped[reason] += 1
        at += len(dialect.line(at))
    if options.get("header") is False:
        line = dialect.line(at)
        if at < len(text) and _is_header(_cells(dialect, line), columns):
            raise Refused("has the contract's names")
        # These lines are skipped once more with the records.
        for reason in list(verdict.skipped):
            if reason != "skip_rows":
                del verdict.skipped[reason]
        return tuple(columns), start
    if at >= len(text):
        raise Refused("the file is empty")
    if options.get("repeated_header") == "skip":
        line = dialect.line(at)
        return _one_line(dialect, line), at + len(line)
    record = dialect.record(at)
    raw = text[at : record.next]
    if record.malformed or "\r" in dialect.without_end(raw) or raw.endswith("\r"):
        raise Refused("the first line")
    if _surrogates(raw):
        raise Refused("the first line")
    if not raw.strip():
        raise Unsettled("an empty line before the header")
    return record.cells, record.next


def _one_line(dialect: _Dialect, line: str) -> tuple[str, ...]:
    """The cells of a header that is one line."""
    cells = _cells(dialect, line)
    if _surrogates(line):
        raise Refused("the first line")
    if "\r" in dialect.without_end(line) or line.endswith("\r"):
        raise Refused("the first line")
    if not line.strip():
        raise Unsettled("an empty line for a header")
    return cells


def _names(
    header: tuple[str, ...], options: Mapping[str, Any], columns: Mapping[str, Any]
) -> list[str | None]:
    """The contract's column at each place."""
    policy = options.get("columns", {})
    cells = [_lower(cell.strip()) for cell in header]
    if policy.get("repeated") == "number":
        seen = Counter[str]()
        for place, cell in enumerate(cells):
            seen[cell] += 1
            if cell and seen[cell] > 1:
                cells[place] = f"{cell}_{seen[cell]}"
    known = [cell for cell in cells if cell in columns]
    needed = {name for name, meta in columns.items() if meta.get("required")}
    others = [cell for cell in cells if cell not in columns]
    if policy.get("blank") == "ignore":
        others = [cell for cell in others if cell]
    if len(known) != len(set(known)) or not needed <= set(known):
        raise Refused("the header does not fit")
    if others and policy.get("extra") != "ignore":
        raise Refused("the header does not fit")
    return [cell if cell in columns else None for cell in cells]


def _records(
    dialect: _Dialect,
    verdict: Verdict,
    header: tuple[str, ...],
    columns: Mapping[str, Any],
    at: int,
) -> Iterator[tuple[_Record, int]]:
    """The records, and where each begins."""
    options, text = dialect.options, dialect.text
    both = options.get("skip_rows") == "to_header" and options.get("comment")
    while at < len(text):
        line = dialect.line(at)
        if reason := dialect.skip_reason(line, header):
            cells = _cells(dialect, line) if both else ()
            if _is_header(cells, columns) and [*map(str.lower, cells)] != [*map(str.lower, header)]:
                raise Refused("is another header")
            verdict.skipped[reason] += 1
            at += len(line)
            continue
        record = dialect.record(at)
        if record.swallows:
            raise Refused("opens a quote that is never closed")
        yield record, at
        at = record.next


def _surrogates(text: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in text)


def _fate(
    dialect: _Dialect,
    verdict: Verdict,
    record: _Record,
    start: int,
    line: int,
    header: tuple[str, ...],
    names: list[str | None],
    columns: Mapping[str, Any],
) -> Fate:
    cells, raw, policy = record.cells, dialect.text[start : record.next], dialect.options
    policy = policy.get("columns", {})
    is_empty = cells == ("",) and record.plain == (True,) and not record.malformed
    width, found, padded = len(header), len(cells), False
    named = max((n for n, cell in enumerate(header, start=1) if cell.strip()), default=0)
    ignores = policy.get("blank") == "ignore"
    shifted = ignores and any(cell.strip() for cell in cells[named : width + 1])
    if not record.malformed and not (is_empty and not record.bare_return):
        if policy.get("short") == "null" and found < width and not shifted:
            verdict.skipped["columns.short"] += 1
            cells += ("",) * (width - found)
            padded = record.bare_return
        one_more = ignores and found == width + 1 and not shifted
        if one_more and not cells[-1] and record.plain[-1]:
            cells = cells[:-1]
    began = raw.lstrip(dialect.blanks) if dialect.blanks else raw
    joined = began.startswith("\ufeff")
    said = [cell.removeprefix("\ufeff") if n == 0 else cell for n, cell in enumerate(cells)]
    if record.malformed:
        rules = QUOTE_RULES
    else:
        broken = {
            "nul_byte": "\0" in raw,
            "not_utf8": _surrogates(raw),
            "bare_carriage_return": record.bare_return,
            "too_few_fields": len(cells) < width,
            "too_many_fields": len(cells) > width or (shifted and found == width),
        }
        rules = frozenset(rule for rule, is_broken in broken.items() if is_broken)
        rules = rules - WIDTH_RULES or rules
        if padded:
            # The carriage return may stand between a closing quote and a delimiter then.
            rules |= {"text_after_quote"}
        wanted = [cell.strip().lower() for cell in header]
        same = len(header) > 1 and [cell.strip().lower() for cell in said] == wanted
        if same and not rules and _ascii_lower(said[0]) == _ascii_lower(header[0]):
            return Fate(line, frozenset({"repeated_header"}))
    if joined:
        return Fate(line, rules | {"byte_order_mark"})
    if rules:
        return Fate(line, rules, is_empty=is_empty and not record.bare_return)
    by_name = dict(zip(names, cells, strict=True))
    values = tuple(by_name.get(name, "") or None for name in columns)
    pairs = zip(columns.values(), values, strict=True)
    first = next((rule for meta, value in pairs if (rule := broken_rule(value, meta))), None)
    return Fate(line, frozenset({first} if first else ()), values, cells)


def _swapped(fate: Fate) -> Fate:
    def back(text: str | None) -> str | None:
        return text.translate({10: 13, 13: 10}) if text else text

    if fate.values is None:
        return fate
    cells = tuple(str(back(cell)) for cell in fate.cells or ())
    return Fate(fate.line, fate.rules, tuple(map(back, fate.values)), cells)


def _ends_in_another_table(fates: list[Fate]) -> bool:
    """An empty line after the feed's records, then records of which none has its width."""
    begun, emptied, after = False, False, 0
    for fate in fates:
        if fate.values is not None:
            begun, emptied, after = True, False, 0
        elif not fate.rules <= WIDTH_RULES:
            emptied, after = False, 0
        elif emptied:
            after += not fate.is_empty
        else:
            emptied = fate.is_empty
    return begun and after > 1
