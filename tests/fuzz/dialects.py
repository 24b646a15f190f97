"""Files in dialects that are drawn as the files are; by seed and number."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from fuzz.contracts import COLUMNS, Contract
from fuzz.hostile import BAD_VALUES, VALUES

__all__ = ["DialectFile", "dialect_file"]

# So many files have the same dialect, which one validator reads.
_FILES = 10
# What one dialect or another gives a meaning.
_TOKENS = [
    *("\n", "\r\n", "\r", "\r\r\n", "\n\n", "\\", "\\\\", "\\\n", "\\\r\n", "\\,", '\\"', '"'),
    *('""', '"""', " ", "  ", "\t", ' "', '" ', "#", "\n#", "\n# x\\\n", '\n#"\n', "\0", "\ufeff"),
    *("\n\ufeff", "|", "||", "|||", "~|", "~|~", "::", ",", ";", "'", "é", "x", "Total", "\nTotal"),
    *("\n,,\n", "\nid", "\r\\\n", "\x1f", "\u2028", "\x85"),
]


@dataclass(frozen=True)
class DialectFile:
    """Bytes, the options of their feed, and how many of them are turned at a time."""

    options: Mapping[str, Any]
    data: bytes
    block_bytes: int | None = None
    contract: Contract = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "contract", Contract("dialect", COLUMNS, self.options))

    def with_data(self, data: bytes) -> DialectFile:
        return replace(self, data=data)

    def __str__(self) -> str:
        return f"feed options {dict(self.options)}, block_bytes={self.block_bytes}"


