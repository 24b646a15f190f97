"""Places where arrangements are carried out: one project, parsed once, on DuckDB or on Redshift.

All but what is killed runs in this process, by the calls that the command line makes.
"""

from __future__ import annotations

import os
import shutil
import signal
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import pytest
from arrangements.cases import Arrangement, Build, File, Load, Replay, Rollback, Step
from arrangements.feeds import FeedShape
from arrangements.tables import FEEDS, Rows, Tables
from conftest import let_go_of_the_database
from faults.steps import ADD_QUERY, EXECUTE, OF_A_NODE, end_at
from faults.steps import Step as Moment
from redshift.cluster import TEST_MARK, Cluster
from redshift.commands import Commands

from loader.errors import WarehouseTransient
from loader.files.choice import Choice
from loader.jobs.load import Load as LoadJob
from loader.jobs.replay import Corrections, replay
from loader.jobs.rollback import Taken, roll_back
from loader.warehouse.connection import Warehouse
from loader.warehouse.dbt_api import build
from loader.warehouse.project import Project

__all__ = ["DuckdbSite", "RedshiftSite", "Site"]

_MARTS = ("--select", *(feed.table for feed in FEEDS))
# The tables that an arrangement fills.
_TABLES = (
    *("raw._loaded_files", "raw._rejected_records"),
    *(f"{schema}.{feed.table}" for feed in FEEDS for schema in ("raw", "analytics")),
)


class _Unwatched:
    """Nobody watches the progress of a job."""

    def step(self, name: str, total_bytes: int | None = None) -> nullcontext[None]:
        return nullcontext()

    def advance(self, count: int) -> None: ...

    def note(self, message: str) -> None: ...


@dataclass
class Site(ABC):
    """A project with two feeds, each a folder of files, and its warehouse.

    commands: of the same project, for what is killed.
    """

    folder: Path
    commands: Commands
    project: Project = field(init=False)

    def __post_init__(self) -> None:
        self.project = Project(self.folder, self.folder)
        assert set(self.project.contracts) == {feed.name for feed in FEEDS}
        self._build(whole=True)

    @abstractmethod
    def query(self, *queries: str) -> list[Rows]:
        """The rows of each query, in one session."""

    @abstractmethod
    def empty(self) -> None:
        """Empties the tables that an arrangement fills."""

    def carry_out(self, files: Sequence[File], arrangement: Arrangement) -> Tables:
        """The tables at its end. Fails after the first build that is not what the files say."""
        self.empty()
        for feed in FEEDS:
            shutil.rmtree(self.folder / feed.table, ignore_errors=True)
            (self.folder / feed.table).mkdir()
        named = {file.name: file for file in files}
        last = Load(tuple(named)), Replay(tuple(named)), Build(whole=arrangement.whole)
        for step in (*arrangement.steps, *last):
            self._do(step, named)
            if isinstance(step, Build) and not step.killed_at:
                tables = Tables.read(self.query)
                tables.compare(files)
        assert tables.loaded == {file.uri for file in files}
        assert tables.replayed == {
            (file.uri, number) for file in files for number in file.corrected
        }
        return tables

    def _do(self, step: Step, files: Mapping[str, File]) -> None:
        """Does a step, as far as it concerns these files."""
        match step:
            case Load(names):
                for feed in FEEDS:
                    mine = [file for file in _of(names, files) if file.feed is feed]
                    if mine:
                        self._load(step, feed, mine)
            case Build(0, whole):
                self._build(whole)
            case Build(nth):
                moment = Moment("a statement", ADD_QUERY, nth=nth, matching=OF_A_NODE)
                self._killed(moment, "dbt", "run", *_MARTS)
            case Rollback(name, alone):
                for file in _of((name,), files):
                    self._roll_back(file, alone)
            case Replay(names):
                self._replay(_of(names, files))

    def _load(self, step: Load, feed: FeedShape, files: Sequence[File]) -> None:
        for file in files:
            path = self.folder / file.uri
            path.write_text(file.text)
            nanoseconds = (file.time - datetime(1970, 1, 1)) // timedelta(microseconds=1) * 1000
            os.utime(path, ns=(nanoseconds, nanoseconds))
        tables = Tables.read(self.query)
        rolled_back = {row.uri for row in tables.ledger if row.status == "rolled back"}
        reloads = {file.uri for file in files} & (rolled_back - tables.loaded)
        if step.killed_at:
            moment = Moment("a statement", EXECUTE, nth=step.killed_at)
            options = [option for uri in sorted(reloads) for option in ("--reload", uri)]
            self._killed(moment, "loader", "load", "--select", feed.name, *options)
            return
        with _commit_lost() if step.commit_lost else nullcontext():
            contract = self.project.feed(feed.name)
            choice = Choice(frozenset(reloads))
            LoadJob(self.project, contract, _Unwatched(), choice).run()

    def _killed(self, moment: Moment, program: str, *arguments: str) -> None:
        """Runs a command that is killed when it comes to a moment, if it does."""
        prepare = partial(end_at, moment, signal.SIGKILL)
        started = self.commands.start(
            program, arguments, dict(os.environ), self.folder, prepare=prepare
        )
        outcome = started.wait()
        assert outcome.code in (0, -signal.SIGKILL), outcome.text

    def _build(self, whole: bool) -> None:
        if whole:
            feeds = map(self.project.feed, self.project.contracts)
            results = [self.project.build(feed, quiet=True) for feed in feeds]
        else:
            options = (f"--project-dir={self.folder}", f"--profiles-dir={self.folder}")
            only = (*_MARTS, "--resource-type=model")
            results = [build(self.project._manifest, [*options, *only], quiet=True)]
        let_go_of_the_database()
        for result in results:
            assert not result.errors, result.errors
            assert not result.failed, result.failed

    def _roll_back(self, file: File, alone: bool) -> None:
        """Rolls back all of a file, or its batch after those that replayed records of that."""
        tables = Tables.read(self.query)
        if file.uri not in tables.loaded:
            return
        taken = [Taken(uri=file.uri)]
        if not alone:
            batch_of = {row.load_id: row.batch_id for row in tables.ledger}
            (mine,) = {
                row.batch_id
                for row in tables.ledger
                if row.uri == file.uri and row.status == "loaded"
            }
            later = {
                batch_of[row.replayed_by]
                for row in tables.quarantine
                if row.replayed_by and batch_of[row.load_id] == mine
            }
            taken = [Taken(batch) for batch in (*later, mine)]
        for each in taken:
            roll_back(self.project, self.project.feed(file.feed.name), each, _Unwatched())

    def _replay(self, files: Sequence[File]) -> None:
        tables, known = Tables.read(self.query), {file.uri: file for file in files}
        batch_of = {row.load_id: row.batch_id for row in tables.ledger}
        waiting = [row for row in tables.quarantine if row.replayed_by is None]
        for feed in FEEDS:
            corrections: Corrections = {
                (batch_of[row.load_id], row.uri, row.record): known[row.uri].correction(row.record)
                for row in waiting
                if row.feed == feed.name
                and row.uri in known
                and row.record in known[row.uri].corrected
            }
            if corrections:
                contract = self.project.feed(feed.name)
                replay(self.project, contract, _Unwatched(), corrections=corrections)


