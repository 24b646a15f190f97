"""A development target and production on one cluster do not share landing tables and ledger."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from e2e.engines import slowly_on_both_engines

if TYPE_CHECKING:
    from conftest import Loader
    from e2e.conftest import Dbt
    from e2e.engines import Tables

CSV = "indicator,indicator_type,source,confidence,first_seen\n"
FILE = CSV + "".join(f"{n}.example,domain,me,{n},2026-01-0{n}\n" for n in range(1, 6))
REFUSED = "a.example,domain,me,200,2026-01-01\n"


@slowly_on_both_engines
def test_a_landing_schema_of_ones_own(
    loader: Loader,
    feed_folder: Path,
    project: Path,
    tables: Tables,
    dbt: Dbt,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # GIVEN a load of production, and a contract that allows a few rejected records
    contract = project / "models/staging/cti/_cti__sources.yml"
    contract.write_text(contract.read_text().replace("max_fraction: 0.01", "max_fraction: 0.5"))
    (feed_folder / "a.csv").write_text(FILE)
    loader("load")
    # WHEN somebody runs everything in a schema of their own
    monkeypatch.setenv("CTI_RAW_SCHEMA", "lake_dev")
    (feed_folder / "b.csv").write_text(FILE.replace("example", "test") + REFUSED)
    run = json.loads(loader("run", "--json").stdout)
    # THEN all files are new there, and the mart is made of them
    assert (run["load"], run["files"], run["records_loaded"]) == (1, 2, 10)
    assert (run["mart_rows"], run["checks_failed"], run["tests_failed"]) == (10, 0, 0)
    assert tables.count("lake_dev.indicators") == 10
    assert tables.count("lake_dev._loaded_files") == 2
    assert tables.count("lake_dev._rejected_records") == 1
    assert len(loader("rejects", "--json").stdout.splitlines()) == 1
    loader("check")
    loader("rollback", "1", "--yes")
    assert tables.count("lake_dev.indicators") == 0
    dbt("build", "--exclude-resource-type", "unit_test")
    # AND production has what it had
    assert tables.count("raw.indicators") == 5
    assert tables.count("raw._loaded_files") == 1
    monkeypatch.delenv("CTI_RAW_SCHEMA")
    assert "load 2: 1 files" in loader("load").stdout
