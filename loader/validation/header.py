"""Which column of the contract stands at which place of a file."""

import re
from collections import Counter
from collections.abc import Sequence

from loader.contract.feed import Feed
from loader.contract.text import simple_lower
from loader.errors import DataRefused
from loader.records.engine import Extra
from loader.validation.rules import listed

# A table of Redshift has up to 1,600 columns; of more than these the engine has no room for rows.
_MAX_CELLS = 3000
# What a line that is a comment begins with.
_MARK = re.compile("[#;!%/*]+")
_USUAL_DELIMITERS = ("||", *",;\t|")


def match_header(
    fields: tuple[str, ...], feed: Feed, next_lines: Sequence[str] = ()
) -> tuple[str | None, ...]:
    """Find the contract's column for each header cell, by name, without regard to blanks or case.

    The column is None for a cell that the contract lets pass unread, and Extra for one that it
    keeps, which is called as names are compared. next_lines: the lines after the header, among
    which the real header may be. Raises DataRefused that says how the header differs from the
    contract.
    """
    if len(fields) > _MAX_CELLS:
        raise DataRefused(f"the header has {len(fields):,} cells; {_MAX_CELLS:,} are allowed")
    known = known_names(feed)
    policy = feed.options.columns
    names = [simple_lower(field.strip()) for field in fields]
    if policy.repeated == "number":
        names = _numbered(names)
    columns = [known.get(name) for name in names]
    unknown = [name for name, column in zip(names, columns, strict=True) if not column]
    if policy.blank == "ignore":
        unknown = [name for name in unknown if name]
    if policy.extra == "keep":
        kept = (Extra(name) if name else None for name in names)
        columns = [known.get(name) or extra for name, extra in zip(names, kept, strict=True)]
        unknown = [name for name in unknown if not name]
    counts = Counter(column for column in columns if column)
    missing = [
        column.name
        for column in feed.file_columns
        if column.name not in counts and (column.required or policy.missing == "error")
    ]
    repeated = [name for name, count in counts.items() if count > 1]
    problems = [f"column {listed(repeated)} stands in it twice"] if repeated else []
    if missing:
        problems.append(f"missing: {listed(missing)}")
    if unknown and policy.extra != "ignore":
        problems.append(f"unknown: {listed([*map(repr, unknown)])}")
    if problems:
        hint = "" if known.keys() & set(names) else _hint(fields, set(known), feed, next_lines)
        if repeated and policy.repeated == "error":
            hint += " `columns.repeated: number` tells columns of one name apart."
        if "" in unknown and policy.extra != "ignore":
            hint += " `columns.blank: ignore` leaves out columns without a name."
        if missing and "" in names:
            hint += (
                " If columns without a name hold data, the contract can name all in their order:"
                " `header: false`, with `skip_rows` for the lines of the header."
            )
        if any(unknown) and policy.extra != "ignore" and not hint:
            hint = (
                " The key `header` of a column gives it the other names that it has in files;"
                " `columns.extra: ignore` or `keep` lets further columns pass."
            )
        raise DataRefused(
            f"the header does not fit the contract of {feed.name}; {'; '.join(problems)}."
            f" Expected: {listed(feed.file_names)}.{hint}"
        )
    return tuple(columns)


def known_names(feed: Feed) -> dict[str, str]:
    """Each column's name by what may stand for it in a header, as names are compared."""
    return {
        simple_lower(name.strip()): column.name
        for column in feed.file_columns
        for name in (column.name, *column.header)
    }


def is_header(fields: Sequence[str], feed: Feed) -> bool:
    """Whether the cells of a line are the feed's header: two of its names or, if it has one, it.

    Of a feed without headers half of the names: values may be called as columns are.
    """
    known = known_names(feed)
    names = [simple_lower(field.strip()) for field in fields]
    if feed.options.columns.repeated == "number":
        names = _numbered(names)
    named = {known.get(name) for name in names} - {None}
    required = {column.name for column in feed.columns if column.required}
    count = len(feed.file_columns)
    least = 2 if feed.options.header else max(2, count // 2)
    return len(named) >= min(least, count) and named >= required


def _numbered(names: Sequence[str]) -> list[str]:
    """The names, of which the second of a kind gets _2 behind it, the third _3."""
    times = Counter[str]()
    numbered = []
    for name in names:
        times[name] += 1
        numbered.append(f"{name}_{times[name]}" if name and times[name] > 1 else name)
    return numbered


def _hint(fields: tuple[str, ...], known: set[str], feed: Feed, next_lines: Sequence[str]) -> str:
    """What the first line seems to be, if it has no name of the contract."""
    expected = chr(feed.dialect.delimiter)
    line = expected.join(fields)
    for delimiter in _USUAL_DELIMITERS:
        if delimiter != feed.options.delimiter and len(_cells(line, delimiter) & known) > 1:
            return (
                f" It seems to be delimited by {delimiter!r}; the contract says"
                f" {feed.options.delimiter!r} (key delimiter)."
            )
    for number, text in enumerate(next_lines, start=2):
        if len(_cells(text, expected) & known) > len(known) // 2:
            mark = _MARK.match(text)
            comment = (
                f", with `comment: {mark[0]!r}` for what stands before the names," if mark else ""
            )
            return (
                f" Line {number} looks like the header: `skip_rows: to_header`{comment} skips what"
                f" stands before it, which begins with {line[:120]!r}."
            )
    return (
        f" No name of the contract is in the first line, {line[:120]!r}: is there a header? If not,"
        " say `header: false`."
    )


def _cells(line: str, delimiter: str) -> set[str]:
    """The names in a line, as they would stand in a header."""
    return {simple_lower(cell.strip().strip('"')) for cell in line.split(delimiter)}
