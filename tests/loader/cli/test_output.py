"""What a person reads. A hostile file must not be able to steer somebody's terminal."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from loader.cli.output import (
    ProgressReport,
    print_json,
    print_rejects,
    print_table,
    say,
    say_text,
    shown,
)
from loader.validation.rejects import Reject, RejectLog, Verdict

ESCAPES = [
    "\x1b[31mred\x1b[0m",
    "\x1b]0;title\x07",
    "\x9b31m",
    "back\x08space",
    "carriage\rreturn",
    "\u202egnp.exe",
    "\u2066isolate",
    "zero\u200bwidth",
    "\ufeff",
    "\x00",
    "lone \udcff surrogate",
    "\x7f",
]


@pytest.mark.parametrize("hostile", ESCAPES)
def test_control_characters_are_shown_and_not_obeyed(hostile: str) -> None:
    assert shown(hostile).isprintable()
    assert shown(hostile) != hostile


@pytest.mark.parametrize("plain", ["", "a b", "ä 観測所 💸", "C:\\Temp", "'\"", "[bold]x[/bold]"])
def test_ordinary_text_is_shown_as_it_is(plain: str) -> None:
    assert shown(plain) == plain


def test_long_values_are_cut_with_a_sign() -> None:
    assert shown("x" * 100, 10) == "x" * 9 + "…"
    assert shown("x" * 10, 10) == "x" * 10
    assert shown(None) == ""


def test_messages_go_line_by_line_to_the_right_stream(capsys: pytest.CaptureFixture[str]) -> None:
    say("first\nforged", ["second \x1b[2J"])
    say_text("select\n  \x1b[2J")
    say("wrong", error=True)
    out, err = capsys.readouterr()
    assert out == "first\\nforged\n  second \\x1b[2J\nselect\n  \\x1b[2J\n"
    assert err == "wrong\n"


def test_json_is_ascii_on_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    # A file name may hold a line feed, or bytes that are not UTF-8.
    print_json({"file": "a\nb\udcff ü"})
    out = capsys.readouterr().out
    assert out.isascii()
    assert out.count("\n") == 1
    assert json.loads(out) == {"file": "a\nb\udcff ü"}


def test_a_table_reads_no_markup_and_folds_nothing_in_a_pipe(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_table("t", ("file", "read"), [("[red]x[/red]\x1b[31m", 1234567), ("y" * 200, 2)])
    out = capsys.readouterr().out
    assert "[red]x[/red]\\x1b[31m" in out
    assert "1,234,567" in out
    assert "y" * 200 in out
    assert "\x1b" not in out


def test_rejects_are_shown_first_and_counted_all(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    log = RejectLog(tmp_path / "x", "a.csv")
    log.write(
        Reject("a.csv", n, n + 1, "price", "decimal", f"v{n}\x1b", "price is wrong", b"raw")
        for n in range(1, 31)
    )
    print_rejects([Verdict("a.csv", read=40, accepted=10, rejects=log)])
    print_rejects([Verdict("b.csv", refused="the file is empty")])
    out = capsys.readouterr().out
    assert "the first 20 of 30" in out
    assert "v20\\x1b" in out
    assert "v21" not in out
    assert "b.csv: refused: the file is empty" in out


def test_progress_is_silent_in_a_pipe_unless_it_takes_long(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("loader.cli.output._PLAIN_SECONDS", 0.0)
    report = ProgressReport()
    with report.step("reading", 3 << 20):
        report.advance(1 << 20)
    quiet = ProgressReport(quiet=True)
    with quiet.step("reading", 3 << 20):
        quiet.advance(1 << 20)
    report.note("again \x1b")
    assert capsys.readouterr().err == "reading\nreading: 1 of 3 MiB\nagain \\x1b\n"


def test_progress_is_a_bar_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    monkeypatch.setenv("TERM", "xterm")
    report = ProgressReport()
    # What a file is called is no markup.
    with report.step("reading [/]", 100):
        report.advance(100)
    assert "reading [/]" in terminal.getvalue()
