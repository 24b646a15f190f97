"""The alarm of terraform/ counts the lines that say records were loaded, and no others.

What CloudWatch would match is told by a reader of our own for the two kinds of pattern in use
(CloudWatch Logs User Guide, "Filter pattern syntax"): quoted phrases, all of which stand in the
line, but for those with a minus, of which none does; and conditions on the fields of a line that is
a JSON object.
"""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Loader

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
FEED = "cti.indicators"
_PATTERN = re.compile(r'^    (?:plain|json) += (".*")$', re.MULTILINE)
_CONDITION = re.compile(r'\(\$\.(\w+) (=|>) ("[^"]*"|[0-9]+)\)')


def patterns(feed: str) -> list[str]:
    """The patterns that terraform/alarm.tf has for a feed."""
    found = _PATTERN.findall((ROOT / "terraform/alarm.tf").read_text())
    assert len(found) == 2
    return [json.loads(text) % feed for text in found]


def matches(pattern: str, line: str) -> bool:
    """Whether CloudWatch Logs finds the pattern in a line."""
    if not pattern.startswith("{"):
        phrases = re.findall(r'(-?)"([^"]*)"', pattern)
        assert " ".join(f'{minus}"{phrase}"' for minus, phrase in phrases) == pattern
        return all((phrase in line) is not bool(minus) for minus, phrase in phrases)
    conditions = _CONDITION.findall(pattern)
    joined = " && ".join(f"($.{name} {sign} {value})" for name, sign, value in conditions)
    assert f"{{ {joined} }}" == pattern
    try:
        fields = json.loads(line)
    except ValueError:
        return False
    return isinstance(fields, dict) and all(
        holds(fields.get(name), sign, json.loads(value)) for name, sign, value in conditions
    )


def holds(field: object, sign: str, value: str | int) -> bool:
    if sign == "=":
        return field == value
    return isinstance(field, int) and isinstance(value, int) and field > value


@pytest.mark.parametrize(
    ("pattern", "line", "expected"),
    [
        ('"a: load" "loaded,"', "a: load 1: loaded, 2", True),
        ('"a: load" "loaded,"', "a: load 1: loaded 2", False),
        ('"a: load" -", 0 of "', "a: load 1: 1 files, 10 of 10 loaded", True),
        ('"a: load" -", 0 of "', "a: load 1: 1 files, 0 of 5 loaded", False),
        ('"a: load" -", 0 of "', "b: load 1: 1 files, 10 of 10 loaded", False),
        ('{ ($.feed = "a") && ($.n > 0) }', '{"feed": "a", "n": 1}', True),
        ('{ ($.feed = "a") && ($.n > 0) }', '{"feed": "b", "n": 1}', False),
        ('{ ($.feed = "a") && ($.n > 0) }', '{"feed": "a", "n": 0}', False),
        ('{ ($.feed = "a") && ($.n > 0) }', '{"feed": "a"}', False),
        ('{ ($.feed = "a") && ($.n > 0) }', 'x {"feed": "a", "n": 1}', False),
    ],
)
def test_the_reader_of_patterns(pattern: str, line: str, expected: bool) -> None:
    assert matches(pattern, line) is expected


def test_loads_are_counted_and_nothing_else(loader: Loader, project: Path) -> None:
    # GIVEN the feed's files, which arrive one by one, the one with faults first
    folder, kept = project / "samples/indicators", project / "kept"
    shutil.move(folder, kept)
    folder.mkdir()
    files = sorted(kept.iterdir(), reverse=True)
    arriving = iter(files)
    counted_by_others: list[str] = []

    def counted(*arguments: str, code: int = 0) -> int:
        """How many lines of what a command prints the alarm would count."""
        said = loader(*arguments, code=code)
        lines = [*said.stdout.splitlines(), *said.stderr.splitlines()]
        assert lines
        other = patterns("shop.orders")
        counted_by_others.extend(line for line in lines if any(matches(p, line) for p in other))
        return sum(matches(pattern, line) for pattern in patterns(FEED) for line in lines)

    # THEN nothing is counted while there is nothing to load
    assert counted("load") == 0
    # AND each load is counted once, however it is reported
    for command in (("load",), ("load", "--json"), ("run",), ("run", "--json")):
        shutil.copy(next(arriving), folder)
        assert counted(*command) == 1, command
    # AND not one that finds nothing new, nor what else is said of loads and records
    for extra in ((), ("--json",)):
        for name in ("load", "plan", "history", "rejects", "check"):
            assert counted(name, *extra) == 0, name
        assert counted("validate", *extra, str(files[0]), code=1) == 0
    # AND not a load of a file without records
    header = files[-1].read_text().splitlines()[0]
    for extra in ((), ("--json",)):
        (folder / f"empty{len(extra)}.csv").write_text(f"{header}\n")
        assert counted("load", *extra) == 0, extra
    # AND not a replay, which is no new file
    fixed = project / "fix.csv"
    for bad, good, options in ((",high,", ",75,", ()), (",domian,", ",domain,", ("--json",))):
        fixed.write_text(loader("rejects", "--csv").stdout.replace(bad, good))
        assert counted("replay", "--from", str(fixed), *options, code=1) == 0
    # AND not what is rolled back, nor a load that is refused
    assert counted("rollback", "2", "--yes", "--json") == 0
    (folder / "broken.csv").write_text("nothing of this feed\n1\n")
    for extra in ((), ("--json",)):
        assert counted("load", *extra, code=1) == 0
    # AND none of it for another feed
    assert counted_by_others == []
