"""Files that are hard to read alike: what a feed may hold at its worst, and much of it at random.

Everything is made from a seed, so a failure can be looked at again.
"""

from __future__ import annotations

import random
import re
import sys
from collections.abc import Callable, Iterable

from loader.contract.text import STRIP_CHARACTERS, simple_lower
from redshift.lab import MEASUREMENTS
from redshift.site import COLUMNS, csv_of

__all__ = ["hard_indicators", "measurements", "random_indicators", "sparse_indicators"]

Record = list[str | None]

# Invisible, and none of them is stripped.
_ZERO_WIDTH = "\u200b\u200c\u200d\u2060\ufeff\u00ad\u180e"
# Two of each length in UTF-8, composed and combining, and what has more than one lower case form.
_TEXTS = [
    *(
        "e\u0301 \u00e9",
        "n\u0303\u00f1",
        "\u1100\u1161\u11a8 \uac01",
        "a\u0323\u0307 a\u0307\u0323",
    ),
    *("\U0001f600\U0001f468\u200d\U0001f469", "\U00010400\U0001d504", "\U0010fffd\U000e0041"),
    *("ΣΑΣ ΟΔΟΣ σς", "ΌΣΟΣ.", "İI ıi", "STRASSE straße ẞ", "ǄǅǆȺⱥȾ", "ΩΩKKÅÅ", "ᏠꭰᲐა"),  # noqa: RUF001
    *("\\N", "\\\\N", "NULL", "null", "None", "nan", "''", '""', '"', '"a" "b"', "'; --", "%s {0}"),
    *("a\\", "\\", "\\n\\t\\x41\\u0041", "c:\\temp\\new", "{{ x }}", "${HOME}", "$$", ":name ?"),
    *(
        "line\nline",
        "line\r\nline",
        "line\rline",
        "tab\ttab",
        "\x01\x02\x7f\x1b",
        "a,b;c|d",
        "\u2028x",
    ),
    *("x\u0085y", "a" * 300, "trailing dot.", "#comment", "-- comment", "/* comment */", "0x41"),
]


def hard_indicators() -> bytes:
    """One record for each thing that engines may see differently, in indicator and description."""
    rows: list[Record] = []

    def add(name: str, description: str | None, **more: str | None) -> None:
        values = {"confidence": "50", "last_seen": None} | more
        rows.append(
            [
                name,
                "Domain",
                "Lab",
                values["confidence"],
                "2026-01-01",
                values["last_seen"],
                description,
            ]
        )

    for blank in STRIP_CHARACTERS:
        text = f"{blank}Strip{blank}{ord(blank):04X}{blank}{blank}"
        add(text, text * 2)
    add(f"{STRIP_CHARACTERS}all of them{STRIP_CHARACTERS[::-1]}", STRIP_CHARACTERS)
    for number, mark in enumerate(_ZERO_WIDTH):
        add(f"{mark}zero{number}{mark}", f" {mark} \t")
    for number, text in enumerate(_TEXTS):
        add(f"text {number} {text}", text)
        add(f"padded {number}", f"\u3000{text}\u00a0")
    # In as many bytes as the column has, of one, two, three and four bytes a character.
    for text in ("x" * 4096, "é" * 2048, "漢" * 1365 + "x", "\U0001f600" * 1024):
        add(f"long {ord(text[0]):x}", text)
    # Longer in lower case: two bytes become three.
    add("Ⱥ" * 1024, "Ⱥ" * 2048)
    add("é" * 1024, " " * 4096)
    for number, empty in enumerate((None, "", " ", "\u3000\t")):
        add(f"empty {number}", empty, confidence=empty, last_seen=empty)
    for number, year in enumerate(("0001-01-01", "1582-10-10", "2000-02-29", "9999-12-31")):
        add(f"year {number}", None, last_seen=year)
    # Ties to the last: only what they say decides.
    for text in _TEXTS[:12]:
        add("tie", text)
    rows += [
        [f"lower {ord(c):06x} {c}", "domain", "lab", "1", "2026-01-01", None, c] for c in _cased()
    ]
    return csv_of(COLUMNS, rows)


def sparse_indicators(count: int) -> bytes:
    """Without the optional columns, the rest in another order; lines end in CRLF."""
    columns = ("source", "first_seen", "indicator", "indicator_type")
    rows = [[" Lab\t", "2026-01-01T00:00:00Z", f"Sparse {n}", "FQDN"] for n in range(count)]
    return csv_of(columns, rows, end="\r\n")


