"""Values in every form that a contract can name: the loader, DuckDB and Redshift read one thing.

If one of these fails, a day, an amount or an hour is another one in the mart than in the file.
"""

from __future__ import annotations

import csv
import random
import re
from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from e2e.drawn_values import COLUMNS, Drawn, draw
from e2e.engines import on_both_engines

from loader.contract.column import Column
from loader.contract.feed import parse_feed

if TYPE_CHECKING:
    from conftest import Loader
    from e2e.conftest import Dbt
    from e2e.engines import Tables

ROOT = Path(__file__).resolve().parents[2]
_NAMES = list(COLUMNS)
# In which a digit, a sign or a letter is made another one.
_SIGNS = "0123456789+-.,:/() TZzeE$%#_\u20ac\u00a0\u202f\u0664aAmMjn"


def _table() -> dict[str, Any]:
    columns = [
        {"name": name, "data_type": "varchar(64)", "config": {"meta": dict(rules)}}
        for name, rules in COLUMNS.items()
    ]
    columns.insert(0, {"name": "id", "data_type": "varchar(9)", "config": {"meta": {}}})
    feed = {"location": "forms/*.csv", "rejects": {"max_rows": 0}}
    return {
        "name": "written",
        "config": {"meta": {"feed": feed}},
        "data_tests": ["ledger_matches_landing"],
        "columns": columns,
    }


@pytest.fixture
def written(project: Path) -> Path:
    """A project with a feed of a column for each form; the folder of its models."""
    folder = project / "models/staging/forms"
    folder.mkdir()
    source = {"name": "forms", "schema": "raw", "tables": [_table()]}
    (folder / "_forms__sources.yml").write_text(yaml.safe_dump({"sources": [source]}))
    (project / "forms").mkdir()
    return folder


def _columns() -> dict[str, Column]:
    table = _table()
    node = {**table, "source_name": "forms", "original_file_path": "forms.yml"}
    node["columns"] = {column["name"]: column for column in table["columns"]}
    return {column.name: column for column in parse_feed(node).columns}


def _read(column: Column, text: str) -> tuple[Any, bool]:
    """What the loader's own parser reads, and whether it refuses."""
    try:
        value = column.parse(text.strip()) if text.strip() else None
    except ValueError:
        return None, True
    return value.replace(tzinfo=None) if isinstance(value, datetime) else value, False


def _tampered(rng: random.Random, text: str) -> str:
    at = rng.randrange(len(text) + 1)
    return text[:at] + rng.choice((rng.choice(_SIGNS), "")) + text[at + rng.randrange(2) :]


@pytest.mark.parametrize("column", COLUMNS)
def test_the_loader_reads_what_was_meant(column: str) -> None:
    rng, parsed = random.Random(column), _columns()[column]
    for _ in range(1000):
        drawn = draw(rng, column)
        expected = (None, True) if drawn.refused else (drawn.means, False)
        assert _read(parsed, drawn.text) == expected, drawn


def test_what_the_loader_accepts_casts_to_that_value_and_nothing_else_casts(
    loader: Loader, dbt: Dbt, written: Path, tables: Tables
) -> None:
    # GIVEN values in each form, half of them tampered with, landed whether they are valid or not
    rng, columns = random.Random(7), _columns()
    rows = [[draw(rng, name).text for name in _NAMES] for _ in range(1500)]
    for row in rows[::2]:
        row[:] = [_tampered(rng, text) for text in row]
    (written.parents[2] / "forms/a.csv").write_text(",".join(["id", *_NAMES]) + "\n")
    loader("load", "--select", "written")
    _insert(tables, rows)
    # WHEN each is cast by itself
    casts = {
        "d": "clean_date('{}')",
        "t": "clean_timestamp('{}')",
        "b": "clean_boolean('{}')",
        "decimal": "clean_decimal('{}', 12, 2)",
        "float": "clean_float('{}')",
        "integer": "clean_integer('{}')",
    }
    selected = ["id"]
    for name, rules in COLUMNS.items():
        cast = casts.get(name[0]) or casts[rules["type"].partition("(")[0]]
        selected.append(f"try({{{{ {cast.format(name)} }}}}) as {name}")
    model = written / "stg_forms__tried.sql"
    model.write_text(f"select {', '.join(selected)} from {{{{ landed('forms', 'written') }}}}")
    dbt("run", "--select", "stg_forms__tried")
    # THEN it is what the loader reads in it, and NULL, which is an error, where the loader refuses
    rows_found = tables.rows("select * from analytics.stg_forms__tried")
    found = {row[0]: row[1:] for row in rows_found}
    wrong, accepted, refused = [], 0, 0
    for number, row in enumerate(rows):
        for name, text, value in zip(_NAMES, row, found[str(number)], strict=True):
            means, is_refused = _read(columns[name], text)
            accepted, refused = accepted + (not is_refused), refused + is_refused
            if value != means:
                wrong.append((name, text, value, means, is_refused))
    assert wrong == [], wrong[:9]
    assert accepted > 25_000
    assert refused > 5_000


