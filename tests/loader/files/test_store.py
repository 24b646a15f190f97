"""The store of a location."""

from __future__ import annotations

from pathlib import Path

import pytest

from loader.errors import ConfigError
from loader.files.store import open_store


@pytest.mark.parametrize("location", ["gs://bucket/x", "https://x/y.csv", "S3://b/x", "file:///x"])
def test_an_unknown_scheme_is_named(tmp_path: Path, location: str) -> None:
    with pytest.raises(ConfigError, match=r"is not known; use s3:// or a path"):
        open_store(location, tmp_path)
