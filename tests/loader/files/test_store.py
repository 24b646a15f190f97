"""Local files found, pinned and read. Promise 3: what was validated is what is loaded."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from loader.errors import ConfigError, FileChanged, StorageError
from loader.files.store import Store, open_store


def names(store: Store) -> list[str]:
    return [file.uri for file in store.find()]


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


def test_a_pipe_is_not_read(folder: Path) -> None:
    # Reading it would wait for ever.
    os.mkfifo(folder / "data/pipe.csv")
    with pytest.raises(ConfigError, match=r"pipe\.csv: not a regular file"):
        open_store("data/*.csv", folder).find()


def test_a_link_to_nothing_is_said(folder: Path) -> None:
    (folder / "data/gone.csv").symlink_to("nowhere")
    with pytest.raises(ConfigError, match=r"gone\.csv: a link that leads nowhere"):
        open_store("data/*.csv", folder).find()


def test_a_name_that_is_not_utf_8_is_said(folder: Path) -> None:
    try:
        (folder / "data/x\udcff.csv").write_bytes(b"")
    except OSError:
        pytest.skip("this file system takes no such name")
    with pytest.raises(ConfigError, match="not UTF-8; rename it"):
        open_store("data/*.csv", folder).find()


def test_a_local_file_is_known_by_its_bytes(folder: Path, tmp_path: Path) -> None:
    store = open_store("data/a.csv", folder)
    (file,) = store.find()
    assert file.etag is None
    fetched, path = store.fetch(file, tmp_path)
    assert fetched.etag == hashlib.sha256(b"a.csv").hexdigest()
    assert path == folder / "data/a.csv"
    store.check_unchanged(fetched)
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


@pytest.mark.parametrize("location", ["gs://bucket/x", "https://x/y.csv", "S3://b/x", "file:///x"])
def test_an_unknown_scheme_is_named(tmp_path: Path, location: str) -> None:
    with pytest.raises(ConfigError, match=r"is not known; use s3:// or a path"):
        open_store(location, tmp_path)


@pytest.mark.parametrize(
    "location",
    [
        "data/../data/a.csv",
        "link/a.csv",
        "link/../data/a.csv",
        "data/deep/../a.csv",
        "*/a.csv",
        "data/[a].csv",
        "data/link-to-a.csv",
        "data/*a.csv",
        "link/**/*a.csv",
    ],
)
def test_a_file_has_one_name_however_it_is_reached(folder: Path, location: str) -> None:
    # Under two names it would be loaded twice.
    (folder / "link").symlink_to(folder / "data", target_is_directory=True)
    (folder / "data/link-to-a.csv").symlink_to("a.csv")
    store = open_store(location, folder)
    assert names(store) == ["data/a.csv"]
    (file,) = store.find()
    fetched, path = store.fetch(file, folder)
    assert path.read_bytes() == b"a.csv"
    assert fetched.etag == hashlib.sha256(b"a.csv").hexdigest()
    store.check_unchanged(fetched)


def test_a_project_that_is_reached_through_a_link(folder: Path) -> None:
    # As on macOS, where /tmp is a link to /private/tmp.
    link = folder / "link"
    link.symlink_to(folder / "data", target_is_directory=True)
    assert names(open_store(str(link / "a.csv"), link)) == ["a.csv"]
    assert names(open_store(str(link / "a.csv"), folder / "data")) == ["a.csv"]
    assert names(open_store(str(folder / "data/a.csv"), link)) == ["a.csv"]


def test_a_folder_outside_of_the_project(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    project = tmp_path_factory.mktemp("project")
    (project / "data").symlink_to(folder / "data", target_is_directory=True)
    (file,) = open_store("data/a.csv", project).find()
    assert file.uri == (folder / "data/a.csv").as_posix()
    # A person may spell it in any way.
    assert open_store("data/a.csv", project).name("./data/../data/a.csv") == file.uri


@pytest.mark.parametrize("seconds", [400_000_000_000, -70_000_000_000])
def test_a_time_that_no_calendar_has_is_told_by_the_file(folder: Path, seconds: int) -> None:
    # Mounted drives and archives have such times.
    os.utime(folder / "data/a.csv", ns=(0, seconds * 10**9))
    store = open_store("data/a.csv", folder)
    if (folder / "data/a.csv").stat().st_mtime_ns != seconds * 10**9:
        assert len(list(store.find())) == 1  # a file system that cannot keep it
        return
    with pytest.raises(ConfigError, match=r"data/a\.csv: last changed beyond the years"):
        store.find()


def test_a_link_into_a_store_of_nameless_files(folder: Path) -> None:
    # How a file is compressed is told by its name, which such a store does not keep.
    (folder / "5f2a").write_bytes(b"x")
    (folder / "data/x.csv.gz").symlink_to(folder / "5f2a")
    assert names(open_store("data/x.csv.gz", folder)) == ["data/x.csv.gz"]
