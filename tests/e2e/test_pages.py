"""The commands of README.md and docs/, run as they are printed, and what the pages say.

A command is a line that begins with `$ ` in a fenced console block; what follows it up to the next
one is its output. Numbers, times and paths may differ; the words may not. A line with only an
ellipsis stands for output that is not shown. Exit codes are compared as they are. The commands of a
page run one after the other in a project of its own: the README's in a fresh clone, those of docs/
in one in which `make run` was done.
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
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
PAGES = {
    str(path.relative_to(ROOT)): path.read_text()
    for path in (
        README,
        *sorted(ROOT.glob("docs/**/*.md")),
        *(ROOT / name for name in ("CHANGELOG.md", "airflow/README.md", "terraform/README.md")),
        ROOT / "tests/rig/README.md",
    )
}

# They would run this very test, or take minutes; that there is such a target is enough.
NOT_RUN = re.compile(r"make (?!run\b)")
_FENCE = re.compile(r"^( *)```(\w+)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_NAMED_IN_FILE = re.compile(r"^(?:#|--) (\S+/\S+)\n")
_NAMED_BEFORE = re.compile(r"`([\w./-]+/[\w.-]+\.csv)`[^`]*\Z")
# Printed only by the first command of a clone that is not set up yet.
_SET_UP = "setting up .venv"
_WORD = re.compile(r"[^\W\d_]{3,}")
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_TOP = "airflow|bench|docs|loader|macros|models|requirements|samples|seeds|terraform|tests"
# Not a hidden file, which somebody's commands make.
_PATH = re.compile(rf"`((?:{_TOP})/(?!\.|[\w./-]*/\.)[\w./-]*)`")
_SOURCES = ("loader/**/*.py", "macros/**/*.sql", "models/**/*.yml", "profiles.yml.example")


@dataclass(frozen=True)
class Command:
    """A command and the lines that the page says it prints."""

    text: str
    output: tuple[str, ...]


@dataclass(frozen=True)
class File:
    """A file that the page shows: its path is in its first line, or before it for a CSV file."""

    path: str
    text: str


def steps(page: str) -> Iterator[Command | File]:
    """What a page tells people to do, in its order."""
    for match in _FENCE.finditer(page):
        kind, body = match[2], textwrap.dedent(match[3])
        if kind == "console":
            for text in re.split(r"^\$ ", body, flags=re.MULTILINE)[1:]:
                command, *output = text.splitlines()
                yield Command(command, tuple(output))
        elif path := (
            _NAMED_BEFORE.search(page, 0, match.start())
            if kind == "csv"
            else _NAMED_IN_FILE.match(body)
        ):
            yield File(path[1], body)


def _is_executed(page: str) -> bool:
    return any(isinstance(step, Command) for step in steps(PAGES[page]))


# The page on Terraform is run by tests/deploy, against a server that imitates AWS.
EXECUTED = [page for page in PAGES if page.startswith(("README", "docs/")) and _is_executed(page)]


def _copy(source: Path, target: Path, *left_out: str) -> Path:
    shutil.copytree(source, target, ignore=shutil.ignore_patterns(*left_out), symlinks=True)
    return target


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project as somebody has it who cloned it, set up already."""
    folder = _copy(
        ROOT,
        tmp_path_factory.mktemp("fresh") / "cti_etl",
        *(".venv*", ".git", "target", "logs", "*.duckdb*", ".*_cache", "profiles.yml", "rig"),
    )
    # The environment of this test stands for the one that make would set up.
    (folder / ".venv").mkdir()
    for path in Path(sys.prefix).iterdir():
        if path.name in ("bin", "include", "lib", "lib64", "pyvenv.cfg"):
            (folder / ".venv" / path.name).symlink_to(path)
    for stamp in ("runtime", "dev"):
        (folder / ".venv" / stamp).touch()
    return folder


