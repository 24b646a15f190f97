"""What the tests of the loader's modules share."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from loader.contract.feed import Feed, parse_feed
from loader.errors import DataRefused
from loader.validation.rejects import Reject, Verdict
from loader.validation.validator import Validator


class MakeFeed:
    """Contracts as dbt's manifest gives them to the loader."""

    def __call__(self, columns: Mapping[str, Mapping[str, Any]], /, **options: Any) -> Feed:
        """A feed of columns, by name: the keys of config.meta and, if not so wide, data_type."""
        return parse_feed(self.node(columns, **options))

    @staticmethod
    def node(columns: Mapping[str, Mapping[str, Any]], /, **options: Any) -> dict[str, Any]:
        """A source table of the manifest."""
        return {
            "source_name": "shop",
            "name": "orders",
            "original_file_path": "models/staging/shop/_shop__sources.yml",
            "config": {"meta": {"feed": {"location": "data/*.csv", **options}}},
            "columns": {
                name: {
                    "name": name,
                    "data_type": meta.get("data_type", "varchar(1000)"),
                    "config": {"meta": {k: v for k, v in meta.items() if k != "data_type"}},
                }
                for name, meta in columns.items()
            },
        }


@pytest.fixture(scope="session")
def make_feed() -> MakeFeed:
    """Makes contracts."""
    return MakeFeed()


@dataclass(frozen=True)
class Judged:
    """A verdict and what it wrote."""

    verdict: Verdict
    rejects: list[Reject]
    accepted: bytes | None


class JudgeBytes:
    """Validates files with given content, those of a feed one after the other as a load does."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._validators: dict[str, Validator] = {}

    def __call__(self, feed: Feed, data: bytes, name: str = "orders.csv") -> Judged:
        """The verdict on the bytes, the rejects, and the accepted records."""
        contract = feed.model_dump_json()
        if contract not in self._validators:
            spool = Path(tempfile.mkdtemp(dir=self._folder))
            self._validators[contract] = Validator(feed, spool)
        validator = self._validators[contract]
        with tempfile.TemporaryDirectory(dir=self._folder) as folder:
            path = Path(folder) / name
            path.write_bytes(data)
            try:
                verdict = validator.validate(name, validator.plain_text(name, path))
            except DataRefused as error:
                verdict = Verdict(name, refused=str(error))
            accepted = None if verdict.refused else self.accepted(validator, verdict)
            rejects = list(verdict.rejects.read())
            return Judged(verdict, rejects, accepted)

    @staticmethod
    def accepted(validator: Validator, verdict: Verdict) -> bytes:
        """The accepted records as the validator writes them."""
        with tempfile.TemporaryDirectory() as folder:
            validator.write_accepted(verdict, Path(folder) / "out.csv")
            return (Path(folder) / "out.csv").read_bytes()

    def close(self) -> None:
        """Lets go of the engines."""
        for validator in self._validators.values():
            validator.__exit__()


@pytest.fixture(scope="module")
def judge_bytes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JudgeBytes]:
    """Validates bytes against a contract."""
    judge = JudgeBytes(tmp_path_factory.mktemp("judged"))
    yield judge
    judge.close()
