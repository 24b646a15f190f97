"""An edit of a contract counts at once, also where dbt takes the file for unchanged."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Loader
    from e2e.conftest import Dbt

SLOW = pytest.mark.slow
FEED = """
sources:
  - name: shop
    schema: raw
    tables:
      - name: sizes
        config: {meta: {feed: {location: sizes/*.csv}}}
        data_tests: [ledger_matches_landing]
        columns:
          - name: size
            data_type: varchar(20)
            config: {meta: {accepted_values: ["XL slim", "M"]}}
"""


@pytest.mark.parametrize(
    ("old", "new", "beside"),
    [
        pytest.param("XL slim", "XL  slim", False, id="only blanks differ", marks=SLOW),
        pytest.param("XL slim", "XS slim", False, id="as long, and time set back", marks=SLOW),
        pytest.param("XL slim", "XL  slim", True, id="beside an edit that dbt sees"),
    ],
)
def test_an_edit_counts_at_once(
    loader: Loader, project: Path, dbt: Dbt, old: str, new: str, beside: bool
) -> None:
    yaml = project / "models/staging/_shop__sources.yml"
    yaml.write_text(FEED)
    file = project / "sizes.csv"
    file.write_text(f"size\n{new}\n")
    validate = ("validate", "--feed", "shop.sizes", "--json", file)
    loader(*validate, code=1)
    loader(*validate, code=1)  # dbt has nothing to parse any more
    before = yaml.stat()
    yaml.write_text(FEED.replace(old, new))
    if beside:
        model = project / "models/marts/load_quality.sql"
        model.write_text(model.read_text() + "-- more\n")
        dbt("parse")
    else:
        os.utime(yaml, ns=(before.st_atime_ns, before.st_mtime_ns))
    loader(*validate)
    file.write_text(f"size\n{old}\n")
    loader(*validate, code=1)


@pytest.mark.slow
def test_a_project_may_be_moved(loader: Loader, project: Path) -> None:
    # dbt keeps the paths of files, which are elsewhere then.
    loader("plan")
    moved = project.parent / "moved"
    os.chdir(project.rename(moved))
    yaml = moved / "models/staging/cti/_cti__sources.yml"
    yaml.write_text(yaml.read_text().replace("max_fraction: 0.01", "max_fraction:  7"))
    assert "max_fraction" in loader("plan", code=2).stderr
