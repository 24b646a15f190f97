"""The project's command lines in processes of their own, started in milliseconds.

dbt takes seconds to import and to read a project for the first time. One server process does both
once (warm.py) and is forked for every command; what runs in the fork is the command line itself,
with its own environment, folder and output.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import runpy
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from faults.s3_feed import hurry

if TYPE_CHECKING:
    from multiprocessing.context import ForkServerProcess

__all__ = ["Command", "Commands", "Outcome", "warm_up"]

_TIMEOUT = 120.0
_context = multiprocessing.get_context("forkserver")


def warm_up(project: Path, target_path: Path) -> None:
    """Start the server, so that it gets ready beside other work."""
    from multiprocessing import forkserver

    root = Path(__file__).resolve().parents[2]
    _context.set_forkserver_preload(["redshift.warm"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join((str(root), str(root / "tests"))))
        patch.setenv("WARM_PROJECT", str(project))
        patch.setenv("DBT_TARGET_PATH", str(target_path))
        patch.setenv("DBT_LOG_PATH", str(target_path))
        forkserver.ensure_running()


@dataclass(frozen=True)
class Command:
    """One command line. program: loader or dbt. output: the folder for what it prints.

    impatient: try again at once where the loader would wait some seconds. prepare: called in the
    process just before the program begins.
    """

    program: str
    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    folder: Path
    output: Path
    impatient: bool = False
    prepare: Callable[[], object] | None = None


@dataclass(frozen=True)
class Outcome:
    """What a command did. macros: the project's macros that it carried out, parsing aside."""

    command: Command
    code: int
    out: str
    err: str
    seconds: float
    macros: frozenset[str] = frozenset()

    @property
    def text(self) -> str:
        """All it printed, in one line."""
        return " ".join(f"{self.out}\n{self.err}".split())

    @property
    def objects(self) -> list[dict[str, Any]]:
        """The JSON objects it printed, an object a line."""
        return [json.loads(line) for line in self.out.splitlines() if line.startswith("{")]

    def done(self) -> Outcome:
        """Fail the test unless it ended well."""
        if self.code != 0:
            pytest.fail(
                f"{self.command.program} {self.command.arguments}: {self.code}\n{self.text}"
            )
        return self

    def refused(self, code: int, *said: str) -> Outcome:
        """Fail the test unless it ended with this code, said all of that, and no traceback."""
        missing = [words for words in said if words not in self.text]
        if self.code != code or missing or "Traceback" in self.text:
            pytest.fail(f"exit {self.code}, not {code}; not said: {missing}\n{self.text}")
        return self


@dataclass
class Running:
    """A command that runs."""

    command: Command
    process: ForkServerProcess
    began: float = field(default_factory=time.monotonic)

    @property
    def pid(self) -> int:
        """The number of its process."""
        assert self.process.pid is not None
        return self.process.pid

    @property
    def has_begun(self) -> bool:
        """Whether its process has come so far that its output goes where it is to go."""
        return (self.command.output / "err").exists()

    def kill(self) -> None:
        """End it as the kernel does when memory is short: it gets no chance to tidy up."""
        self.process.kill()
        self.process.join(_TIMEOUT)

    @property
    def ended(self) -> bool:
        """Whether it is over."""
        return not self.process.is_alive()

    def wait(self) -> Outcome:
        """Its outcome, once it is over."""
        self.process.join(_TIMEOUT)
        if self.process.exitcode is None:
            self.kill()
            pytest.fail(f"{self.command.arguments}: still running after {_TIMEOUT:g} s")
        read = {name: _text(self.command.output / name) for name in ("out", "err", "macros")}
        return Outcome(
            self.command,
            self.process.exitcode,
            read["out"],
            read["err"],
            time.monotonic() - self.began,
            frozenset(read["macros"].splitlines()),
        )


@dataclass
class Commands:
    """Starts commands and keeps what they print, each in a folder of its own."""

    output: Path
    count: int = 0
    running: list[Running] = field(default_factory=list)

    def start(
        self,
        program: str,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        folder: Path,
        impatient: bool = False,
        prepare: Callable[[], object] | None = None,
    ) -> Running:
        """Start a command and do not wait for it."""
        self.count += 1
        output = self.output / f"{self.count:03d}-{program}-{arguments[0]}"
        output.mkdir(parents=True)
        command = Command(
            program, tuple(arguments), environment, folder, output, impatient, prepare
        )
        process = _context.Process(target=_run, args=(command,))
        process.start()
        self.running.append(Running(command, process))
        return self.running[-1]

    def close(self) -> None:
        """End what a test left running."""
        for running in self.running:
            if running.process.is_alive():
                running.kill()
            running.process.close()
        self.running.clear()


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""


# In the forked process ---------------------------------------------------------


def _run(command: Command) -> None:
    os.environ.clear()
    os.environ.update(command.environment)
    os.chdir(command.folder)
    for name, number in (("out", 1), ("err", 2)):
        target = os.open(command.output / name, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(target, number)
    sys.argv = [command.program, *command.arguments]
    called = _watch_macros()
    if command.prepare:
        command.prepare()
    try:
        if command.program == "dbt":
            from dbt.cli.main import cli

            cli()
        else:
            from loader.jobs import attempts

            if command.impatient:
                hurry(pytest.MonkeyPatch())
                assert attempts._WAITS
                attempts._WAITS = (0.05,) * len(attempts._WAITS)  # type: ignore[assignment]
            # As `python -m loader` does.
            runpy.run_module("loader", run_name="__main__")
    finally:
        (command.output / "macros").write_text("\n".join(sorted(called)))


def _watch_macros() -> set[str]:
    """Collects the names of the project's macros as they are carried out."""
    from dbt_common.clients.jinja import CallableMacroGenerator

    called: set[str] = set()
    call_macro = CallableMacroGenerator.call_macro

    def watched(self: Any, *arguments: Any, **named: Any) -> Any:
        # While dbt parses, macros are called too, but nothing comes of it.
        if self.macro.package_name == "cti" and (self.context or {}).get("execute"):
            called.add(self.macro.name)
        return call_macro(self, *arguments, **named)

    CallableMacroGenerator.call_macro = watched
    return called
