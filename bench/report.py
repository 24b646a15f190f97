"""What is written: the table in Markdown and the chart in SVG."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from bench.tools import FLOOR, TOOLS

__all__ = ["Row", "chart", "table", "write_section"]


# Seconds.
_LEAST = 0.2


@dataclass
class Row:
    """A line of the table. wall, startup, cpu: seconds; peak: bytes; figures are medians of runs.

    remark: why there are no figures.
    """

    records: int
    kind: str
    tool: str
    runs: int = 0
    wall: float = 0.0
    startup: float = 0.0
    cpu: float = 0.0
    peak: int = 0
    loaded: int = 0
    rejected: int = 0
    remark: str = ""

    @property
    def beyond(self) -> float:
        """Wall time beyond start-up; 0 if none can be seen."""
        return max(self.wall - self.startup, 0.0)


def ratios(rows: Sequence[Row]) -> dict[tuple[int, str, str], float]:
    """Time beyond start-up as a multiple of bare DuckDB's on the clean file of the same size.

    Small files have none: a start-up differs from the next by more than they take.
    """
    floors = {
        row.records: row.beyond
        for row in rows
        if row.tool == FLOOR.name and row.kind == "clean" and row.beyond > _LEAST
    }
    return {
        (row.records, row.kind, row.tool): row.beyond / floors[row.records]
        for row in rows
        if row.beyond > _LEAST and row.records in floors
    }


def write_section(file: Path, title: str, text: str, machine: Sequence[str]) -> None:
    """Writes a section of the results in place of the one of this title, or after the others.

    text: in Markdown. machine: what describe() says.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    before = file.read_text(encoding="utf-8") if file.exists() else "# Results\n"
    sections = re.split(r"^(?=## )", before, flags=re.MULTILINE)
    section = "\n".join([f"## {title}", "", text.strip(), "", *machine, ""])
    places = [n for n, old in enumerate(sections) if old.startswith(f"## {title}\n")]
    if places:
        sections[places[0]] = section
    else:
        sections.append(section)
    file.write_text("\n".join(part.strip() + "\n" for part in sections), encoding="utf-8")


def table(rows: Sequence[Row]) -> str:
    """The results in Markdown."""
    head = ["records", "kind", "tool", "wall s", "start-up s", "x floor", "CPU s", "peak MiB"]
    head += ["loaded", "rejected", "runs"]
    lines = [head, ["--:", "---", "---", *["--:"] * 8]]
    times = ratios(rows)
    for row in rows:
        start = [f"{row.records:,}", row.kind, row.tool]
        if row.remark:
            lines.append([*start, row.remark, *[""] * 7])
            continue
        ratio = times.get((row.records, row.kind, row.tool))
        figures = [f"{row.wall:.1f}", f"{row.startup:.1f}", f"{ratio:.2f}" if ratio else ""]
        figures += [f"{row.cpu:.1f}", f"{row.peak / 2**20:,.0f}"]
        lines.append([*start, *figures, f"{row.loaded:,}", f"{row.rejected:,}", str(row.runs)])
    return "\n".join(
        [
            *["| " + " | ".join(line) + " |" for line in lines],
            "",
            "start-up: the same command on a file of one record, before and after each run."
            " x floor: (wall - start-up) as a multiple of the same of bare DuckDB on the clean file"
            " of that size, for files with rejects too, of which bare DuckDB skips a part. CPU and"
            " memory are of all processes; memory that several share counts once. Figures are"
            " medians of the runs.",
            "",
            *[f"- {tool.name}: {tool.note}" for tool in TOOLS],
        ]
    )


_STYLE = """
text { font-family: system-ui, sans-serif; font-size: 13px; fill: #1f2328 }
.faint { fill: #59636e }
.card { fill: #ffffff } .grid { stroke: #d1d9e0 } .bar { fill: #8c959f } .ours { fill: #0969da }
@media (prefers-color-scheme: dark) {
text { fill: #f0f6fc }
.faint { fill: #9198a1 } .card { fill: #0d1117 } .grid { stroke: #3d444d }
.bar { fill: #656c76 } .ours { fill: #4493f8 } }
"""
_LEFT, _WIDTH, _STEP, _TOP = 190, 420, 30, 56


def chart(rows: Sequence[Row], records: int) -> str:
    """Bars of the time beyond start-up on the clean file of this size, as ratios to the floor."""
    times = ratios(rows)
    bars = [row for row in rows if row.records == records and row.kind == "clean"]
    known = [times[key] for row in bars if (key := (row.records, row.kind, row.tool)) in times]
    # A logarithmic axis from 0.5, so that the floor has a bar too.
    top = max([2.0, *known]) * 1.1
    bottom = len(bars) * _STEP + _TOP

    def x(ratio: float) -> float:
        return _LEFT + _WIDTH * max(0.01, math.log(ratio / 0.5) / math.log(top / 0.5))

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 720 {bottom + 34}" role="img"'
        f' width="720" height="{bottom + 34}"><style>{_STYLE}</style>',
        '<rect class="card" width="100%" height="100%" rx="6"/>',
        f'<text x="16" y="24" font-weight="600">Time to load {records:,} clean records,'
        " beyond start-up</text>",
        '<text class="faint" x="16" y="43">as a multiple of bare DuckDB, which validates nothing;'
        " less is better, scale logarithmic</text>",
    ]
    for mark in (1, 2, 5, 10, 20, 50, 100, 200, 500):
        if mark < top:
            parts.append(
                f'<path class="grid" d="M{x(mark):.1f} {_TOP}V{bottom}"/><text class="faint"'
                f' x="{x(mark):.1f}" y="{bottom + 20}" text-anchor="middle">{mark}x</text>'
            )
    for place, row in enumerate(bars):
        y = _TOP + place * _STEP + 6
        ratio = times.get((row.records, row.kind, row.tool))
        end, label = (x(ratio), f"{ratio:.1f}x") if ratio else (_LEFT, row.remark)
        kind = "ours" if row.tool.startswith("this loader") else "bar"
        parts += [
            f'<text x="{_LEFT - 8}" y="{y + 14}" text-anchor="end">'
            f"{escape(row.tool.replace('`', ''))}</text>",
            f'<rect class="{kind}" x="{_LEFT}" y="{y}" width="{end - _LEFT:.1f}" height="18"/>',
            f'<text x="{end + 6:.1f}" y="{y + 14}">{escape(label)}</text>',
        ]
    return "\n".join([*parts, "</svg>", ""])
