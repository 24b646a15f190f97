"""Schedulers go by the exit code: 1 means the data, 2 means the machinery."""

from __future__ import annotations

import pytest

from loader import errors


@pytest.mark.parametrize("name", errors.__all__)
def test_every_error_has_one_root_and_an_exit_code(name: str) -> None:
    kind = getattr(errors, name)
    assert issubclass(kind, errors.LoaderError)
    assert kind.exit_code == (1 if issubclass(kind, errors.DataRefused) else 2)
    assert name in (errors.__doc__ or "")
