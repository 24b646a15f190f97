"""A load that is stopped half-way. Promise 4: it ends in the same table as one clean run.

Of a file that takes a while; at every step, and by SIGKILL too, it is stopped in tests/faults.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from e2e.meddler import Meddler

from loader import interrupts
from loader.jobs import load as pipeline
from loader.warehouse.project import Project

if TYPE_CHECKING:
    from conftest import Loader
    from e2e.engines import Tables

ROOT = Path(__file__).resolve().parents[2]
HEADER = "indicator,indicator_type,source,confidence,first_seen,last_seen,description\n"
RECORDS = 600_000


def stopped(
    project: Path, command: str, stream: str, says: str, sign: signal.Signals, **variables: str
) -> tuple[int, str, str]:
    """Exit code and output of a command that gets a signal once it says something."""
    with subprocess.Popen(
        [sys.executable, "-m", "loader", command],
        cwd=project,
        env={**os.environ, "PYTHONPATH": str(ROOT), **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        lines = iter(getattr(process, stream).readline, "")
        assert any(says in line for line in lines)
        process.send_signal(sign)
        out, err = process.communicate(timeout=60)
    return process.returncode, out, err


@pytest.fixture
def big(feed_folder: Path) -> Path:
    """A file that takes some seconds to load."""
    path = feed_folder / "big.csv"
    with path.open("w") as file:
        file.write(HEADER)
        for number in range(RECORDS):
            file.write(f"host-{number}.example,domain,me,{number % 101},2026-01-01,,{'x' * 40}\n")
    return path


@pytest.mark.parametrize(
    ("sign", "step"),
    [
        pytest.param(signal.SIGINT, "validating", marks=pytest.mark.slow),
        (signal.SIGTERM, "loading"),
        pytest.param(signal.SIGHUP, "validating", marks=pytest.mark.slow),
    ],
)
@pytest.mark.usefixtures("big")
def test_a_stopped_load_leaves_nothing_and_the_next_is_complete(
    loader: Loader, project: Path, tables: Tables, tmp_path: Path, sign: signal.Signals, step: str
) -> None:
    # GIVEN a load that has come to a step
    spool = tmp_path / "spool"
    spool.mkdir()
    # WHEN it is stopped
    code, out, err = stopped(project, "load", "stderr", step, sign, TMPDIR=str(spool))
    # THEN nothing is loaded
    tables.assert_nothing_loaded()
    # AND it says so in one line, and leaves no spool folder
    assert code == 130
    assert err == "error: interrupted; a load that had not committed left nothing\n"
    assert out == ""
    assert list(spool.iterdir()) == []
    # AND the next load is complete
    assert f"{RECORDS:,} of {RECORDS:,} records loaded" in loader("load").stdout
    assert tables.count("raw.indicators") == RECORDS
    assert tables.rows("select load_id, records_loaded from raw._loaded_files") == [(1, RECORDS)]


@pytest.mark.parametrize("step", ["validating", "loading"])
def test_a_signal_that_goes_unheard_stops_the_load_all_the_same(
    project: Path,
    feed_folder: Path,
    tables: Tables,
    monkeypatch: pytest.MonkeyPatch,
    step: str,
) -> None:
    # GIVEN a load in which the signal comes where Python drops what is raised, as in a finalizer
    (feed_folder / "a.csv").write_text(HEADER + "a.example,domain,me,1,2026-01-01,,\n")
    monkeypatch.setattr(interrupts, "_requested", False)
    handlers = {sign: signal.getsignal(sign) for sign in (signal.SIGINT, signal.SIGTERM)}
    interrupts.listen()

    def interrupt() -> None:
        with suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)

    opened = Project(project)
    try:
        # WHEN it goes on THEN it is stopped before it commits
        with pytest.raises(KeyboardInterrupt):
            pipeline.Load(opened, opened.feed("indicators"), Meddler(step, interrupt)).run()
    finally:
        DuckDBConnectionManager.close_all_connections()
        for sign, handler in handlers.items():
            signal.signal(sign, handler)
    tables.assert_nothing_loaded()


def test_a_stopped_build_shows_no_traceback(project: Path) -> None:
    # dbt prints one for whatever ends it, unless it is kept from doing so.
    code, out, err = stopped(project, "run", "stdout", "1 of ", signal.SIGINT)
    assert code == 130
    assert "Traceback" not in out + err
    assert err.endswith("error: interrupted; a load that had not committed left nothing\n")
