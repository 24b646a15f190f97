"""Counts what was broken and what became of it, and prints the table that the README shows.

    python tests/faults/tally.py FILE [README]

Each fault that a test makes is one line of JSON in the file that FAULTS_TALLY names. The numbers of
the table are sums over these lines; none is written by hand. With README, the table there, between
its two marks, is replaced.
"""

from __future__ import annotations

import json
import os
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path

__all__ = ["Result", "put_into", "read", "record", "table"]

_HEADINGS = ("what breaks", "engine", "times", "nothing loaded", "all loaded", "in part")
_BEGIN, _END = "<!-- faults -->", "<!-- /faults -->"
_AFTER = ("records lost", "records doubled", "otherwise wrong")


@dataclass(frozen=True)
class Result:
    """One fault and what was found after it.

    state: of the load that it struck, before anything is run again: nothing, all, or part of it
    loaded. lost, doubled: rows of landing table, ledger, quarantine and mart that are missing, or
    there too often, once the loader was run again, compared with a run that nothing disturbed.
    wrong: whatever else is not as it should be, such as how the process ended.
    """

    kind: str
    engine: str
    state: str
    lost: int
    doubled: int
    wrong: tuple[str, ...] = ()


def record(result: Result) -> None:
    """Adds a result to the file, if there is one; several processes may at once."""
    path = os.environ.get("FAULTS_TALLY")
    if path:
        with Path(path).open("a", encoding="utf-8") as out:
            out.write(json.dumps(asdict(result)) + "\n")


def read(lines: Iterable[str]) -> Iterator[Result]:
    """Results as they were recorded."""
    names = {field.name for field in fields(Result)}
    for line in lines:
        yield Result(**{name: value for name, value in json.loads(line).items() if name in names})


def table(results: Iterable[Result]) -> str:
    """A table in Markdown, a row a kind and engine, and their sum."""
    groups: dict[tuple[str, str], list[Result]] = defaultdict(list)
    for result in results:
        groups[result.kind, result.engine].append(result)
    rows = [_HEADINGS + _AFTER, ("---", "---", *["--:"] * (len(_HEADINGS) + len(_AFTER) - 2))]
    rows += [(*names, *_numbers(groups[names])) for names in sorted(groups)]
    everything = [result for members in groups.values() for result in members]
    rows.append(("**all**", "", *_numbers(everything)))
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _numbers(results: list[Result]) -> tuple[str, ...]:
    states = [result.state for result in results]
    counts = [len(results), *(states.count(state) for state in ("nothing", "all", "part"))]
    counts += [sum(r.lost for r in results), sum(r.doubled for r in results)]
    counts.append(sum(1 for r in results if r.wrong))
    return tuple(f"{count:,}" for count in counts)


def put_into(text: str, figures: str) -> str:
    """The text with the table between its marks. Raises ValueError without them."""
    before, begin, rest = text.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not end:
        raise ValueError(f"no {_BEGIN} … {_END}")
    return f"{before}{begin}\n{figures}\n{end}{after}"


def main(arguments: list[str]) -> None:
    """Prints the table, and puts it into a file if one is named."""
    figures = table(read(Path(arguments[0]).read_text(encoding="utf-8").splitlines()))
    print(figures)
    for name in arguments[1:]:
        path = Path(name)
        path.write_text(put_into(path.read_text(encoding="utf-8"), figures), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