def dialect_file(seed: int, number: int) -> DialectFile:
    """The number-th file of a seed; the same one every time."""
    options = _options(random.Random(f"{seed}:dialect:{number // _FILES}"))
    rng = random.Random(f"{seed}:file:{number}")
    text = _Writer(rng, options).file()
    encoding = options.get("encoding", "utf-8")
    data = text.encode(encoding, "ignore")
    if rng.random() < 0.1 and data:
        at = rng.randrange(len(data))
        data = data[:at] + rng.choice([b"\xff", b"\x81", b"\xc3", b"\xed\xb2\x80"]) + data[at:]
    block_bytes = rng.choice([None, None, 64, 200])
    first, to_header = text.partition("\n")[0], options.get("skip_rows") == "to_header"
    by_line = to_header or options.get("repeated_header") or options.get("header") is False
    if by_line or "\r" in first.rstrip("\r") or "\n" not in text:
        # Where the header is, and how lines end, the first block says.
        block_bytes = None
    return DialectFile(options, data, block_bytes and max(block_bytes, len(data) // 50))


def _options(rng: random.Random) -> dict[str, Any]:
    """A dialect; one that is refused as a contract is never drawn."""
    options: dict[str, Any] = {}

    def draw(chance: float, **words: Any) -> None:
        if rng.random() < chance:
            options.update(words)

    delimiters = [",", ",", ",", ";", "\t", "||", "~|~", "::", "|~", " | ", "\u00a6", "\x01"]
    options["delimiter"] = rng.choice(delimiters)
    options["quote"] = rng.choice(['"', '"', '"', "'", "none"])
    draw(0.4, escape=rng.choice(["\\", "\\", "\\", "^"]))
    draw(0.2, double_quote=False)
    draw(0.3, skip_initial_space=True)
    draw(0.3, comment=rng.choice(["#", "#", "//"]))
    draw(0.2, skip_lines=rng.choice([["Total.*"], ['(")?Total[^x]*', r"\d+"], ["x+", "#.*"]]))
    draw(0.2 * (options["delimiter"] != " | "), skip_blank_rows=True)
    draw(0.2, skip_rows=rng.choice([1, 2]))
    draw(0.15, skip_rows="to_header")
    draw(0.15 * (options.get("skip_rows") != "to_header"), header=False)
    draw(0.15, repeated_header="skip")
    draw(0.2, encoding=rng.choice(["latin-1", "cp1252", "utf-16", "utf-16-le"]))
    columns: dict[str, Any] = {}
    draw(0.5, columns=columns)
    for word, chosen in {"blank": "ignore", "short": "null", "repeated": "number"}.items():
        if rng.random() < 0.5:
            columns[word] = chosen
    if rng.random() < 0.3:
        columns["extra"] = "ignore"
    return options


class _Writer:
    """Writes one file as its dialect has it, and spoils it."""

    def __init__(self, rng: random.Random, options: Mapping[str, Any]) -> None:
        self._rng, self._options = rng, options
        self._d: str = options["delimiter"]
        self._q: str = options["quote"].replace("none", "")
        self._e: str = options.get("escape", "")
        self._end = rng.choice(["\n", "\n", "\n", "\r\n", "\r\r\n"])
        self._bad, self._ragged = rng.choice([0, 0, 0.1]), rng.choice([0, 0, 0.1])
        self._names = list(COLUMNS)
        if options.get("header") is not False:
            rng.shuffle(self._names)

    def file(self) -> str:
        rng, options, end = self._rng, self._options, self._end
        head = ""
        if options.get("skip_rows"):
            rows = options["skip_rows"] if options["skip_rows"] != "to_header" else 2
            lines = ["made by hand", "x y", "it's \\", "1,2", "é"]
            head += "".join(rng.choice(lines) + end for _ in range(rows))
        elif rng.random() < 0.3:
            head += self._skipped()
        if options.get("header") is not False:
            names = [name.upper() if rng.random() < 0.3 else name for name in self._names]
            if options.get("columns", {}).get("blank") and rng.random() < 0.5:
                names.append("")
            mark = options.get("comment", "")
            if options.get("skip_rows") == "to_header" and rng.random() < 0.5:
                head += mark + " "
            head += self._line(names) + end
        count = rng.choice([0, 1, 3, 8, 8, 20])
        body = "".join(self._record() + end for _ in range(count))
        for _ in range(rng.choice([0, 0, 1, 1, 2, 5])):
            body = self._accident(body)
        if rng.random() < 0.05:
            head = self._accident(head)
        text = head + body
        if rng.random() < 0.1:
            text = text[: -rng.randrange(1, 6)]
        if rng.random() < 0.05:
            text = "\ufeff" + text
        if rng.random() < 0.05:
            text = text.replace("\r", "").replace("\n", "\r")
        return text

    def _skipped(self) -> str:
        """Lines that the contract skips."""
        options, lines = self._options, [""]
        if comment := options.get("comment"):
            lines += [comment + rest + self._end for rest in ("", " it's \"open", "\\", self._d)]
        if options.get("skip_blank_rows"):
            lines += [self._d * 3 + self._end, " \t" + self._end]
        return "".join(self._rng.choices(lines, k=2))

    def _noise(self) -> str:
        """Lines that a contract may skip."""
        d, end = self._d, self._end
        lines = ["# it's \"open", "#", "//", "Total" + d + "1", d * 3, "", " " + d, "xx", "#\\"]
        return "".join(line + end for line in self._rng.choices(lines, k=self._rng.choice([1, 2])))

    def _record(self) -> str:
        rng = self._rng
        if rng.random() < 0.1:
            return self._noise().removesuffix(self._end)
        if rng.random() < 0.02:
            return self._line(self._names)
        pools = [BAD_VALUES if rng.random() < self._bad else VALUES for _ in self._names]
        values = [rng.choice(pool[name]) for pool, name in zip(pools, self._names, strict=True)]
        if rng.random() < self._ragged:
            values = values[:-1] if rng.random() < 0.5 else [*values, rng.choice(["", "more"])]
        if self._options.get("columns") and rng.random() < 0.2:
            values = values[:-1] if rng.random() < 0.3 else [*values, ""]
        return self._line(values)

    def _line(self, values: list[str]) -> str:
        rng, blanks = self._rng, self._options.get("skip_initial_space")
        fields = [self._field(value) for value in values]
        if blanks:
            fields = [rng.choice(["", " ", " ", "  ", "\t"]) + written for written in fields]
        return self._d.join(fields)

    def _field(self, value: str) -> str:
        rng, d, q, e = self._rng, self._d, self._q, self._e
        if e and rng.random() < 0.4:
            # As MySQL writes it, quoted or not.
            signs = {e, d[0], "\n", "\r", q} if not q or rng.random() < 0.5 else {e, q}
            written = "".join(e + c if c in signs else c for c in value)
            is_safe = d[0] in signs or not any(c in value for c in (d[0], "\n", "\r"))
            return written if is_safe and rng.random() < 0.5 else q + written + q
        if q and (any(sign in value for sign in (d, q, "\n", "\r")) or rng.random() < 0.2):
            return q + value.replace(q, q * 2) + q
        return value if q else value.replace(d, "").replace("\n", "").replace("\r", "")

    def _accident(self, text: str) -> str:
        rng = self._rng
        at = rng.randrange(len(text) + 1)
        if rng.random() < 0.6:
            near = text.find(rng.choice([self._d, self._q or self._d, self._end]), at)
            at = near + rng.randrange(2) if near >= 0 else at
        token = rng.choice([*_TOKENS, self._d, self._q, self._e, self._d + self._q, self._e * 2])
        match rng.randrange(5):
            case 0:
                return text[:at] + text[at + rng.choice([1, 1, 2, 9]) :]
            case 1:
                return text[:at] + token + text[at + 1 :]
            case 2:
                return text[:at] + token * rng.choice([2, 3]) + text[at:]
            case _:
                return text[:at] + token + text[at:]
