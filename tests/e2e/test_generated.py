"""Generated files, dirty in every accepted way: loader and dbt together are the oracle."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING

from e2e.oracle import COLUMNS, Row, read_rows
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from loader.contract.text import STRIP_CHARACTERS

if TYPE_CHECKING:
    from conftest import Loader
    from e2e.conftest import Dbt
    from e2e.engines import Tables

# Few of each, so that records meet in their keys and tie in what decides between them.
BLANKS = st.text(st.sampled_from(STRIP_CHARACTERS), max_size=2)
NAMES = st.sampled_from(
    [
        *("a.example", "A.Example", "b.example", "bücher.example", "BÜCHER.example", "STRAẞE"),
        *("İx", "ΟΔΟΣ", "a,b", 'say "x"', "two\nlines", "it's", "x|y", "!n", "a\u200b", "💸"),
        *("\\", "%", "null", "-"),
    ]
)
TYPES = st.sampled_from(["domain", "DOMAIN", "fqdn", "Hostname", "ip", "ipv4", "uri", "sha-1"])
TEXTS = st.one_of(
    st.sampled_from(["me", "ME", "you", "a|", "|b", "!n", "x\r\ny", 'q"q', ""]),
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8),
)
NUMBERS = st.sampled_from(["", "", "0", "5", "+5", "005", "100", "-0"])
MOMENTS = st.sampled_from(
    [
        *("2026-01-02", "2026-01-02 00:00", "2026-01-02T00:00:00Z", "2026-01-02t01:00:00+01:00"),
        *("2026-01-01T23:30-0030", "2026-01-02 00:00:00.000001", "2025-12-31T23:59:59.9"),
        *("2026-01-01", "0001-01-02T00:00+14:00", "9999-12-31T23:59:59.999999"),
        *("2024-02-29T12:00+05", "2026-01-02T14:00+14"),
    ]
)


def padded(values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.builds(lambda a, v, b: a + v + b, BLANKS, values, BLANKS)


RECORDS = st.fixed_dictionaries(
    {
        "indicator": padded(NAMES),
        "indicator_type": padded(TYPES),
        "source": padded(TEXTS).filter(str.strip),
        "confidence": padded(NUMBERS),
        "first_seen": padded(MOMENTS),
        "last_seen": st.one_of(padded(MOMENTS), BLANKS),
        "description": padded(TEXTS),
    }
)


@st.composite
def files(draw: st.DrawFn) -> bytes:
    """A file: columns in any order, perhaps without an optional one, in any quoting."""
    names = draw(st.permutations(COLUMNS))
    left_out = draw(st.sampled_from(["", "", "description", "confidence", "last_seen"]))
    names = [name for name in names if name != left_out]
    rows = draw(st.lists(RECORDS, min_size=1, max_size=30))
    end = draw(st.sampled_from(["\n", "\r\n"]))
    quote_all = draw(st.booleans())
    header = [draw(st.sampled_from([name, name.upper(), f" {name}\t"])) for name in names]

    def field(text: str) -> str:
        needs = quote_all or any(c in text for c in ',"\r\n')
        return '"' + text.replace('"', '""') + '"' if needs else text

    lines = [header, *([row[name] for name in names] for row in rows)]
    text = end.join(",".join(map(field, line)) for line in lines)
    text += draw(st.sampled_from(["", end, end * 3]))
    return text.encode(draw(st.sampled_from(["utf-8", "utf-8-sig"])))


def test_loader_and_dbt_are_the_oracle(
    loader: Loader, dbt: Dbt, feed_folder: Path, tables: Tables
) -> None:
    # GIVEN generated files; a load is seconds, so each load takes many
    contents: list[bytes] = []

    @settings(max_examples=45, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(files())
    def collect(data: bytes) -> None:
        contents.append(data)

    collect()
    assert len(contents) > 40
    dbt("seed")
    landed: list[tuple[int, list[Row]]] = []
    # WHEN they arrive in three loads, with a build after each
    for load_id in (1, 2, 3):
        rows: list[Row] = []
        for number, data in enumerate(contents[load_id - 1 :: 3]):
            path = feed_folder / f"{load_id}-{number}.csv"
            path.write_bytes(data)
            rows += read_rows(path)
        landed.append((load_id, rows))
        loader("load")
        dbt("run")
        # THEN landing table and mart are what plain Python makes of the files
        tables.assert_landed(landed)
        tables.assert_mart(landed)
    assert sum(len(rows) for _, rows in landed) > 200


def test_the_oracle_is_not_asleep(feed_folder: Path) -> None:
    # It reads what the csv module writes; were it to read nothing, all would agree with it.
    out = io.StringIO()
    csv.writer(out).writerows([COLUMNS, ["a"] * len(COLUMNS)])
    (feed_folder / "x.csv").write_text(out.getvalue())
    assert read_rows(feed_folder / "x.csv") == [dict.fromkeys(COLUMNS, "a") | {"_file": "x"}]
