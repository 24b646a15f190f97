"""An Airflow of its own for the tests: SQLite, in a folder that goes with them."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

PROJECT = Path(__file__).parents[2]

# Before Airflow is imported, for it reads its configuration then.
_home = tempfile.TemporaryDirectory(prefix="airflow-")
os.environ.update(
    {
        "AIRFLOW_HOME": _home.name,
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(PROJECT / "airflow" / "dags"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{_home.name}/airflow.db",
        "CTI_PROJECT_DIR": str(PROJECT),
        "CTI_PYTHON": os.environ.get("CTI_PYTHON", str(PROJECT / ".venv" / "bin" / "python")),
    }
)
subprocess.run(
    [Path(sys.executable).with_name("airflow"), "db", "migrate"], check=True, capture_output=True
)
