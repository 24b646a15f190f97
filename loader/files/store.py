"""A store: finds a feed's files at its location, pins each to a version and brings it to disk."""

from pathlib import Path

from loader.errors import ConfigError
from loader.files.local import LocalStore
from loader.files.s3 import S3Store

Store = LocalStore | S3Store


def open_store(location: str, base: Path) -> Store:
    """The store of a feed's location. base: what relative local paths start from."""
    if location.startswith("s3://"):
        return S3Store(location)
    if "://" in location:
        scheme = location.partition("://")[0]
        raise ConfigError(f"location {location!r}: {scheme}:// is not known; use s3:// or a path")
    return LocalStore(location, base)
