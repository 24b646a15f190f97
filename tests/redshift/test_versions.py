"""A new version takes over from a running one: for a while, loaders of both are at work."""

from __future__ import annotations

import shutil
from collections import Counter
from dataclasses import replace

import pytest

from redshift.commands import Running
from redshift.site import Site, copy_project, indicators

pytestmark = pytest.mark.slow

# So many at least, and more until each version has been the faster one.
_ROUNDS, _MOST_ROUNDS = 4, 12
_RECORDS = 120
# Refused by the older version's contract, taken by the newer one's.
_STRANGE = "strange-{},domain,lab,150,2026-01-01,2026-01-02,x\n"


@pytest.fixture(scope="module")
def newer(site: Site) -> Site:
    """The project with a wider rule and another build of the mart, in a folder of its own."""
    folder = site.folder / "newer"
    copy_project(folder)
    contract = folder / "models/staging/cti/_cti__sources.yml"
    text = contract.read_text()
    assert "maximum: 100" in text
    contract.write_text(text.replace("maximum: 100", "maximum: 200"))
    with (folder / "models/marts/indicators.sql").open("a") as mart:
        mart.write("-- as the newer version has it\n")
    return replace(site, project=folder)


@pytest.fixture(scope="module")
def tables(site: Site) -> None:
    """Tables of the older version's, which has refused a record that the newer one takes."""
    names = ["before", *(f"before-{n}" for n in range(1, _RECORDS))]
    site.put("in/before.csv", indicators(*names) + _STRANGE.format("before").encode())
    site.load().done()
    site.dbt(
        *("build", "--exclude-resource-type", "test", "unit_test"),
        *("--select", "indicator_type_aliases", "+indicators"),
    ).done()


def _start(version: Site, number: int) -> Running:
    """A load with a folder of its own for dbt's files, as in a container of its own."""
    target = version.project / "target" / f"load-{number}"
    target.mkdir(parents=True)
    known = version.project / "target/redshift/partial_parse.msgpack"
    if known.exists():
        shutil.copy(known, target)
    return version.start_load(impatient=True, DBT_TARGET_PATH=f"target/load-{number}")


def _build(version: Site) -> None:
    version.dbt("run", "--select", "indicators").done()


@pytest.mark.usefixtures("tables")
def test_two_versions_at_once_lose_and_double_nothing(site: Site, newer: Site) -> None:
    # WHEN files come, and loaders of both versions take them up, while either builds the mart
    names, loaded, number = [], {"older": 0, "newer": 0}, 0
    versions = [("older", site), ("newer", newer)]
    while number < _ROUNDS or (0 in loaded.values() and number < _MOST_ROUNDS):
        name = f"round-{number}"
        names += [f"{name}-{n}" for n in range(_RECORDS)]
        data = indicators(*names[-_RECORDS:]) + _STRANGE.format(name).encode()
        site.put(f"in/{name}.csv", data)
        loaders = {which: _start(version, number) for which, version in versions}
        _build(versions[0][1])
        for which, loader in loaders.items():
            loaded[which] += loader.wait().done().objects[-1]["files"]
        versions.reverse()
        number += 1
    # THEN each file is loaded once, some by the one and some by the other
    assert sum(loaded.values()) == number
    assert 0 not in loaded.values()
    files = Counter(name for name, _, _ in site.ledger())
    assert files == Counter({f"in/round-{n}.csv": 1 for n in range(number)} | {"in/before.csv": 1})
    # AND each record is there once: landed, or refused by the version that knew no better
    refused = site.query("select raw_text from raw._rejected_records")
    found = Counter(name for name, _ in site.landed())
    found.update(str(text).split(",")[0] for (text,) in refused)
    strange = [f"strange-round-{n}" for n in range(number)]
    before = ["before", *(f"before-{n}" for n in range(1, _RECORDS)), "strange-before"]
    assert found == Counter([*names, *strange, *before])
    # AND the newer version's build counts all of them, as its check confirms
    _build(newer)
    newer.loader("check").done()
    ((records,),) = site.query("select sum(occurrences) from analytics.indicators")
    assert records == len(site.landed())
    # AND what the older one refused is not lost: the newer one loads it from quarantine
    newer.loader("replay", "--select", "indicators").done()
    assert len(site.landed()) == len(found)


@pytest.mark.usefixtures("tables")
def test_the_older_version_may_come_back(site: Site, newer: Site) -> None:
    # GIVEN a file that the newer version has loaded and built
    site.put("in/newer.csv", indicators("by-the-newer"))
    newer.load().done()
    _build(newer)
    # WHEN the older one takes over again
    site.put("in/older.csv", indicators("by-the-older"))
    outcome = site.load().done()
    _build(site)
    # THEN it loads what is new and nothing twice
    assert outcome.objects[-1]["files"] == 1
    names = Counter(name for name, _ in site.landed())
    assert (names["by-the-newer"], names["by-the-older"]) == (1, 1)
    site.loader("check").done()
