"""Killed at any step, and run again: the same tables as after one clean run. Promises 3 and 4.

`make test` tries a few kills of a load, `make test-slow` other ones, `make test-faults` all.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from faults.duckdb_site import DuckdbSite
from faults.extent import PARTS, part_of, some
from faults.kill import (
    Kill,
    Undisturbed,
    build_kills,
    kill_and_repair,
    random_kills,
    step_kills,
)
from faults.steps import ADD_QUERY, OF_A_NODE


def _all_repaired(site: DuckdbSite, kills: Sequence[Kill], undisturbed: Undisturbed) -> None:
    wrong = [what for kill in kills for what in kill_and_repair(site, kill, undisturbed)]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("start", ["empty", "loaded"])
def test_a_load_killed_at_any_step_is_made_up_for(site: DuckdbSite, start: str, part: int) -> None:
    undisturbed = Undisturbed.of(site, "load", start)
    assert any("commit" in sql for sql in undisturbed.statements)
    kills = step_kills("load", start, undisturbed)
    _all_repaired(site, part_of(kills, part, 2), undisturbed)


@pytest.mark.slow
def test_a_load_killed_at_any_moment_is_made_up_for(site: DuckdbSite) -> None:
    undisturbed = Undisturbed.of(site, "load", "loaded")
    moments = [random.Random(1).random() for _ in range(36)]
    kills = random_kills("load", "loaded", undisturbed, moments)
    _all_repaired(site, some(kills, 1), undisturbed)


@pytest.mark.slow
def test_a_run_killed_while_dbt_builds_is_made_up_for(site: DuckdbSite) -> None:
    # The data is there by then; the tables that are made of it must come to be as well.
    undisturbed = Undisturbed.of(site, "run", "loaded", ADD_QUERY, OF_A_NODE)
    kills = build_kills("loaded", undisturbed, 10)
    assert len(kills) >= 10
    _all_repaired(site, some(kills, 1), undisturbed)
