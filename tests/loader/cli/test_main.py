"""The command line as a person and a scheduler meet it: help, exit codes, messages, JSON."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest
from click.testing import CliRunner

from loader.cli.exits import for_each
from loader.cli.main import cli
from loader.errors import LoaderError

if TYPE_CHECKING:
    from conftest import Loader

ROOT = Path(__file__).resolve().parents[3]
COMMANDS = sorted(cli.commands)
HEADER = "indicator,indicator_type,source,confidence,first_seen,last_seen,description\n"
GOOD = "a.example,domain,me,5,2026-01-01,,\n"
BAD = "b.example,domain,me,five,2026-01-01,,\n"


# help


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_with_an_example(loader: Loader, command: str) -> None:
    out = loader(command, "--help").output
    assert re.search(rf"^  Example: python -m loader {command}\b", out, re.MULTILINE)
    # A sentence first, and every option with a help text.
    assert re.match(rf"Usage: .* {command} .*\n\n  [A-Z][^\n]+", out)
    for option in cli.commands[command].params:
        if isinstance(option, click.Option):
            assert option.help, option.name


def test_the_group_lists_the_commands_and_exit_codes(loader: Loader) -> None:
    out = loader("--help").output
    assert "Example: python -m loader run" in out
    assert "Exit codes: 0" in out
    for command in COMMANDS:
        assert re.search(rf"^  {command} +[A-Z]", out, re.MULTILINE)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_in_the_readme(command: str) -> None:
    readme = (ROOT / "README.md").read_text()
    assert re.search(rf"^\| `{command}[ `]", readme, re.MULTILINE)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_the_options_of_dbt(loader: Loader, command: str) -> None:
    out = loader(command, "--help").output
    for option in ("--target", "--profiles-dir", "--project-dir", "--json", "--debug"):
        assert option in out
    assert ("--feed" if command == "validate" else "--select") in out


def test_the_version_is_the_projects(loader: Loader) -> None:
    version = re.search(r'^version = "(.+)"', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert version
    assert version[1] in loader("--version").output


# mistakes in usage: exit 2, one message


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["lod"], "No such command 'lod'"),
        (["load", "--selct", "x"], "No such option"),
        (["validate"], "Missing argument"),
        (["load", "--project-dir", "nowhere"], "nowhere: no dbt_project.yml here"),
        (["load", "extra"], "unexpected extra argument"),
    ],
)
def test_mistakes_in_usage(
    loader: Loader, project: Path, arguments: list[str], message: str
) -> None:
    assert message in loader(*arguments, code=2).stderr


@pytest.mark.parametrize("command", ["load", "run", "plan", "history"])
def test_a_feed_that_is_not_there(loader: Loader, project: Path, command: str) -> None:
    result = loader(command, "--select", "indicatros", code=2)
    assert result.stderr.startswith("error: there is no feed 'indicatros'.")
    assert "cti.indicators" in result.stderr
    assert result.stdout == ""


def test_a_target_that_is_not_there(loader: Loader, project: Path) -> None:
    result = loader("load", "--target", "snowflake", code=2)
    assert "snowflake" in result.stderr
    assert "duckdb" in result.stderr
    assert result.stderr.count("\n") == 1


def test_the_project_may_be_elsewhere(
    loader: Loader, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "x.csv"
    data.write_text(HEADER + GOOD)
    monkeypatch.chdir(tmp_path)
    loader("validate", "--project-dir", project, "--profiles-dir", project, data)
    monkeypatch.setenv("DBT_PROJECT_DIR", str(project))
    monkeypatch.setenv("DBT_PROFILES_DIR", str(project))
    loader("validate", "x.csv")


# validate


@pytest.fixture
def files(project: Path) -> Path:
    """A folder with a file of every fate."""
    folder = project / "in"
    folder.mkdir()
    (folder / "good.csv").write_text(HEADER + GOOD * 3)
    (folder / "bad.csv").write_text(HEADER + GOOD + BAD)
    (folder / "none.csv").write_text(HEADER)
    (folder / "empty.csv").write_text("")
    (folder / "wrong.csv").write_text("a,b\n1,2\n")
    return folder


def test_validate_prints_one_object_a_file(loader: Loader, files: Path) -> None:
    # What the keys are is a promise to other people's scripts.
    names = ["good.csv", "bad.csv", "none.csv", "empty.csv", "wrong.csv"]
    result = loader("validate", "--json", *(files / name for name in names), code=1)
    objects = [json.loads(line) for line in result.stdout.splitlines()]
    keys = ["file", "read", "accepted", "rejected", "skipped", "refused"]
    assert [list(o) for o in objects] == [keys] * 5
    assert [o["file"] for o in objects] == [str(files / name) for name in names]
    assert [(o["read"], o["accepted"], o["rejected"]) for o in objects] == [
        (3, 3, 0),
        (2, 1, 1),
        (0, 0, 0),
        (0, 0, 0),
        (0, 0, 0),
    ]
    assert [o["refused"] is None for o in objects] == [True, True, True, False, False]
    assert "the file is empty" in objects[3]["refused"]
    assert "does not fit the contract" in objects[4]["refused"]
    assert result.stderr == ""


def test_validate_writes_what_it_found(loader: Loader, files: Path) -> None:
    # GIVEN results of an earlier run that no longer hold
    out = files / "out" / "deep"
    out.mkdir(parents=True)
    (out / "wrong.csv.accepted.csv").write_text("old")
    (out / "wrong.csv.rejects.jsonl").write_text("old")
    # WHEN files are validated into that folder
    loader("validate", "--feed", "indicators", "--out", out, *sorted(files.glob("*.csv")), code=1)
    # THEN there are two files for each, but no accepted one for a file refused as a whole
    assert sorted(path.name for path in out.iterdir()) == sorted(
        [f"{n}.csv.accepted.csv" for n in ("bad", "good", "none")]
        + [f"{n}.csv.rejects.jsonl" for n in ("bad", "good", "none", "empty", "wrong")]
    )
    assert (out / "good.csv.accepted.csv").read_text() == HEADER + GOOD * 3
    assert (out / "bad.csv.accepted.csv").read_text() == HEADER + GOOD
    assert (out / "none.csv.accepted.csv").read_text() == HEADER
    assert (out / "wrong.csv.rejects.jsonl").read_text() == ""
    (line,) = (out / "bad.csv.rejects.jsonl").read_text().splitlines()
    assert json.loads(line) == {
        "file": str(files / "bad.csv"),
        "record": 2,
        "line": 3,
        "column": "confidence",
        "rule": "integer",
        "value": "five",
        "message": "confidence is not a whole number in digits 0 to 9",
        "raw": BAD.rstrip("\n"),
    }


def test_validate_tells_a_person_what_is_wrong(loader: Loader, files: Path) -> None:
    result = loader("validate", files / "bad.csv", files / "wrong.csv", code=1)
    assert "rejected records (the first 1 of 1)" in result.stdout
    for word in ("confidence", "integer", "five", "is not a whole number"):
        assert word in result.stdout
    assert f"{files / 'wrong.csv'}: refused: the header does not fit" in result.stdout
    assert "unknown: 'a', 'b'" in result.stdout


def test_validate_of_good_files_ends_well(loader: Loader, files: Path) -> None:
    loader("validate", files / "good.csv", files / "none.csv")
    # It needs no warehouse, and makes none.
    assert not list(files.parent.glob("*.duckdb*"))


@pytest.mark.parametrize(
    ("name", "problem"), [("gone.csv", "does not exist"), ("folder", "is a directory")]
)
def test_a_path_that_is_no_file_is_a_mistake_in_usage(
    loader: Loader, files: Path, name: str, problem: str
) -> None:
    (files / "folder").mkdir()
    result = loader("validate", files / "good.csv", files / name, code=2)
    assert problem in result.stderr
    assert name in result.stderr
    assert not result.stdout


def test_a_file_that_cannot_be_read_is_a_failure_and_not_bad_data(
    loader: Loader, files: Path
) -> None:
    # GIVEN what is no file that one can read, a good file and a bad one
    os.mkfifo(files / "pipe")
    # WHEN all are validated
    paths = (files / "pipe", files / "good.csv", files / "bad.csv")
    result = loader("validate", "--json", *paths, code=2)
    # THEN the others are judged all the same, and the exit code is not that of the bad file
    first, second, third = map(json.loads, result.stdout.splitlines())
    assert "is not a regular file" in first["refused"]
    assert (second["accepted"], third["rejected"]) == (3, 1)


def test_two_files_of_one_name_are_not_written_over_each_other(loader: Loader, files: Path) -> None:
    (files / "sub").mkdir()
    (files / "sub/good.csv").write_text(HEADER)
    out = files / "out"
    paths = files / "good.csv", files / "sub/good.csv"
    result = loader("validate", "--out", out, *paths, code=2)
    assert "two files are called good.csv" in result.stderr
    loader("validate", *paths)


def test_results_that_cannot_be_written_are_not_the_spools_fault(
    loader: Loader, files: Path
) -> None:
    out = files / "out"
    (out / "good.csv.accepted.csv").mkdir(parents=True)
    result = loader("validate", "--out", out, files / "good.csv", code=3)
    assert "good.csv.accepted.csv" in result.stderr
    assert "TMPDIR" not in result.stderr
    in_the_way = loader("validate", "--out", files / "good.csv", files / "bad.csv", code=2)
    assert "good.csv" in in_the_way.stderr


def test_an_input_is_never_written_over(loader: Loader, files: Path) -> None:
    # GIVEN an input named as another one's result would be
    (files / "good.csv.accepted.csv").write_text(HEADER + GOOD)
    paths = files / "good.csv", files / "good.csv.accepted.csv"
    loader("validate", "--out", files, *paths, code=2)
    assert (files / "good.csv.accepted.csv").read_text() == HEADER + GOOD


def test_a_hostile_name_cannot_steer_the_terminal(loader: Loader, files: Path) -> None:
    path = files / "x\x1b]0;owned\x07\n.csv"
    path.write_text(HEADER + GOOD.replace("a.example", "\x1b[31m" * 500) + BAD)
    result = loader("validate", path, code=1)
    assert "\x1b" not in result.output
    assert "\x07" not in result.output


def test_a_name_that_is_not_utf_8_is_shown_escaped(loader: Loader, files: Path) -> None:
    path = files / "x\udcff.csv"
    try:
        path.write_text(HEADER + GOOD)
    except OSError:
        pytest.skip("this file system takes no such name")
    result = loader("validate", "--json", path)
    assert json.loads(result.stdout)["file"] == str(path)
    assert "\\udcff" in loader("validate", path).stdout


def test_several_feeds_need_a_choice(loader: Loader, project: Path, files: Path) -> None:
    sources = (project / "models/staging/cti/_cti__sources.yml").read_text()
    second = sources.replace("name: cti", "name: other").split("          - name: source\n")[0]
    (project / "models/staging/other.yml").write_text(second)
    result = loader("validate", files / "good.csv", code=2)
    assert "several feeds: cti.indicators, other.indicators. Give --feed." in result.stderr
    assert (
        "are several feeds 'indicators'"
        in loader("validate", "--feed", "indicators", files / "good.csv", code=2).stderr
    )
    loader("validate", "--feed", "cti.indicators", files / "good.csv")


def test_a_project_without_a_feed(loader: Loader, project: Path, files: Path) -> None:
    for path in (project / "models").rglob("*"):
        if path.is_file() and "loader" not in path.name:
            path.unlink()
    for path in (project / "tests/dbt").rglob("*.*"):
        path.unlink()
    result = loader("load", code=2)
    assert "the project has no feed" in result.stderr


# the process itself


def test_help_comes_at_once_and_needs_no_project(tmp_path: Path) -> None:
    # Importing dbt takes seconds; help must not wait for it.
    code = "import sys, loader.cli; sys.exit(any(m.split('.')[0] == 'dbt' for m in sys.modules))"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    assert (
        subprocess.run([sys.executable, "-c", code], env=environment, check=False).returncode == 0
    )


def test_a_reader_that_goes_away_gets_no_traceback(files: Path) -> None:
    # As in `python -m loader validate ... | head -1`.
    paths = " ".join([str(files / "good.csv")] * 50)
    done = subprocess.run(
        ["/bin/sh", "-c", f"{sys.executable} -m loader validate --json {paths} | head -1"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=60,
        check=False,
    )
    assert json.loads(done.stdout)["accepted"] == 3
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_are_no_error(files: Path, closed: str) -> None:
    for name, code in (("good.csv", 0), ("missing.csv", 2)):
        done = subprocess.run(
            ["/bin/sh", "-c", f"{sys.executable} -m loader validate {files / name} {closed}"],
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            timeout=60,
            check=False,
        )
        assert (done.returncode, "unexpected" in done.stderr) == (code, False)


def test_a_table_that_nobody_reads_is_no_refused_data(loader: Loader, project: Path) -> None:
    # As in `python -m loader history | true`; 1 would tell a scheduler that data was refused, 2
    # that nothing but a person can help.
    loader("load")
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "loader", "history"],
        cwd=project,
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=60,
        check=False,
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (3, "")


def test_one_feed_whose_file_is_gone_does_not_keep_the_others(
    capsys: pytest.CaptureFixture[str],
) -> None:
    done: list[str] = []

    def work(feed: str) -> None:
        if feed == "first":
            raise FileNotFoundError(2, "No such file or directory", "a.csv")
        done.append(feed)

    with pytest.raises(LoaderError, match="1 of 2 feeds failed") as failed:
        for_each(["first", "second"], work)
    assert done == ["second"]
    assert failed.value.exit_code == 3
    assert "error: a.csv: No such file or directory" in capsys.readouterr().err


def test_debug_shows_the_traceback_and_nothing_else_does(loader: Loader, project: Path) -> None:
    quiet = loader("load", "--project-dir", "nowhere", code=2)
    assert quiet.stderr.count("\n") == 1
    loud = CliRunner().invoke(cli, ["load", "--project-dir", "nowhere", "--debug"])
    assert loud.exit_code == 2
    assert "Traceback" in loud.stderr
    assert "ConfigError" in loud.stderr


def test_an_error_that_cannot_be_written_keeps_its_exit_code() -> None:
    command = [sys.executable, "-m", "loader", "validate", "--feed", "nosuch", "README.md"]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stderr=full, stdout=subprocess.DEVNULL, cwd=ROOT)
    assert done.returncode == 2
