"""The table of figures, which people take for the truth about this project."""

from __future__ import annotations

from pathlib import Path

import pytest
from faults.tally import Result, main, put_into, record

_RESULTS = [
    Result("kill", "DuckDB", "nothing", 0, 0),
    Result("kill", "DuckDB", "all", 2, 0),
    Result("kill", "DuckDB", "part", 0, 1, ("a traceback",)),
    Result("cut", "Redshift (rig)", "all", 0, 0),
]


def test_every_fault_is_counted_once_with_what_became_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FAULTS_TALLY", str(tmp_path / "tally"))
    for result in _RESULTS:
        record(result)
    readme = tmp_path / "README.md"
    readme.write_text("a\n<!-- faults -->\nold\n<!-- /faults -->\nb\n")
    main([str(tmp_path / "tally"), str(readme)])
    printed = capsys.readouterr().out
    assert "| kill | DuckDB | 3 | 1 | 1 | 1 | 2 | 1 | 1 |" in printed
    assert "| cut | Redshift (rig) | 1 | 0 | 1 | 0 | 0 | 0 | 0 |" in printed
    assert "| **all** |  | 4 | 1 | 2 | 1 | 2 | 1 | 1 |" in printed
    assert readme.read_text() == f"a\n<!-- faults -->\n{printed}<!-- /faults -->\nb\n"


def test_nothing_is_kept_unless_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FAULTS_TALLY", raising=False)
    monkeypatch.chdir(tmp_path)
    record(_RESULTS[0])
    assert list(tmp_path.iterdir()) == []


def test_a_readme_without_a_place_for_the_table_is_told() -> None:
    with pytest.raises(ValueError, match="no <!-- faults -->"):
        put_into("# title\n", "| table |")
