"""Where a load puts what COPY reads, and how rejected records are kept."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from loader.errors import ConfigError
from loader.warehouse.work import WorkFolder, check_folder, feed_folder, keep

if TYPE_CHECKING:
    from conftest import Lake


@pytest.mark.parametrize("location", ["", "work/", "s3://", "s3:///work/"])
def test_a_work_location_that_is_none_is_refused(location: str) -> None:
    with pytest.raises(ConfigError, match=f"^'{location}' is no place .* set CTI_WORK_LOCATION"):
        WorkFolder(location, "cti.indicators")


@pytest.mark.parametrize("location", ["s3://bucket", "s3://bucket/"])
def test_a_feed_s_name_cannot_leave_its_folder(location: str) -> None:
    assert feed_folder(location, "a/../b c.d") == "s3://bucket/a-..-b-c.d/"


def test_a_load_removes_its_own_folder_and_no_other(lake: Lake, tmp_path: Path) -> None:
    # GIVEN two loads of the same feed
    path = tmp_path / "part.csv.gz"
    path.write_bytes(b"part")
    one, other = (WorkFolder(lake.uri("work/"), "cti.indicators") for _ in range(2))
    one.upload(path)
    one.put(f"{one.uri}manifest-1.json", "{}")
    kept = f"{other.uri}manifest-1.json"
    other.put(kept, "{}")
    # WHEN one of them ends
    one.remove()
    # THEN what the other has written is still there
    listed = lake.client.list_objects_v2(Bucket=lake.bucket, Prefix=lake.prefix)["Contents"]
    assert [f"s3://{lake.bucket}/{entry['Key']}" for entry in listed] == [kept]


@pytest.mark.parametrize("location", ["gs://bucket/x", "s3://", "s3:///x"])
def test_a_place_for_rejected_records_that_is_none_is_refused(location: str) -> None:
    with pytest.raises(ConfigError, match="neither a folder nor"):
        check_folder(location)


def test_rejected_records_on_disk_are_for_owner_and_group(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"{}\n")
    usual = os.umask(0)
    try:
        kept = Path(keep(source, str(tmp_path / "kept/here"), "load-1.jsonl"))
    finally:
        os.umask(usual)
    assert kept.read_bytes() == b"{}\n"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o660
