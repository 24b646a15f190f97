"""Files, keys, columns, headers and values by an enemy: they appear, escaped, and do nothing else.

That they arrive in the warehouse as they are is test_quoting.py's matter.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from click.testing import CliRunner

from loader.cli.main import cli
from loader.files.archives import zstd

if TYPE_CHECKING:
    from click.testing import Result
    from conftest import Lake, Loader
    from e2e.engines import Tables

HEADER = "indicator,indicator_type,source,confidence,first_seen\n"
NAMES = [
    "\x1b]0;owned\x07",
    "\x1b[2J\x1b[31m",
    "\u202egnp\u2066",
    "x\nerror: all is well",
    "x\rload 9",
    "x\u2028y\x85z\x0cw",
    "$(touch pwned)",
    "`touch pwned`",
    "; touch pwned #",
    "-rf",
    "[red]x[/blue]",
    "[/]",
    "'; drop table raw._loaded_files; --",
    "{{ env_var('HOME') }}",
    "%s%n",
    "=cmd|' /C calc'!A1",
]
FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # noqa: RUF001


def refused(value: str) -> str:
    """A record that is refused because of its confidence."""
    quoted = '"' + value.replace('"', '""') + '"'
    return f"a.example,domain,me,{quoted},2026-01-01\n"


def content(value: str) -> str:
    good = "".join(f"{n}.example,domain,me,{n},2026-01-01\n" for n in range(3))
    return HEADER + good + refused(value)


@pytest.fixture
def lenient(project: Path) -> Path:
    """The project, with a feed that may have rejected records."""
    contract = project / "models/staging/cti/_cti__sources.yml"
    contract.write_text(contract.read_text().replace("max_fraction: 0.01", "max_fraction: 0.5"))
    return project


def assert_harmless(result: Result) -> None:
    """Nothing on the terminal but what can be seen, and no line that a name has made.

    In SQL that `plan` shows, the line feeds of a literal are its own.
    """
    text, _, sql = result.stdout.partition("\nbegin;\n")
    for line in f"{text}\n{result.stderr}".split("\n"):
        assert line.isprintable()
        assert not line.startswith(("error: all is", "load 9"))
    assert all(line.isprintable() for line in sql.split("\n"))


def every_command(loader: Loader, some_file: str) -> Iterator[Result]:
    """Whatever shows names and values, in an order in which there is something to show."""
    yield loader("plan")
    yield loader("load", "--rejects-to", "kept")
    yield loader("load")
    yield loader("history")
    yield loader("rejects")
    yield loader("rejects", "--file", some_file)
    yield loader("replay")
    yield loader("check")
    yield loader("check", "--json")
    yield loader("load", "--reload", some_file + "\x1b[31m\nerror: all is well", code=2)


@pytest.mark.slow
def test_names_of_files_only_appear(
    loader: Loader, lenient: Path, feed_folder: Path, tables: Tables
) -> None:
    # GIVEN files named by an enemy, whose records are an enemy's too
    names = [name for name in NAMES if "/" not in name]
    for name in names:
        (feed_folder / f"{name}.csv").write_text(content(name))
    around = sorted(path.name for path in lenient.parent.iterdir())
    # WHEN all is done with them that can be
    for result in every_command(loader, f"feed/{NAMES[0]}.csv"):
        # THEN they are shown, escaped
        assert_harmless(result)
    assert "\\x1b]0;owned\\x07" in loader("history").stdout
    assert "x\\nerror: all is well" in loader("history").stdout
    # AND given to machines as they are
    rows = map(json.loads, loader("history", "--json").stdout.splitlines())
    assert sorted(row["uri"] for row in rows) == sorted(f"feed/{name}.csv" for name in names)
    values = tables.rows("select value from raw._rejected_records")
    assert sorted(value for (value,) in values) == sorted(names)
    # AND nothing of them was carried out
    assert list(lenient.rglob("pwned")) == []
    assert sorted(path.name for path in lenient.parent.iterdir()) == around
    assert len(list((lenient / "kept").iterdir())) == 1
    rolled = loader("rollback", "1", code=2)
    assert_harmless(rolled)
    assert "x\\nerror: all is well" in rolled.stdout


@pytest.mark.slow
def test_keys_in_s3_only_appear(
    loader: Loader, lenient: Path, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A key is no path: what looks like a way out of a folder is a part of its name.
    monkeypatch.setenv("CTI_INDICATORS_LOCATION", lake.uri("raw/*.csv"))
    names = [*NAMES, "x..%2f..%2fup", "~/ssh/x"]
    for name in names:
        lake.put(f"raw/{name}.csv", content(name).encode())
    around = sorted(path.name for path in lenient.parent.iterdir())
    for result in every_command(loader, lake.uri(f"raw/{NAMES[0]}.csv")):
        assert_harmless(result)
    rows = map(json.loads, loader("history", "--json").stdout.splitlines())
    assert sorted(row["uri"] for row in rows) == sorted(lake.uri(f"raw/{n}.csv") for n in names)
    assert list(lenient.rglob("pwned")) == []
    assert sorted(path.name for path in lenient.parent.iterdir()) == around


def test_headers_and_columns_only_appear(loader: Loader, project: Path, tables: Tables) -> None:
    # GIVEN a contract with an enemy's columns, in a source that would lead out of a folder
    # What a contract says in Jinja is its author's; a carriage return is refused in any header.
    names = [name for name in NAMES if "\r" not in name and "{{" not in name]
    columns = [
        {
            "name": name,
            "data_type": "varchar(99)",
            "config": {"meta": {"type": "integer", "required": place == 0}},
        }
        for place, name in enumerate(names)
    ]
    feed = {"location": "odd/*.csv", "delimiter": "|", "quote": "^"}
    table = {"name": "odd", "config": {"meta": {"feed": feed}}, "columns": columns}
    table["data_tests"] = ["ledger_matches_landing"]
    source = {"name": "../../up", "schema": "raw", "tables": [table]}
    (project / "models/odd.yml").write_text(yaml.safe_dump({"sources": [source]}))
    (project / "odd").mkdir()
    # WHEN values of each column, or the header, are refused THEN they are shown escaped
    header = "|".join(f"^{name}^" for name in names) + "\n"
    records = [
        "|".join(f"^{NAMES[0]}^" if n == place else "1" for n in range(len(names))) + "\n"
        for place in range(len(names))
    ]
    (project / "odd/a.csv").write_text(header + "".join(records))
    around = sorted(path.name for path in project.parent.iterdir())
    result = loader("load", "--select", "odd", code=1)
    assert_harmless(result)
    assert f"refused {len(names)} of {len(names)} records" in result.stderr
    assert "\\x1b[2J" in result.stdout
    (project / "odd/a.csv").write_text("x|y|^" + "^|^".join(f"{name}!" for name in names) + "^\n1")
    result = loader("load", "--select", "odd", code=1)
    assert_harmless(result)
    assert "unknown: 'x', 'y'" in result.stdout
    assert_harmless(loader("plan", "--select", "odd"))
    # AND what is written stays in its folder
    assert sorted(path.name for path in project.parent.iterdir()) == around
    (kept,) = (project / "rejects").iterdir()
    assert kept.name.startswith("..-..-up.odd-refused-")


def test_no_exported_cell_is_a_formula(
    loader: Loader, lenient: Path, feed_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN rejected records whose value, and whose beginning, a spreadsheet would compute
    records = "".join(f'"{c}1+1",domain,me,"{c}1+1",2026-01-01\n' for c in FORMULAS)
    bare = "".join(f"{c}1+1,domain,me,x,2026-01-01\n" for c in FORMULAS if c not in "\r\n")
    good = "".join(f"{n}.example,domain,me,1,2026-01-01\n" for n in range(30))
    (feed_folder / "=1+1.csv").write_text(HEADER + good + records + bare, newline="")
    loader("load")
    # WHEN they are exported THEN no cell is one
    text = loader("rejects", "--csv").stdout
    rows = list(csv.reader(io.StringIO(text, newline="")))
    assert len(rows) == 1 + 2 * len(FORMULAS) - 2
    assert [cell for row in rows for cell in row if cell.startswith(FORMULAS)] == []
    # AND they come back as they were
    Path("same.csv").write_text(text, newline="")
    assert f"0 of {len(rows) - 1} records" in loader("replay", "--from", "same.csv", code=1).output


@pytest.mark.parametrize("kind", ["gzip", "zstd"])
def test_an_archive_that_holds_too_much_is_refused(
    loader: Loader,
    feed_folder: Path,
    tables: Tables,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
) -> None:
    # GIVEN 64 MB of text in a small archive
    monkeypatch.setenv("CTI_MAX_DECOMPRESSED_BYTES", "1000000")
    pack: Callable[[bytes], bytes] = gzip.compress if kind == "gzip" else zstd.compress
    text = HEADER.encode() + b"a.example,domain,me,1,2026-01-01\n" * 2_000_000
    name = "bomb.csv.gz" if kind == "gzip" else "bomb.csv.zst"
    (feed_folder / name).write_bytes(pack(text))
    # THEN it can be planned for, and is refused with what to do
    assert "1 new" in loader("plan").stdout
    result = loader("load", code=1)
    assert "holds more than 1,000,000 bytes of text" in result.stdout
    assert "set CTI_MAX_DECOMPRESSED_BYTES to more" in result.stdout
    tables.assert_nothing_loaded()
    (refused,) = map(
        json.loads, loader("validate", "--json", feed_folder / name, code=1).stdout.splitlines()
    )
    assert "holds more than" in refused["refused"]
    # AND with a higher limit it is not; one that is no number is a mistake
    (feed_folder / name).write_bytes(pack(text[: len(HEADER) + 330]))
    assert "10 of 10 records loaded" in loader("load").stdout
    monkeypatch.setenv("CTI_MAX_DECOMPRESSED_BYTES", "1 GB")
    (feed_folder / name).write_bytes(pack(text[: len(HEADER) + 660]))
    assert "must be a whole number" in loader("load", code=2).stderr


@pytest.fixture
def modes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, int]]:
    """The rights of whatever lies in a spool folder at its end, under a umask that grants all."""
    folder = tmp_path / "spool"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    found: dict[str, int] = {}
    remove = shutil.rmtree

    def watched(path: Path, **options: Any) -> None:
        for entry in [path, *path.rglob("*")]:
            found[str(entry.relative_to(folder))] = stat.S_IMODE(entry.stat().st_mode)
        remove(path, **options)

    monkeypatch.setattr("loader.files.spool.shutil.rmtree", watched)
    usual = os.umask(0)
    try:
        yield found
    finally:
        os.umask(usual)
    # Whatever happened, nothing is left.
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "code"),
    [
        pytest.param(content("x"), 0, id="success"),
        pytest.param(HEADER + refused("x"), 1, id="refusal"),
        pytest.param(content("x"), 3, id="error"),
    ],
)
def test_the_spool_is_the_owners_alone(
    loader: Loader,
    lenient: Path,
    lake: Lake,
    modes: dict[str, int],
    monkeypatch: pytest.MonkeyPatch,
    text: str,
    code: int,
) -> None:
    # GIVEN a file that is fetched, decompressed, cut and set aside
    monkeypatch.setenv("CTI_INDICATORS_LOCATION", lake.uri("raw/*"))
    lake.put("raw/a.csv.gz", gzip.compress(text.encode()))
    if code == 3:
        macro = lenient / "macros/load/quarantine.sql"
        macro.write_text(macro.read_text().replace("insert into", "insert nowhere", 1))
    # WHEN it is loaded, with a umask that lets everybody in
    loader("load", "--rejects-to", "kept", code=code)
    # THEN nobody else gets into the spool folder, whatever the rights of the files in it
    assert len(modes) > 4
    (top,) = (mode for name, mode in modes.items() if "/" not in name)
    assert top == 0o700
    # AND what is kept of rejected records is for owner and group at most
    if code != 3:
        (kept,) = (lenient / "kept").iterdir()
        assert stat.S_IMODE(kept.stat().st_mode) == 0o660
        assert stat.S_IMODE((lenient / "kept").stat().st_mode) == 0o770


def test_a_traceback_cannot_steer_the_terminal(loader: Loader, project: Path) -> None:
    result = CliRunner().invoke(cli, ["load", "--debug", "--reload", "\x1b]0;owned\x07"])
    assert "Traceback" in result.stderr
    assert all(line.isprintable() for line in result.output.split("\n"))


@pytest.mark.slow
def test_an_export_on_a_terminal_cannot_steer_it(
    loader: Loader, lenient: Path, feed_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (feed_folder / "a.csv").write_text(content("\x1b[2J"))
    loader("load")
    # Into a file it is as it came; on a terminal it is escaped.
    assert "\x1b" in loader("rejects", "--csv").stdout
    monkeypatch.setattr("click.testing._NamedTextIOWrapper.isatty", lambda _: True)
    shown = loader("rejects", "--csv").stdout
    assert "\x1b" not in shown
    assert "\\x1b[2J" in shown
