"""How many hostile cases are run: a fixed few, or others for as long as `make test-fuzz` says."""

from __future__ import annotations

import random

import pytest
from fuzz.cases import Cases
from fuzz.runs import Finding, run
from fuzz.worker import Plan

# The same cases in every run, so that a change is what makes a test fail.
FIXED_SEED = 20261125


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options; they are there only if this folder is named on the command line."""
    group = parser.getgroup("fuzz")
    group.addoption("--fuzz-seed", help="a number, or `fresh` for one that nobody has used")
    group.addoption("--fuzz-case", type=int, help="run this case alone")
    group.addoption("--fuzz-cases", type=int, help="run so many cases, each kind")
    group.addoption("--fuzz-seconds", type=float, help="run cases for so long, each kind")


def pytest_report_header(config: pytest.Config) -> str:
    """Says the seed, which no other run may have."""
    return f"--fuzz-seed {_seed(config)}"


def _seed(config: pytest.Config) -> int:
    given = config.getoption("--fuzz-seed", None) or FIXED_SEED
    if given == "fresh":
        given = config.option.fuzz_seed = random.SystemRandom().randrange(10**9)
    return int(given)


@pytest.fixture(scope="session")
def fuzz_seed(pytestconfig: pytest.Config) -> int:
    """The seed of all cases."""
    return _seed(pytestconfig)


class RunCases:
    """Runs cases of a kind, and fails with the first that does not end well."""

    def __init__(self, config: pytest.Config, seed: int) -> None:
        self._case = config.getoption("--fuzz-case", None)
        self._cases = config.getoption("--fuzz-cases", None)
        self._seconds = config.getoption("--fuzz-seconds", None)
        self._seed = seed

    def __call__(self, kind: type[Cases], usual: int) -> None:
        """usual: how many cases if the command line does not say."""
        if self._case is not None:
            plan = Plan(self._seed, 1, first=self._case)
        elif self._seconds is not None and self._cases is None:
            plan = Plan(self._seed, 10**9, seconds=self._seconds)
        else:
            plan = Plan(self._seed, self._cases or usual)
        outcome = run(kind, plan)
        if isinstance(outcome, Finding):
            pytest.fail(str(outcome), pytrace=False)
        print(f"{kind.name}: {outcome:,} cases of seed {self._seed}")
        assert outcome == plan.cases or self._seconds is not None


@pytest.fixture
def run_cases(pytestconfig: pytest.Config, fuzz_seed: int) -> RunCases:
    """Runs cases."""
    return RunCases(pytestconfig, fuzz_seed)
