"""Files found, pinned and read. Promise 3: what was validated is what is loaded."""

from __future__ import annotations

import gzip
import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from rig.ports import free_ports

from loader.errors import ConfigError, DataRefused, FileChanged, StorageError
from loader.files.archives import plain_head, plain_text, zstd
from loader.files.store import Store, open_store

if TYPE_CHECKING:
    from conftest import Lake


def names(store: Store) -> list[str]:
    return [file.uri for file in store.find()]


# local files


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("b.csv", "a.csv", "a.csv.gz", "notes.txt", "deep/er/c.csv", ".hidden.csv"):
        path = tmp_path / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    (tmp_path / "data/folder.csv").mkdir()
    return tmp_path


@pytest.mark.parametrize(
    ("location", "found"),
    [
        ("data/*.csv", ["data/a.csv", "data/b.csv"]),
        ("data/*.csv*", ["data/a.csv", "data/a.csv.gz", "data/b.csv"]),
        ("data/**/*.csv", ["data/a.csv", "data/b.csv", "data/deep/er/c.csv"]),
        ("data/**/**/c.csv", ["data/deep/er/c.csv"]),
        ("data/[ab].csv", ["data/a.csv", "data/b.csv"]),
        ("data/a.csv", ["data/a.csv"]),
        ("./data/a.csv", ["data/a.csv"]),
        ("data/nothing*.csv", []),
        ("nowhere/*.csv", []),
    ],
)
def test_a_glob_finds_files_and_no_folders(folder: Path, location: str, found: list[str]) -> None:
    assert names(open_store(location, folder)) == found


def test_a_file_in_the_project_has_the_same_name_when_the_project_moves(folder: Path) -> None:
    # Else a moved project would load every file again.
    absolute = open_store(str(folder / "data/a.csv"), folder)
    assert names(absolute) == ["data/a.csv"]
    assert names(open_store(str(folder / "data/a.csv"), folder / "data/deep")) == [
        (folder / "data/a.csv").as_posix()
    ]


@pytest.mark.parametrize("location", ["data", "data/", "data/folder.csv", "."])
def test_a_folder_is_no_location(folder: Path, location: str) -> None:
    with pytest.raises(ConfigError, match=r"is a folder.*\*\.csv"):
        open_store(location, folder)


@pytest.mark.parametrize("location", ["gs://bucket/x", "https://x/y.csv", "S3://b/x", "file:///x"])
def test_an_unknown_scheme_is_named(folder: Path, location: str) -> None:
    with pytest.raises(ConfigError, match=r"is not known; use s3:// or a path"):
        open_store(location, folder)


def test_a_pipe_is_not_read(folder: Path) -> None:
    # Reading it would wait for ever.
    os.mkfifo(folder / "data/pipe.csv")
    with pytest.raises(StorageError, match=r"pipe\.csv: not a regular file"):
        open_store("data/*.csv", folder).find()


def test_a_link_to_nothing_is_said(folder: Path) -> None:
    (folder / "data/gone.csv").symlink_to("nowhere")
    with pytest.raises(StorageError, match=r"gone\.csv: No such file"):
        open_store("data/*.csv", folder).find()


def test_a_name_that_is_not_utf_8_is_said(folder: Path) -> None:
    try:
        (folder / "data/x\udcff.csv").write_bytes(b"")
    except OSError:
        pytest.skip("this file system takes no such name")
    with pytest.raises(StorageError, match="not UTF-8; rename it"):
        open_store("data/*.csv", folder).find()


def test_a_local_file_is_known_by_its_bytes(folder: Path, tmp_path: Path) -> None:
    store = open_store("data/a.csv", folder)
    (file,) = store.find()
    assert file.etag is None
    fetched, path = store.fetch(file, tmp_path)
    assert fetched.etag == hashlib.sha256(b"a.csv").hexdigest()
    assert path == folder / "data/a.csv"
    store.check_unchanged(fetched)
    assert store.head(file) == b"a.csv"
    # Touched, it is the same bytes, and so the same version once it is read.
    os.utime(path, ns=(1, 1))
    (touched,) = store.find()
    assert store.fetch(touched, tmp_path)[0].key == fetched.key


