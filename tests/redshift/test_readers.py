"""Whoever reads the mart while it is loaded, built and rebuilt sees a whole table, always."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import Any

import pytest

from redshift.cluster import TEST_MARK
from redshift.site import Site, indicators

pytestmark = pytest.mark.slow

_MART = "select count(*), sum(occurrences), max(last_load_id) from analytics.indicators"
_STAGING = "select count(*), count(distinct indicator) from analytics.stg_cti__indicators"


@dataclass
class Reader:
    """Asks the same again and again over one connection, and keeps what it is told, in order."""

    connection: Any
    sql: str
    seen: list[tuple[Any, ...]] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    count: int = 0
    _stop: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.connection.autocommit = True
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        cursor = self.connection.cursor()
        while not self._stop.is_set():
            try:
                cursor.execute(TEST_MARK + self.sql)
                row = tuple(None if n is None else int(n) for n in cursor.fetchone())
            except Exception as error:
                self.errors.append(str(error))
                return
            self.count += 1
            if not self.seen or self.seen[-1] != row:
                self.seen.append(row)
            time.sleep(0.01)

    def stop(self) -> None:
        """Ask no more."""
        self._stop.set()
        self._thread.join(60)
        assert self.errors == []


@pytest.mark.parametrize("full", [False, True], ids=["build", "full-refresh"])
def test_readers_see_whole_tables(site: Site, full: bool) -> None:
    # GIVEN a mart of one load, and readers
    if not full:
        site.put("in/a.csv", indicators(*(f"n{n}" for n in range(400))))
        site.load().done()
        site.dbt(
            *("build", "--exclude-resource-type", "test", "unit_test"),
            *("--select", "indicator_type_aliases", "+indicators"),
        ).done()
    ((rows, records, load),) = site.query(_MART)
    ((staged, names),) = site.query(_STAGING)
    readers = [Reader(site.connect(), sql) for sql in (_MART, _STAGING)]
    # WHEN more is loaded and built: keys that are there, and new ones
    site.put(f"in/b{full}.csv", indicators(*(f"n{n}" for n in range(200, 600 + 200 * full))))
    site.load().done()
    selected = ("indicators", "stg_cti__indicators")
    site.dbt("run", *(["--full-refresh"] if full else []), "--select", *selected).done()
    for reader in readers:
        reader.stop()
    # THEN they saw the table as it was and as it is, and nothing else.
    mart, staging = readers
    more, new = 400 + 200 * full, 200
    assert mart.seen == [(rows, records, load), (rows + new, records + more, load + 1)]
    assert staging.seen == [(staged, names), (staged + more, names + new)]
    assert min(reader.count for reader in readers) > 20


def test_readers_see_a_whole_mart_while_a_rule_changes(site: Site) -> None:
    # GIVEN a mart, a reader of it, and another rule
    site.put("in/rule.csv", indicators("rule"))
    site.load().done()
    site.dbt(
        *("build", "--exclude-resource-type", "test", "unit_test"),
        *("--select", "indicator_type_aliases", "+indicators"),
    ).done()
    reader = Reader(site.connect(), _MART)
    path = site.project / "models/staging/cti/stg_cti__indicators.sql"
    text = path.read_text()
    assert "select * from typed" in text
    # WHEN it is rebuilt THEN the reader sees it as it was and as it is
    try:
        path.write_text(text.replace("select * from typed", "select * from typed where true"))
        selected = ("indicators", "stg_cti__indicators")
        outcome = site.dbt("run", "--select", *selected).done()
    finally:
        path.write_text(text)
    reader.stop()
    assert "analytics.indicators is rebuilt from all landed records" in outcome.text
    assert len(reader.seen) == 1
    assert reader.count > 20


def test_readers_never_see_an_empty_seed(site: Site) -> None:
    rig = site.cluster.rig
    if rig is None:
        pytest.skip("only the stand-in lets a test step in between two statements")
    # GIVEN the aliases, and somebody who reads them just before dbt fills their table again
    site.dbt("seed").done()
    count = "select count(*) from analytics.indicator_type_aliases"
    ((aliases,),) = site.query(count)
    seen: list[object] = []
    rig.forget()
    rig.before("insert into .*indicator_type_aliases", lambda: seen.append(site.query(count)))
    # WHEN it is seeded again THEN the reader sees them all, since nothing commits in between
    site.dbt("seed").done()
    assert seen == [[(aliases,)]]
    assert aliases > 10
    assert [sql for sql in rig.sent() if "truncate" in sql.lower()] == []
