"""Hostile files through the real validator, its verdict held against the independent reader."""

from __future__ import annotations

import csv
import io
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from e2e.strict_csv import read_records
from fuzz.contracts import CONTRACTS
from fuzz.expected import Expected, expect
from fuzz.hostile import HostileFile, hostile_file

from loader.records import reader as records
from loader.validation import reading
from loader.validation.rejects import Reject, Verdict
from loader.validation.validator import Validator

__all__ = ["ValidatorCases"]


class ValidatorCases:
    """Checks files one after the other, those of a feed with one validator, as a load does."""

    name = "validator"

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self._validators: dict[str, Validator] = {}

    def make(self, seed: int, number: int) -> HostileFile:
        return hostile_file(seed, number)

    def check(self, file: HostileFile) -> None:
        """Raises AssertionError, or what the validator raises, if a promise is broken."""
        validator, spool = self._validator(file.contract.name)
        path = Path(self._folder.name) / "hostile.csv"
        path.write_bytes(file.data)
        with _small_reads(file):
            verdict = validator.validate("hostile.csv", path)
        rejects = list(verdict.rejects.read())
        expected = expect(file)
        if verdict.refused is not None or (expected.refusals and not expected.may_refuse):
            _check_refusal(verdict, rejects, expected)
        else:
            assert verdict.text is not None
            accepted = _accepted(verdict.text.read_bytes(), file)
            _check_counts(verdict, rejects, accepted)
            _check_bytes(file.data[expected.data_offset :], rejects, accepted)
            _check_fates(rejects, accepted, expected)
            self._check_written(validator, verdict, expected, file)
        for left in spool.glob("*/*"):
            left.unlink()

    def close(self) -> None:
        for validator in self._validators.values():
            validator.__exit__()
        self._folder.cleanup()

    def _validator(self, feed: str) -> tuple[Validator, Path]:
        spool = Path(self._folder.name) / feed
        if feed not in self._validators:
            spool.mkdir()
            self._validators[feed] = Validator(CONTRACTS[feed].feed(), spool)
        return self._validators[feed], spool

    def _check_written(
        self, validator: Validator, verdict: Verdict, expected: Expected, file: HostileFile
    ) -> None:
        """What is written for people, and for COPY, has the accepted values and no others."""
        if len(file.data) % 4:
            return  # one in four is enough of it
        target = Path(self._folder.name) / "accepted.csv"
        validator.write_accepted(verdict, target)
        csv.field_size_limit(2**31 - 1)
        text = io.StringIO(target.read_bytes().decode(), newline="")
        rows = [row for row in csv.reader(text, strict=True) if row]
        sound = [fate.values for fate in expected.fates if not fate.rules and fate.values]
        assert rows[1:] == [[value or "" for value in values] for values in sound]


@contextmanager
def _small_reads(file: HostileFile) -> Iterator[None]:
    """Makes the strict reader take little at once and allow little, so that small files do."""
    changes: list[tuple[Any, str, Any]] = []
    if file.block_bytes:
        by_few = partial(records.read_blocks, block_bytes=file.block_bytes)
        changes += [(reading, "read_blocks", by_few), (records, "BLOCK_BYTES", file.block_bytes)]
    if file.record_limit:
        changes.append((records, "MAX_RECORD_BYTES", file.record_limit))
    before = [(module, name, getattr(module, name)) for module, name, _ in changes]
    try:
        for change in changes:
            setattr(*change)
        yield
    finally:
        for change in before:
            setattr(*change)


def _accepted(text: bytes, file: HostileFile) -> list[bytes]:
    """The records of the accepted text, which has to be sound to the last byte."""
    delimiter, quote = file.contract.delimiter, file.contract.quote
    if text.startswith(b"\xef\xbb\xbf"):
        text = text[3:]
    header, *found = read_records(text, delimiter, quote)
    assert header.values is not None
    if len(header.values) == 1 and text.endswith(b"\n"):
        # Of a single column an empty line is a record, here at the end too.
        _, *found, _ = read_records(text + b"x", delimiter, quote)
    for record in found:
        assert record.values is not None, f"accepted, but {record.problem}: {record}"
        width = len(record.values)
        assert width == len(header.values), f"accepted with {width} fields: {record}"
    return [text[record.start : record.end] for record in found]


def _check_refusal(verdict: Verdict, rejects: list[Reject], expected: Expected) -> None:
    assert verdict.refused is not None, f"not refused, though {expected.refusals}"
    assert any(words in verdict.refused for words in expected.refusals), verdict.refused
    assert (verdict.read, verdict.accepted, verdict.rejected) == (0, 0, 0)
    assert not rejects
    assert verdict.text is None


def _check_counts(verdict: Verdict, rejects: list[Reject], accepted: list[bytes]) -> None:
    assert verdict.read == verdict.accepted + verdict.rejected
    assert verdict.accepted == len(accepted)
    assert verdict.rejected == len(rejects)
    numbers = [reject.record for reject in rejects]
    assert numbers == sorted(set(numbers)), numbers


def _check_bytes(data: bytes, rejects: list[Reject], accepted: list[bytes]) -> None:
    """Accepted and refused texts, in order, are the file again, byte for byte."""
    refused = {reject.record: reject.raw for reject in rejects}
    rest = iter(accepted)
    position = 0
    for number in range(1, len(accepted) + len(rejects) + 1):
        raw = refused[number] if number in refused else next(rest)
        assert data.startswith(raw, position), f"record {number} is not what the file has there"
        position += len(raw)
        end = next((e for e in (b"\n", b"\r\n") if data.startswith(e, position)), b"")
        assert end or position == len(data), f"record {number} is cut off at byte {position}"
        position += len(end)
    assert not data[position:].strip(b"\r\n"), f"left over: {data[position:]!r}"


def _check_fates(rejects: list[Reject], accepted: list[bytes], expected: Expected) -> None:
    """Each record is refused where, and for what, the oracle says; or else accepted."""
    fates = expected.fates
    assert accepted == [fate.raw for fate in fates if not fate.rules]
    wrong = [(number, fate) for number, fate in enumerate(fates, start=1) if fate.rules]
    assert [reject.record for reject in rejects] == [number for number, _ in wrong]
    for reject, (_, fate) in zip(rejects, wrong, strict=True):
        assert (reject.raw, reject.line) == (fate.raw, fate.line)
        assert reject.rule in fate.rules, f"{reject}: not {set(fate.rules)}"
        if fate.values is not None:
            assert (reject.column, reject.value) == (fate.column, _cut(fate.value)), reject
        assert reject.message


def _cut(value: str | None) -> str | None:
    """A value as it is kept: of a long one, the beginning."""
    return value if value is None or len(value) <= 1000 else f"{value[:999]}…"
