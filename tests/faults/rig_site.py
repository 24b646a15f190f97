"""A place to break things in on Redshift: the rig, with a warehouse that can be put back."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from faults.contents import Contents, read_contents
from faults.duckdb_site import FIRST, LATER
from redshift.cluster import WatchedRig, rig_cluster
from redshift.commands import Commands, Outcome, Running, warm_up
from redshift.site import Site, copy_project
from rig.faults import Fault

__all__ = ["Disturbed", "RigSite", "rig_site"]

_TABLES = {
    "raw.indicators": "_load_id",
    "raw._loaded_files": "load_id",
    "raw._rejected_records": "load_id",
}
_LEFTOVERS = (
    "select count(*) from pg_class where relpersistence = 't' and relkind = 'r'"
    " and relnamespace::regnamespace::text like 'pg_temp%'"
)
_WAIT_SECONDS = 60.0


@dataclass(frozen=True)
class Disturbed:
    """A load of LATER that nothing disturbs: before, after, and its statements in order."""

    before: Contents
    after: Contents
    statements: list[str]


@dataclass
class RigSite:
    """The rig and a project on it. The states are `empty` and `loaded`: FIRST loaded and built."""

    site: Site
    rig: WatchedRig
    state: str = ""

    @property
    def spool(self) -> Path:
        """TMPDIR of the commands."""
        return self.site.folder / "spool"

    def start(self, *arguments: str, **more: str) -> Running:
        """Starts a load, or another command of the loader, that tries again at once."""
        arguments = arguments or ("load", "--json")
        variables = {"DBT_WRITE_JSON": "false", "TMPDIR": str(self.spool)} | more
        return self.site.start("loader", *arguments, impatient=True, more=variables)

    def load(self) -> Outcome:
        """A load, done or not."""
        return self.start().wait()

    def put_back(self, state: str) -> None:
        """Makes the warehouse and the work location what they were."""
        self.rig.calm()
        if state != self.state:
            self.site.cluster.empty()
            if state == "loaded":
                self._load_first()
            self.state = state
        elif state == "empty":
            self.site.cluster.empty()
        for table, column in _TABLES.items() if state == "loaded" else ():
            self._admin(f"delete from {table} where {column} > 1")

    def put_only(self, files: Mapping[str, bytes]) -> None:
        """Makes these the only files of the feed; put_back() then begins anew."""
        self.state = ""
        self.site.clear("in/")
        for name, data in files.items():
            self.site.put(name, data)

    def _load_first(self) -> None:
        self.put_only({f"in/{name}": data for name, data in FIRST.items()})
        self.start("run", "--json").wait().done()
        for name, data in LATER.items():
            self.site.put(f"in/{name}", data)

    def contents(self) -> Contents:
        """What is in the warehouse, looked at past the rig's rules and faults."""
        return read_contents(self._admin)

    def undisturbed(self, state: str) -> Disturbed:
        """What a load does and leaves."""
        # The shorter of two: where the machine stalls, a load begins again by itself.
        loads = [self._undisturbed(state) for _ in range(2)]
        return min(loads, key=lambda load: len(load.statements))

    def _undisturbed(self, state: str) -> Disturbed:
        self.put_back(state)
        before = self.contents()
        self.load().done()
        statements = [" ".join(sql.split()) for sql in self.rig.faults.executed]
        return Disturbed(before, self.contents(), statements)

    def leftovers(self) -> list[str]:
        """What a load should not leave: temporary tables, objects in the work location, spools."""
        found = [f"object {name}" for name in self.site.keys("work/")]
        found += [f"spool {path.name}" for path in self.spool.iterdir()]
        # A session's end is a moment later than its client's.
        if not _in_time(lambda: self._admin(_LEFTOVERS) == [["0"]]):
            found.append("temporary tables")
        return found

    def commit_order(self) -> list[int]:
        """The load ids of the ledger, in the order in which their transactions committed."""
        rows = self._admin(
            "select load_id from raw._loaded_files group by load_id"
            " order by max(rig_hidden.pg_xact_commit_timestamp(xmin))"
        )
        return [int(row[0] or 0) for row in rows]

    def mart_counts(self) -> list[list[str | None]]:
        """Records in the mart, and the newest load there."""
        return self._admin(
            "select sum(occurrences)::bigint, max(last_load_id) from analytics.indicators"
        )

    def landing_counts(self) -> list[list[str | None]]:
        """Records in the landing table, and the newest load there."""
        return self._admin("select count(*), max(_load_id) from raw.indicators")

    def _admin(self, sql: str) -> list[list[str | None]]:
        return self.rig.admin_query(sql, self.site.cluster.database)


def wait_for(fault: Fault) -> bool:
    """Whether a fault strikes."""
    return fault.fired.wait(_WAIT_SECONDS)


def _in_time(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + _WAIT_SECONDS
    while not (met := condition()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return met


@contextmanager
def rig_site(folder: Path) -> Iterator[RigSite]:
    """The rig, its S3 server, and the project on it, in the state `loaded`."""
    copy_project(folder / "project")
    (folder / "spool").mkdir()
    warm_up(folder / "project", folder / "warm")
    with rig_cluster() as cluster:
        assert cluster.rig is not None
        site = Site(cluster, folder, folder / "project", Commands(folder / "commands"))
        site.clear("")
        on_rig = RigSite(site, cluster.rig)
        on_rig.put_back("loaded")
        try:
            yield on_rig
        finally:
            site.close()
