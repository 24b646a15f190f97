"""A feed of small objects in S3, reached through the proxy, and a warehouse to load it into."""

from __future__ import annotations

import contextlib
import gzip
import json
import time
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, TypeVar

import duckdb
import pytest
from faults.s3_proxy import S3Proxy, Strike
from faults.tally import Result as Struck
from faults.tally import record

if TYPE_CHECKING:
    from click.testing import Result
    from conftest import Lake, Loader

__all__ = ["FIRST", "READ_SECONDS", "Landed", "S3Feed", "count", "hurry"]

T = TypeVar("T")
Landed = Counter[tuple[str, str, int]]

# What lies in the feed's folder at first: names and who is the source of their records.
FIRST = {"b.csv": "bee", "f.csv.gz": "eff", "k.csv": "kay"}
READ_SECONDS = 1.0
_RECORDS = 40


def hurry(patch: pytest.MonkeyPatch) -> None:
    """Shortens the waits of the loader and of botocore, not their number."""
    patch.setattr("loader.files.s3._WAITS", (0.01, 0.01, 0.01))
    patch.setattr("loader.files.s3_client._READ_SECONDS", READ_SECONDS)
    short = SimpleNamespace(sleep=lambda seconds: time.sleep(seconds / 200))
    patch.setattr("botocore.endpoint.time", short)


def text_of(source: str) -> bytes:
    lines = [f"{source}{n}.example,domain,{source},2026-01-01" for n in range(_RECORDS)]
    return "\n".join(["indicator,indicator_type,source,first_seen", *lines, ""]).encode()


def expected(*loads: Collection[str]) -> Landed:
    """What is landed after loads that took the records of these sources."""
    return Counter(
        (f"{source}{n}.example", source, load_id)
        for load_id, sources in enumerate(loads, start=1)
        for source in sources
        for n in range(_RECORDS)
    )


def count(
    kind: str, engine: str, landed: Counter[T], must: Counter[T], *, struck: bool = True
) -> None:
    """Counts a load that a fault of S3 struck; or, of a later load, only what is not right."""
    lost, doubled = (must - landed).total(), (landed - must).total()
    if struck or lost or doubled:
        state = "part" if lost or doubled else "all" if must else "nothing"
        record(Struck(f"S3: {kind}", engine, state, lost, doubled))


@dataclass
class S3Feed:
    """The feed, its proxy and its warehouse.

    secrets: what no output may have. thorough: also see that one more load finds nothing.
    """

    lake: Lake
    proxy: S3Proxy
    project: Path
    loader: Loader
    secrets: tuple[str, ...]
    thorough: bool = False

    def fill(self) -> None:
        """Makes everything as if nothing was ever loaded."""
        with contextlib.suppress(FileNotFoundError):
            (self.project / "cti.duckdb").unlink()
        for name, source in FIRST.items():
            self.put(name, source)

    def put(self, name: str, source: str) -> None:
        """Writes an object that holds records of this source."""
        text = text_of(source)
        self.lake.put(f"raw/{name}", gzip.compress(text, mtime=0) if name.endswith(".gz") else text)

    def delete(self, name: str) -> None:
        """Deletes an object."""
        self.lake.delete(f"raw/{name}")

    def landed(self) -> Landed:
        """Every record in the landing table with its load."""
        if not (self.project / "cti.duckdb").exists():
            return Counter()
        there = self.rows("select 1 from information_schema.tables where table_name = 'indicators'")
        query = (
            "select indicator, source, batch_id from raw.indicators"
            " inner join raw._loaded_files on _load_id = load_id"
        )
        return Counter(self.rows(query)) if there else Counter()

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """The rows of a query of the warehouse."""
        with duckdb.connect(str(self.project / "cti.duckdb")) as connection:
            return connection.execute(query).fetchall()

    def check(self, kind: str, *loads: Collection[str], struck: bool = False) -> None:
        """The landing table and the ledger have just these sources' records and files.

        struck: it is a load under a fault that has just ended, which is counted.
        """
        must, landed = expected(*loads), self.landed()
        count(kind, "DuckDB", landed, must, struck=struck)
        assert landed == must
        if not must:
            return
        ledger = self.rows(
            "select batch_id, count(*), sum(records_loaded) from raw._loaded_files group by 1"
        )
        assert sorted((load, files, int(records)) for load, files, records in ledger) == [
            (number, len(sources), len(sources) * _RECORDS)
            for number, sources in enumerate(loads, start=1)
        ]

    def struck(
        self, kind: str, strike: Strike, code: int, says: str, sources: Collection[str]
    ) -> None:
        """Loads under a fault: refused with these words and nothing landed, or these sources."""
        if code:
            self.refused(kind, says, code)
        else:
            self.clean(self.loader("load", "--json"))
            self.check(kind, sources, struck=True)
        assert strike.struck, f"no request was struck: {self.proxy.seen}"
        assert "the client waited for ever" not in self.proxy.seen

    def refused(self, kind: str, says: str, code: int = 3) -> None:
        """Loads: refused with these words and this exit code, and nothing landed."""
        result = self.loader("load", "--json", code=code)
        self.clean(result)
        assert says in " ".join(result.stderr.split()), result.stderr
        self.check(kind, struck=True)

    def again(self, kind: str, *loads: Collection[str]) -> None:
        """Loads without a fault; afterwards these loads are landed."""
        self.proxy.calm()
        self.clean(self.loader("load", "--json"))
        self.check(kind, *loads)
        if self.thorough:
            report = json.loads(self.loader("load", "--json").stdout)
            assert report["load"] is None
            self.check(kind, *loads)

    def clean(self, result: Result) -> None:
        """Nothing secret was printed, and no message is a page long."""
        assert not [secret for secret in self.secrets if secret in result.output]
        assert len(result.stderr) < 1500, result.stderr