@pytest.mark.parametrize("change", ["write", "write, all set back", "touch", "delete", "folder"])
def test_a_local_file_that_changes_is_noticed(folder: Path, tmp_path: Path, change: str) -> None:
    # GIVEN a file that was found
    store, path = open_store("data/a.csv", folder), folder / "data/a.csv"
    (file,) = store.find()
    fetched, _ = store.fetch(file, tmp_path)
    # WHEN somebody touches it before the load commits
    match change:
        case "write":
            path.write_bytes(b"a.csv, longer")
        case "write, all set back":
            before = path.stat()
            path.write_bytes(b"z.csv")
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        case "touch":
            os.utime(path, ns=(1, 1))
        case _:
            path.unlink()
    if change == "folder":
        path.mkdir()
    # THEN it is no longer what was validated
    with pytest.raises((FileChanged, StorageError), match=r"a\.csv"):
        store.check_unchanged(fetched)
    with pytest.raises((FileChanged, StorageError), match=r"a\.csv"):
        store.fetch(file, tmp_path)


# S3


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


def test_more_objects_than_one_answer_holds_are_all_found(lake: Lake, tmp_path: Path) -> None:
    # S3 lists 1,000 keys at a time; those after them would never be loaded.
    for number in range(1_020):
        lake.put(f"many/{number:05}.csv", b"")
    found = names(open_store(lake.uri("many/*.csv"), tmp_path))
    assert found == [lake.uri(f"many/{number:05}.csv") for number in range(1_020)]


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
    assert store.head(file) == b"content"
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
    with pytest.raises(FileChanged):
        store.head(file)


def test_an_object_that_is_deleted_is_missed(lake: Lake, tmp_path: Path) -> None:
    lake.put("a.csv", b"old")
    store = open_store(lake.uri("a.csv"), tmp_path)
    (file,) = store.find()
    fetched, _ = store.fetch(file, tmp_path)
    lake.delete("a.csv")
    for call in (lambda: store.fetch(file, tmp_path), lambda: store.check_unchanged(fetched)):
        with pytest.raises(FileChanged, match=r"a\.csv: it was overwritten or deleted"):
            call()


def test_an_empty_object_has_an_empty_head(lake: Lake, tmp_path: Path) -> None:
    lake.put("empty.csv", b"")
    store = open_store(lake.uri("empty.csv"), tmp_path)
    (file,) = store.find()
    assert store.head(file) == b""
    assert store.fetch(file, tmp_path)[1].read_bytes() == b""


@pytest.mark.parametrize("location", ["s3://", "s3:///key", "s3://*/key", "s3://lake*/key"])
def test_a_location_names_its_bucket(tmp_path: Path, location: str) -> None:
    with pytest.raises(ConfigError, match=r"name the bucket, as in s3://bucket/prefix\*"):
        open_store(location, tmp_path)


@pytest.mark.usefixtures("lake")
def test_a_wrong_bucket_is_named(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"s3://no-such-lake/x.*no such bucket"):
        open_store("s3://no-such-lake/x*", tmp_path).find()