def _of(names: Sequence[str], files: Mapping[str, File]) -> list[File]:
    return [files[name] for name in names if name in files]


@contextmanager
def _commit_lost() -> Iterator[None]:
    """Has the next COMMIT done and its answer lost."""
    execute, lost = Warehouse.execute, list[str]()

    def broken(self: Warehouse, sql: str) -> None:
        execute(self, sql)
        if sql == "commit" and not lost:
            lost.append(sql)
            raise WarehouseTransient("connection reset")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("loader.jobs.attempts._WAITS", (0.0,))
        patch.setattr(Warehouse, "execute", broken)
        yield


@dataclass
class DuckdbSite(Site):
    """The warehouse is a file, put back from a copy in which everything is built and empty."""

    warehouse: Path

    def __post_init__(self) -> None:
        super().__post_init__()
        self._built_and_empty = self.warehouse.read_bytes()

    def query(self, *queries: str) -> list[Rows]:
        with duckdb.connect(str(self.warehouse)) as connection:
            return [connection.execute(query).fetchall() for query in queries]

    def empty(self) -> None:
        for path in self.warehouse.parent.glob(f"{self.warehouse.name}*"):
            path.unlink()
        self.warehouse.write_bytes(self._built_and_empty)


@dataclass
class RedshiftSite(Site):
    """The warehouse is the rig's, or a cluster's, and empty."""

    cluster: Cluster

    def query(self, *queries: str) -> list[Rows]:
        with closing(self.cluster.connect()) as connection:
            connection.autocommit = True
            cursor = connection.cursor()
            return [self._rows(cursor, query) for query in queries]

    def empty(self) -> None:
        self.query(*(f"delete from {table}" for table in _TABLES))

    def _rows(self, cursor: Any, query: str) -> Rows:
        cursor.execute(TEST_MARK + query)
        return [tuple(row) for row in cursor.fetchall()] if cursor.description else []
