"""How files become COPYs: a large clean one is one of its own, and all small ones are one."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from loader.files.archives import zstd
from redshift.cluster import WatchedRig
from redshift.site import COLUMNS, Site, indicators, packed

pytestmark = pytest.mark.slow

Row = tuple[str | None, ...]

_LIMIT = "8000"
_OTHER_ORDER = ("source", "indicator", "first_seen", "indicator_type")
_REJECTED = b"short,domain\n"
# SMALL_FILES=10000 for as many as a day may bring.
_SMALL_FILES = int(os.environ.get("SMALL_FILES", "1000"))


@pytest.fixture
def rig(site: Site) -> WatchedRig:
    """The rig, with nothing loaded and no files."""
    site.empty()
    rig = site.cluster.rig_only("looks at S3 at the moment of each COPY")
    rig.forget()
    return rig


def _names(file: str, number: int) -> list[str]:
    """So many indicators that do not compress."""
    return [f"{file}.{hashlib.sha256(f'{file}{n}'.encode()).hexdigest()}" for n in range(number)]


def _landed(site: Site) -> Counter[Row]:
    """Every landing row with the name of the file that its load id says it is from."""
    rows = site.query(
        f"select uri, {', '.join(COLUMNS)} from raw.indicators"
        " left join raw._loaded_files on _load_id = load_id"
    )
    return Counter((str(row[0]).removeprefix(site.uri("in/")), *row[1:]) for row in rows)


def _expected(name: str, names: Sequence[str], columns: Sequence[str]) -> Counter[Row]:
    values = ("domain", "lab", "50", "2026-01-01", "2026-01-02", "x")
    rows = [dict(zip(COLUMNS, (indicator, *values), strict=True)) for indicator in names]
    return Counter(
        (name, *(row[column] if column in columns else None for column in COLUMNS)) for row in rows
    )


def test_each_row_has_the_load_id_of_its_own_file(site: Site, rig: WatchedRig) -> None:
    # GIVEN large and small files, in two orders of columns and three compressions, some rejected
    # records, a file without records, and one whose lines COPY must not see
    expected: Counter[Row] = Counter()
    packers: dict[str, Callable[[bytes], bytes]] = {
        "csv": bytes,
        "csv.gz": packed,
        "csv.zst": zstd.compress,
    }
    rejected = Counter[str]()
    for size, number in (("large", 300), ("small", 3), ("dirty", 300)):
        for order, columns in (("usual", COLUMNS), ("other", _OTHER_ORDER)):
            for ending, pack in packers.items():
                name = f"{size}-{order}.{ending}"
                names = _names(name, number)
                data = indicators(*names, columns=columns)
                if size == "dirty":
                    # In the middle, so that the rows after it are not those before it.
                    lines = data.splitlines(keepends=True)
                    data = b"".join([*lines[:100], _REJECTED, *lines[100:]])
                    rejected[site.uri(f"in/{name}")] += 1
                site.put(f"in/{name}", pack(data))
                expected += _expected(name, names, columns)
    site.put("in/empty.csv", indicators())
    names = _names("crlf", 300)
    site.put("in/crlf.csv", indicators(*names).replace(b"\n", b"\r\n"))
    expected += _expected("crlf.csv", names, COLUMNS)
    # WHEN they are planned and loaded
    command = ("plan", "--json", "--select", "indicators")
    (plan,) = site.loader(*command, CTI_COPY_AS_IS_BYTES=_LIMIT).done().objects
    rig.forget()
    site.load(CTI_COPY_AS_IS_BYTES=_LIMIT).done()
    # THEN each large clean one is a COPY of its own, all others are one, and so are the rejected
    copied = [[Path(url).name for url in copy.urls] for copy in rig.copies]
    originals = sorted(
        Path(url).name
        for copy in rig.copies
        for url in copy.urls
        if url.startswith(site.uri("in/"))
    )
    assert originals == sorted(
        f"large-{order}.{ending}" for order in ("usual", "other") for ending in packers
    )
    assert all(len(names) == 1 for names in copied if names[0] in originals)
    assert len(rig.copies) == len(originals) + 2
    # A plan knows sizes and not what is in a file.
    read = {Path(file["uri"]).name for file in plan["new"] if file["read"] == "as it is"}
    assert set(originals) <= read
    assert not [name for name in read if name.startswith(("small", "empty"))]
    # AND every row is one of its own file's
    assert _landed(site) == expected
    rows = site.query(
        "select rejected.uri, ledger.uri from raw._rejected_records as rejected"
        " left join raw._loaded_files as ledger on rejected.load_id = ledger.load_id"
    )
    assert Counter(uri for uri, _ in rows) == rejected
    assert all(uri == ledger for uri, ledger in rows)
    site.loader("check", "--select", "indicators").done()


def test_many_small_files_are_a_bounded_number_of_copies(site: Site, rig: WatchedRig) -> None:
    # GIVEN many small files
    names = [f"{n:05d}" for n in range(_SMALL_FILES)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: site.put(f"in/{name}.csv", indicators(name)), names))
    # WHEN they are loaded THEN it is one COPY
    (report,) = site.load().done().objects
    assert (report["files"], report["records_loaded"]) == (_SMALL_FILES, _SMALL_FILES)
    assert len(rig.copies) == 1
    expected = Counter[Row]()
    for name in names:
        expected.update(_expected(f"{name}.csv", [name], COLUMNS))
    assert _landed(site) == expected
    # WHEN some more have rejected records THEN it is two
    rig.forget()
    for name in ("x", "y"):
        data = indicators(*(f"{name}{n}" for n in range(200))) + _REJECTED
        site.put(f"in/{name}.csv", data)
    (report,) = site.load().done().objects
    assert (report["files"], report["records_rejected"]) == (2, 2)
    assert len(rig.copies) == 2
    assert site.keys("work/") == []
