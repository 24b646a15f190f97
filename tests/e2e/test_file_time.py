"""A file's time from a date in its name, and the number of each record in its file."""

from __future__ import annotations

import csv
import gzip
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from e2e.engines import slowly_on_both_engines

if TYPE_CHECKING:
    from conftest import Loader
    from e2e.engines import Tables

HEADER = "indicator,indicator_type,source,confidence,first_seen,description\n"
MODE = "              mode: append\n"
DATED = "              file_time: {name: YYYY-MM-DD}\n"
NUMBERED = "              record_number: true\n"


def contract(project: Path, old: str, new: str) -> None:
    """Changes the feed's contract."""
    path = project / "models/staging/cti/_cti__sources.yml"
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))


@pytest.fixture
def dated(project: Path, feed_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A feed whose files have dates in their names, and keep the numbers of their records."""
    contract(project, MODE, MODE + DATED + NUMBERED)
    contract(project, "max_fraction: 0.01", "max_fraction: 0.9")
    monkeypatch.setenv("CTI_INDICATORS_LOCATION", "feed/**/*.csv*")
    return feed_folder


def text(name: str, records: str, end: str = "\n") -> bytes:
    """A file with a record for each letter: `.` one that is good, `q` with a line end in quotes,
    `x` with a bad value, `m` malformed.
    """
    shapes = {
        ".": '{0}-{1},domain,{0},5,2026-01-01,"{1}"',
        "q": '"{0}-{1}",domain,"{0}",5,2026-01-01,"{1}\n"',
        "x": "{0}-{1},domain,{0},much,2026-01-01,{1}",
        "m": "{0}-{1},domain",
    }
    lines = [shapes[kind].format(name, number) for number, kind in enumerate(records, start=1)]
    return (HEADER.rstrip("\n") + end + "".join(line + end for line in lines)).encode()


# What is accepted is known by its number, so a number among the accepted would be another.
FILES = {
    "2026-05-30.csv": ("2026-05-30", text("a", "..x.")),
    "b_2026_05_31.csv": ("2026-05-31", text("b", "xm.q.xx..mx..")),
    # The last date counts that is one.
    "2026-13-45_2026-06-01.csv": ("2026-06-01", text("c", "x.")),
    "from 2026-06-02 to 2026-02-30.csv": ("2026-06-02", text("d", ".x.", "\r\n")),
    "2020-01-01/2026-06-03/data.csv": ("2026-06-03", text("e", "q.x.m.")),
    "2020-01-01/2026-06-04.csv.gz": ("2026-06-04", gzip.compress(text("f", "m.x.."))),
    "9-2026-06-05T01.csv": ("2026-06-05", text("g", "...")),
}
EXPECTED = sorted(
    (f"{stem}-{number}", number, f"feed/{name}", f"{day} 00:00:00")
    for (name, (day, _)), stem, records in zip(
        FILES.items(),
        "abcdefg",
        ("..x.", "xm.q.xx..mx..", "x.", ".x.", "q.x.m.", "m.x..", "..."),
        strict=True,
    )
    for number, kind in enumerate(records, start=1)
    if kind in ".q"
)


def staged(tables: Tables) -> list[tuple[Any, ...]]:
    rows = tables.rows(
        "select indicator, _record, _file, _file_time from analytics.stg_cti__indicators"
    )
    return sorted((name, number, file, str(time)) for name, number, file, time in rows)


@slowly_on_both_engines
def test_each_record_has_its_files_time_and_its_own_number(
    loader: Loader, tables: Tables, dated: Path
) -> None:
    for name, (_, data) in FILES.items():
        (dated / name).parent.mkdir(parents=True, exist_ok=True)
        (dated / name).write_bytes(data)
    # WHEN all are loaded and built THEN each record is known by its number in the file
    loader("run")
    assert staged(tables) == EXPECTED
    assert tables.rows(
        "select indicator, _record, _file from analytics.indicators where indicator = 'b-13'"
    ) == [("b-13", 13, "feed/b_2026_05_31.csv")]
    # WHEN some of the rejected records are corrected THEN they keep their time and number
    exported = loader("rejects", "--csv", "--file", "feed/b_2026_05_31.csv").stdout
    rows = list(csv.reader(io.StringIO(exported, newline="")))
    # All that are whole but the first, so that a record's place among them is not its number.
    kept = [rows[0], *[row for row in rows[1:] if ",much," in row[-1]][1:]]
    with Path("fixed.csv").open("w", newline="", encoding="utf-8") as out:
        csv.writer(out).writerows([[cell.replace("much", "5") for cell in row] for row in kept])
    loader("replay", "--from", "fixed.csv")
    loader("run")
    replayed = [
        (f"b-{number}", number, "feed/b_2026_05_31.csv", "2026-05-31 00:00:00")
        for number in (6, 7, 11)
    ]
    assert staged(tables) == sorted([*EXPECTED, *replayed])
    loader("check")


def test_a_name_without_a_date_is_refused_by_name(
    loader: Loader, tables: Tables, project: Path, feed_folder: Path
) -> None:
    # GIVEN a file that was loaded when its time was that of its last change
    (feed_folder / "before.csv").write_bytes(text("before", "."))
    loader("load")
    contract(project, MODE, MODE + DATED)
    assert "nothing new" in loader("load").stdout
    # WHEN a new one has no date in its name THEN the whole load is refused
    (feed_folder / "2026-06-01.csv").write_bytes(text("other", "."))
    for name in ("undated.csv", "2026-02-30.csv", "12026-06-05.csv", "20260605.csv"):
        path = feed_folder / name
        path.write_bytes(text("new", "."))
        for command in ("load", "plan"):
            told = " ".join(loader(command, code=1).stderr.split())
            assert f"feed/{name}: no date in the form YYYY-MM-DD in its name" in told
            assert "Correct the form in file_time" in told
        path.unlink()
    assert tables.count("raw._loaded_files") == 1


@slowly_on_both_engines
def test_a_contract_may_keep_the_number_from_some_day_on(
    loader: Loader, tables: Tables, project: Path, feed_folder: Path
) -> None:
    # GIVEN a record of a file whose numbers nobody kept
    (feed_folder / "a.csv").write_bytes(text("a", "."))
    loader("run")
    # WHEN the contract wants them THEN plan shows what is altered, and the load does it
    contract(project, MODE, MODE + NUMBERED)
    (feed_folder / "b.csv").write_bytes(text("b", ".."))
    assert "add column _record bigint" in loader("plan").stdout
    loader("run")
    assert [row[:3] for row in staged(tables)] == [
        ("a-1", None, "feed/a.csv"),
        ("b-1", 1, "feed/b.csv"),
        ("b-2", 2, "feed/b.csv"),
    ]
    assert "alter table" not in loader("plan").stdout
    # WHEN it wants them no more THEN staging has none, and builds
    contract(project, NUMBERED, "")
    (feed_folder / "c.csv").write_bytes(text("c", "."))
    loader("run")
    assert [row[:2] for row in staged(tables)] == [
        *(("a-1", None), ("b-1", None), ("b-2", None), ("c-1", None)),
    ]


def test_a_plan_says_that_files_with_numbers_are_rewritten(loader: Loader, dated: Path) -> None:
    (dated / "2026-05-30.csv").write_bytes(text("a", "."))
    told = loader("plan").stdout
    assert "rewritten" in told
    assert "'<feed/2026-05-30.csv, rewritten>'" in told