def random_indicators(seed: int, count: int) -> bytes:
    """Few keys and many records of each, so that they compete in every way."""
    rng = random.Random(seed)
    types = ("domain", "ipv4", "url", "IP-dst", "FQDN", "link")
    rows: list[Record] = []
    for _ in range(count):
        rows.append(
            [
                _padded(rng, _cased_at_random(rng, f"Key-{rng.randrange(150)}.Exämple")),
                _padded(rng, _cased_at_random(rng, rng.choice(types))),
                _padded(rng, rng.choice(("Lab", "LAB", "Honeypot Ω", "σς"))),
                rng.choice((None, "", " ", str(rng.randrange(101)), f"+{rng.randrange(9):03}")),
                _timestamp(rng, near=True),
                rng.choice((None, _padded(rng, _timestamp(rng, near=True)))),
                rng.choice((None, "", rng.choice(_TEXTS), _padded(rng, rng.choice(_TEXTS)))),
            ]
        )
    return csv_of(COLUMNS, rows)


def measurements(seed: int, count: int) -> bytes:
    """Records of every type. In every other one some character of one value was tampered with.

    For the validator to sort out: what it accepts is to mean the same everywhere.
    """
    rng = random.Random(seed)
    makers: dict[str, Callable[[random.Random], str]] = {
        "note": lambda rng: rng.choice(_TEXTS)[:24],
        "quantity": _integer,
        "amount": lambda rng: _decimal(rng, 9, 3),
        "wide": lambda rng: _decimal(rng, 28, 10),
        "rain": lambda rng: rng.choice(
            ("-9999", "n.a.", *(_decimal(rng, 9, 3).replace(".", ",") for _ in range(4)))
        ),
        "price": lambda rng: _grouped(_decimal(rng, 9, 3).replace(".", ","), "."),
        "visits": lambda rng: rng.choice(
            ("\\N", "(D)", "-", *(_grouped(_integer(rng), "\u202f") for _ in range(6)))
        ),
        "ratio": lambda rng: (
            _decimal(rng, 20, 20).replace(".", ",")
            + rng.choice(
                ("", f"{rng.choice('eE')}{rng.choice(('', '+', '-'))}{rng.randrange(330)}")
            )
        ),
        "flag": lambda rng: _cased_at_random(
            rng, rng.choice(("true", "t", "yes", "y", "1", "false", "f", "no", "n", "0"))
        ),
        "day": _day,
        "day_dmy": lambda rng: "/".join(reversed(_day(rng).split("-"))),
        "day_any": lambda rng: rng.choice(
            (
                ".".join(reversed(_day(rng).split("-"))),
                _day(rng).replace("-", ""),
                _day(rng).replace("-", "/"),
            )
        ),
        "seen_at": _timestamp,
        "logged_at": lambda rng: (
            f"{'.'.join(reversed(_day(rng).split('-')))} {_clock(rng)}:{rng.randrange(60):02}"
        ),
        "billed": lambda rng: rng.choice(
            ("{}", "-{}", "$ {}", "({})", "{} EUR", "€{}", "{}-", "(USD {})", "{}%")
        ).format(_grouped(_decimal(rng, 9, 3).lstrip("+-"), ",")),
        "done": lambda rng: _cased_at_random(rng, rng.choice(("ja", "x", "nein", "-"))),
        "polled_at": lambda rng: rng.choice(
            (
                str(rng.randrange(-(10**10) + 1, 2 * 10**11)),
                f"{rng.randrange(10**9)}.{rng.randrange(10**6)}",
                f"{rng.randrange(1, 29)}/{rng.randrange(1, 13)}/{rng.randrange(100):02}"
                f" {rng.randrange(1, 13)}:{rng.randrange(60):02} {rng.choice(('am', 'PM'))}",
            )
        ),
        "sent_at": lambda rng: (
            f"{_day(rng)}T{_clock(rng)}:00.{rng.randrange(10**9):09}"
            + rng.choice(("", "Z", "-03:30"))
        ),
        "born": lambda rng: rng.choice(
            (
                str(rng.randrange(61, 2958466)),
                f"{rng.randrange(1, 29)}-{rng.choice(('Jan', 'MAY', 'dec'))}"
                f"-{rng.randrange(100):02}",
            )
        ),
    }
    rows: list[Record] = []
    for number in range(count):
        values = {name: make(rng) for name, make in makers.items()}
        if number % 2:
            name = rng.choice(list(makers))
            values[name] = _tampered(rng, values[name])
        for name in makers:
            values[name] = (
                rng.choice(("", " \t")) if rng.random() < 0.1 else _padded(rng, values[name])
            )
        rows.append([f"row {number}", *(values[name] for name in makers)])
    for column, texts in _ENDS.items():
        for number, text in enumerate(texts):
            values = dict.fromkeys(MEASUREMENTS, "") | {column: text}
            rows.append([f"{column} {number}", *(values[name] for name in makers)])
    assert list(makers) == list(MEASUREMENTS[1:])
    return csv_of(MEASUREMENTS, rows)


