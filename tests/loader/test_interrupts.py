"""Signals at awkward moments: the exit code says so, and nobody sees a traceback."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def _python(*lines: str) -> subprocess.CompletedProcess[str]:
    """Runs a program that sends signals to itself."""
    imports = "import os, signal, sys", "from loader import interrupts"
    text = "\n".join((*imports, "from loader.cli import main", *lines))
    return subprocess.run(
        [sys.executable, "-c", text], cwd=ROOT, capture_output=True, text=True, check=False
    )


def test_a_signal_while_options_are_read_is_no_refused_data() -> None:
    # click would end with 1, which schedulers here take for refused data.
    ended = _python(
        "read = main.cli.parse_args",
        "main.cli.parse_args = lambda *a: (os.kill(os.getpid(), signal.SIGTERM), read(*a))[1]",
        "sys.argv = ['loader', 'plan']",
        "main.main()",
    )
    assert ended.returncode == 130
    assert "error: interrupted" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_signal_in_a_finalizer_shows_no_traceback() -> None:
    ended = _python(
        "class Final:",
        "    def __del__(self): os.kill(os.getpid(), signal.SIGINT)",
        "interrupts.listen()",
        "Final()",
        "sys.exit(130 if interrupts.requested() else 0)",
    )
    assert (ended.returncode, ended.stderr) == (130, "")


def test_a_signal_while_tidying_up_waits_and_is_kept() -> None:
    ended = _python(
        "interrupts.listen()",
        "with interrupts.held_off():",
        "    os.kill(os.getpid(), signal.SIGTERM)",
        "    print('tidied up')",
        "try: interrupts.check()",
        "except KeyboardInterrupt: print('stopped')",
    )
    assert ended.stdout == "tidied up\nstopped\n"


def test_a_signal_when_all_is_done_ends_the_process_at_once() -> None:
    ended = _python(
        "interrupts.leave_at_once()", "os.kill(os.getpid(), signal.SIGINT)", "sys.exit(0)"
    )
    assert (ended.returncode, ended.stderr) == (130, "")


def test_a_closed_terminal_ends_a_load_unless_nohup_said_otherwise() -> None:
    lines = (
        "interrupts.leave_at_once()",
        "interrupts.listen()",
        "print('began', flush=True)",
        "os.kill(os.getpid(), signal.SIGHUP)",
        "print('went on')",
    )
    heeded = _python(*lines)
    under_nohup = _python("signal.signal(signal.SIGHUP, signal.SIG_IGN)", *lines)
    assert heeded.stdout == "began\n"
    assert under_nohup.stdout == "began\nwent on\n"
