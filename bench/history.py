"""What a run costs beside what was landed before: `python -m bench.history` in .venv-bench.

Lands files of several sizes, each in a warehouse of its own, and times `run` with nothing new and
with 100,000 new records on a copy of it. Exits with 1 if a run did not load and count what it
should.
"""

from __future__ import annotations

import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from bench.__main__ import common_options, describe, say
from bench.measure import Measurement, measure
from bench.report import write_section
from bench.tools import ROOT, Job, Loader, Wrong

__all__: list[str] = []

_LANDED = [1, 100_000, 5_000_000, 20_000_000]
_NEW = 100_000
_LIMIT = 1800.0
_RUN = Loader("this loader, `run`", "loader", ("run",))


@dataclass
class Costs:
    """What `run` took with so many records landed: with nothing new, and with new ones."""

    landed: int
    nothing: list[Measurement] = field(default_factory=list)
    new: list[Measurement] = field(default_factory=list)


def _run(job: Job) -> Measurement:
    """Runs the loader. Raises Wrong."""
    log = job.folder / "run.log"
    done = measure(_RUN.command(job), _RUN.environment(job), job.folder, log, _LIMIT)
    if done.exit_code:
        raise Wrong(f"exit code {done.exit_code}: {log.read_text()[-300:]}")
    return done


def _counts(warehouse: Path) -> tuple[int, int]:
    """How many records are landed, and how many the mart stands for."""
    with duckdb.connect(warehouse, read_only=True) as connection:
        landed = connection.execute("select count(*) from raw.indicators").fetchone()
        mart = connection.execute("select sum(occurrences) from analytics.indicators").fetchone()
    assert landed
    assert mart
    return landed[0], int(mart[0])


def costs(work: Path, python: Path, landed: int, runs: int) -> Costs:
    """Measures `run` where so many records are landed. Raises Wrong."""
    feed, kept, job_folder = work / "feed", work / "kept.duckdb", work / "run"
    for folder in (feed, job_folder):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
    say(f"making files of {landed:,} and {_NEW:,} records")
    # Of one whole, so that some of the new records are of keys that are landed, others of new ones.
    whole = ["-m", "bench.make_feed", "--records", str(landed + _NEW)]
    for path, part in ((feed / "old.csv", "--end"), (work / "new.csv", "--start")):
        subprocess.run([sys.executable, *whole, part, str(landed), str(path)], cwd=ROOT, check=True)
    job = Job(feed / "*.csv", landed, 0.0, job_folder, python)
    warehouse = job_folder / "cti.duckdb"
    _RUN.prepare(job)
    say(f"landing {landed:,} records: {_run(job).wall:.1f} s")
    shutil.move(warehouse, kept)
    found = Costs(landed)
    for _ in range(runs):
        shutil.copyfile(kept, warehouse)
        found.nothing.append(_run(job))
        shutil.copyfile(work / "new.csv", feed / "new.csv")
        found.new.append(_run(job))
        (feed / "new.csv").unlink()
        if (counts := _counts(warehouse)) != (landed + _NEW,) * 2:
            raise Wrong(f"{counts} records are landed and counted, not {landed + _NEW:,}")
    say(
        f"{landed:,} landed: nothing new {_median(found.nothing):.1f} s,"
        f" {_NEW:,} new {_median(found.new):.1f} s"
    )
    return found


def _median(measured: Sequence[Measurement]) -> float:
    return statistics.median(one.wall for one in measured)


def table(rows: Sequence[Costs]) -> str:
    """The results in Markdown."""
    lines = [
        "| landed before | nothing new: wall s | x | 100,000 new: wall s | x | peak MiB | runs |",
        "| --: | --: | --: | --: | --: | --: | --: |",
    ]
    # New records are compared with the same where as many were landed before.
    first = next((row for row in rows if row.landed >= _NEW), rows[0])
    for row in rows:
        nothing, new = _median(row.nothing), _median(row.new)
        peak = statistics.median(one.peak for one in row.new) / 2**20
        ratios = f"{nothing / _median(rows[0].nothing):.2f}", f"{new / _median(first.new):.2f}"
        lines.append(
            f"| {row.landed:,} | {nothing:.1f} | {ratios[0]} | {new:.1f} | {ratios[1]} |"
            f" {peak:,.0f} | {len(row.new)} |"
        )
    note = (
        f"`run` of the example feed. x: as a multiple of the first line's, for new records of that"
        f" with {first.landed:,} landed. Wall time with start-up; figures are medians."
    )
    return "\n".join([*lines, "", note])


def main() -> int:
    """Runs the benchmark as the command line says."""
    parser = common_options("python -m bench.history", __doc__)
    parser.add_argument("--landed", type=int, nargs="+", default=_LANDED, help="records before")
    parser.add_argument("--runs", type=int, default=3, help="of each figure")
    arguments = parser.parse_args()
    python = Path(arguments.loader_python)
    machine = describe(python, "python -m bench.history")
    rows = list[Costs]()
    with tempfile.TemporaryDirectory(prefix="bench-", dir=arguments.work) as work:
        for landed in sorted(arguments.landed):
            try:
                rows.append(costs(Path(work).resolve(), python, landed, arguments.runs))
            except Wrong as error:
                say(f"error: {error}")
                return 1
            text = table(rows)
            write_section(arguments.out / "results.md", "Beside what was landed", text, machine)
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
