"""Imported by the server of commands.py before it is forked: what every command would do first.

Parses a small project of its own, with settings that lead nowhere, so that dbt has its modules
loaded, its schemas compiled, and its own macros and the project's read. Nothing of it is kept.

The small project has no ref(), no test and no unit test: dbt would hand those to dbt_extractor,
which starts threads of its own. Threads do not survive a fork, and every command would hang.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import boto3
import duckdb
import numpy as np
import rich.progress
import rich.table
import sqlparse
from dbt.cli.main import dbtRunner
from dbt.task import build, docs, freshness

import loader.cli.main
import loader.jobs.load

__all__ = ["boto3", "build", "docs", "duckdb", "freshness", "loader", "np", "rich", "sqlparse"]

_THREADS = Path("/proc/self/task")
_MODELS = {
    "one.sql": "select 1 as one from {{ source('few', 'many') }}\n",
    "one.yml": """
models: [{name: one, description: One., columns: [{name: one, description: One.}]}]
sources: [{name: few, tables: [{name: many, columns: [{name: one, data_type: int}]}]}]
""",
}


def _threads() -> int:
    return len(list(_THREADS.iterdir())) if _THREADS.exists() else 1


def _parse_something(project: Path, folder: Path) -> None:
    shutil.copytree(project / "macros", folder / "macros")
    for name in ("dbt_project.yml", "profiles.yml"):
        shutil.copy(project / name, folder)
    for name, text in _MODELS.items():
        (folder / "models").mkdir(exist_ok=True)
        (folder / "models" / name).write_text(text, encoding="utf-8")
    before = _threads()
    for target in ("duckdb", "redshift"):
        options = ["--project-dir", str(folder), "--profiles-dir", str(folder), "--target", target]
        quiet = ["--log-level", "none", "--log-level-file", "none", "--no-static-parser"]
        outcome = dbtRunner().invoke([*quiet, "parse", *options])
        assert outcome.success, outcome.exception
    assert _threads() == before, "dbt's parser started threads: forked commands would hang"


if project := os.environ.get("WARM_PROJECT"):
    _parse_something(Path(project), Path(os.environ["DBT_TARGET_PATH"]) / "project")
