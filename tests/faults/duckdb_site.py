"""A place to break things in on DuckDB: a project, a feed, a warehouse that can be put back."""

from __future__ import annotations

import gzip
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import duckdb
from faults.contents import Contents, read_contents
from redshift.commands import Commands, Outcome, Running, warm_up
from redshift.site import copy_project

from loader.validation import validator

__all__ = ["FIRST", "LATER", "DuckdbSite", "duckdb_site"]

_HEADER = "indicator,indicator_type,source,confidence,first_seen,last_seen,description\n"
_OTHER = "source,indicator,indicator_type,first_seen\n"
_ROW = "{name}.example,{kind},me,{confidence},2026-01-0{day},,{text}\n"


def _text(name: str, records: int, bad: str = "") -> str:
    """A file of the feed; every third record is of a key that other files have too."""
    rows = []
    for number in range(records):
        key = f"shared-{number}" if number % 3 == 0 else f"{name}-{number}"
        row = _ROW.format(
            name=key, kind="domain", confidence=number % 101, day=number % 9 + 1, text="x" * 20
        )
        rows.append(row)
    return _HEADER + "".join(rows) + bad


# What is loaded before, and what the disturbed load finds: files with a malformed record and a bad
# value, one packed, one with columns in another order.
FIRST = {"1.csv": _text("first", 90).encode()}
LATER = {
    "2.csv": _text("second", 200, "short,domain\n").encode(),
    "3.csv.gz": gzip.compress(
        _text("third", 150, 'a"b,domain,me,1,2026-01-01,,\n').encode(), mtime=0
    ),
    "4.csv": (_OTHER + "me,fourth.example,domain,2026-01-04\n" * 40).encode(),
}


def _prepare(prepare: Callable[[], object] | None) -> None:
    """Has clean files read as they are landed, which otherwise only large ones are."""
    validator._TRIED_BYTES = validator._SMALL_BYTES = 0
    if prepare:
        prepare()


@dataclass
class DuckdbSite:
    """A copy of the project whose feed is a folder and whose warehouse is a file."""

    folder: Path
    commands: Commands
    warehouse: Path
    states: dict[str, dict[str, bytes]] = field(default_factory=dict)

    @property
    def project(self) -> Path:
        """The project's folder."""
        return self.folder / "project"

    @property
    def spool(self) -> Path:
        """TMPDIR of the commands."""
        return self.folder / "spool"

    def start(
        self,
        program: str,
        *arguments: str,
        prepare: Callable[[], object] | None = None,
        more: Mapping[str, str] = MappingProxyType({}),
    ) -> Running:
        """Starts a command. prepare: called in its process before it begins."""
        environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(self.folder),
            "TMPDIR": str(self.spool),
            "CTI_INDICATORS_LOCATION": "feed/*.csv*",
            "CTI_DUCKDB_PATH": str(self.warehouse),
            # dbt's artifacts take longer than a small load.
            "DBT_WRITE_JSON": "false",
            "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
            **more,
        }
        prepare = partial(_prepare, prepare)
        return self.commands.start(
            program, arguments, environment, self.project, impatient=True, prepare=prepare
        )

    def do(self, program: str, *arguments: str, **options: Any) -> Outcome:
        """Runs a command, which must end well."""
        return self.start(program, *arguments, **options).wait().done()

    def put(self, files: Mapping[str, bytes]) -> None:
        """Makes these, and no others, the files of the feed."""
        feed = self.project / "feed"
        shutil.rmtree(feed, ignore_errors=True)
        feed.mkdir()
        for name, data in files.items():
            (feed / name).write_bytes(data)
            # The ledger has the time of modification: always the same.
            os.utime(feed / name, (1_700_000_000, 1_700_000_000))

    def keep(self, state: str) -> None:
        """Keeps the warehouse under a name, to be put back."""
        self.states[state] = {path.name: path.read_bytes() for path in self._files()}

    def put_back(self, state: str) -> None:
        """Makes the warehouse what it was."""
        for path in self._files():
            path.unlink()
        for name, data in self.states[state].items():
            (self.warehouse.parent / name).write_bytes(data)

    def contents(self) -> Contents:
        """What is in the warehouse. Looked at in a copy: opening a file with a log changes it."""
        copy = self.folder / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        copy.mkdir()
        for path in self._files():
            shutil.copy(path, copy)
        if not self.warehouse.exists():
            return read_contents(lambda sql: [])
        with duckdb.connect(str(copy / self.warehouse.name)) as connection:
            return read_contents(lambda sql: connection.execute(sql).fetchall())

    def _files(self) -> list[Path]:
        """The database's file, and DuckDB's log beside it."""
        return [p for p in self.warehouse.parent.glob(f"{self.warehouse.name}*") if p.is_file()]


@contextmanager
def duckdb_site(folder: Path) -> Iterator[DuckdbSite]:
    """A site with two states: `empty`, and `loaded`, in which FIRST is loaded and built."""
    copy_project(folder / "project")
    (folder / "spool").mkdir()
    (folder / "warehouse").mkdir()
    warm_up(folder / "project", folder / "warm")
    site = DuckdbSite(folder, Commands(folder / "commands"), folder / "warehouse" / "cti.duckdb")
    site.keep("empty")
    site.put(FIRST)
    site.do("loader", "run", "--json")
    site.keep("loaded")
    site.put(FIRST | LATER)
    try:
        yield site
    finally:
        site.commands.close()
