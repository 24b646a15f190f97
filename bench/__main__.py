"""The benchmark: `make bench`, or `python -m bench --sizes 500000` in .venv-bench.

Makes the files, runs every tool on every file in a process of its own, and writes results.json,
results.md and results.svg. Exits with 1 if a tool did not load what it claims to.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path

import psutil

from bench.measure import Measurement, measure
from bench.report import Row, chart, table, write_section
from bench.tools import ROOT, TOOLS, Job, Tool, Wrong

_SIZES = [500_000, 5_000_000, 20_000_000]
_REJECTS = {"clean": 0.0, "1% rejects": 0.01}
# A run that was let start may take this many times as long as it was predicted to at most.
_PATIENCE = 2.0
# What is predicted to take at most so many seconds is run three times.
_SHORT = 30.0


@dataclass
class Bench:
    """A run of the benchmark. limit: seconds that a run may be predicted to take."""

    work: Path
    loader_python: Path
    runs: int | None
    limit: float
    rows: list[Row] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._least = self._job("least", 1, 0.0)

    def warm_up(self, tools: Iterable[Tool]) -> None:
        """Runs every tool once on a file of one record. Raises Wrong."""
        for tool in tools:
            say(f"start-up: {tool.name}: {self._run(tool, self._least)[0].wall:.1f} s, not counted")

    def file(self, records: int, kind: str, tools: Iterable[Tool]) -> None:
        """Measures every tool on one file."""
        job = self._job(f"{records}", records, _REJECTS[kind])
        for tool in tools:
            row = self._row(tool, job, kind)
            self.rows.append(row)
            figures = f"{row.wall:.1f} s, {row.cpu:.1f} s CPU, {row.peak / 2**20:,.0f} MiB"
            say(f"{records:,}, {kind}: {tool.name}: {row.remark or figures}")
        job.path.unlink()

    def _job(self, name: str, records: int, rejects: float) -> Job:
        path = self.work / f"{name}.csv"
        say(f"making a file of {records:,} records, {rejects:.0%} broken")
        # In a process of its own: a child's peak memory begins with that of who starts it.
        subprocess.run(
            [
                *[sys.executable, "-m", "bench.make_feed"],
                *["--records", str(records), "--rejects", str(rejects), str(path)],
            ],
            cwd=ROOT,
            check=True,
        )
        return Job(path, records, rejects, self.work / "run", self.loader_python)

    def _row(self, tool: Tool, job: Job, kind: str) -> Row:
        row = Row(job.records, kind, tool.name)
        predicted, basis = self._predicted(tool, job, kind)
        if predicted > self.limit:
            minutes = max(1, round(predicted / 60))
            row.remark = f"not run: about {minutes} min by its figure for {basis:,}"
            return row
        wanted = self.runs or (3 if predicted <= _SHORT else 1)
        done: list[Measurement] = []
        try:
            # Start-up before and after each run: machines are not equally fast all the time.
            starts = [self._run(tool, self._least)[0].wall]
            for _ in range(wanted):
                measured, (row.loaded, row.rejected) = self._run(tool, job)
                done.append(measured)
                starts.append(self._run(tool, self._least)[0].wall)
        except Wrong as error:
            say(f"error: {error}")
            self.wrong.append(str(error))
            row.remark = f"failed: {error}"
            return row
        row.runs = len(done)
        row.startup = statistics.median(starts)
        row.wall = statistics.median(one.wall for one in done)
        row.cpu = statistics.median(one.cpu for one in done)
        row.peak = round(statistics.median(one.peak for one in done))
        return row

    def _predicted(self, tool: Tool, job: Job, kind: str) -> tuple[float, int]:
        """Seconds by its largest smaller file, and that file's size; 0 if there is none."""
        known = [row for row in self.rows if (row.tool, row.kind) == (tool.name, kind)]
        for row in sorted(known, key=lambda row: -row.records):
            if row.runs and row.records < job.records:
                return row.startup + row.beyond * job.records / row.records, row.records
        return 0.0, 0

    def _run(self, tool: Tool, job: Job) -> tuple[Measurement, tuple[int, int]]:
        """Runs a tool once, in an empty folder: its figures, records loaded and rejected.

        Raises Wrong if it did not load what it claims to.
        """
        shutil.rmtree(job.folder, ignore_errors=True)
        job.folder.mkdir()
        tool.prepare(job)
        log, patience = self.work / "run.log", self.limit * _PATIENCE
        done = measure(tool.command(job), tool.environment(job), job.folder, log, patience)
        try:
            if done.stopped:
                raise Wrong(f"{tool.name}: stopped after {patience / 60:.0f} min")
            if done.exit_code:
                said = [*done.output.splitlines(), *log.read_text().splitlines()]
                last = next((line for line in reversed(said) if line.strip()), "no message")
                raise Wrong(f"{tool.name}: exit code {done.exit_code}: {last.strip()[:300]}")
            return done, tool.result(job, done.output)
        finally:
            shutil.rmtree(job.folder, ignore_errors=True)

    def write(self, out: Path, machine: list[str], records: int) -> None:
        """Writes the results so far; the chart is of this size."""
        results = {"machine": machine, "rows": [asdict(row) for row in self.rows]}
        text = json.dumps(results, indent=1, ensure_ascii=False) + "\n"
        out.mkdir(parents=True, exist_ok=True)
        (out / "results.json").write_text(text, encoding="utf-8")
        write_section(out / "results.md", "Beside other tools", table(self.rows), machine)
        (out / "results.svg").write_text(chart(self.rows, records), encoding="utf-8")