# The ends of every type, and one step beyond.
_ENDS = {
    "quantity": (
        "9223372036854775807", "-9223372036854775808", "9223372036854775808",
        "-9223372036854775809", "+0", "-0", "0" * 40 + "7", "00", "+9223372036854775807", "1e3",
        "1.0", "0x10", "1_000", "٣",
    ),
    "amount": (
        "999999999.999", "-999999999.999", "1000000000", ".001", "-.001", "5.", "+.5",
        "1.0000000", "0.0005", "00000000000001.5", "-0.000", "1e5", ".", "-", "NaN", "Infinity",
        "1,5",
    ),
    "wide": (
        "9" * 28 + "." + "9" * 10, "-" + "9" * 28 + "." + "9" * 10, "9" * 29,
        "0." + "0" * 9 + "1", "0." + "0" * 10 + "1", "1." + "0" * 60,
    ),
    "rain": (
        "-9999", "-9999,0", "9999", "N.A.", "922,8", "922.8", ",5", "1.234,5", "1,234,5", "n.a. 1",
    ),
    "price": (
        "1.234.567,8", "1234567,8", "1.5", "1.234", "12.34", "1.234,", "1,5", "1..234", "1234.567",
        ".234", "-999.999.999,999", "1.000.000.000", "1.234_567", "1_234",
    ),
    "visits": (
        "\\n", "(d)", "--", "1\u202f234\u202f567", "1234567", "1\u00a0234", "1 234",
        "1.234", "1_234",
        "9\u202f223\u202f372\u202f036\u202f854\u202f775\u202f807", "\u202f123", "1\u202f23",
        "9\u202f223\u202f372\u202f036\u202f854\u202f775\u202f808", "1\u202f\u202f234",
    ),
    "ratio": (
        "145,391998291E0", "-6,08168983451", "5,e3", ",5", "+1e+5", "-0", "0e999", "1e308",
        "1,8e308", "-1,7976931348623157e308", "2,2250738585072014e-308", "1e-308", "5e-324",
        "nan", "inf", "0,1", "1e23", "9007199254740993", "1e0005", "1.5",
    ),
    "flag": (
        "TRUE", "T", "Y", "no", "on", "off", "2", "tru", "\u2003yes\u2003",
    ),
    "day": (
        "0001-01-01", "9999-12-31", "2024-02-29", "2023-02-29", "1900-02-29", "2000-02-29",
        "0000-01-01", "2024-1-1", "2024-13-01", "2024-04-31", "24-01-01", "infinity", "epoch",
        "today", "10000-01-01",
    ),
    "day_dmy": (
        "29/02/2024", "29/02/2023", "31/12/9999", "01/01/0001", "12/31/2024", "1/1/2024",
        "31-12-2024",
    ),
    "day_any": (
        "29.02.2024", "29.02.2023", "20240229", "20230229", "9999/12/31", "0001/01/01",
        "2024-01-01", "01/01/2024", "2024.01.01", "240101", "00000000", "2024/1/1",
    ),
    "seen_at": (
        "2024-02-29", "2024-02-29T23:59", "2024-02-29 23:59:59", "2024-02-29t23:59:59.9z",
        "2024-02-29T23:59:59.123456Z", "2024-02-29T23:59:59.1234567Z",
        "2024-01-01T00:00:00+14:00", "2024-01-01T00:00:00-14:00", "2024-01-01T00:00:00+14:01",
        "2024-01-01T00:00:00+05", "2024-01-01T00:00:00-0530", "2024-03-01T00:30+01:00",
        "2024-12-31T23:30:00-01:00", "0001-01-01T00:00:00Z", "0001-01-01T00:00:00+01:00",
        "9999-12-31T23:59:59.999999", "9999-12-31T23:59:59-01:00", "2024-01-01T24:00:00",
        "2024-01-01T23:59:60", "2024-01-01T1:00", "2024-01-01T00:00:00 Z",
        "2024-01-01T00:00:00,5", "2024-01-01  00:00", "2024-01-01T00:00:00.Z", "2024-01-01Z",
        "1582-10-10T12:00:00Z", "1969-12-31T23:59:59.999999Z", "2024-01-01T00:00-00:00",
    ),
    "logged_at": (
        "29.02.2024 23:59:59", "31.12.9999 00:00:00", "29.02.2023 00:00:00",
        "01.01.2024 24:00:00", "01.01.2024 00:00", "01.01.2024T00:00:00",
    ),
    "billed": (
        "$1,250.50", "(1,250.50)", "1250.5-", "-(5)", "$", "5 000", "1,25", "(5", "5$%", "EUR-5.5",
    ),
    "done": ("JA", "x", "true", "1", "nein", "-", "--"),
    "polled_at": (
        "0", "-1", "-1.5", "253402300799", "253402300800", "-9999999999", "-10000000000", "1.5.5",
        "1700000000.123456", "1700000000.1234567", "1/2/68 12:00 AM", "1/2/69 12:00 PM", "1e9",
        "29/2/23 1:00 am", "1/2/24 13:00 pm",
    ),
    "sent_at": (
        "2024-01-01T00:00:00.1234567", "2024-01-01T00:00:00.999999999Z", "2024-01-01 00:00 UTC",
        "2024-01-01 00:00:00.1234567 UTC", "2024-01-01", "2024-01-01T00:00:00.1234567890",
        "2024-01-01T00:00:00.1234567+05:30",
    ),
    "born": (
        "59", "60", "61", "2958465", "2958466", "1-Jan-20", "31-DEC-19", "29-Feb-00", "1-1-20",
    ),
    # Exactly the bytes of the column, and one more.
    "note": (
        "é" * 48, "漢" * 32, "\U0001f600" * 24, "x" * 97, "é" * 48 + "x",
    ),
}  # fmt: skip


