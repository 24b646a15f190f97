"""Files in drawn dialects through the real validator, held against the reader by characters."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
from e2e.strict_csv import read_records
from fuzz.dialect_reader import QUOTE_RULES, Refused, Unsettled, Verdict, read
from fuzz.dialects import DialectFile, dialect_file

from loader.errors import DataRefused
from loader.records import canonical
from loader.records import reader as records
from loader.validation import reading
from loader.validation.rejects import Reject
from loader.validation.validator import Validator

__all__ = ["DialectCases"]

# For which of these reasons a line is no header is a matter of taste.
_NO_HEADER = ("the first line", "the header does not fit")


class DialectCases:
    """Checks files, each with a feed of its own. settled: of how many the fate was certain."""

    name = "dialects"
    settled = 0

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self._validators: dict[str, Validator] = {}

    def make(self, seed: int, number: int) -> DialectFile:
        return dialect_file(seed, number)

    def close(self) -> None:
        self._forget()
        self._folder.cleanup()

    def _validator(self, file: DialectFile) -> Validator:
        """One for the files of a dialect, as a load has it."""
        options = str(file.options)
        if options not in self._validators:
            self._forget()
            spool = Path(self._folder.name) / "spool"
            spool.mkdir()
            self._validators[options] = Validator(file.contract.feed(), spool)
        return self._validators[options]

    def _forget(self) -> None:
        for validator in self._validators.values():
            validator.__exit__()
        self._validators.clear()
        shutil.rmtree(Path(self._folder.name) / "spool", ignore_errors=True)

    def check(self, file: DialectFile) -> None:
        """Raises AssertionError, or what the validator raises, if the readers disagree."""
        try:
            expected: Verdict | str = read(file.data, file.options, file.contract.columns)
        except Refused as error:
            expected = str(error)
        except Unsettled:
            return
        self.settled += 1
        validator = self._validator(file)
        with tempfile.TemporaryDirectory(dir=self._folder.name) as folder:
            path = Path(folder) / "file.csv"
            path.write_bytes(file.data)
            try:
                with _small_blocks(file):
                    verdict = validator.validate("file.csv", validator.plain_text("file.csv", path))
                refused = verdict.refused
            except DataRefused as error:
                refused = str(error)
            if isinstance(expected, str):
                assert refused is not None, f"not refused: {expected}"
                words = _NO_HEADER if expected in _NO_HEADER else (expected,)
                assert any(word in refused for word in words), refused
                return
            assert refused is None, refused
            assert verdict.text is not None
            text, rejects = verdict.text.read_bytes(), list(verdict.rejects.read())
            _check(file, expected, text, verdict.columns, rejects)
            assert +verdict.skipped == +expected.skipped
            assert verdict.read == len(expected.fates)


@contextmanager
def _small_blocks(file: DialectFile) -> Iterator[None]:
    """Makes the loader take little at once, so that small files have many blocks."""
    with pytest.MonkeyPatch.context() as patch:
        if file.block_bytes:
            patch.setattr(canonical, "_BLOCK_BYTES", file.block_bytes)
            by_few = partial(records.read_blocks, block_bytes=file.block_bytes)
            patch.setattr(reading, "read_blocks", by_few)
        yield


def _check(
    file: DialectFile,
    expected: Verdict,
    text: bytes,
    columns: tuple[str | None, ...],
    rejects: list[Reject],
) -> None:
    """Each record is accepted with its values, or refused on its line and for its rule."""
    dialect = file.contract.feed().dialect
    signs = bytes([dialect.delimiter]), bytes([dialect.quote])
    _, *accepted = read_records(text.removeprefix(b"\xef\xbb\xbf"), *signs)
    values = []
    for record in accepted:
        assert record.values is not None, f"accepted, but {record.problem}: {record}"
        found = dict(zip(columns, map(bytes.decode, record.values), strict=True))
        values.append(tuple(found.get(name, "") or None for name in file.contract.columns))
    assert values == [fate.values for fate in expected.fates if not fate.rules]
    wrong = [(number, fate) for number, fate in enumerate(expected.fates, start=1) if fate.rules]
    assert [(r.record, r.line) for r in rejects] == [(number, fate.line) for number, fate in wrong]
    for reject, (_, fate) in zip(rejects, wrong, strict=True):
        assert reject.rule in fate.rules, f"{reject}: not {set(fate.rules)}"
        # What is kept of it is one record of the canonical text, as malformed as it was.
        read_again = read_records(reject.raw, *signs)
        assert len(read_again) == bool(reject.raw), reject
        if fate.values is not None and reject.raw:
            cells = [cell.decode() for cell in read_again[0].values or ()]
            assert (fate.cells or ())[: len(cells)] == tuple(cells), reject
        elif fate.rules == QUOTE_RULES and not reject.raw.endswith(b"\r"):
            assert read_again[0].problem, reject
