"""The option --shard: which part of the new files a process takes."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from loader.cli.options import Settings, load_options, run_options
from loader.files.choice import Shard


@click.command()
def show(**values: object) -> None:
    click.echo(repr(values["shard"]))


for option in load_options:
    option(show)


@pytest.mark.parametrize(
    ("given", "environment", "shard"),
    [
        ("0/4", {}, Shard(0, 4)),
        ("3/4", {}, Shard(3, 4)),
        ("/4", {"JOB_COMPLETION_INDEX": "0"}, Shard(0, 4)),
        ("/4", {"AWS_BATCH_JOB_ARRAY_INDEX": "2"}, Shard(2, 4)),
        # What is said is meant, wherever it runs.
        ("1/4", {"JOB_COMPLETION_INDEX": "3"}, Shard(1, 4)),
        (None, {"CTI_SHARD": "/4", "JOB_COMPLETION_INDEX": "3"}, Shard(3, 4)),
        (None, {"CTI_SHARD": ""}, None),
        # A job's index alone divides nothing.
        (None, {"JOB_COMPLETION_INDEX": "3"}, None),
    ],
)
def test_a_shard(given: str | None, environment: dict[str, str], shard: Shard | None) -> None:
    arguments = ["--shard", given] if given else []
    told = CliRunner(env=environment).invoke(show, arguments)
    assert (told.exit_code, told.output.strip()) == (0, repr(shard)), told.output


@pytest.mark.parametrize("given", ["4/4", "/4", "2", "-1/4", "1/0", "a/4", "1/4/2", "1.5/4"])
def test_what_is_no_shard(given: str) -> None:
    told = CliRunner().invoke(show, ["--shard", given])
    assert told.exit_code == 2
    words = " ".join(told.output.replace("│", " ").split())
    assert "'--shard'" in words
    assert f"{given if '/' in given else given + '/'} is not I/N with I from 0 to N - 1" in words
    assert "JOB_COMPLETION_INDEX" in words


def test_a_run_is_not_divided() -> None:
    names = {field for field in Settings.__dataclass_fields__ if field in ("shard", "run_id")}
    assert len(load_options) == len(run_options) + len(names)
