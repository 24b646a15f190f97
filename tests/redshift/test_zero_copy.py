"""Large clean objects are copied as they lie in S3; others are written once, and cleaned up."""

from __future__ import annotations

import bz2
import gzip
from pathlib import Path

import pytest
from rig.errors import RedshiftError

from loader.files.archives import zstd
from redshift.cluster import SentCopy, WatchedRig
from redshift.site import COLUMNS, Site, indicators, packed

pytestmark = pytest.mark.slow

# So that no object is too small to be copied as it is.
_ANY_SIZE = "1"
_OTHER_ORDER = ("source", "indicator", "first_seen", "indicator_type")


@pytest.fixture
def rig(site: Site) -> WatchedRig:
    """The rig, with nothing kept of what was before; nothing lies in the feed's folders."""
    rig = site.cluster.rig_only("looks at S3 at the moment of each COPY")
    for folder in ("in/", "lab/"):
        site.clear(folder)
    rig.forget()
    return rig


def _parts(copy: SentCopy) -> bytes:
    """The records of the parts that a COPY reads, header lines left out; the last field is a
    file's number within the batch.
    """
    texts = [gzip.decompress(copy.parts[key]) for key in sorted(copy.parts)]
    return b"".join(text.split(b"\n", 1)[1] for text in texts)


def test_clean_objects_are_copied_as_they_are(site: Site, rig: WatchedRig) -> None:
    # GIVEN clean files in two orders of columns and three compressions, some not as their names say
    files = {
        "in/a.csv": indicators("a1", "a2"),
        "in/b.csv.gz": indicators("b1"),
        "in/c.csv": indicators("c1", columns=_OTHER_ORDER),
        "in/d.csv": packed(indicators("d1")),
        "in/e.csv.gz": zstd.compress(indicators("e1")),
        "in/empty.csv": indicators(),
    }
    for name, data in files.items():
        site.put(name, data)
    # WHEN they are loaded
    (report,) = site.load(CTI_COPY_AS_IS_BYTES=_ANY_SIZE).done().objects
    assert (report["files"], report["records_loaded"]) == (6, 6)
    # THEN each that has records is a COPY of its own with its list of columns
    copies = {Path(copy.urls[0]).name: copy for copy in rig.copies}
    assert [Path(copy.urls[0]).name for copy in rig.copies] == [
        *("a.csv", "b.csv.gz", "c.csv", "d.csv", "e.csv.gz"),
    ]
    for name, copy in copies.items():
        order = _OTHER_ORDER if name == "c.csv" else COLUMNS
        assert "({})".format(", ".join(f'"{column}"' for column in order)) in copy.sql
        assert copy.entries == [{"url": site.uri(f"in/{name}"), "mandatory": True}]
        words = copy.sql.split()
        assert ("gzip" in words, "zstd" in words) == (name == "d.csv", name == "e.csv.gz")
        # and nothing was written for it but the manifests
        assert all(name.startswith("manifest-") for name in copy.beside)
    # and nothing is left of those.
    assert site.keys("work/") == []
    assert {name: site.get(site.uri(name)) for name in files} == files
    # and each record has the load id of its own file.
    file_of = {load_id: Path(name).name[0] for name, load_id, _ in site.ledger()}
    assert [(name, file_of[load_id]) for name, load_id in site.landed()] == [
        *(("a1", "a"), ("a2", "a"), ("b1", "b"), ("c1", "c"), ("d1", "d"), ("e1", "e")),
    ]


