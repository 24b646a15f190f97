"""Imported by the server of commands.py before it is forked: what every command would do first.

Reads the project once, with settings that lead nowhere, so that dbt has its modules loaded and the
schemas of its own files compiled. Nothing of what is read is kept.
"""

from __future__ import annotations

import os

import boto3
import duckdb
import numpy as np
import sqlparse
from dbt.cli.main import dbtRunner
from dbt.task import build, docs, freshness

import loader.cli.main
import loader.cli.output
import loader.jobs.load

__all__ = ["boto3", "build", "docs", "duckdb", "freshness", "loader", "np", "sqlparse"]

_QUIET = ["--log-level", "none", "--log-level-file", "none"]

if project := os.environ.get("WARM_PROJECT"):
    for target in ("duckdb", "redshift"):
        options = ["--project-dir", project, "--profiles-dir", project, "--target", target]
        dbtRunner().invoke([*_QUIET, "parse", *options])
