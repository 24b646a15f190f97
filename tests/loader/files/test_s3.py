"""Objects found, pinned and fetched. Promise 3: what was validated is what is loaded."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from loader.errors import ConfigError, FileChanged, StorageError
from loader.files.store import Store, open_store

if TYPE_CHECKING:
    from conftest import Lake


def names(store: Store) -> list[str]:
    return [file.uri for file in store.find()]


def test_a_prefix_takes_every_object_and_no_folder_marker(lake: Lake, tmp_path: Path) -> None:
    for name in ("in/a.csv", "in/b.csv.gz", "in/deep/c.csv", "in/", "inner.csv", "out/d.csv"):
        lake.put(name, b"x")
    found = ["in/a.csv", "in/b.csv.gz", "in/deep/c.csv"]
    assert names(open_store(lake.uri("in/"), tmp_path)) == [lake.uri(name) for name in found]
    assert names(open_store(lake.uri("in"), tmp_path))[-1] == lake.uri("inner.csv")


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("in/*.csv", ["in/a.csv", "in/deep/c.csv"]),
        ("in/*.csv*", ["in/a.csv", "in/a.csv.bak", "in/b.csv.gz", "in/deep/c.csv"]),
        ("in/?.csv", ["in/a.csv"]),
        ("in/[ab].csv*", ["in/a.csv", "in/a.csv.bak", "in/b.csv.gz"]),
        ("in/a.csv", ["in/a.csv", "in/a.csv.bak"]),
        ("IN/*.csv", []),
        ("*/c.csv", ["in/deep/c.csv"]),
    ],
)
def test_a_pattern_takes_what_it_matches(
    lake: Lake, tmp_path: Path, pattern: str, found: list[str]
) -> None:
    for name in ("in/a.csv", "in/a.csv.bak", "in/b.csv.gz", "in/deep/c.csv"):
        lake.put(name, b"x")
    assert names(open_store(lake.uri(pattern), tmp_path)) == [lake.uri(name) for name in found]


@pytest.mark.slow
def test_more_objects_than_one_answer_holds_are_all_found(lake: Lake, tmp_path: Path) -> None:
    # S3 lists 1,000 keys at a time; those after them would never be loaded.
    for number in range(1_020):
        lake.put(f"many/{number:05}.csv", b"x" if number % 2 else b"")
    store = open_store(lake.uri("many/*.csv"), tmp_path)
    assert names(store) == [lake.uri(f"many/{number:05}.csv") for number in range(1, 1_020, 2)]
    assert store.left_out.counts == {"empty": 510}


@pytest.mark.parametrize(
    "name", ["ü 観測所.csv", "it's.csv", "a+b c.csv", "100%.csv", "a&b=c?d.csv", "#.csv", 'q".csv']
)
def test_an_object_may_have_any_name(lake: Lake, tmp_path: Path, name: str) -> None:
    lake.put(name, b"content")
    store = open_store(lake.uri("*"), tmp_path)
    (file,) = store.find()
    assert file.uri == lake.uri(name)
    fetched, path = store.fetch(file, tmp_path)
    assert path.read_bytes() == b"content"
    store.check_unchanged(fetched)


def test_an_object_is_pinned_by_its_etag(lake: Lake, tmp_path: Path) -> None:
    lake.put("a.csv", b"old")
    store = open_store(lake.uri("a.csv"), tmp_path)
    (file,) = store.find()
    assert file.etag == hashlib.md5(b"old", usedforsecurity=False).hexdigest()
    assert file.bytes == 3
    # GIVEN it is overwritten between listing and fetch, with as many bytes
    fetched, _ = store.fetch(file, tmp_path)
    lake.put("a.csv", b"new")
    # THEN neither the fetch nor the check before commit takes the new one for the old
    for call in (lambda: store.fetch(file, tmp_path), lambda: store.check_unchanged(fetched)):
        with pytest.raises(FileChanged, match=r"a\.csv: it was overwritten.*run again"):
            call()


def test_an_object_that_is_deleted_is_missed(lake: Lake, tmp_path: Path) -> None:
    lake.put("a.csv", b"old")
    store = open_store(lake.uri("a.csv"), tmp_path)
    (file,) = store.find()
    fetched, _ = store.fetch(file, tmp_path)
    lake.delete("a.csv")
    for call in (lambda: store.fetch(file, tmp_path), lambda: store.check_unchanged(fetched)):
        with pytest.raises(FileChanged, match=r"a\.csv: it was overwritten or deleted"):
            call()


def test_an_empty_object_is_fetched(lake: Lake, tmp_path: Path) -> None:
    lake.put("empty.csv", b"")
    store = open_store(lake.uri("empty.csv"), tmp_path)
    (file,) = store.find()
    assert store.fetch(file, tmp_path)[1].read_bytes() == b""


@pytest.mark.parametrize("location", ["s3://", "s3:///key", "s3://*/key", "s3://lake*/key"])
def test_a_location_names_its_bucket(tmp_path: Path, location: str) -> None:
    with pytest.raises(ConfigError, match=r"name the bucket, as in s3://bucket/prefix\*"):
        open_store(location, tmp_path)


def test_a_spool_that_is_gone_is_not_the_lakes_fault(lake: Lake, tmp_path: Path) -> None:
    lake.put("a.csv", b"x" * 100)
    store = open_store(lake.uri("a.csv"), tmp_path)
    (file,) = store.find()
    with pytest.raises(StorageError, match="No such file or directory"):
        store.fetch(file, tmp_path / "gone")
