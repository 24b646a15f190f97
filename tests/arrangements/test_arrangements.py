"""The marts are a function of the files and the contract, whenever and however they were loaded."""

from __future__ import annotations

import os
import time
from typing import Any

import pytest
from arrangements.cases import Build, Case, Load, Replay, Rollback
from arrangements.draws import draw_case
from arrangements.sites import Site

from loader.errors import LoaderError

# How many cases on DuckDB, a fifth of them on Redshift, where each takes three times as long;
# `make test-arrangements` asks for more. A number always stands for the same case.
_CASES = int(os.environ.get("ARRANGEMENTS", "3"))
# In a short run the shortest that has every kind of step.
_CASES_ON_REDSHIFT = range(_CASES // 5) or (2,)
_ARRANGEMENTS_OF_A_CASE = 4
# How long a case that fails is made smaller, in seconds.
_SHRINK_SECONDS = 90.0


@pytest.mark.slow
@pytest.mark.parametrize(
    "number", [0, *(pytest.param(n, marks=pytest.mark.nightly) for n in range(1, _CASES))]
)
def test_the_same_files_are_the_same_marts(duckdb_site: Site, number: int) -> None:
    _holds(duckdb_site, number)


@pytest.mark.slow
@pytest.mark.parametrize("number", _CASES_ON_REDSHIFT)
def test_the_same_files_are_the_same_marts_on_redshift(redshift_site: Site, number: int) -> None:
    _holds(redshift_site, number)


def test_the_cases_of_every_run_have_every_kind_of_step() -> None:
    for numbers in (range(_CASES), _CASES_ON_REDSHIFT):
        cases = [draw_case(number, _ARRANGEMENTS_OF_A_CASE) for number in numbers]
        steps = [step for case in cases for drawn in case.arrangements for step in drawn.steps]
        assert {type(step) for step in steps} == {Load, Build, Rollback, Replay}
        for special in ("commit_lost", "killed_at"):
            assert any(getattr(step, special, False) for step in steps)
        assert any(step.killed_at for step in steps if isinstance(step, Build))


def _holds(site: Site, number: int) -> None:
    # GIVEN files, and several arrangements in which they are loaded
    case = draw_case(number, _ARRANGEMENTS_OF_A_CASE)
    # WHEN each is carried out THEN all tables are what plain Python makes of the files, after every
    # build, and the marts at the end are the same
    if _problem(site, case):
        case, problem = _made_small(site, case)
        pytest.fail(f"case {number}:\n{case}\n\n{problem}", pytrace=False)


def _problem(site: Site, case: Case) -> str:
    """What is wrong with a case, if anything is."""
    first: dict[str, Any] = {}
    for arrangement in case.arrangements:
        try:
            tables = site.carry_out(case.files, arrangement)
        except (AssertionError, LoaderError) as error:
            return f"{type(error).__name__}: {error}"
        if first and tables.marts != first:
            return f"the marts are {tables.marts}, by the first arrangement {first}"
        first = tables.marts
    return ""


def _made_small(site: Site, case: Case) -> tuple[Case, str]:
    """A case from which nothing can be left out that it fails without, or as small as may be."""
    deadline = time.monotonic() + _SHRINK_SECONDS
    found = True
    while found:
        found = False
        for smaller in case.smaller():
            if time.monotonic() > deadline:
                break
            if _problem(site, smaller):
                case, found = smaller, True
                break
    return case, _problem(site, case)