@on_both_engines
def test_one_macro_writes_the_whole_select(
    loader: Loader, dbt: Dbt, written: Path, tables: Tables
) -> None:
    # GIVEN a file of valid values in every form
    rng = random.Random(11)
    rows = [[_accepted(rng, name) for name in _NAMES] for _ in range(150)]
    path = written.parents[2] / "forms/a.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        texts = ([str(n), *(drawn.text for drawn in row)] for n, row in enumerate(rows))
        csv.writer(file, lineterminator="\n").writerows([["id", *_NAMES], *texts])
    # WHEN it is loaded, and staged by one line
    (written / "stg_forms__written.sql").write_text(
        "{{ config(bind=false) }}\n{{ typed('forms', 'written') }}"
    )
    loader("load", "--select", "written")
    dbt("run", "--select", "stg_forms__written")
    # THEN each value is what it means, under the column's own name
    names = ", ".join(_NAMES)
    found = tables.rows(f"select id, {names} from analytics.stg_forms__written")
    assert {row[0]: row[1:] for row in found} == {
        str(n): tuple(drawn.means for drawn in row) for n, row in enumerate(rows)
    }
    # AND raw stays raw
    landed = tables.rows(f"select id, {names} from raw.written")
    assert {row[0]: row[1:] for row in landed} == {
        str(n): tuple(drawn.text or None for drawn in row) for n, row in enumerate(rows)
    }
    ends = "_load_id, _loaded_at, _record, _file, _file_time"
    (end,) = tables.rows(f"select distinct {ends} from analytics.stg_forms__written")
    assert (end[0], end[2], end[3]) == (1, None, "forms/a.csv")


@on_both_engines
def test_the_line_of_the_page_writes_what_its_model_says(
    loader: Loader, dbt: Dbt, project: Path, tables: Tables
) -> None:
    # GIVEN the feed of the page, as it is shown there
    page = (ROOT / "docs/your-own-feed.md").read_text()
    (contract,) = re.findall(r"^```yaml\n# (models/staging/\S+)\n(.*?)^```$", page, re.M | re.S)
    (model,) = re.findall(r"^```sql\n-- (models/staging/\S+)\n(.*?)^```$", page, re.M | re.S)
    (line,) = re.findall(r"^```sql\n(\{\{ typed\(.*?\) \}\})\n```$", page, re.M)
    (records,) = re.findall(r"^```csv\n(.*?)^```$", page, re.M | re.S)
    (project / contract[0]).parent.mkdir()
    (project / contract[0]).write_text(contract[1])
    (project / "data/orders").mkdir(parents=True)
    (project / "data/orders/2026-05-31.csv").write_text(records)
    loader("load", "--select", "orders")
    rows = []
    for text, names in (
        (model[1], "order_id, ordered_on, amount"),
        (line, 'order_id, "ordered on", amount'),
    ):
        # WHEN it is staged by the model, and by the line
        (project / model[0]).write_text("{{ config(bind=false) }}\n" + text)
        dbt("run", "--select", Path(model[0]).stem)
        columns = f"{names}, _load_id, _file, _file_time, _record"
        rows.append(tables.rows(f"select {columns} from analytics.stg_shop__orders order by 1"))
    # THEN both have the same
    assert rows[0] == rows[1]
    assert [row[:3] for row in rows[1]] == [
        (17, date(2026, 5, 31), Decimal("12.50")),
        (18, date(2026, 5, 31), None),
    ]


def _accepted(rng: random.Random, name: str) -> Drawn:
    while (drawn := draw(rng, name)).refused:
        pass
    return drawn


def _insert(tables: Tables, rows: Iterable[Iterable[str]]) -> None:
    """Lands rows as they are, which no loader would."""

    def literal(text: str) -> str:
        return "'" + text.replace("'", "''") + "'"

    values = [
        f"({', '.join([literal(str(n)), *map(literal, row)])}, 1, timestamp '2026-01-01')"
        for n, row in enumerate(rows)
    ]
    columns = ", ".join(["id", *_NAMES])
    tables.rows(
        f"insert into raw.written ({columns}, _load_id, _loaded_at) values {', '.join(values)}"
    )
