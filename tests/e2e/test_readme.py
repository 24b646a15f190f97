"""The README's commands, run as they are printed. Each has to work, and say what is said there.

A command is a line that begins with `$ ` in a fenced console block; what follows it up to the next
one is its output. Numbers, times and paths may differ; the words may not. A line with only an
ellipsis stands for output that is not shown. Exit codes are compared as they are.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()

# They would run this very test, or take minutes; that there is such a target is enough.
NOT_RUN = re.compile(r"make (test|lint|format|lock|clean|test-redshift|redshift-local)\b")
_FENCE = re.compile(r"^( *)```(\w+)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_NAMED_IN_FILE = re.compile(r"^(?:#|--) (\S+/\S+)\n")
_NAMED_BEFORE = re.compile(r"`([\w./-]+/[\w.-]+\.csv)`[^`]*\Z")
# Printed only by the first command of a clone that is not set up yet.
_SET_UP = "setting up .venv"
_WORD = re.compile(r"[^\W\d_]{3,}")


@dataclass(frozen=True)
class Command:
    """A command and the lines that the README says it prints."""

    text: str
    output: tuple[str, ...]


@dataclass(frozen=True)
class File:
    """A file that the README shows: its path is in its first line, or before it for a CSV file."""

    path: str
    text: str


def steps() -> Iterator[Command | File]:
    """What the README tells people to do, in its order."""
    for match in _FENCE.finditer(README):
        kind, body = match[2], textwrap.dedent(match[3])
        if kind == "console":
            for text in re.split(r"^\$ ", body, flags=re.MULTILINE)[1:]:
                command, *output = text.splitlines()
                yield Command(command, tuple(output))
        elif path := (
            _NAMED_BEFORE.search(README, 0, match.start())
            if kind == "csv"
            else _NAMED_IN_FILE.match(body)
        ):
            yield File(path[1], body)


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project as somebody has it who cloned it, set up already."""
    folder = tmp_path_factory.mktemp("readme") / "cti_etl"
    left_out = shutil.ignore_patterns(
        *(".venv*", ".git", "target", "logs", "*.duckdb*", ".*_cache", "profiles.yml", "rig")
    )
    shutil.copytree(ROOT, folder, ignore=left_out)
    # The environment of this test stands for the one that make would set up.
    (folder / ".venv").mkdir()
    for path in Path(sys.prefix).iterdir():
        if path.name in ("bin", "include", "lib", "lib64", "pyvenv.cfg"):
            (folder / ".venv" / path.name).symlink_to(path)
    for stamp in ("runtime", "dev"):
        (folder / ".venv" / stamp).touch()
    return folder


def run(clone: Path, command: str) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "PATH": f"{clone / '.venv/bin'}{os.pathsep}{os.environ['PATH']}",
        "COLUMNS": "200",
    }
    environment.pop("PYTHONPATH", None)
    return subprocess.run(
        ["/bin/sh", "-c", command],
        cwd=clone,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def missing(shown: tuple[str, ...], printed: str) -> list[str]:
    """Lines of the README whose words are not, in their order, in one line that was printed."""
    lines = [_WORD.findall(line) for line in printed.splitlines()]

    def is_there(line: str) -> bool:
        if line.startswith("exit code "):
            return line in printed.splitlines()
        words = _WORD.findall(line)
        return any(_in_order(words, printed_words) for printed_words in lines)

    ignored = re.compile(rf"[… .]*|{_SET_UP}.*")
    return [line for line in shown if not ignored.fullmatch(line) and not is_there(line)]


def _in_order(words: list[str], within: list[str]) -> bool:
    rest = iter(within)
    return all(word in rest for word in words)


@pytest.mark.slow
@pytest.mark.skipif(sys.prefix == sys.base_prefix, reason="make needs a virtual environment")
def test_the_commands_of_the_readme_work_as_printed(clone: Path) -> None:
    # GIVEN a fresh clone, WHEN its reader does one thing after the other
    told = list(steps())
    assert sum(isinstance(step, Command) for step in told) >= 5
    assert sum(isinstance(step, File) for step in told) >= 3
    for step in told:
        if isinstance(step, File):
            (clone / step.path).parent.mkdir(parents=True, exist_ok=True)
            (clone / step.path).write_text(step.text)
        elif NOT_RUN.match(step.text):
            assert run(clone, f"make -n {step.text.split()[1]}").returncode == 0, step.text
        else:
            # THEN each command ends well and prints what the README shows
            ended = run(clone, step.text)
            printed = ended.stdout + ended.stderr
            assert ended.returncode == 0, f"$ {step.text}\n{printed}"
            assert missing(step.output, printed) == [], f"$ {step.text}\n{printed}"


def test_every_path_in_the_readme_is_there() -> None:
    tree = re.search(r"^## What is where\n\n(.*?)^## ", README, re.MULTILINE | re.DOTALL)
    assert tree
    for line in tree[1].splitlines():
        if line.startswith("    "):
            names = re.match(r" +((?:[\w./-]+(?:, )?)+)  ", line)
            assert names, line
            parent = ROOT
            for name in names[1].split(", "):
                path = parent / name
                assert path.exists(), name
                # `tests/loader/, e2e/` means tests/e2e/.
                parent = path.parent


def test_every_variable_in_the_settings_is_read_somewhere() -> None:
    table = re.search(r"^## Settings\n(.*?)^## ", README, re.MULTILINE | re.DOTALL)
    assert table
    names = re.findall(r"`((?:CTI|REDSHIFT|DBT)_\w+)`", table[1])
    assert len(names) > 5
    sources = "".join(
        path.read_text()
        for pattern in (
            "loader/**/*.py",
            "macros/**/*.sql",
            "models/**/*.yml",
            "profiles.yml.example",
        )
        for path in ROOT.glob(pattern)
    )
    assert [name for name in names if name not in sources] == []


def test_every_variable_that_is_read_is_in_the_settings() -> None:
    sources = "".join(
        path.read_text()
        for pattern in (
            "loader/**/*.py",
            "macros/**/*.sql",
            "models/**/*.yml",
            "profiles.yml.example",
        )
        for path in ROOT.glob(pattern)
    )
    read = set(re.findall(r"env_?var(?:=|\()['\"]((?:CTI|REDSHIFT|DBT)_\w+)", sources))
    assert read
    assert {name for name in read if f"`{name}`" not in README} == set()


def test_every_key_of_the_contract_is_explained() -> None:
    from loader.contract.feed import FeedOptions, _ColumnRules

    for model in (FeedOptions, _ColumnRules):
        for key in model.model_fields:
            assert re.search(rf"^\| .*`{key}[`.]", README, re.MULTILINE), key


def test_every_test_that_holds_a_promise_is_there() -> None:
    promises = re.search(r"^## What is guaranteed\n(.*?)^## ", README, re.MULTILINE | re.DOTALL)
    assert promises
    paths = re.findall(r"`(tests/[\w./-]+)`", promises[1])
    assert len(paths) >= 7
    assert [path for path in paths if not (ROOT / path).exists()] == []
