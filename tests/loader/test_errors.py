"""Schedulers go by the exit code: 1 the data, 2 the configuration, 3 a system that failed."""

from __future__ import annotations

import re

import pytest

from loader import errors

KINDS: dict[str, type[errors.LoaderError]] = {
    name: kind
    for name, kind in vars(errors).items()
    if getattr(kind, "__module__", "") == errors.__name__
}
CODES = {
    "LoaderError": 2,
    "ConfigError": 2,
    "StorageError": 3,
    "FileChanged": 3,
    "WarehouseError": 3,
    "WarehouseTransient": 3,
    "CommitUnknown": 3,
    "ReconciliationError": 1,
    "DataRefused": 1,
}


@pytest.mark.parametrize("name", CODES)
def test_every_error_has_one_root_and_an_exit_code(name: str) -> None:
    assert issubclass(KINDS[name], errors.LoaderError)
    assert KINDS[name].exit_code == CODES[name]


def test_the_tree_in_the_docstring_has_every_error_and_its_exit_code() -> None:
    # A line without a code has that of the error above it.
    drawn, code = {}, ""
    for name, told in re.findall(
        r"^    [│├└─ ]*(\w+) {2,}(?:exit (\d))?", errors.__doc__ or "", re.M
    ):
        code = told or code
        drawn[name] = int(code)
    assert drawn == CODES
    assert set(CODES) == set(KINDS)
