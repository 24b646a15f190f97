"""Parts and manifests on their way to S3, under faults, before Redshift copies them.

COPY reads what the loader uploads: half of it must not be loaded, and none of it may stay. COPY's
own way to S3 is not the loader's; what goes wrong there is in tests/redshift.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from faults import s3_faults as faults
from faults.extent import some
from faults.rig_site import RigSite
from faults.s3_feed import count
from faults.s3_proxy import Deed, S3Proxy
from redshift.site import Site, indicators

pytestmark = pytest.mark.slow

SLOW_DOWN = faults.refuse(503, "SlowDown", "Please reduce your request rate.")
DENIED = faults.refuse(403, "AccessDenied", "Access Denied")
PART, MANIFEST, ANY = r"work/.*\.csv\.gz$", r"work/.*manifest", "work/"


@dataclass(frozen=True)
class Case:
    """A fault of requests for keys under the work location. says: if the load is refused.

    left: whether something stays there.
    """

    kind: str
    at: str
    key: str
    deed: Deed
    times: int | None = None
    says: str = ""
    left: bool = False


CASES = [
    *[
        case
        for key in (PART, MANIFEST)
        for case in (
            Case("upload, 503 SlowDown", "put", key, SLOW_DOWN, 3),
            Case("upload, 503 SlowDown", "put", key, SLOW_DOWN, None, "SlowDown"),
            Case("upload, 403 AccessDenied", "put", key, DENIED, None, "s3:PutObject"),
            Case("upload, reset before the answer", "put", key, faults.reset(-1), 3),
            Case("upload, reset before the answer", "put", key, faults.reset(-1), None, "closed"),
            Case("upload, silence", "put", key, faults.silent, 1),
            Case("upload, wrong bytes", "put", key, faults.spoilt_upload, 1, "S3 answered"),
        )
    ],
    Case("clearing the work location", "delete", ANY, SLOW_DOWN, 3),
    Case("clearing the work location", "delete", ANY, DENIED, None, left=True),
    Case("clearing the work location", "list", ANY, SLOW_DOWN, 3),
    Case("clearing the work location", "list", ANY, DENIED, None, left=True),
]


@pytest.fixture(scope="module")
def site(on: RigSite) -> Site:
    """The rig's site, with no files."""
    on.put_only({})
    return on.site


@pytest.fixture(scope="module")
def proxy(site: Site) -> Iterator[S3Proxy]:
    """A proxy before the site's S3 server, that the loader uses and COPY does not."""
    with S3Proxy(site.cluster.environment["AWS_ENDPOINT_URL_S3"]) as proxy:
        yield proxy


@pytest.mark.parametrize(
    "case", some(CASES, 2), ids=lambda c: f"{c.kind} {c.key} {c.times or 'always'}"
)
def test_what_copy_reads_is_whole_or_nothing_is_loaded(
    site: Site, proxy: S3Proxy, case: Case
) -> None:
    # GIVEN one file that is copied as it lies, and one that goes by a part
    site.empty()
    site.put("in/plain.csv", indicators("plain", "sound"))
    site.put("in/part.csv", indicators("part").replace(b"\n", b"\r\n"))
    proxy.calm()
    strike = proxy.strike(case.at, case.deed, case.times, case.key)
    # WHEN they are loaded while uploads fail
    outcome = site.load(impatient=True, AWS_ENDPOINT_URL_S3=proxy.url, CTI_COPY_AS_IS_BYTES="1")
    # THEN both are landed or neither, and nothing stays where COPY reads
    assert strike.struck, proxy.seen
    if case.says:
        outcome.refused(2 if case.says == "s3:PutObject" else 3, case.says)
    else:
        outcome.done()
    check(site, case.kind, struck=True, nothing=bool(case.says))
    assert not [secret for secret in site.cluster.secrets if secret in outcome.text]
    assert bool(site.keys("work/")) == case.left
    # AND one more load, undisturbed, makes it what it would have been
    proxy.calm()
    site.clear("work/")
    site.load(impatient=True, AWS_ENDPOINT_URL_S3=proxy.url, CTI_COPY_AS_IS_BYTES="1").done()
    check(site, case.kind)
    assert site.keys("work/") == []


def check(site: Site, kind: str, *, struck: bool = False, nothing: bool = False) -> None:
    """Every record is landed once, or no record and no file."""
    there = site.query("select 1 from pg_tables where schemaname = 'raw'")
    landed = Counter(site.landed() if there else [])
    must = Counter([] if nothing else [("part", 1), ("plain", 2), ("sound", 2)])
    count(kind, "Redshift (rig)", landed, must, struck=struck)
    assert landed == must
    assert len(site.ledger() if there else []) == (0 if nothing else 2)
