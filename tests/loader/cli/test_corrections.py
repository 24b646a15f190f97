"""Rejected records as CSV for a spreadsheet: what is printed comes back as it was."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loader.cli.corrections import export_cell, print_csv, read_corrections
from loader.errors import ConfigError
from loader.validation.rejects import RejectLog
from loader.warehouse.quarantine import Quarantined

if TYPE_CHECKING:
    from conftest import Loader


def quarantined(number: int, raw: bytes) -> Quarantined:
    return Quarantined(
        file="in/a.csv",
        record=number,
        line=number + 1,
        column="c",
        rule="r",
        value="v",
        message="m",
        raw=raw,
        load_id=12,
        batch_id=7,
        etag="etag",
        file_time="2026-01-01 00:00:00",
        header="a,b",
        contract="fingerprint",
    )


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\tx", "\rx", "'x", "''", "x", ""])
def test_no_cell_is_a_formula_and_every_one_comes_back(tmp_path: Path, text: str) -> None:
    assert not export_cell(text).startswith(("=", "+", "-", "@", "\t", "\r"))
    assert export_cell(None) == ""
    # GIVEN a record that begins like a formula
    records = [quarantined(1, text.encode())]
    out = io.StringIO()
    # WHEN it is exported and read back
    print_csv(records, out)
    exported = tmp_path / "rejects.csv"
    exported.write_text(out.getvalue(), encoding="utf-8", newline="")
    # THEN it is what it was
    assert read_corrections(exported) == {(7, "in/a.csv", 1): text.encode()}


@given(st.lists(st.binary(max_size=20), min_size=1, max_size=4))
def test_what_is_exported_can_be_read_back(
    tmp_path_factory: pytest.TempPathFactory, raws: list[bytes]
) -> None:
    folder = tmp_path_factory.mktemp("export")
    out = io.StringIO(newline="")
    print_csv((quarantined(n, raw) for n, raw in enumerate(raws, start=1)), out)
    exported = folder / "rejects.csv"
    exported.write_text(out.getvalue(), encoding="utf-8", newline="")
    assert read_corrections(exported) == {
        (7, "in/a.csv", n): raw for n, raw in enumerate(raws, start=1)
    }


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("load,file,record\n1,a,1\n", ["no column raw", "load, file, record, raw"]),
        ("", ["no column load"]),
        ("load,file,record,raw\none,a,1,x\n", ["line 2", "whole numbers"]),
        ("load,file,record,raw\n1,a,,x\n", ["line 2", "whole numbers"]),
        ("load,file,record,raw\n1,a,1,x\n1,a,1,y\n", ["line 3", "record 1 of a is there twice"]),
        ("load,file,record,raw_encoding,raw\n1,a,1,base64,*\n", ["line 2", "not base64"]),
        ('load,file,record,raw\n1,a,1,"x"y\n', ["no well-formed CSV"]),
        ("load,file,record,raw\n1,a,1,2;Main St 5, York\n", ["line 2", "more or fewer cells"]),
        ("load,file,record,raw\n1,a,1\n", ["line 2", "more or fewer cells"]),
        ("load,file,record,raw\n1,a,1,\udcff\n", ["not UTF-8"]),
        ('{"file": "a", "record": 1, "raw": "x"}\n', ["line 1", "etag, file, record and raw"]),
        ('{"etag": "e", "file": "a", "record": 1, "raw": "x"}\n{', ["line 2", "etag, file"]),
        ('{"etag": "e", "file": "a", "record": 1, "raw": null}', ["line 1", "etag, file"]),
        (2 * '{"etag": "e", "file": "a", "record": 1, "raw": ""}\n', ["line 2", "is there twice"]),
    ],
)
def test_a_mistake_in_the_corrections_is_said_with_its_place(
    tmp_path: Path, text: str, words: list[str]
) -> None:
    path = tmp_path / "fix.csv"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(ConfigError) as caught:
        read_corrections(path)
    for word in [str(path), *words]:
        assert word in str(caught.value)


def test_json_lines_come_back_by_the_etag_of_their_file(tmp_path: Path) -> None:
    # GIVEN what a load writes of the records that it rejects; one has bytes that are no UTF-8
    log = RejectLog(tmp_path / "log", "in/a.csv")
    raws = [b"x", b"\xff,\x00", "é".encode()]
    log.write(quarantined(number, raw) for number, raw in enumerate(raws, start=1))
    path = tmp_path / "rejects.jsonl"
    path.write_text("".join(log.json_lines(etag="e")), encoding="ascii")
    # THEN it is read as it was, and so is what `rejects --json` prints
    expected = {("e", "in/a.csv", number): raw for number, raw in enumerate(raws, start=1)}
    assert read_corrections(path) == expected
    path.write_text(json.dumps(quarantined(3, b"x").to_json()), encoding="ascii")
    assert read_corrections(path) == {("etag", "in/a.csv", 3): b"x"}


def test_corrections_that_are_not_there(loader: Loader) -> None:
    assert "File 'none.csv' does not exist" in loader("replay", "--from", "none.csv", code=2).stderr


def test_a_long_record_comes_back_too(tmp_path: Path) -> None:
    # Python's csv takes cells of 128 KiB unless told otherwise; a record may be far longer.
    text = b"x" * 1_000_000
    out = io.StringIO()
    print_csv([quarantined(1, text)], out)
    exported = tmp_path / "rejects.csv"
    exported.write_text(out.getvalue(), encoding="utf-8", newline="")
    assert read_corrections(exported) == {(7, "in/a.csv", 1): text}