@pytest.mark.parametrize(
    ("variable", "value"),
    [("AWS_ACCESS_KEY_ID", "AKIANOBODY"), ("AWS_SECRET_ACCESS_KEY", "wrong")],
)
def test_wrong_credentials_are_said_to_be_wrong(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(StorageError, match=r"credentials|access denied") as caught:
        open_store(lake.uri("*"), tmp_path).find()
    # The secret itself must not be in the message, which ends in logs.
    assert value not in str(caught.value) or variable == "AWS_ACCESS_KEY_ID"


def test_no_credentials_says_where_they_would_be(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(StorageError, match=r"no AWS credentials found. Set AWS_PROFILE"):
        open_store(lake.uri("*"), tmp_path).find()


@pytest.mark.usefixtures("lake")
def test_a_profile_that_is_not_there_is_a_mistake_in_the_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(ConfigError, match=r"nobody.*Check AWS_PROFILE"):
        open_store("s3://lake/x", tmp_path)


@pytest.mark.usefixtures("lake")
def test_a_server_that_is_not_there_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(StorageError, match=r"s3://lake/x.*127\.0\.0\.1:9"):
        open_store("s3://lake/x", tmp_path).find()


def test_a_spool_that_is_gone_is_not_the_lakes_fault(lake: Lake, tmp_path: Path) -> None:
    lake.put("a.csv", b"x" * 100)
    store = open_store(lake.uri("a.csv"), tmp_path)
    (file,) = store.find()
    with pytest.raises(StorageError, match="No such file or directory"):
        store.fetch(file, tmp_path / "gone")


# compression

TEXT = b"a,b\n" + b"1,2\n" * 100_000


def packed(kind: str) -> bytes:
    return gzip.compress(TEXT, mtime=0) if kind == "gzip" else zstd.compress(TEXT)


SUFFIXES = {"gzip": ".gz", "zstd": ".zst"}


@pytest.mark.parametrize("kind", ["gzip", "zstd"])
@pytest.mark.parametrize("times", [1, 3])
def test_an_archive_is_unpacked_whole(tmp_path: Path, kind: str, times: int) -> None:
    # Archives put one behind the other are one text, as command-line tools have it.
    name = f"a.csv{SUFFIXES[kind].upper()}"
    path = tmp_path / name
    path.write_bytes(packed(kind) * times)
    assert plain_text(name, path, tmp_path).read_bytes() == TEXT * times


def test_the_contract_may_say_how_files_are_compressed(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(packed("gzip"))
    assert plain_text("a.csv", path, tmp_path, "gzip").read_bytes() == TEXT
    assert plain_text("a.csv.gz", path, tmp_path, "none") == path
    assert plain_text("a.csv", path, tmp_path) == path


@pytest.mark.parametrize("kind", ["gzip", "zstd"])
@pytest.mark.parametrize("cut", [0.01, 0.5, 0.99])
def test_an_archive_that_is_cut_off_is_refused(tmp_path: Path, kind: str, cut: float) -> None:
    # What came before the cut looks like a shorter file; loading it would lose the rest.
    data = packed(kind)
    path = tmp_path / f"a.csv{SUFFIXES[kind]}"
    path.write_bytes(data[: max(6, int(len(data) * cut))])
    with pytest.raises(DataRefused, match=rf"the {kind} archive ends before its end"):
        plain_text(path.name, path, tmp_path)


@pytest.mark.parametrize("kind", ["gzip", "zstd"])
@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"a,b\n1,2\n",
        lambda data: data + b"garbage",
        lambda data: data[: len(data) // 2] + b"\xff" * 20 + data[len(data) // 2 + 20 :],
        lambda data: data[:-6] + b"\x00\x01\x02\x03\x04\x05",
    ],
    ids=["plain text", "garbage behind", "garbage inside", "wrong checksum"],
)
def test_a_damaged_archive_is_refused(
    tmp_path: Path, kind: str, damage: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / f"a.csv{SUFFIXES[kind]}"
    path.write_bytes(damage(packed(kind)))
    with pytest.raises(DataRefused, match=rf"{kind} archive"):
        plain_text(path.name, path, tmp_path)


@pytest.mark.parametrize("kind", ["gzip", "zstd"])
def test_the_head_of_an_archive_is_enough_for_a_header(kind: str) -> None:
    data = packed(kind)
    assert plain_head(f"a{SUFFIXES[kind]}", data).startswith(b"a,b\n1,2\n")
    assert TEXT.startswith(plain_head(f"a{SUFFIXES[kind]}", data[: len(data) // 2]))
    with pytest.raises(DataRefused, match=f"no sound {kind} archive"):
        plain_head(f"a{SUFFIXES[kind]}", b"a,b\n1,2\n3,4\n")
    assert plain_head("a.csv", b"a,b\n") == b"a,b\n"


def test_a_header_is_read_from_no_more_than_it_may_take(tmp_path: Path) -> None:
    # A few kilobytes of zstd can hold gigabytes, and `plan` reads the header of every file.
    head = plain_head("a.csv.zst", zstd.compress(b"a,b\n" + b"1,2\n" * 8_000_000))
    assert head.startswith(b"a,b\n1,2\n")
    assert len(head) < 5_000_000


@pytest.mark.parametrize("text", ["0", "-1", "1e9", "٣", "9" * 5000])
def test_a_limit_that_is_no_number_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("CTI_MAX_DECOMPRESSED_BYTES", text)
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"a"))
    with pytest.raises(ConfigError, match="must be a whole number above 0"):
        plain_text("a.csv.gz", tmp_path / "a.csv.gz", tmp_path)


def test_no_password_of_an_endpoint_is_told(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (port,) = free_ports(1)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://user:hunter2@127.0.0.1:{port}")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(StorageError, match="Check the network and the endpoint") as caught:
        open_store(lake.uri("x"), tmp_path).find()
    assert "hunter2" not in str(caught.value)
