"""Files as people get them in: packed in any way, among what is no data, or something else."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from e2e.engines import on_both_engines

from loader.files.archives import zstd

if TYPE_CHECKING:
    from conftest import Lake, Loader
    from e2e.engines import Tables

HEADER = "indicator,indicator_type,source,confidence,first_seen\n"
CONTRACT = "models/staging/cti/_cti__sources.yml"


def text(name: str, records: int = 1) -> bytes:
    """A file of so many good records, named a-0.example and so on."""
    lines = (f"{name}-{n}.example,domain,me,5,2026-01-01\n" for n in range(records))
    return (HEADER + "".join(lines)).encode()


def zipped(*names: str, data: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(name, data)
    return out.getvalue()


# Half of them have a name that says otherwise.
PACKED = {
    "a.csv": text("a"),
    "b.csv.gz": text("b"),
    "c.csv": gzip.compress(text("c")),
    "d.csv.gz": gzip.compress(text("d")),
    "e.csv.gz": zstd.compress(text("e")),
    "f.csv.bz2": bz2.compress(text("f")),
    "g.csv": lzma.compress(text("g")),
    "h.csv.zip": zipped("h.csv", data=text("h")),
    "i.csv.gz": zipped("i.csv", "__MACOSX/._i.csv", data=text("i")),
}


@on_both_engines
def test_files_are_loaded_however_they_are_packed_and_named(
    loader: Loader, lake: Lake, tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN objects packed in every way, all large enough for COPY to read them itself
    monkeypatch.setenv("CTI_COPY_AS_IS_BYTES", "1")
    monkeypatch.setenv("CTI_INDICATORS_LOCATION", lake.uri("in/*"))
    for name, data in PACKED.items():
        lake.put(f"in/{name}", data)
    # WHEN they are planned THEN the plan goes by the names: no engine reads bzip2 or zip itself
    planned = json.loads(loader("plan", "--json").stdout)
    rewritten = [file["uri"] for file in planned["new"] if file["read"] == "rewritten"]
    assert rewritten == [lake.uri("in/f.csv.bz2"), lake.uri("in/h.csv.zip")]
    assert not any(kind in " ".join(planned["sql"]) for kind in ("'bzip2'", "'zip'"))
    # WHEN they are loaded THEN each brings its record
    assert json.loads(loader("load", "--json").stdout)["files"] == len(PACKED)
    rows = tables.rows("select indicator from raw.indicators order by indicator")
    assert rows == [(f"{name[0]}-0.example",) for name in PACKED]
    loader("check")


def test_what_is_no_data_is_left_out_and_told(
    loader: Loader, feed_folder: Path, tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN what a job has left in the folder besides its data
    monkeypatch.setenv("CTI_INDICATORS_LOCATION", "feed/*")
    (feed_folder / "_SUCCESS").write_bytes(b"")
    (feed_folder / ".part-0.csv.crc").write_bytes(b"crc")
    (feed_folder / "part-1.csv.tmp").write_bytes(text("t")[:-9])
    told = "cti.indicators: 3 files left out: 2 hidden, 1 unfinished"
    reasons = {"hidden": 2, "unfinished": 1}
    # WHEN there is nothing else THEN that is said
    assert "nothing to load; no other file matches feed/*\n" + told in loader("load").stdout
    # WHEN there is data beside an empty file THEN it is loaded, and every command says the rest
    (feed_folder / "part-0.csv").write_bytes(text("p", 2))
    assert told in loader("plan").stdout
    assert json.loads(loader("plan", "--json").stdout)["files_excluded"] == reasons
    (feed_folder / "part-2.csv").write_bytes(b"")
    told = "cti.indicators: 4 files left out: 1 empty, 2 hidden, 1 unfinished"
    ran = loader("run").stdout
    assert told in ran
    assert "files excluded" not in ran
    assert tables.count("raw.indicators") == 2
    again = json.loads(loader("run", "--json").stdout.splitlines()[-1])
    assert again["files_excluded"] == {"empty": 1, **reasons}
    # WHEN an empty file is complete THEN it is loaded
    (feed_folder / "part-2.csv").write_bytes(text("q"))
    loader("load")
    assert tables.count("raw.indicators") == 3


@pytest.mark.slow
def test_the_contract_says_what_else_is_left_out(
    loader: Loader, project: Path, feed_folder: Path, tables: Tables
) -> None:
    # GIVEN a feed in mode replace, so that a file left out later leaves the table too
    path = project / CONTRACT
    path.write_text(path.read_text().replace("mode: append", "mode: replace"))
    for name in ("a", "a_test", "b"):
        (feed_folder / f"{name}.csv").write_bytes(text(name))
    assert "3 files, 3 of 3 records loaded" in loader("load").stdout
    # WHEN the contract excludes one by its name, one by its path
    words = "mode: replace\n              exclude: ['*_test.csv', 'feed/b*']\n"
    path.write_text(path.read_text().replace("mode: replace\n", words))
    # THEN only the third is loaded
    loaded = json.loads(loader("load", "--json").stdout)
    assert (loaded["files"], loaded["files_excluded"]) == (1, {"exclude": 2})
    assert tables.rows("select indicator from raw.indicators") == [("a-0.example",)]
    # WHEN the word is no list THEN it is named
    path.write_text(path.read_text().replace("exclude: ['*_test.csv', 'feed/b*']", "exclude: x"))
    assert "config.meta.feed key exclude" in loader("load", code=2).stderr


@pytest.mark.parametrize(
    ("name", "data", "problem"),
    [
        ("x.csv", zipped("[Content_Types].xml", "xl/workbook.xml", data=b"<a/>"), "an Excel work"),
        ("x.csv", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "an Excel workbook (.xls)"),
        ("x.csv", b"<!DOCTYPE html>\n<html><title>Sign in</title></html>\n", "HTML or XML"),
        ("x.csv", b'[{"indicator": "a.example"}]\n', "JSON"),
        ("x.csv", b"PAR1" + bytes(600) + b"PAR1", "a Parquet file"),
        ("x.csv.gz", gzip.compress(gzip.compress(text("x"), mtime=0), mtime=0), "a gzip archive"),
        (
            "x.csv.gz",
            gzip.compress(b"x.csv".ljust(257, b"\0") + b"ustar\0" + bytes(249), mtime=0),
            "a tar",
        ),
    ],
)
def test_a_file_that_is_something_else_is_named(
    loader: Loader, feed_folder: Path, tables: Tables, name: str, data: bytes, problem: str
) -> None:
    (feed_folder / name).write_bytes(data)
    result = loader("load", code=1)
    assert f"feed/{name}: refused: this is {problem}" in result.stdout
    assert "export it as CSV" in result.stdout
    tables.assert_nothing_loaded()


@pytest.mark.slow
def test_a_zip_archive_of_several_files_is_named(loader: Loader, feed_folder: Path) -> None:
    (feed_folder / "x.csv").write_bytes(zipped("a.csv", "b.csv", data=text("x")))
    refused = "feed/x.csv: refused: the zip archive holds 2 files; pack each alone"
    assert refused in loader("load", code=1).stdout


def test_a_file_that_the_location_names_is_taken_whatever_it_is_called(
    loader: Loader, feed_folder: Path, tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CTI_INDICATORS_LOCATION", "feed/_x.tmp")
    (feed_folder / "_x.tmp").write_bytes(b"")
    assert "feed/_x.tmp: refused: the file is empty" in loader("load", code=1).stdout
    (feed_folder / "_x.tmp").write_bytes(text("x"))
    loader("load")
    assert tables.count("raw.indicators") == 1
