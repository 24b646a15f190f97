"""What the loader must make of a file: the independent strict reader and plain rules say it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from e2e.strict_csv import Record, read_records
from fuzz.contracts import Contract
from fuzz.hostile import BOM, HostileFile

__all__ = ["Expected", "Fate", "broken_rule", "expect"]

# The messages of a file that has no header of its feed.
_HEADER_WORDS = ("the file is empty", "the first line", "the header does not fit")
_WIDTH = frozenset({"too_few_fields", "too_many_fields"})
_RECORD_LIMIT = 4 * 1024 * 1024

Values = tuple[str | None, ...]


@dataclass(frozen=True)
class Fate:
    """What becomes of a record. rules: those it may be refused for, empty if it is accepted.

    line: the physical line it starts on, the file's first being 1. values: by the contract's
    columns, None where empty; None if its form is at fault. column: where a value is.
    """

    raw: bytes
    line: int
    rules: frozenset[str]
    values: Values | None
    column: str | None = None
    value: str | None = None


@dataclass(frozen=True)
class Expected:
    """refusals: words of the reasons to refuse the file as a whole; may_refuse: it need not be.

    data_offset: where the header's line ends.
    """

    refusals: tuple[str, ...]
    may_refuse: bool = False
    fates: tuple[Fate, ...] = ()
    data_offset: int = 0


def expect(file: HostileFile) -> Expected:
    """The fate of a file and of its records."""
    contract, limit = file.contract, file.record_limit or _RECORD_LIMIT
    bom = len(BOM) if file.data.startswith(BOM) else 0
    text = file.data[bom:]
    header = next(iter(read_records(text, contract.delimiter, contract.quote)), None)
    names = None if header is None else _names(text, header, contract)
    if header is None or names is None or header.next > limit:
        return Expected(_HEADER_WORDS)
    data = text[header.next :]
    records = read_records(data, contract.delimiter, contract.quote)
    first_line = 1 + text[: header.next].count(b"\n")
    fates = tuple(
        _began_a_file(_fate(data, first_line, record, names, contract, limit), header, contract)
        for record in records
    )
    refusals = []
    if records and records[-1].swallows:
        refusals.append("opens a quote that is never closed")
    if _ends_in_another_table(fates):
        refusals.append("another table seems to begin")
    # A byte order mark counts for the limit of the read, though not for the header's own.
    may_refuse = header.next > limit - len(BOM)
    if may_refuse:
        refusals.extend(_HEADER_WORDS)
    return Expected(tuple(refusals), may_refuse, fates, bom + header.next)


def _names(text: bytes, header: Record, contract: Contract) -> list[str | None] | None:
    """The contract's column at each place; None if this is no header of the feed."""
    raw = text[header.start : header.end]
    if header.values is None or b"\r" in raw or not _is_utf8(raw) or not text.strip():
        return None
    cells = ["".join(map(_lower, value.decode().strip())) for value in header.values]
    known = [cell for cell in cells if cell in contract.columns]
    needed = {name for name, meta in contract.columns.items() if meta.get("required")}
    if len(known) != len(set(known)) or not needed <= set(known):
        return None
    if len(known) < len(cells) and not contract.ignores_extra:
        return None
    return [cell if cell in contract.columns else None for cell in cells]


def _began_a_file(fate: Fate, header: Record, contract: Contract) -> Fate:
    """The fate of a record; another one if it is a header, or behind a byte order mark."""
    raw, cells = fate.raw.removeprefix(BOM), header.values or ()
    rule = "byte_order_mark" if raw != fate.raw else None
    records = read_records(raw, contract.delimiter, contract.quote)
    values = records[0].values if len(records) == 1 else None
    sound = values and not _form_rules(raw, records[0], len(cells), contract.quote, _RECORD_LIMIT)
    if len(cells) > 1 and values and sound:
        said, wanted = ([v.decode().strip().lower() for v in row] for row in (values, cells))
        # Blanks around the first name are part of it.
        if said == wanted and values[0].lower() == cells[0].lower():
            rule = "repeated_header"
    if rule is None:
        return fate
    return Fate(fate.raw, fate.line, frozenset({rule}), None)


def _lower(character: str) -> str:
    return "i" if character == "\u0130" else character.lower()


def _is_utf8(raw: bytes) -> bool:
    return raw.decode(errors="replace").encode() == raw


def _ends_in_another_table(fates: tuple[Fate, ...]) -> bool:
    """An empty line after the feed's records, then records of which none has its width."""
    begun, emptied, after = False, False, 0
    for fate in fates:
        if fate.values is not None:
            begun, emptied, after = True, False, 0
        elif not fate.rules <= _WIDTH:
            emptied, after = False, 0
        elif emptied:
            after += bool(fate.raw)
        else:
            emptied = not fate.raw
    return begun and after > 1


def _fate(
    data: bytes,
    first_line: int,
    record: Record,
    names: list[str | None],
    contract: Contract,
    limit: int,
) -> Fate:
    raw = data[record.start : record.end]
    line = first_line + data[: record.start].count(b"\n")
    rules = _form_rules(raw, record, len(names), contract.quote, limit)
    if rules or record.values is None:
        return Fate(raw, line, rules, None)
    found = dict(zip(names, record.values, strict=True))
    values = tuple(found.get(name, b"").decode() or None for name in contract.columns)
    for (column, meta), value in zip(contract.columns.items(), values, strict=True):
        if rule := broken_rule(value, meta):
            return Fate(raw, line, frozenset({rule}), values, column, value)
    return Fate(raw, line, frozenset(), values)


def _form_rules(raw: bytes, record: Record, width: int, quote: bytes, limit: int) -> frozenset[str]:
    """What is wrong with the form. Misplaced quotes come first: then nothing else is certain."""
    if record.problem:
        return frozenset({record.problem})
    assert record.values is not None
    outside = b"".join(raw.replace(quote * 2, b"").split(quote)[::2])
    broken = {
        "nul_byte": b"\0" in raw,
        "not_utf8": not _is_utf8(raw),
        "record_too_large": len(raw) > limit,
        "bare_carriage_return": b"\r" in outside,
        "too_few_fields": len(record.values) < width,
        "too_many_fields": len(record.values) > width,
    }
    rules = frozenset(rule for rule, is_broken in broken.items() if is_broken)
    # A record of another width is told so only where nothing else is wrong with it.
    return rules - _WIDTH or rules


def broken_rule(value: str | None, meta: Mapping[str, Any]) -> str | None:
    """The first rule that a value breaks."""
    if value is not None and len(value.encode()) > meta["max_bytes"]:
        return "max_bytes"
    text = (value or "").strip()
    if not text or text in meta.get("null_values", ()):
        return "required" if meta.get("required") else None
    if meta.get("type") == "integer":
        if not re.fullmatch("[+-]?[0-9]+", text) or not -(2**63) <= int(text) < 2**63:
            return "integer"
        if int(text) < meta["minimum"]:
            return "minimum"
        if int(text) > meta["maximum"]:
            return "maximum"
    accepted = meta.get("accepted_values")
    if accepted and "".join(map(_lower, text)) not in [word.lower() for word in accepted]:
        return "accepted_values"
    return None
