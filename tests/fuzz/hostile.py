"""Files that nobody would call a table, and files that nearly are one; by seed and number."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace

from fuzz.contracts import CONTRACTS, Contract

__all__ = ["BAD_VALUES", "VALUES", "HostileFile", "hostile_file"]

BOM = b"\xef\xbb\xbf"
VALUES: dict[str, list[str]] = {
    "id": ["a", "b1", " c ", "é", "äöüä", "a,b", 'x"y', "it's", "a;b", "1\n2", "\u3000k"],
    "amount": ["", "0", "7", "+5", " 12\t", "1000", "\u00a03", "-0", "007"],
    "kind": ["", "a", "A", "bee", " BEE ", "it's", "IT'S"],
    "note": ["", "n", "two\nlines", "two\r\nlines", ",", '"', "''", "NULL", "\\N", "a|b\tc", "💸"],
    "v": ["", "v", "w ", "two\nlines", '"', "'", "V", "\r\n", "null"],
}
BAD_VALUES: dict[str, list[str]] = {
    "id": ["", "  ", "123456789", "äöüäö", "\u2028"],
    "amount": ["x", "1.0", "1001", "-1", "9" * 20, "\u0661", "1 2", "0" * 41],
    "kind": ["c", "be", "ß", "a" * 13, "İt's"],
    "note": ["n" * 25, "é" * 13, "\u3000" * 9],
    "v": ["v" * 31, "é" * 16, "\u00a0", "\u2003"],
}
# What readers of CSV disagree about.
_TOKENS = [
    *(b"\n", b"\r\n", b"\r", b"\n\n", b"\r\r\n", b"\n\r", b"\r\n\r\n", b"\x0b", b"\x0c"),
    *(b"\0", b"\x1a", b"\x1b", b"\x7f", b"\\", b"\\n", b"\\N", b"#", b"--", b" ", b"  "),
    *(b"\xff", b"\xfe\xff", b"\xc3", b"\x80", b"\xc0\x80", b"\xc0\xaf", b"\xe2\x82", b"\xf5\x80"),
    *(b"\xed\xa0\x80", b"\xed\xb0\x80", b"\xed\xa0\xbd\xed\xb2\xa9", b"\xf4\x90\x80\x80"),
    *(BOM, b"\xef\xbf\xbe", b"\xef\xbf\xbd", "\u200b".encode(), "\u2028".encode()),
    *("\u0085".encode(), "\u00a0".encode(), "\u3000".encode(), b"\x1c", b"\x1f", b"\t"),
    *("é".encode(), "💸".encode(), "İ".encode(), b"a", b"1", b"x", b"a" * 9, b"0", b"bee"),
]


@dataclass(frozen=True)
class HostileFile:
    """Bytes and how they are to be read.

    block_bytes: how much the strict reader takes at once, None for what it takes by itself.
    record_limit: the most bytes a record may have, None for the loader's 4 MB.
    """

    contract: Contract
    data: bytes
    block_bytes: int | None = None
    record_limit: int | None = None

    def with_data(self, data: bytes) -> HostileFile:
        return replace(self, data=data)

    def __str__(self) -> str:
        return (
            f"feed {self.contract.name}, block_bytes={self.block_bytes},"
            f" record_limit={self.record_limit}"
        )


def hostile_file(seed: int, number: int) -> HostileFile:
    """The number-th file of a seed; the same one every time."""
    rng = random.Random(f"{seed}:{number}")
    contract = rng.choice(list(CONTRACTS.values()))
    writer = _Writer(rng, contract)
    header, body = writer.header(), writer.body()
    if rng.random() < 0.12:
        # Anything may happen to the header too, and mostly what comes after is then not read.
        data = writer.spoilt(header + body)
    else:
        data = header + (writer.spoilt(body) if rng.random() < 0.9 else body)
    block_bytes = rng.choice([None, None, None, 1, 2, 3, 7, 16, 31, 64, 200, 1000])
    return HostileFile(
        contract,
        data,
        # A long file byte by byte takes long, and finds no more than a short one does.
        block_bytes=block_bytes and max(block_bytes, len(data) // 50),
        record_limit=rng.choice([None, None, None, None, 40, 120, 700]),
    )


class _Writer:
    """Writes one file, and spoils it."""

    def __init__(self, rng: random.Random, contract: Contract) -> None:
        self._rng, self._contract = rng, contract
        self._end = rng.choice([b"\n", b"\n", b"\r\n"])
        self._quotes = rng.choice(["needed", "needed", "all", "some"])
        # How often a value breaks its rule, and a record has a field too few or too many.
        self._bad, self._ragged = rng.choice([0, 0.02, 0.2]), rng.choice([0, 0, 0.1])
        names = list(contract.columns)
        rng.shuffle(names)
        optional = [name for name in names if not contract.columns[name].get("required")]
        if len(names) > 1 and optional and rng.random() < 0.2:
            names.remove(rng.choice(optional))
        if contract.ignores_extra and rng.random() < 0.4:
            names.insert(rng.randrange(len(names) + 1), rng.choice(["extra", "", "e\nx", "id"]))
        self._names = names

    def header(self) -> bytes:
        """The header line, as exports write it."""
        rng = self._rng
        styles: list[Callable[[str], str]] = [str, str, str, str.upper, str.title]
        styles.append(lambda name: f" {name}\u00a0")
        cells = [rng.choice(styles)(name) for name in self._names]
        bom = BOM if rng.random() < 0.1 else b""
        return bom + self._line(cells) + (self._end if rng.random() < 0.98 else b"")

    def body(self) -> bytes:
        """Records: good ones with a few bad ones, or just what readers disagree about."""
        rng = self._rng
        if rng.random() < 0.3:
            tokens = self._structure() * 6 + _TOKENS
            return b"".join(rng.choices(tokens, k=rng.choice([3, 8, 20, 60])))
        count = rng.choice([0, 1, 2, 5, 12, 12, 40])
        body = b"".join(self._record() + self._end for _ in range(count))
        if rng.random() < 0.25:
            return body.removesuffix(self._end)
        return body + self._end * rng.choice([0, 0, 0, 0, 1, 3])

    def spoilt(self, data: bytes) -> bytes:
        """The data after a few accidents."""
        for _ in range(self._rng.choice([1, 1, 2, 4, 9])):
            data = self._accident(data)
        return data

    def _accident(self, data: bytes) -> bytes:
        rng = self._rng
        here = self._place(data)
        there = min(len(data), here + rng.choice([1, 1, 2, 5, 30]))
        before, span, after = data[:here], data[here:there], data[there:]
        match rng.randrange(14):
            case 0:
                flipped = bytes([span[0] ^ 1 << rng.randrange(8)]) if span else b""
                return before + flipped + span[1:] + after
            case 1:
                return before + after
            case 2:
                return before + span * rng.choice([2, 2, 3, 50]) + after
            case 3:
                return before + self._structure_token() + after
            case 4:
                return before if rng.random() < 0.3 else data[: len(data) - rng.randrange(4)]
            case 5:
                return before + self._end + self._line(self._names) + self._end + span + after
            case 6:
                giant = rng.choice([b"x", b" ", "é".encode(), self._contract.quote * 2, b"y\n"])
                return before + giant * rng.choice([9, 50, 500, 2000]) + span + after
            case 7:
                return data.replace(*rng.choice([(b"\n", b"\r\n"), (b"\r\n", b"\n")]))
            case 8:
                table = self._contract.delimiter.join([b"t"] * rng.choice([1, 2, 7]))
                empty = self._end * rng.choice([1, 2, 3])
                return data + empty + (table + self._end) * rng.choice([1, 2, 3])
            case 9:
                return data + self._record() + self._contract.quote + rng.choice([b"", b"q"])
            case 10 | 11:
                return before + self._structure_token() + span + after
            case _:
                return before + rng.choice(_TOKENS) + span + after

    def _place(self, data: bytes) -> int:
        """Somewhere; mostly beside what gives the file its structure."""
        rng = self._rng
        somewhere = rng.randrange(len(data) + 1)
        if rng.random() < 0.4:
            return somewhere
        found = data.find(rng.choice(self._structure()), somewhere)
        return somewhere if found < 0 else found + rng.randrange(2)

    def _structure(self) -> list[bytes]:
        return [self._contract.delimiter, self._contract.quote, b"\n", self._end]

    def _structure_token(self) -> bytes:
        d, q, n = self._contract.delimiter, self._contract.quote, self._end
        tokens = [d, q, n, q + q, q + d, d + q, q + n, n + q, q + d + q, d + q + q + d, n + n]
        return self._rng.choice([*tokens, q * 3, q + b"\r", b"\r" + q, q + b" ", b" " + q, d * 3])

    def _record(self) -> bytes:
        rng = self._rng
        values = []
        for name in self._names:
            bad = rng.random() < self._bad
            pool = (BAD_VALUES if bad else VALUES).get(name, ["", "e"])
            values.append(rng.choice(pool))
        if rng.random() < self._ragged:
            values = values[:-1] if rng.random() < 0.5 else [*values, rng.choice(["", "more"])]
        return self._line(values)

    def _line(self, values: list[str]) -> bytes:
        d, q = self._contract.delimiter, self._contract.quote
        line = []
        for value in values:
            text = value.encode()
            needed = any(c in text for c in (d, q, b"\r", b"\n"))
            chosen = self._quotes == "all" or (self._quotes == "some" and self._rng.random() < 0.4)
            line.append(q + text.replace(q, q * 2) + q if needed or chosen else text)
        return d.join(line)
