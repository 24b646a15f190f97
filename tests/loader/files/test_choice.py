"""Which files fall to which of several processes."""

from __future__ import annotations

from collections import Counter

import pytest

from loader.files.choice import Choice, Shard

URIS = [f"s3://bucket/raw/2026-01-{day:02d}/{n}.csv" for day in range(1, 31) for n in range(20)]


@pytest.mark.parametrize("count", [1, 2, 4, 7])
def test_each_file_falls_to_one_process_and_each_process_has_its_part(count: int) -> None:
    shards = [Shard(number, count) for number in range(count)]
    taken = Counter(shard.number for uri in URIS for shard in shards if shard.has(uri))
    assert taken.total() == len(URIS)
    assert min(taken.values()) > 0.6 * len(URIS) / count


def test_the_choice_is_the_same_on_every_machine() -> None:
    # Another answer here, and processes of two versions would leave files to each other.
    # By sha256sum: the rest of dividing by four is that of its last digit.
    known = {"s3://bucket/raw/a.csv": 3, "s3://bucket/raw/b.csv": 2, "s3://bucket/ü 観.csv": 3}
    assert {uri: n for uri in known for n in range(4) if Shard(n, 4).has(uri)} == known


def test_without_a_shard_every_file_is_allowed() -> None:
    assert all(map(Choice().allows, URIS))