@pytest.fixture(scope="module")
def after_run(fresh: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same once `make run` was done in it."""
    folder = _copy(fresh, tmp_path_factory.mktemp("run") / "cti_etl")
    assert run(folder, "make run").returncode == 0
    return folder


def run(clone: Path, command: str) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "PATH": f"{clone / '.venv/bin'}{os.pathsep}{os.environ['PATH']}",
        "COLUMNS": "200",
    }
    for name in ("PYTHONPATH", "DBT_WRITE_JSON"):
        environment.pop(name, None)
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
    """Lines of a page whose words are not, in their order, in one line that was printed."""
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


def test_the_pages_tell_people_to_do_something() -> None:
    assert {"README.md", "docs/commands.md", "docs/your-own-feed.md"} <= set(EXECUTED)
    told = [step for page in EXECUTED for step in steps(PAGES[page])]
    assert sum(isinstance(step, Command) for step in told) >= 10
    assert sum(isinstance(step, File) for step in told) >= 5


@pytest.mark.slow
@pytest.mark.skipif(sys.prefix == sys.base_prefix, reason="make needs a virtual environment")
@pytest.mark.parametrize("page", EXECUTED)
def test_the_commands_of_a_page_work_as_printed(
    request: pytest.FixtureRequest, tmp_path: Path, page: str
) -> None:
    # GIVEN a project, WHEN the page's reader does one thing after the other
    start = request.getfixturevalue("fresh" if page == "README.md" else "after_run")
    clone = _copy(start, tmp_path / "cti_etl")
    for step in steps(PAGES[page]):
        if isinstance(step, File):
            (clone / step.path).parent.mkdir(parents=True, exist_ok=True)
            (clone / step.path).write_text(step.text)
        elif NOT_RUN.match(step.text):
            assert run(clone, f"make -n {step.text.split()[1]}").returncode == 0, step.text
        else:
            # THEN each command ends well and prints what the page shows
            ended = run(clone, step.text)
            printed = ended.stdout + ended.stderr
            assert ended.returncode == 0, f"$ {step.text}\n{printed}"
            assert missing(step.output, printed) == [], f"$ {step.text}\n{printed}"
            # Python's own spelling of a value is no word for people.
            assert not re.search(r"Counter\(|\bNone\b", printed), printed


# what the pages say of the project


def _anchors(text: str) -> set[str]:
    """The names that GitHub gives to a page's headings."""
    titles = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S), re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page: str) -> None:
    for link in _LINK.findall(PAGES[page]):
        if re.match(r"https?:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (ROOT / page).parent / name if name else ROOT / page
        assert target.exists(), link
        assert not anchor or anchor in _anchors(target.read_text()), link


@pytest.mark.parametrize("page", PAGES)
def test_every_path_on_a_page_is_there(page: str) -> None:
    shown = {step.path for step in steps(PAGES[page]) if isinstance(step, File)}
    named = [path for path in _PATH.findall(PAGES[page]) if path not in shown]
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_every_page_is_linked_from_the_readme() -> None:
    linked = set(_LINK.findall(PAGES["README.md"]))
    pages = {page for page in PAGES if page.startswith("docs/") and page.count("/") == 1}
    assert pages - linked == set()
    decisions = {page.removeprefix("docs/decisions/") for page in PAGES if "/decisions/" in page}
    assert decisions - {"README.md"} <= set(_LINK.findall(PAGES["docs/decisions/README.md"]))


def test_every_path_in_the_layout_is_there() -> None:
    found = re.search(r"^## What is where\n\n```text\n(.*?)^```", README.read_text(), re.M | re.S)
    assert found
    folders: list[str] = []
    for line in found[1].splitlines():
        names, text = line[:24].split(", "), line[24:]
        folders = [name.strip() for name in names if name.strip()] or folders
        assert [name for name in folders if not (ROOT / name).exists()] == []
        # A file in the text is one of the folder, or has its whole path.
        for name in re.findall(r"[\w/]+\.(?:py|sql|yml|md)\b", text):
            assert any((ROOT / place / name).exists() for place in (*folders, "")), name


def _table(page: str) -> str:
    """The lines of a page that belong to tables."""
    return "\n".join(line for line in PAGES[page].splitlines() if line.startswith("|"))


def _sources() -> str:
    return "".join(path.read_text() for pattern in _SOURCES for path in ROOT.glob(pattern))


def test_every_variable_in_the_settings_is_read_somewhere() -> None:
    names = re.findall(r"`((?:CTI|REDSHIFT|DBT)_\w+)`", _table("docs/settings.md"))
    assert len(names) > 5
    sources = _sources()
    assert [name for name in names if name not in sources] == []


def test_every_variable_that_is_read_is_in_the_settings() -> None:
    read = set(re.findall(r"env_?var(?:=|\()['\"]((?:CTI|REDSHIFT|DBT)_\w+)", _sources()))
    assert read
    assert {name for name in read if f"`{name}`" not in PAGES["docs/settings.md"]} == set()


def test_every_key_of_the_contract_is_explained() -> None:
    from loader.contract.column import COLUMN_KEYS
    from loader.contract.options import FeedOptions

    for key in (*FeedOptions.model_fields, *COLUMN_KEYS):
        assert re.search(rf"^\| .*`{key}[`.]", PAGES["docs/contract.md"], re.MULTILINE), key


def test_every_feed_on_the_contracts_page_is_one() -> None:
    from loader.contract.options import FeedOptions

    blocks = re.findall(r"```yaml\n(feed:\n.*?)```", PAGES["docs/contract.md"], re.DOTALL)
    feeds = [FeedOptions.model_validate(yaml.safe_load(block)["feed"]) for block in blocks]
    said = {word for feed in feeds for word in feed.model_fields_set}
    assert said >= {"encoding", "comment", "escape", "double_quote", "skip_initial_space"}


def test_every_example_of_the_contract_reads_what_the_page_says() -> None:
    from loader.contract.feed import parse_feed

    columns = dict[str, Any]()
    for example in re.findall(r"^```yaml\n(- .*?)^```$", PAGES["docs/contract.md"], re.M | re.S):
        columns |= {column["name"]: column for column in yaml.safe_load(example)}
    options = {"location": "data/*.csv"}
    node = {"source_name": "shop", "name": "orders", "original_file_path": "contract.md"}
    feed = parse_feed({**node, "config": {"meta": {"feed": options}}, "columns": columns})
    by_name = {column.name: column for column in feed.columns}
    moment = datetime(1990, 2, 1, 13, 45, tzinfo=UTC)
    assert (
        by_name["Posted"].parse("2/1/90 1:45 pm") == by_name["Posted"].parse("633879900") == moment
    )
    amounts = {"$1,250.50": "1250.5", "(1,250.50)": "-1250.5", "EUR -3": "-3"}
    amounts |= {"12.5 %": "12.5", "7.00-": "-7"}
    for text, amount in amounts.items():
        assert f"`{text}`" in PAGES["docs/contract.md"]
        assert by_name["Amount"].parse(text) == Decimal(amount)
    assert by_name["Paid"].parse("JA")
    assert not by_name["Paid"].parse("-")


@pytest.mark.parametrize("page", ["README.md", "docs/commands.md"])
def test_every_command_is_in_the_table(page: str) -> None:
    from loader.cli.main import cli

    named = re.findall(r"^\| `(\w+)", _table(page), re.MULTILINE)
    assert sorted(named) == sorted(cli.commands)


def test_every_promise_names_tests_that_hold_it() -> None:
    rows = re.findall(r"^\| \*\*(\d)\..*\|(.*)\|$", PAGES["docs/guarantees.md"], re.MULTILINE)
    assert [number for number, _ in rows] == list("12345678")
    for number, tests in rows:
        assert re.search(r"`tests/", tests), number
