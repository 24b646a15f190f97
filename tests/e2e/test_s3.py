"""The same path with the files in S3."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from e2e.engines import quickly_on_both_engines
from e2e.meddler import Meddler
from e2e.oracle import read_sample

from loader.errors import FileChanged
from loader.files.archives import zstd
from loader.jobs import load as pipeline
from loader.warehouse.project import Project

if TYPE_CHECKING:
    from conftest import Lake, Loader
    from e2e.conftest import Dbt
    from e2e.engines import Tables

HEADER = b"indicator,indicator_type,source,first_seen\n"


def record(name: str, day: int = 1) -> bytes:
    return f"{name}.example,domain,me,2026-01-{day:02}\n".encode()


@pytest.fixture
def raw(lake: Lake, project: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    """A folder in S3 that the example feed reads."""
    monkeypatch.setenv("CTI_INDICATORS_LOCATION", lake.uri("raw/*.csv*"))
    return lake


@quickly_on_both_engines
def test_from_s3_to_the_mart(
    loader: Loader, dbt: Dbt, project: Path, raw: Lake, tables: Tables
) -> None:
    # GIVEN the samples in S3, one of them packed anew, beside what is not meant
    samples = sorted((project / "samples/indicators").glob("*.csv*"))
    for path in samples[:-1]:
        raw.put(f"raw/{path.name}", path.read_bytes())
    late = samples[-1]
    plain = late.read_bytes() if late.suffix == ".csv" else gzip.decompress(late.read_bytes())
    name = f"raw/{late.name.partition('.')[0]}.csv.zst"
    raw.put(name, zstd.compress(plain))
    raw.put("raw/readme.txt", b"not a feed")
    raw.put("other/x.csv", HEADER + record("other"))
    # WHEN they are loaded and built
    loaded = json.loads(loader("load", "--json").stdout)
    dbt("seed")
    dbt("run")
    # THEN the mart is the oracle's
    rows = [row for path in samples for row in read_sample(path)]
    assert loaded["files"] == len(samples)
    tables.assert_landed([(1, rows)])
    tables.assert_mart([(1, rows)])
    # AND a second load finds nothing, until an object is new or another one
    assert json.loads(loader("load", "--json").stdout)["load"] is None
    raw.put("raw/new.csv", HEADER + record("new") * 2)
    raw.put(name, zstd.compress(HEADER + record("late")))
    again = json.loads(loader("load", "--json").stdout)
    assert (again["load"], again["files"], again["records_loaded"]) == (2, 2, 3)
    # AND the ledger knows each version by its ETag
    ledger = tables.rows(
        "select uri, etag, bytes, records_read from raw._loaded_files"
        " where batch_id = 2 order by uri"
    )
    listed = raw.client.list_objects_v2(Bucket=raw.bucket, Prefix=f"{raw.prefix}raw/")["Contents"]
    etags = {f"s3://{raw.bucket}/{o['Key']}": (o["ETag"].strip('"'), o["Size"]) for o in listed}
    assert ledger == [
        (raw.uri(name), *etags[raw.uri(name)], 1),
        (raw.uri("raw/new.csv"), *etags[raw.uri("raw/new.csv")], 2),
    ]


@pytest.mark.parametrize("step", ["validating", "loading"])
@pytest.mark.parametrize("deed", ["overwrite", "delete"])
def test_an_object_that_changes_during_a_load_undoes_it(
    project: Path, raw: Lake, tables: Tables, step: str, deed: str
) -> None:
    # GIVEN an object that is overwritten or deleted while it is loaded
    raw.put("raw/a.csv", HEADER + record("a"))
    raw.put("raw/b.csv", HEADER + record("b"))

    def meddle() -> None:
        if deed == "delete":
            raw.delete("raw/b.csv")
        else:
            raw.put("raw/b.csv", HEADER + record("c"))

    # WHEN it is loaded
    feed = Project(project)
    with pytest.raises(FileChanged, match=r"raw/b\.csv.*Nothing was loaded; run again"):
        pipeline.Load(feed, feed.feed("indicators"), Meddler(step, meddle)).run()
    DuckDBConnectionManager.close_all_connections()
    # THEN nothing is landed: not the other object either
    tables.assert_nothing_loaded()


def test_a_wrong_bucket_is_one_message(
    loader: Loader, raw: Lake, tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CTI_INDICATORS_LOCATION", "s3://no-such-lake/raw/*")
    result = loader("load", code=2)
    assert "s3://no-such-lake/raw/*: there is no such bucket" in result.stderr
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong-secret")
    monkeypatch.setattr("boto3.DEFAULT_SESSION", None)
    result = loader("load", code=2)
    assert result.stderr.startswith("error: s3://no-such-lake")
    assert "wrong-secret" not in result.output
    tables.assert_nothing_loaded()


def test_a_damaged_object_refuses_the_load(loader: Loader, raw: Lake, tables: Tables) -> None:
    # GIVEN an upload that stopped half-way, after a whole one
    raw.put("raw/a.csv", HEADER + record("a"))
    packed = gzip.compress(HEADER + record("b") * 1000)
    raw.put("raw/b.csv.gz", packed[: len(packed) // 2])
    # WHEN both are loaded
    result = loader("load", code=1)
    # THEN the load is refused, and the object named
    assert f"{raw.uri('raw/b.csv.gz')}: refused: the gzip archive ends before" in result.stdout
    assert "refused 1 file as a whole; nothing was loaded" in result.stderr
    tables.assert_nothing_loaded()
    # WHEN it is uploaded again, whole
    raw.put("raw/b.csv.gz", packed)
    # THEN both are loaded
    loader("load")
    assert tables.count("raw.indicators") == 1001


def test_the_rejects_of_a_refused_load_go_where_they_were_asked_for(
    loader: Loader, project: Path, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A container's own folder is gone with it.
    monkeypatch.setenv("CTI_INDICATORS_LOCATION", lake.uri("raw/*.csv"))
    lake.put("raw/a.csv", b"indicator,indicator_type,source,first_seen\nx\n")
    told = loader("load", "--rejects-to", lake.uri("kept/"), code=1).stderr
    assert f"The rejected records are in {lake.uri('kept/')}cti.indicators-refused-" in told
    assert not (project / "rejects").exists()
    # Where that cannot be, they are kept here all the same.
    told = loader("load", "--rejects-to", "s3://no-such-bucket/kept/", code=1).stderr
    assert "The rejected records are in rejects/cti.indicators-refused-" in told
