"""Inputs of unusual shapes, and commands with little to do: `python -m bench.shapes`.

Each is a command of the loader, in a process of its own. Runs in .venv-bench. Exits with 1 if one
did not do what it should.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.__main__ import common_options, describe, say
from bench.measure import Measurement, measure
from bench.report import write_section
from bench.tools import Job, Loader, Wrong

__all__: list[str] = []

_WIDE = [f"c{number}" for number in range(1_600)]
_WORDS = [f"word{number:03}" for number in range(300)]
_LIMIT = 1800.0


def _small_files(folder: Path) -> None:
    """10,000 files of 20 to 50 records."""
    for number in range(10_000):
        rows = (f"{number}-{row},some text\n" for row in range(20 + number % 31))
        (folder / f"{number:05}.csv").write_text("a,b\n" + "".join(rows))


def _wide_file(folder: Path) -> None:
    """5,000 records of 1,600 columns."""
    with (folder / "wide.csv").open("w") as file:
        file.write(",".join(_WIDE) + "\n")
        for row in range(5_000):
            file.write(",".join(f"{row}-{n % 97}" for n in range(1_600)) + "\n")


def _wide_header(folder: Path) -> None:
    (folder / "header.csv").write_text(",".join(f"c{n}" for n in range(40_000)) + "\n")


def _long_record(folder: Path) -> None:
    # A child's peak memory begins with that of who starts it, so never all of it at once.
    with (folder / "long.csv").open("w") as file:
        file.write('a,b\n1,2\n"')
        file.writelines("x" * 2**20 for _ in range(60))
        file.write('",2\n')


def _rejected(folder: Path) -> None:
    """A million records, each of which a list of 300 words rejects."""
    with (folder / "words.csv").open("w") as file:
        file.write("a,word\n")
        file.writelines(f"{number},none of these\n" for number in range(1_000_000))


def _one_record(folder: Path) -> None:
    (folder / "one.csv").write_text("a,b\n1,2\n")


@dataclass(frozen=True)
class Shape:
    """A command to be measured.

    arguments: the loader's. make: writes its files to the folder of its feed, which is emptied
    before; None leaves it as it is. warm: whether to run it once before. exit_code, expected: what
    is due, the latter of what is printed.
    """

    name: str
    feed: str
    arguments: tuple[str, ...]
    make: Callable[[Path], None] | None = None
    warm: bool = False
    exit_code: int = 0
    expected: str = ""


_SHAPES = [
    Shape("`load`, nothing new", "small", ("load",), _one_record, True, expected='"files": 0'),
    Shape("`validate`, one record", "small", ("validate", "one.csv"), None, True),
    Shape(
        "`load`, 10,000 files of 20 to 50 records",
        *("small", ("load",), _small_files),
        expected='"files": 10000',
    ),
    Shape("`load`, nothing new of 10,000 files", "small", ("load",), expected='"files": 0'),
    Shape(
        "`load`, 5,000 records of 1,600 columns",
        *("wide", ("load",), _wide_file),
        expected='"records_loaded": 5000',
    ),
    Shape(
        "`validate`, a header of 40,000 cells",
        *("small", ("validate", "header.csv"), _wide_header),
        exit_code=1,
    ),
    Shape(
        "`validate`, a record of 60 MiB",
        *("small", ("validate", "long.csv"), _long_record),
        exit_code=1,
    ),
    Shape(
        "`load`, a million records that a list of 300 words rejects",
        *("words", ("load",), _rejected),
        expected='"records_rejected": 1000000',
    ),
    Shape("`rejects` of these", "words", ("rejects",), expected='"rule"'),
    Shape("`replay` of these", "words", ("replay",), expected='"records_judged": 1000000'),
]


def _contracts(folder: Path) -> str:
    """The YAML of the feeds."""

    def column(name: str, **rules: object) -> dict[str, object]:
        return {"name": name, "data_type": "varchar(100)", "config": {"meta": rules}}

    def feed(name: str, columns: Sequence[object], **words: object) -> dict[str, object]:
        told = {"location": f"{folder / name}/*.csv", **words}
        tests = ["ledger_matches_landing"]
        config = {"meta": {"feed": told}}
        return {"name": name, "config": config, "columns": columns, "data_tests": tests}

    words = [column("a"), column("word", accepted_values=_WORDS)]
    tables = [
        feed("small", [column("a"), column("b")]),
        feed("wide", [column(name) for name in _WIDE]),
        feed("words", words, rejects={"max_fraction": 1}),
    ]
    # JSON is YAML.
    return json.dumps({"sources": [{"name": "shapes", "schema": "raw", "tables": tables}]})


@dataclass(frozen=True)
class Measured:
    """A line of the table."""

    name: str
    command: str
    took: Measurement


def shapes(work: Path, python: Path) -> list[Measured]:
    """Measures every shape. Raises Wrong."""
    job = Job(work / "none.csv", 0, 0.0, work / "run", python)
    job.folder.mkdir()
    loader, log = Loader("loader", "", ()), work / "shape.log"
    loader.prepare(job)
    environment = loader.environment(job)
    project, command = Path(environment["DBT_PROJECT_DIR"]), loader.command(job)[:-1]
    (project / "models/staging/_shapes__sources.yml").write_text(_contracts(work))
    start = [str(python), "-c", "import dbt.cli.main"]
    measure(start, environment, job.folder, log, _LIMIT)
    took = measure(start, environment, job.folder, log, _LIMIT)
    rows = [Measured("importing dbt", "python -c 'import dbt.cli.main'", took)]
    for shape in _SHAPES:
        folder = work / shape.feed
        folder.mkdir(exist_ok=True)
        if shape.make:
            shutil.rmtree(folder)
            folder.mkdir()
            shape.make(folder)
        name, *paths = shape.arguments
        option = "--feed" if name == "validate" else "--select"
        arguments = [name, option, f"shapes.{shape.feed}", *(str(folder / path) for path in paths)]
        whole = [*command, *arguments, "--json"]
        if shape.warm:
            measure(whole, environment, job.folder, log, _LIMIT)
        took = measure(whole, environment, job.folder, log, _LIMIT)
        if took.exit_code != shape.exit_code or shape.expected not in took.output:
            raise Wrong(f"{shape.name}: {took.exit_code}: {took.output}{log.read_text()[-500:]}")
        say(f"{shape.name}: {took.wall:.1f} s, {took.peak / 2**20:,.0f} MiB")
        typed = " ".join([f"python -m loader {name} {option} shapes.{shape.feed}", *paths])
        rows.append(Measured(shape.name, typed, took))
    return rows


def table(rows: Sequence[Measured]) -> str:
    """The results in Markdown."""
    lines = ["| what | command | wall s | CPU s | peak MiB |", "| --- | --- | --: | --: | --: |"]
    for row in rows:
        figures = f"{row.took.wall:.1f} | {row.took.cpu:.1f} | {row.took.peak / 2**20:,.0f}"
        lines.append(f"| {row.name} | `{row.command}` | {figures} |")
    return "\n".join(lines)


def main() -> int:
    """Runs the benchmark as the command line says."""
    parser = common_options("python -m bench.shapes", __doc__)
    arguments = parser.parse_args()
    python = Path(arguments.loader_python)
    machine = describe(python, "python -m bench.shapes")
    with tempfile.TemporaryDirectory(prefix="bench-", dir=arguments.work) as work:
        try:
            text = table(shapes(Path(work).resolve(), python))
        except Wrong as error:
            say(f"error: {error}")
            return 1
    write_section(arguments.out / "results.md", "Unusual shapes, and start-up", text, machine)
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
