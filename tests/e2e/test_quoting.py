"""Names and values that are SQL, Jinja or worse, all the way into the warehouse."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import yaml

if TYPE_CHECKING:
    from conftest import Loader
    from e2e.engines import Tables

NAMES = [
    'say "x"',
    "it's",
    "a;b",
    '"; drop table raw._loaded_files; --',
    "'); drop table raw._loaded_files; --",
    "two\nlines",
    "back\\slash",
    "100%",
    "%s",
    "$1",
    ":x",
    "select",
    "row",
    "x0",
    "ünï 観測所 💸",
    "/* x */",
]
FILES = [
    "it's.csv",
    'say "x".csv',
    "'); drop table raw._loaded_files; --.csv",
    "two\nlines.csv",
    "back\\slash.csv",
    "{{ 1 % 0 }} {% raise %}.csv",
    "100% ünï 💸.csv",
    "a[1].csv",
    "a1.csv",
    "star*.csv",
    "what?.csv",
]


def test_hostile_names_and_values_arrive_as_they_are(
    loader: Loader, project: Path, tables: Tables
) -> None:
    # GIVEN a contract whose columns are named by an enemy, and files that are too
    columns = [
        {"name": name, "data_type": "varchar(200)", "config": {"meta": {"required": place == 0}}}
        for place, name in enumerate(NAMES)
    ]
    feed = {"location": "odd/*.csv", "delimiter": "|", "quote": "^"}
    table = {"name": "odd", "config": {"meta": {"feed": feed}}, "columns": columns}
    table["data_tests"] = [{"ledger_matches_landing": {"name": "odd_landing"}}]
    source = {"name": "odd source", "schema": "raw", "tables": [table]}
    (project / "models/odd.yml").write_text(yaml.safe_dump({"sources": [source]}))
    folder = project / "odd"
    folder.mkdir()
    header = "|".join(f"^{name}^" for name in reversed(NAMES)) + "\n"
    for number, name in enumerate(FILES):
        record = "|".join(f"^{value} {number}^" for value in NAMES)
        (folder / name).write_text(header + record + "\n")
    # WHEN they are loaded
    assert "11 of 11 records loaded" in loader("load", "--select", "odd").stdout
    # THEN every value is in its column, every file in the ledger, and no statement of theirs ran
    quoted = ", ".join('"' + name.replace('"', '""') + '"' for name in NAMES)
    rows = tables.rows(f"select {quoted} from raw.odd")
    assert sorted(rows) == sorted(
        tuple(f"{value} {number}" for value in reversed(NAMES)) for number in range(len(FILES))
    )
    uris = tables.rows("select uri, feed, records_loaded from raw._loaded_files")
    assert sorted(uris) == sorted((f"odd/{name}", "odd source.odd", 1) for name in FILES)
    # AND they are known again
    assert "nothing new; 11 files" in loader("load", "--select", "odd").stdout
    assert "\\nlines.csv" in loader("history").stdout
