"""Makes a large file of the example feed: `python -m bench.make_feed --records N FILE`.

The records are those of samples/make_samples.py, by the million: its words, its blanks, its dirt,
and as many duplicates. The same file comes out every time (of the pinned DuckDB, whose hash() is
the source of chance). With `--rejects 0.01` every hundredth record is broken, in each of the ways
of BREAKAGES in turn.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import duckdb

from samples.make_samples import (
    ALIASES,
    ALL_BLANKS,
    COLUMNS,
    COMMON_BLANKS,
    DESCRIPTIONS,
    SOURCES,
    WORDS,
    ZONES,
)

__all__ = ["BREAKAGES", "broken_records", "make_feed"]

# The fields that each breakage replaces, in SQL; None leaves the last field out.
BREAKAGES: dict[str, dict[str, str | None]] = {
    "bad integer": {"confidence": "'eighty'"},
    "unknown type": {"indicator_type": "'asn'"},
    "missing value": {"source": "'  '"},
    "too few fields": {"description": None},
    # Two of them: a single one makes Polars refuse the whole file, and nothing could be measured.
    "stray quote": {"description": "'Calls itself \"Viewer\" there'"},
    "bad timestamp": {"first_seen": "'31/05/2026'"},
}

_BATCH = 250_000
# Pydantic's own datetime does not read the feed's +02 and is to be measured, not to be replaced.
_OFFSETS = ["", "", "Z", "z", "+00:00", "-05:00", "+0530", "+05:45", "-0330", "+14:00"]
_FORMS = ["%Y-%m-%d", *["%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dt%H:%M:%S"] * 2]
_FORMS += ["%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S.%f", "%Y-%m-%dT%H:%M:%S.%g"]
_TYPES = ["domain", "domain", "hostname", "ipv4", "ipv4", "ipv6", "url", "email"]
_TYPES += ["md5", "sha1", "sha256"]


def broken_records(records: int, rejects: float) -> dict[str, int]:
    """How many records of a file are broken in each way."""
    broken = range(int(records * rejects))
    return {name: len(broken[way :: len(BREAKAGES)]) for way, name in enumerate(BREAKAGES)}


def make_feed(
    path: Path, records: int, rejects: float = 0.0, start: int = 0, end: int | None = None
) -> None:
    """Writes a file of so many records, of which this part is broken, spread evenly.

    start, end: write only the records from one number to before another.
    """
    until = records if end is None else end
    step = round(1 / rejects) if rejects else 0
    with duckdb.connect() as connection, path.open("w", encoding="utf-8", newline="") as file:
        for statement in _MACROS:
            connection.execute(statement)
        file.write(",".join(COLUMNS) + "\n")
        for first in range(start, until, _BATCH):
            last = min(first + _BATCH, until)
            text = connection.execute(_lines(records, step), [first, last]).fetchone()
            assert text is not None
            file.write(text[0])


def _list(values: list[str]) -> str:
    """A list as SQL writes it."""
    return "[" + ", ".join("'" + value.replace("'", "''") + "'" for value in values) + "]"


def _nth(values: list[str]) -> str:
    """The value whose turn it is."""
    return f"{_list(values)}[n % {len(values)} + 1]"


# pick and choose go by record and salt; any other choice has another salt.
_MACROS = [
    "create macro pick(i, salt, n) as cast(hash(i * 1000 + salt) % n as integer)",
    "create macro choose(i, salt, options) as options[pick(i, salt, len(options)) + 1]",
    """create macro any_case(i, salt, t) as case pick(i, salt, 5)
        when 0 then upper(t) when 1 then upper(t[1]) || t[2:] else t end""",
    f"""create macro blank(i, salt) as case
        when pick(i, salt, 3) = 0 then ''
        when pick(i, salt + 1, 100) < 77 then choose(i, salt + 2, {_list(COMMON_BLANKS)})
        else choose(i, salt + 2, {_list(ALL_BLANKS)}) end""",
    """create macro padded(i, salt, t) as case when pick(i, salt, 10) < 7 then t
        else blank(i, salt + 1) || t || blank(i, salt + 4) end""",
    """create macro field(t) as case when regexp_matches(t, '[",\r\n]')
        then '"' || replace(t, '"', '""') || '"' else t end""",
    f"""create macro moment(i, salt, t) as case choose(i, salt, {_list(_FORMS)})
        {" ".join(f"when '{form}' then strftime(t, '{form}')" for form in sorted(set(_FORMS)))} end
        || case when choose(i, salt, {_list(_FORMS)}) = '%Y-%m-%d' then ''
        else choose(i, salt + 1, {_list(_OFFSETS)}) end""",
    f"create macro word(n) as {_nth(WORDS)}",
    f"create macro zone(n) as {_nth(ZONES)}",
    """create macro observable(kind, n) as case kind
        when 'domain' then word(n) || '-' || n || '.' || zone(n)
        when 'hostname' then if(n % 9 = 0, 'bücher', 'www') || n % 4 || '.' || word(n) || n
            || '.' || zone(n)
        when 'ipv4' then '198.18.' || n // 256 % 256 || '.' || n % 256
        when 'ipv6' then '2001:db8:' || n % 7 || '::' || printf('%x', n)
        when 'url' then 'https://' || word(n) || '.' || zone(n) || '/' || n || '?q='
            || if(n % 5 = 0, 'Ünï', 'a') || ',b&c="' || n % 3 || '"'
        when 'email' then word(n) || '.' || n || '@' || zone(n)
        when 'md5' then md5(n::varchar)
        when 'sha1' then sha1(n::varchar)
        else sha256(n::varchar) end""",
]


def _lines(records: int, step: int) -> str:
    """The query of the text of records [$1, $2); every step-th of them is broken."""
    aliases = " ".join(
        f"when '{kind}' then choose(i, 5, {_list([kind, kind, *others])})"
        for kind, others in ALIASES.items()
    )
    values = {
        "indicator": "padded(i, 100, if(ascii, any_case(i, 6, value), value))",
        "indicator_type": f"padded(i, 110, any_case(i, 7, case kind {aliases} else kind end))",
        "source": f"padded(i, 120, if(pick(i, 8, 5) > 0,"
        f" any_case(i, 9, choose(i, 10, {_list(SOURCES[:5])})), choose(i, 10, {_list(SOURCES)})))",
        "confidence": "padded(i, 130, case pick(i, 11, 7) when 0 then '' when 1 then '+' || level"
        " when 2 then printf('%03d', level) when 3 then '+' || printf('%04d', level)"
        " else level::varchar end)",
        "first_seen": "padded(i, 140, moment(i, 12, seen - to_days(pick(i, 14, 4) * 10)))",
        "last_seen": "padded(i, 150, if(pick(i, 15, 20) < 3, '',"
        " moment(i, 16, seen + to_days(pick(i, 18, 3)))))",
        "description": f"padded(i, 160, if(pick(i, 19, 5) = 0, '',"
        f" choose(i, 20, {_list(DESCRIPTIONS)})))",
    }
    line = " || ".join(_field(name, sql, bool(step)) for name, sql in values.items())
    way = (
        f"if(row % {step} = {step - 1}, row // {step} % {len(BREAKAGES)}, null)" if step else "null"
    )
    # A tenth of the records are earlier ones, to the letter; of the rest, many are about the same.
    return f"""
        with rows as (
            select row, if(pick(row, 0, 10) = 0, row - pick(row, 1, least(row, 100000) + 1), row)
                as i
            from range($1, $2) as numbers(row)
        ),
        facts as (
            select row, i, {way} as way, choose(i, 2, {_list(_TYPES)}) as kind,
                pick(i, 3, {max(1, records * 2 // 5)}) as n,
                choose(i, 4, [0, 10, 25, 50, 50, 75, 75, 90, 100, pick(i, 21, 101)]) as level
            from rows
        ),
        observed as (
            select *, observable(kind, n) as value, value = strip_accents(value) as ascii,
                timestamp '2026-01-01 21:30:15.25' + to_days(n % 20) as seen
            from facts
        )
        select string_agg({line} || chr(10), '' order by row) from observed
    """


def _field(name: str, sql: str, breaks: bool) -> str:
    """One field with the comma before it, or what a breakage puts in its place as it stands."""
    comma = "" if name == COLUMNS[0] else "',' || "
    whole = f"{comma}field({sql})"
    broken = [
        f"when {way} then " + ("''" if replaced[name] is None else f"{comma}{replaced[name]}")
        for way, replaced in enumerate(BREAKAGES.values())
        if name in replaced
    ]
    return f"case way {' '.join(broken)} else {whole} end" if breaks and broken else whole


def main() -> None:
    """Writes the file that the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m bench.make_feed", description=__doc__)
    parser.add_argument("path", type=Path, metavar="FILE")
    parser.add_argument("--records", type=int, required=True)
    parser.add_argument("--rejects", type=float, default=0.0)
    parser.add_argument("--start", type=int, default=0, help="the first record to write")
    parser.add_argument("--end", type=int, help="the first record not to write any more")
    arguments = parser.parse_args()
    make_feed(*vars(arguments).values())


if __name__ == "__main__":
    main()
