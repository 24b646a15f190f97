"""The local files of `validate`: what can be read of them, and where their results go."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from loader.errors import ConfigError, StorageError

if TYPE_CHECKING:
    from loader.validation.validator import Validator
    from loader.validation.verdict import Verdict

__all__ = ["check_readable", "out_files", "size", "write_out"]


def out_files(paths: tuple[Path, ...], out: Path | None) -> list[tuple[Path, Path]]:
    """Where each file's accepted and refused records go. Raises ConfigError if two would clash."""
    if out is None:
        return [(Path(), Path())] * len(paths)
    names = [path.name for path in paths]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(
                f"two files are called {name}, so their results would overwrite each other in"
                f" {out}; validate them into different folders"
            )
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"{out}: {error.strerror}") from None
    results = [(out / f"{name}.accepted.csv", out / f"{name}.rejects.jsonl") for name in names]
    inputs = {path.resolve() for path in paths}
    for result in (path for pair in results for path in pair):
        if result.resolve() in inputs:
            raise ConfigError(
                f"{result} is to be validated and would be written over; give another --out"
            )
    return results


def write_out(validator: Validator, verdict: Verdict, accepted: Path, rejects: Path) -> None:
    """Writes a file's accepted records as CSV, its refused ones as JSON lines.

    Raises StorageError.
    """
    try:
        accepted.unlink(missing_ok=True)
        if not verdict.refused:
            validator.write_accepted(verdict, accepted)
        with rejects.open("w", encoding="ascii") as lines:
            lines.writelines(verdict.rejects.json_lines() if verdict.rejects else ())
    except OSError as error:
        raise StorageError(f"{error.filename or accepted}: {error.strerror or error}") from None


def check_readable(path: Path) -> None:
    """Raises ConfigError for a path that names no file, StorageError for an unreadable one."""
    if path.is_dir():
        raise ConfigError(f"{path} is a folder; name the files in it")
    if path.exists() and not path.is_file():
        raise ConfigError(f"{path} is not a regular file")
    try:
        with path.open("rb") as file:
            file.read(1)
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
    except OSError as error:
        raise StorageError(f"{path}: {error.strerror}") from None


def size(path: Path) -> int:
    """Bytes, for the progress; 0 for what cannot be asked."""
    try:
        return path.stat().st_size
    except OSError:
        return 0
