"""A large file that begins clean is read as it is landed; what is in it comes out the same."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from loader.errors import WarehouseError
from loader.validation import validator
from loader.warehouse import read_once
from loader.warehouse.connection import Warehouse

if TYPE_CHECKING:
    from conftest import Loader
    from e2e.conftest import Dbt
    from e2e.engines import Tables

HEADER = "indicator,indicator_type,source,confidence,first_seen,last_seen,description\n"
# More than the strict reader takes at a time, so that the beginning alone is clean.
ROWS = "".join(
    f'host-{n}.example,domain,"a, ""b""",{n % 101},2026-05-31T10:00:{n % 60:02d}Z,,"x\ny {n}"\n'
    for n in range(15_000)
)
assert len(ROWS) > 1024 * 1024

BODIES = {
    "clean": ROWS,
    "no line end at last": ROWS[:-1],
    "empty lines at last": ROWS + "\n\n",
    "a bad value": ROWS + "late.example,domain,me,eighty,2026-05-31,,\n",
    "a record too short": ROWS + "late.example,domain\n",
    "a stray quote": ROWS + 'late".example,domain,me,1,2026-05-31,,\n',
    "a quote never closed": ROWS + '"late.example,domain,me,1,2026-05-31,,\n' + "x\n" * 3,
    "CRLF": ROWS + 'late.example,domain,me,1,2026-05-31,,"x\ny"\r\n',
    "the header once more": ROWS + HEADER + "late.example,domain,me,1,2026-05-31,,\n",
    "not UTF-8": ROWS + "late\udcff.example,domain,me,1,2026-05-31,,\n",
    "what only the judge clears": ROWS + "late.example,domain,me,1,0999-05-31,,\n",
}