def describe(loader_python: Path, command: str) -> list[str]:
    """The machine, the versions and the command, a line each."""
    cpu = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        cpu = next((x.split(":")[1].strip() for x in lines if x.startswith("model name")), cpu)
    names = ["duckdb", "pydantic", "polars", "ray", "dlt", "pandas", "pyarrow"]
    ours = ["duckdb", "pydantic", "dbt-core", "dbt-duckdb"]
    ask = "from importlib.metadata import version\nprint(*map(version, {!r}), sep='\\n')"
    found = subprocess.run(
        [str(loader_python), "-c", ask.format(ours)], capture_output=True, text=True, check=True
    ).stdout.split()
    return [
        f"Machine: {cpu}, {os.cpu_count()} cores, {psutil.virtual_memory().total / 2**30:.0f} GiB"
        f" memory, {platform.system()}, Python {platform.python_version()};"
        f" load average at the start {os.getloadavg()[0]:.1f}.",
        f"Rivals: {', '.join(f'{name} {version(name)}' for name in names)}."
        f" Loader: {', '.join(map(' '.join, zip(ours, found, strict=True)))}.",
        f"Command: `{command}`, {time.strftime('%Y-%m-%d', time.gmtime())}.",
    ]


def common_options(prog: str, doc: str | None) -> argparse.ArgumentParser:
    """A parser with the options that every benchmark has."""
    parser = argparse.ArgumentParser(prog=prog, description=doc)
    parser.add_argument("--work", type=Path, help="folder for files; default a temporary one")
    parser.add_argument("--out", type=Path, default=ROOT / "bench", help="folder for results.*")
    # Not resolved: a virtual environment's python is a link out of it.
    parser.add_argument("--loader-python", type=os.path.abspath, default=".venv/bin/python")
    return parser


def say(message: str) -> None:
    """A line of progress."""
    print(f"{time.strftime('%H:%M:%S')} {message}", file=sys.stderr, flush=True)


def main() -> int:
    """Runs the benchmark as the command line says."""
    parser = common_options("python -m bench", __doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=_SIZES, help="records of a file")
    parser.add_argument("--kinds", nargs="+", choices=_REJECTS, default=list(_REJECTS))
    parser.add_argument("--tools", nargs="+", help="only tools whose name has one of these words")
    parser.add_argument("--runs", type=int, help="of each figure; default 3, of long ones 1")
    parser.add_argument("--limit", type=float, default=240, help="seconds that a run may take")
    arguments = parser.parse_args()
    words = arguments.tools or [""]
    tools = [tool for tool in TOOLS if any(word in tool.name for word in words)]
    sizes = sorted(arguments.sizes)
    charted = 5_000_000 if 5_000_000 in sizes else sizes[-1]
    if arguments.work:
        arguments.work.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bench-", dir=arguments.work) as work:
        python = Path(arguments.loader_python)
        machine = describe(python, "make bench")
        bench = Bench(Path(work).resolve(), python, arguments.runs, arguments.limit)
        try:
            bench.warm_up(tools)
        except Wrong as error:
            say(f"error: {error}")
            return 1
        for size in sizes:
            for kind in arguments.kinds:
                bench.file(size, kind, tools)
                bench.write(arguments.out, machine, charted)
    print(table(bench.rows))
    return 1 if bench.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
