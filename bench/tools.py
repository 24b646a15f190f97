"""What is measured: for each tool, its command, and how many records it ought to load."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb

from bench.make_feed import broken_records

__all__ = ["FLOOR", "TOOLS", "Job", "Tool", "Wrong"]

ROOT = Path(__file__).parent.parent
# All of the project that dbt and the loader need.
_PROJECT = ["dbt_project.yml", "profiles.yml.example", "macros", "models", "seeds", "tests/dbt"]


class Wrong(Exception):
    """A tool that did not load what it claims to load."""


@dataclass(frozen=True)
class Job:
    """A file to load and a folder to do it in, empty at first."""

    path: Path
    records: int
    rejects: float
    folder: Path
    loader_python: Path

    @property
    def environment(self) -> dict[str, str]:
        """The environment of every tool: whatever it writes is written to the folder."""
        folder = str(self.folder)
        return {
            **{name: os.environ[name] for name in ("PATH", "LANG", "TZ") if name in os.environ},
            "PYTHONPATH": str(ROOT),
            "HOME": folder,
            "TMPDIR": folder,
            # The path of a Unix socket may have 107 bytes, of which Ray needs 61.
            "RAY_TMPDIR": folder if len(folder) <= 45 else tempfile.gettempdir(),
            "RAY_USAGE_STATS_ENABLED": "0",
        }

    def accepted(self, *seen_as_valid: str) -> int:
        """The records that are valid or broken in a way that a tool does not see."""
        broken = broken_records(self.records, self.rejects)
        return self.records - sum(n for way, n in broken.items() if way not in seen_as_valid)


@dataclass(frozen=True)
class Tool:
    """A way of loading a file. blind: the breakages that it takes for valid records."""

    name: str
    module: str
    options: tuple[str, ...] = ()
    lenient: bool = False
    validates: bool = True
    blind: tuple[str, ...] = ()
    note: str = ""

    def prepare(self, job: Job) -> None:
        """Nothing, unless there is something to do that is not to be measured."""

    def command(self, job: Job) -> list[str]:
        """The command, to be run in the job's folder."""
        lenient = ["--lenient"] if self.lenient and job.rejects else []
        arguments = [str(job.path), str(job.folder), *self.options, *lenient]
        return [sys.executable, "-m", f"bench.rivals.{self.module}", *arguments]

    def environment(self, job: Job) -> Mapping[str, str]:
        """Its environment."""
        return job.environment

    def result(self, job: Job, output: str) -> tuple[int, int]:
        """How many records it loaded and rejected. Raises Wrong if these are not what is due."""
        answer = json.loads(output.strip().splitlines()[-1])
        loaded, rejected = answer["loaded"], answer["rejected"]
        self.check(job, loaded, rejected)
        return loaded, rejected

    def check(self, job: Job, loaded: int, rejected: int) -> None:
        """Raises Wrong. Of broken records, only a tool that validates has something to claim."""
        if job.rejects and not self.validates:
            return
        due = job.accepted(*self.blind)
        if (loaded, rejected) != (due, job.records - due):
            raise Wrong(
                f"{self.name}: loaded {loaded:,} and rejected {rejected:,} of {job.records:,}"
                f" records; {due:,} and {job.records - due:,} are due"
            )


class Loader(Tool):
    """The loader of this project, in a copy of the project, so that nobody's tables are touched."""

    def prepare(self, job: Job) -> None:
        """Copies the project, once: dbt keeps in it what it has parsed, as in daily use."""
        project = self._project(job)
        if not project.exists():
            for name in _PROJECT:
                (project / name).parent.mkdir(parents=True, exist_ok=True)
                copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copyfile
                copy(ROOT / name, project / name)
            (project / "profiles.yml.example").rename(project / "profiles.yml")

    def command(self, job: Job) -> list[str]:
        """The command line as a user types it."""
        return [str(job.loader_python), "-m", "loader", *self.options, "--json"]

    def environment(self, job: Job) -> Mapping[str, str]:
        """The loader's settings."""
        return {
            **job.environment,
            "CTI_DUCKDB_PATH": str(job.folder / "cti.duckdb"),
            "CTI_INDICATORS_LOCATION": str(job.path),
            "DBT_PROJECT_DIR": str(self._project(job)),
            "DBT_PROFILES_DIR": str(self._project(job)),
        }

    def result(self, job: Job, output: str) -> tuple[int, int]:
        """Asks the tables; what the loader says of itself is not taken for granted."""
        with duckdb.connect(job.folder / "cti.duckdb", read_only=True) as connection:
            sums = connection.execute(
                "select sum(records_loaded), sum(records_rejected) from raw._loaded_files"
            ).fetchall()[0]
            tables = ["select count(*) from raw.indicators"]
            if self.options == ("run",):
                tables.append("select sum(occurrences) from analytics.indicators")
            counts = {connection.execute(query).fetchall()[0][0] for query in tables}
        loaded, rejected = map(int, sums)
        if counts != {loaded}:
            raise Wrong(f"{self.name}: {loaded:,} records loaded, but the tables have {counts}")
        self.check(job, loaded, rejected)
        return loaded, rejected

    def _project(self, job: Job) -> Path:
        return job.folder.parent / "project"


FLOOR = Tool(
    "bare DuckDB",
    "bare_duckdb",
    lenient=True,
    validates=False,
    note="`create table as select * from read_csv`, all text; the floor. It judges nothing. Of the"
    " file with rejects it drops the records with too few fields, with `ignore_errors`, and counts"
    " neither them nor what else is broken.",
)

TOOLS = [
    FLOOR,
    Loader(
        "this loader, `load`",
        "loader",
        ("load",),
        note="Validates, loads, keeps the rejects, writes the ledger.",
    ),
    Loader(
        "this loader, `run`",
        "loader",
        ("run",),
        note="`load`, then `dbt build`: cleans, casts, deduplicates and tests.",
    ),
    Tool(
        "Pydantic row by row",
        "pydantic_rows",
        blind=("stray quote",),
        note="`csv.DictReader`, a Pydantic model a row, Arrow batches into DuckDB. `csv` takes a"
        " stray quote for text.",
    ),
    Tool(
        "Polars, Ray, Pydantic",
        "polars_ray",
        blind=("stray quote", "too few fields"),
        note="The way that this project replaces: to a clean CSV file without duplicates, not yet"
        " loaded. Polars pads records with too few fields and takes balanced stray quotes for text;"
        " one that is not balanced makes it refuse the file, so the feed has none.",
    ),
    Tool(
        "dlt, `read_csv`",
        "dlt_filesystem",
        ("read_csv",),
        validates=False,
        note="dlt's filesystem source and its default reader. It judges nothing.",
    ),
    Tool(
        "dlt, `read_csv_duckdb`",
        "dlt_filesystem",
        ("read_csv_duckdb",),
        lenient=True,
        validates=False,
        note="The same with its fastest reader, `use_pyarrow=True`; drops what bare DuckDB drops.",
    ),
]
