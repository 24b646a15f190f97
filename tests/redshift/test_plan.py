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


@pytest.mark.parametrize(
    ("as_is_bytes", "read", "copies"), [("1", "as it is", 2), ("10000", "rewritten", 1)]
)
def test_plan_tells_the_sql_and_changes_nothing(
    whole_site: Site, as_is_bytes: str, read: str, copies: int
) -> None:
    # GIVEN an empty warehouse, and files that COPY is to read as they are, or that are too small
    site = whole_site
    site.empty()
    uris = [
        site.put("in/a.csv", indicators("a", "b")),
        site.put("in/b.csv.gz", packed(indicators("c"))),
    ]
    keys = site.keys()
    rig = site.cluster.rig
    if rig:
        rig.forget()
    # WHEN it is planned, for people and for machines
    outcome = site.loader("plan", "--select", "indicators", CTI_COPY_AS_IS_BYTES=as_is_bytes).done()
    planning = site.loader(
        "plan", "--json", "--select", "indicators", CTI_COPY_AS_IS_BYTES=as_is_bytes
    )
    (report,) = planning.done().objects
    # THEN nothing has changed
    assert site.keys() == keys
    assert (
        site.query("select nspname from pg_namespace where nspname in ('raw', 'analytics')") == []
    )
    assert rig is None or [sql for sql in rig.sent() if _CHANGES.match(sql.strip())] == []
    # and everything is told: the files, how each is read, the manifest of each COPY, the SQL
    assert [(file["uri"], file["read"]) for file in report["new"]] == [(uri, read) for uri in uris]
    assert outcome.out.count(read) == 2
    for uri in uris:
        assert uri in outcome.out
        assert (f'"url": "{uri}"' in outcome.out) is (read == "as it is")
    assert ("<part>.csv.gz" in outcome.out) is (read == "rewritten")
    assert '"mandatory": true' in outcome.out
    assert outcome.out.count("copy ") == len(report["manifests"]) == copies
    # and is what the load then sends.
    planned = [_known(sql) for sql in report["sql"]]
    if rig:
        rig.forget()
        site.load(CTI_COPY_AS_IS_BYTES=as_is_bytes).done()
        sent = [_known(sql) for sql in rig.sent()]
        assert [sql for sql in planned if sql in sent] == planned
        changes = [sql for sql in sent if _CHANGES.match(sql)]
        assert [sql for sql in changes if sql not in planned] == []
