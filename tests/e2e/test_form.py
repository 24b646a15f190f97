"""A feed whose files are written in a way of their own, from the file to the landing table."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from e2e.engines import on_both_engines

if TYPE_CHECKING:
    from conftest import Loader
    from e2e.engines import Tables

SOURCES = """
sources:
  - name: watch
    schema: raw
    tables:
      - name: addresses
        config:
          meta:
            feed:
              location: watch/*.txt
              encoding: windows-1252
              header: false
              skip_rows: 1
              comment: "#"
              skip_blank_rows: true
              delimiter: ";"
              rejects: {max_rows: 1}
        data_tests: [ledger_matches_landing]
        columns:
          - {name: address, data_type: varchar(40), config: {meta: {required: true}}}
          - {name: port, data_type: varchar(10), config: {meta: {type: integer}}}
          - {name: note, data_type: varchar(40)}
"""
FILE = (
    "made by hand\n# address; port\n192.0.2.1;80;Café\n\n# half-way\n"
    '192.0.2.2;8o;"Zoë \n# not a comment"\n192.0.2.3;443;\N{EN DASH}\n# end'
).encode("windows-1252")


@pytest.fixture
def files(project: Path) -> Path:
    """A project with the feed; the folder where its files go."""
    (project / "models/staging/watch").mkdir()
    (project / "models/staging/watch/_watch__sources.yml").write_text(SOURCES)
    folder = project / "watch"
    folder.mkdir()
    return folder


@on_both_engines
def test_what_the_contract_says_of_a_file_holds_to_the_quarantine_and_back(
    loader: Loader, files: Path, tables: Tables
) -> None:
    # GIVEN a file in another encoding, without a header, with lines that are no records
    (files / "1.txt").write_bytes(FILE)
    of_feed = ("--select", "watch.addresses")
    # WHEN it is planned THEN it is told that no engine reads it as it is
    (planned,) = map(json.loads, loader("plan", *of_feed, "--json").stdout.splitlines())
    assert [file["read"] for file in planned["new"]] == ["rewritten"]
    # WHEN it is loaded
    said = loader("load", *of_feed).stdout
    # THEN its records are in the table as text, and what was skipped is told
    assert (
        "2 of 3 records loaded, 1 rejected; lines skipped: 1 by skip_rows, 3 by comment, 1" in said
    )
    landed = "select address, port, note from raw.addresses order by address"
    assert tables.rows(landed) == [("192.0.2.1", "80", "Café"), ("192.0.2.3", "443", "\u2013")]
    ((skipped,),) = tables.rows("select skipped from raw._loaded_files")
    assert json.loads(skipped) == {"skip_rows": 1, "comment": 3, "skip_blank_rows": 1}
    (row,) = map(json.loads, loader("history", "--json").stdout.splitlines())
    assert json.loads(row["skipped"]) == json.loads(skipped)
    # AND what was rejected has its line in the file, and a correction of it is loaded
    printed = loader("rejects", *of_feed, "--csv").stdout
    (reject,) = csv.DictReader(io.StringIO(printed, newline=""))
    assert (reject["line"], reject["record"], reject["value"]) == ("6", "2", "8o")
    assert reject["raw"] == '192.0.2.2;8o;"Zoë \n# not a comment"'
    Path("mended.csv").write_text(printed.replace("8o;", "80;"), newline="")
    loader("replay", *of_feed, "--from", "mended.csv")
    assert tables.rows(landed)[1] == ("192.0.2.2", "80", "Zoë \n# not a comment")
    assert "nothing new" in loader("load", *of_feed).stdout
    loader("check", *of_feed)


OTHER_SOURCES = """
sources:
  - name: dump
    schema: raw
    tables:
      - name: people
        config:
          meta:
            feed:
              location: watch/*.txt
              delimiter: "||"
              escape: '\\'
              skip_initial_space: true
              null_values: ['\\N']
              rejects: {max_rows: 1}
        data_tests: [ledger_matches_landing]
        columns:
          - {name: id, data_type: varchar(10), config: {meta: {type: integer, required: true}}}
          - {name: name, data_type: varchar(40)}
          - {name: note, data_type: varchar(40)}
"""


@on_both_engines
def test_a_dialect_holds_to_the_quarantine_and_back(
    loader: Loader, files: Path, tables: Tables
) -> None:
    # GIVEN a file with escapes, a delimiter of two characters, and blanks before fields
    sources = Path("models/staging/watch/_watch__sources.yml")
    sources.write_text(OTHER_SOURCES)
    lines = [
        "id||name||note",
        '1||Ann \\"Annie\\"\\||Lee|| \\N',
        '2|| "C:\\\\temp\\\\"||\t\\|b',
        '3||"Lee\\, \\"Bo\\""||5" pipe',
    ]
    (files / "1.txt").write_text("\n".join(lines) + "\n")
    of_feed = ("--select", "dump.people")
    # WHEN it is loaded
    assert "2 of 3 records loaded, 1 rejected" in loader("load", *of_feed).stdout
    # THEN the table has what the fields mean
    landed = "select id, name, note from raw.people order by id"
    assert tables.rows(landed) == [
        ("1", 'Ann "Annie"||Lee', "\\N"),
        ("2", "C:\\temp\\", "\t|b"),
    ]
    # AND what was rejected is shown as it is to be corrected
    printed = loader("rejects", *of_feed, "--csv").stdout
    (reject,) = csv.DictReader(io.StringIO(printed, newline=""))
    assert (reject["line"], reject["column"], reject["value"]) == ("4", "note", '5" pipe')
    assert reject["raw"] == '3\t"Lee\\, ""Bo"""\t5" pipe'
    Path("mended.csv").write_text(printed.replace('5"" pipe', "5 pipe"), newline="")
    loader("replay", *of_feed, "--from", "mended.csv")
    assert tables.rows(landed)[2] == ("3", 'Lee\\, "Bo"', "5 pipe")
    loader("check", *of_feed)


@pytest.mark.slow
def test_a_large_clean_file_is_read_as_it_lands(
    loader: Loader, files: Path, tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("loader.validation.validator._TRIED_BYTES", 1000)
    # More than is read at a time, so that the beginning alone is clean.
    records = [f"10.0.{n >> 8}.{n & 255};{n};é" for n in range(70_000)]
    clean = "\n".join(["day", *records[:1500], "# half", *records[1500:]]).encode("cp1252")
    assert len(clean) > 1024 * 1024
    (files / "1.txt").write_bytes(clean)
    assert "70,000 of 70,000 records" in loader("load", "--select", "watch.addresses").stdout
    landed = "select count(*), sum(length(note)) from raw.addresses"
    assert tables.rows(landed) == [(70_000, 70_000)]
    # One that begins clean and does not go on so is judged after all, in the lines of the file.
    (files / "2.txt").write_bytes(clean + b"\n10.0.0.0;x;")
    loader("load", "--select", "watch.addresses")
    (reject,) = map(json.loads, loader("rejects", "--json").stdout.splitlines())
    assert (reject["file"][-5:], reject["record"], reject["line"]) == ("2.txt", 70_001, 70_003)
