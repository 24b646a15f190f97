"""`plan --target redshift` says what a load will do, to the letter, and does nothing."""

from __future__ import annotations

import re

import pytest

from redshift.site import Site, indicators, packed

pytestmark = pytest.mark.slow

_CHANGES = re.compile(r"^(create|drop|alter|insert|update|delete|copy|lock|truncate)\b", re.I)
# What a plan cannot know: the folder of the load, its time, and what is counted on the way.
_LATER = (
    (r"s3://\S+?/(manifest-\d+\.json)", r"\1"),
    (r"'\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?'", "'now'"),
    (r", (null|'[^']*'), (\d+), \d+, \d+, \d+, 'loaded'", r", \2, 'loaded'"),
)


def _known(sql: str) -> str:
    for pattern, text in _LATER:
        sql = re.sub(pattern, text, sql)
    return " ".join(sql.split())


def test_plan_tells_the_sql_and_changes_nothing(site: Site) -> None:
    # GIVEN an empty warehouse, and files in two orders of columns
    uris = [
        site.put("in/a.csv", indicators("a", "b")),
        site.put("in/b.csv.gz", packed(indicators("c"))),
    ]
    keys = site.keys()
    rig = site.cluster.rig
    if rig:
        rig.forget()
    # WHEN it is planned, for people and for machines
    outcome = site.loader("plan", "--select", "indicators").done()
    (report,) = site.loader("plan", "--json", "--select", "indicators").done().objects
    # THEN nothing has changed
    assert site.keys() == keys
    assert (
        site.query("select nspname from pg_namespace where nspname in ('raw', 'analytics')") == []
    )
    assert rig is None or [sql for sql in rig.sent() if _CHANGES.match(sql.strip())] == []
    # and everything is told: the files, the manifest of each group, the SQL
    for uri in uris:
        assert uri in outcome.out
        assert f'"url": "{uri}"' in outcome.out
    assert '"mandatory": true' in outcome.out
    assert outcome.out.count("copy ") == 2
    # and is what the load then sends.
    planned = [_known(sql) for sql in report["sql"]]
    if rig:
        rig.forget()
        site.load().done()
        sent = [_known(sql) for sql in rig.sent()]
        assert [sql for sql in planned if sql in sent] == planned
        changes = [sql for sql in sent if _CHANGES.match(sql)]
        assert [sql for sql in changes if sql not in planned] == []