# Of the ways in which a file is not clean; `make test-nightly` tries the others.
QUICK = ("clean", "a bad value", "not UTF-8")
SLOW = ("a stray quote", "a quote never closed", "the header once more")


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Has files of any size read as they are landed."""
    monkeypatch.setattr(validator, "_TRIED_BYTES", 0)


def _outcome(tables: Tables, loader: Loader, code: int) -> list[object]:
    """What a load of the feed says and leaves, without its time."""
    said = loader("load", code=code).stdout
    if not tables.count("raw._loaded_files"):
        return [said]
    return [
        said,
        tables.rows("select * exclude (_loaded_at) from raw.indicators order by all"),
        tables.rows("select * exclude (loaded_at, file_time, version) from raw._loaded_files"),
        tables.rows("select * exclude (rejected_at) from raw._rejected_records"),
    ]


@pytest.mark.parametrize(
    "name",
    [
        name
        if name in QUICK
        else pytest.param(name, marks=getattr(pytest.mark, "slow" if name in SLOW else "nightly"))
        for name in BODIES
    ],
)
def test_it_comes_out_the_same(
    loader: Loader,
    project: Path,
    feed_folder: Path,
    tables: Tables,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    text = HEADER + BODIES[name]
    (feed_folder / "a.csv").write_bytes(text.encode("utf-8", "surrogateescape"))
    code = 1 if name == "a quote never closed" else 0
    judged = _outcome(tables, loader, code)
    (project / "cti.duckdb").unlink(missing_ok=True)
    monkeypatch.setattr(validator, "_TRIED_BYTES", 0)
    assert _outcome(tables, loader, code) == judged
    assert code or tables.count("raw.indicators") >= 15_000


@pytest.mark.usefixtures("at_once")
def test_the_engine_reads_a_clean_file_once(
    loader: Loader, feed_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b"):
        (feed_folder / f"{name}.csv").write_text(HEADER + ROWS, newline="")
    (feed_folder / "c.csv.gz").write_bytes(gzip.compress((HEADER + ROWS).encode()))
    landed, execute = list[str](), Warehouse.execute

    def noted(self: Warehouse, sql: str) -> None:
        landed.append(sql)
        execute(self, sql)

    monkeypatch.setattr(Warehouse, "execute", noted)
    result = loader("load")
    assert "45,000 records loaded" in result.stdout
    inserts = [sql for sql in landed if sql.startswith('insert into "cti"."raw"."indicators"')]
    assert len(inserts) == 3
    assert all("then 1 + " in sql for sql in inserts)


@pytest.mark.slow
@pytest.mark.usefixtures("at_once")
def test_a_clean_file_beside_others(
    loader: Loader, feed_folder: Path, tables: Tables, dbt: Dbt
) -> None:
    (feed_folder / "1.csv").write_text(HEADER + ROWS, newline="")
    (feed_folder / "2.csv").write_text(HEADER + BODIES["a bad value"], newline="")
    (feed_folder / "3.csv").write_text(HEADER + "small.example,domain,me,1,2026-05-31,,\n")
    loader("run")
    assert tables.rows(
        "select uri, load_id, records_read, records_rejected from raw._loaded_files order by uri"
    ) == [
        ("feed/1.csv", 1, 15_000, 0),
        ("feed/2.csv", 2, 15_001, 1),
        ("feed/3.csv", 3, 1, 0),
    ]
    loader("check")
    loader("load", code=0)


@pytest.mark.slow
@pytest.mark.usefixtures("at_once")
def test_a_feed_in_mode_replace(loader: Loader, project: Path, tables: Tables) -> None:
    yaml = project / "models/staging/cti/_cti__sources.yml"
    yaml.write_text(yaml.read_text().replace("mode: append", "mode: replace"))
    file = project / "samples/indicators"
    for other in file.iterdir():
        other.unlink()
    (file / "all.csv").write_text(HEADER + ROWS, newline="")
    loader("load")
    (file / "all.csv").write_text(HEADER + ROWS[: ROWS.rindex("\nhost-") + 1], newline="")
    loader("load")
    assert tables.rows("select count(*), max(_load_id) from raw.indicators") == [(14_999, 2)]


@pytest.mark.slow
def test_a_file_that_changes_meanwhile_is_not_landed(
    loader: Loader, feed_folder: Path, monkeypatch: pytest.MonkeyPatch, at_once: None
) -> None:
    file = feed_folder / "a.csv"
    file.write_text(HEADER + ROWS, newline="")
    read = read_once.read_once

    def changed(*arguments: object) -> object:
        file.write_text(HEADER + ROWS[: len(ROWS) // 2], newline="")
        return read(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr("loader.warehouse.read_once.read_once", changed)
    result = loader("load", code=3)
    assert "feed/a.csv: it was written to since it was listed" in result.output


@pytest.mark.slow
def test_a_file_that_is_not_clean_stops_the_engine(
    loader: Loader, feed_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As large as a file has to be, and broken where the strict reader is long before the engine.
    text = HEADER + ROWS + "late.example,domain\n" + ROWS * 59
    assert len(text) > validator._TRIED_BYTES
    (feed_folder / "a.csv").write_text(text, newline="")
    ended, execute = list[str](), Warehouse.execute

    def noted(self: Warehouse, sql: str) -> None:
        try:
            execute(self, sql)
        except WarehouseError as error:
            ended.append(str(error))
            raise

    monkeypatch.setattr(Warehouse, "execute", noted)
    assert "900,000 of 900,001 records loaded, 1 rejected" in loader("load").stdout
    assert len(ended) == 1
    assert "nterrupt" in ended[0]


@pytest.mark.slow
@pytest.mark.usefixtures("at_once")
def test_however_many_are_not_clean_the_load_begins_anew_once(
    loader: Loader, feed_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(6):
        body = BODIES["a bad value"] if number % 2 else ROWS
        (feed_folder / f"{number}.csv").write_text(HEADER + body, newline="")
    begun, execute = list[str](), Warehouse.execute

    def noted(self: Warehouse, sql: str) -> None:
        begun.extend([sql] if sql.startswith("insert into") and "-1 end" in sql else [])
        execute(self, sql)

    monkeypatch.setattr(Warehouse, "execute", noted)
    assert "90,000 of 90,003 records loaded, 3 rejected" in loader("load").stdout
    assert len(begun) == 2


@pytest.mark.slow
@pytest.mark.parametrize("late", ["", "late.example,domain\n"])
def test_a_text_that_the_engine_cannot_divide(
    loader: Loader, feed_folder: Path, tables: Tables, late: str
) -> None:
    # A mail in a field, across the border of what DuckDB reads at a time: its lines look like
    # records, so DuckDB takes one of them for the first record beyond the border.
    border, row = 32 * 1024 * 1024, "host-{}.example,domain,me,1,2026-05-31,,x\n"
    lines = row.format(7) * 60
    rows = "".join(map(row.format, range(border // 40)))
    rows = rows[: rows.rindex("\n", 0, border - len(HEADER) - len(lines) // 2) + 1]
    mail = f'mail.example,domain,me,1,2026-05-31,,"{lines}"\n'
    (feed_folder / "a.csv").write_text(HEADER + rows + mail + ROWS + late, newline="")
    count = rows.count("\n") + 1 + 15_000
    loader("load")
    assert tables.count("raw.indicators") == count
    assert tables.rows("select max(strlen(description)) from raw.indicators") == [(len(lines),)]
