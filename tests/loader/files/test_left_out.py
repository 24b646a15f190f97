"""What is no data is left out, by default and by `exclude`, in a folder as in S3."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from loader.errors import ConfigError
from loader.files.store import open_store

if TYPE_CHECKING:
    from conftest import Lake

    Place = Callable[..., tuple[list[str], dict[str, int]]]


@pytest.fixture(params=["folder", "lake"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Finds a location's files among others, in a folder and in S3, named alike.

    files: their contents by name. Returns which are found, and how many are not, by reason.
    """

    def find(
        files: dict[str, bytes], location: str, *exclude: str
    ) -> tuple[list[str], dict[str, int]]:
        if request.param == "folder":
            for name, data in files.items():
                path = tmp_path / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
            uri: Callable[[str], str] = str
        else:
            lake: Lake = request.getfixturevalue("lake")
            for name, data in files.items():
                lake.put(name, data)
            uri = lake.uri
        globs = [uri(glob) if "/" in glob else glob for glob in exclude]
        store = open_store(uri(location), tmp_path, globs)
        for _ in range(2):  # A load that tries again counts anew.
            found = [file.uri for file in store.find()]
        return [name for name in files if uri(name) in found], dict(store.left_out.counts)

    return find


def test_what_spark_and_hadoop_leave_behind_is_no_data(place: Place) -> None:
    # GIVEN what a folder has that jobs of Spark, Hadoop, EMR and WinSCP, and a Mac, have written to
    files = {
        "in/part-00000.csv": b"x",
        "in/_SUCCESS": b"",
        "in/_committed_123": b"{}",
        "in/.part-00000.csv.crc": b"x",
        "in/part-00000.csv.crc": b"x",
        "in/.DS_Store": b"x",
        "in/part_$folder$": b"",
        "in/part-00001.csv": b"",
        "in/big.csv.filepart": b"x",
        "in/big.csv.TMP": b"x",
        "in/big.csv.part": b"x",
        "in/big.csv._COPYING_": b"x",
    }
    # THEN the data is found, and the rest is counted
    found, counts = place(files, "in/*")
    assert found == ["in/part-00000.csv"]
    assert counts == {"hidden": 4, "unfinished": 5, "empty": 2}


def test_what_lies_in_a_hidden_folder_is_hidden(place: Place) -> None:
    # The folder of a partition is none, though its name begins with an underscore.
    files = {
        "in/_day=1/a.csv": b"x",
        "in/_temporary/a.csv": b"x",
        "in/.stage/a.csv": b"x",
        "in/a_b/a.csv": b"x",
    }
    found, counts = place(files, "in/*/*.csv")
    assert (found, counts) == (["in/_day=1/a.csv", "in/a_b/a.csv"], {"hidden": 2})


@pytest.mark.parametrize(
    ("location", "found"),
    [
        ("_in/*.csv", ["_in/a.csv"]),
        ("_in/_*.csv", ["_in/_a.csv"]),
        ("*/_*.csv", ["_in/_a.csv"]),
        ("_in/.*.csv", ["_in/.a.csv"]),
        ("_in/*.tmp", ["_in/a.tmp"]),
        ("_in/_e.csv", ["_in/_e.csv"]),
    ],
)
def test_what_the_location_asks_for_is_data(place: Place, location: str, found: list[str]) -> None:
    # What its fixed part names, what it begins or ends a name with, and a file that it names.
    files = dict.fromkeys(("_in/a.csv", "_in/_a.csv", "_in/.a.csv", "_in/a.tmp"), b"x")
    assert place({**files, "_in/_e.csv": b""}, location)[0] == found


def test_the_contract_excludes_by_globs_and_by_names(place: Place) -> None:
    files = dict.fromkeys(
        ("in/a.csv", "in/a_old.csv", "in/old/b.csv", "in/c.bak", "in/bak.csv", "in/_x"), b"x"
    )
    found, counts = place(files, "in/*", "in/old/*", "*_old.csv", "*.bak")
    assert [name for name in found if not name.startswith("in/old")] == ["in/a.csv", "in/bak.csv"]
    assert "in/old/b.csv" not in found
    assert counts["hidden"] == 1
    # A folder's glob does not look into folders below, one in S3 does.
    assert counts["exclude"] in (2, 3)
    # A name that the contract excludes is excluded, though the location names it.
    assert place(files, "in/a.csv", "a.*") == ([], {"exclude": 1})


@pytest.mark.parametrize(
    ("location", "exclude"),
    [
        ("s3://lake/in/*", "in/old/*"),
        ("s3://lake/in/*", "s3://pond/in/old/*"),
        ("data/*.csv", "s3://lake/x*"),
    ],
)
def test_an_exclude_that_could_match_nothing_is_said(
    tmp_path: Path, location: str, exclude: str
) -> None:
    with pytest.raises(ConfigError, match=r"exclude '.*': begin it as the location"):
        open_store(location, tmp_path, [exclude])


def test_a_file_is_excluded_however_its_path_is_spelled(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/a.csv").write_bytes(b"x")
    (tmp_path / "link").symlink_to(tmp_path / "data")
    for exclude in ("./data/a.csv", "link/*.csv", "data/../data/*", str(tmp_path / "data/a*")):
        store = open_store("data/*.csv", tmp_path, [exclude])
        assert (store.find(), store.left_out.counts) == ([], {"exclude": 1})


def test_a_links_target_may_lie_in_a_hidden_folder(tmp_path: Path) -> None:
    # As in what Kubernetes mounts: data/a.csv leads to ..data/a.csv.
    (tmp_path / "data/..2026").mkdir(parents=True)
    (tmp_path / "data/..2026/a.csv").write_bytes(b"x")
    (tmp_path / "data/a.csv").symlink_to("..2026/a.csv")
    # An editor's lock is a link to nothing, and no reason to stop.
    (tmp_path / "data/.#a.csv").symlink_to("me@host.1")
    store = open_store("data/*.csv", tmp_path)
    assert [file.uri for file in store.find()] == ["data/..2026/a.csv"]
    assert store.left_out.counts == {"hidden": 1}


def test_the_name_of_the_project_is_no_pattern_and_hides_nothing(tmp_path: Path) -> None:
    base = tmp_path / ".a[b]_/_c"
    (base / "data").mkdir(parents=True)
    (base / "data/a.csv").write_bytes(b"x")
    (base / "data/_a.csv").write_bytes(b"x")
    for location in ("data/*.csv", "*/*.csv"):
        assert [file.uri for file in open_store(location, base).find()] == ["data/a.csv"]