def _cased() -> Iterable[str]:
    """Every character that has another one for its lower case."""
    characters = map(chr, range(sys.maxunicode + 1))
    return [c for c in characters if not 0xD800 <= ord(c) <= 0xDFFF and simple_lower(c) != c]


def _padded(rng: random.Random, text: str) -> str:
    if rng.random() < 0.5:
        return text
    before, after = ("".join(rng.choices(STRIP_CHARACTERS, k=rng.randrange(4))) for _ in range(2))
    return f"{before}{text}{after}"


def _cased_at_random(rng: random.Random, text: str) -> str:
    return "".join(rng.choice((c.upper(), c.lower())) for c in text)


def _tampered(rng: random.Random, text: str) -> str:
    signs = "0123456789+-.:/TZtze \u00a0\u202f,_\u0664NaNinf"
    at = rng.randrange(len(text) + 1)
    match rng.randrange(3):
        case 0:
            return text[:at] + rng.choice(signs) + text[at:]
        case 1:
            return text[:at] + text[at + 1 :]
        case _:
            return text[:at] + rng.choice(signs) + text[at + 1 :]


def _integer(rng: random.Random) -> str:
    digits = str(rng.randrange(10 ** rng.randrange(1, 20)))
    return rng.choice(("", "+", "-")) + "0" * rng.randrange(3) + digits


def _decimal(rng: random.Random, whole: int, scale: int) -> str:
    before = "".join(rng.choices("0123456789", k=rng.randrange(whole + 1)))
    after = "".join(rng.choices("0123456789", k=rng.randrange(scale + 1)))
    digits = f"{before}.{after}{'0' * rng.randrange(3)}" if rng.random() < 0.8 else before
    return rng.choice(("", "+", "-")) + (digits if digits.strip(".") else "0")


def _grouped(number: str, group_char: str) -> str:
    """A number with a sign between the thousands of its whole part, if it has no other noughts."""
    return re.sub(
        r"^([+-]?)([0-9]+)",
        lambda found: found[1] + f"{int(found[2]):,}".replace(",", group_char),
        number,
    )


def _day(rng: random.Random) -> str:
    year = rng.choice((1, 1582, 1900, 1970, 2000, 2023, 2024, 9998, rng.randrange(1, 9999)))
    return f"{year:04}-{rng.randrange(1, 13):02}-{rng.randrange(1, 29):02}"


def _clock(rng: random.Random) -> str:
    return f"{rng.randrange(24):02}:{rng.randrange(60):02}"


def _timestamp(rng: random.Random, near: bool = False) -> str:
    day = f"2026-01-{rng.randrange(1, 5):02}" if near else _day(rng)
    if rng.random() < 0.2:
        return day
    text = f"{day}{rng.choice('Tt ')}{rng.choice(('00:00', '23:30', _clock(rng)))}"
    if rng.random() < 0.7:
        text += f":{rng.randrange(60):02}"
        if rng.random() < 0.5:
            text += "." + "".join(rng.choices("0123456789", k=rng.randrange(1, 7)))
    if rng.random() < 0.3:
        return text
    hours, minutes = rng.randrange(14), rng.choice((0, 30, 45, 59))
    sign = rng.choice("+-")
    zones = (
        "Z",
        "z",
        f"{sign}{hours:02}",
        f"{sign}{hours:02}{minutes:02}",
        f"{sign}{hours:02}:{minutes:02}",
    )
    return text + rng.choice(zones)
