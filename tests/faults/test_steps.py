"""Each step at which a process is killed is there; else it would be killed nowhere."""

from __future__ import annotations

import importlib
from functools import reduce

import pytest
from faults.steps import EXECUTE, STEPS


@pytest.mark.parametrize("target", sorted({step.target for step in STEPS} | {EXECUTE}))
def test_a_step_names_what_there_is(target: str) -> None:
    module, _, path = target.partition(":")
    assert callable(reduce(getattr, path.split("."), importlib.import_module(module)))