def test_what_copy_might_read_otherwise_is_written_anew(site: Site, rig: WatchedRig) -> None:
    # GIVEN a byte order mark, CRLF, blank lines at the end, a bzip2 archive; and a clean file
    site.put("in/bom.csv", b"\xef\xbb\xbf" + indicators("bom"))
    site.put("in/crlf.csv", indicators("crlf").replace(b"\n", b"\r\n"))
    site.put("in/blank.csv.gz", packed(indicators("blank") + b"\n\n"))
    site.put("in/header.csv", b'"\nindicator",' + indicators("header").partition(b",")[2])
    site.put("in/packed.csv.gz", bz2.compress(indicators("packed")))
    site.put("in/sound.csv", indicators("sound"))
    before = {name for name, _ in site.landed()}
    site.load(CTI_COPY_AS_IS_BYTES=_ANY_SIZE).done()
    # THEN the clean one is copied as it is, the others from parts in the loader's own folder
    original, rewritten = rig.copies
    assert original.urls == [site.uri("in/sound.csv")]
    assert all(url.startswith(site.uri("work/")) for url in rewritten.urls)
    assert all(url.endswith(".csv.gz") for url in rewritten.urls)
    assert all(entry["mandatory"] is True for entry in rewritten.entries)
    assert "gzip" in rewritten.sql.split()
    records = _parts(rewritten)
    assert sorted(line.split(b",")[:: len(COLUMNS)] for line in records.splitlines()) == [
        *([b"blank", b"0"], [b"bom", b"1"], [b"crlf", b"2"], [b"header", b"3"]),
        [b"packed", b"4"],
    ]
    assert b"\r" not in records
    # and nothing is left of those.
    assert site.keys("work/") == []
    landed = {name for name, _ in site.landed()} - before
    assert landed == {"blank", "bom", "crlf", "header", "packed", "sound"}


def test_ignored_columns_never_reach_the_warehouse(site: Site, rig: WatchedRig) -> None:
    site.put("lab/extra.csv", b"secret,group,comment,note\ns1,g1,c1,n1\ns2,g2,,\n")
    site.load("--select", "measurements").done()
    (copy,) = rig.copies
    assert all(url.startswith(site.uri("work/")) for url in copy.urls)
    assert b"s1" not in _parts(copy)
    assert b"c1" not in _parts(copy)
    rows = site.query('select "group", note from raw.measurements order by 1')
    assert rows == [("g1", "n1"), ("g2", None)]
    assert site.keys("work/") == []


def test_local_files_go_through_parts(site: Site, rig: WatchedRig, tmp_path: Path) -> None:
    (tmp_path / "local.csv").write_bytes(indicators("local"))
    site.load(CTI_INDICATORS_LOCATION=str(tmp_path / "*.csv")).done()
    (copy,) = rig.copies
    assert all(url.startswith(site.uri("work/")) for url in copy.urls)
    assert _parts(copy).startswith(b"local,")
    assert "local" in [name for name, _ in site.landed()]
    assert site.keys("work/") == []


def test_a_refused_load_writes_nothing(site: Site, rig: WatchedRig) -> None:
    before = site.landed()
    site.put("in/refused.csv", indicators("fine") + b"ragged,domain\n")
    site.load().refused(1, "refused 1 of 2 records")
    assert rig.copies == []
    assert site.keys("work/") == []
    assert site.landed() == before


def test_a_failed_copy_leaves_nothing(site: Site, rig: WatchedRig) -> None:
    before = site.landed()
    site.put("in/failed.csv", indicators("failed").replace(b"\n", b"\r\n"))
    error = rig.faults.error("^copy", _disk_full())
    site.load().refused(3, "disk full")
    assert error.fired.is_set()
    # Parts and manifest were there, and are gone.
    assert len(rig.copies[0].beside) > 1
    assert site.keys("work/") == []
    assert site.landed() == before


def test_a_killed_load_leaves_its_work_folder_and_no_record(site: Site, rig: WatchedRig) -> None:
    before = site.landed()
    site.put("in/killed.csv", indicators("killed").replace(b"\n", b"\r\n"))
    # GIVEN a load that is killed while COPY reads what it wrote
    fault = rig.faults.delay("^copy", 1.0)
    running = site.start_load()
    assert fault.fired.wait(60)
    running.kill()
    left = site.keys("work/")
    assert len(left) > 1
    assert site.landed() == before
    # WHEN the next one runs
    site.load().done()
    # THEN it loads the file, once, and leaves the other's folder to the bucket's lifecycle rule.
    assert [name for name, _ in site.landed() if name == "killed"] == ["killed"]
    assert site.keys("work/") == left
    site.clear("work/")


def _disk_full() -> RedshiftError:
    return RedshiftError("disk full", "53100")
