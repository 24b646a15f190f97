"""Make the sample feed: `python samples/make_samples.py` rewrites samples/indicators/.

The same bytes come out every time. The last file has a handful of records that the loader refuses;
all else is dirty in every way that it accepts and in none that it refuses: blanks of all kinds
around values, upper and lower case, aliases, duplicates in a file and across files, columns in
another order, header names with blanks, gzip, byte order mark, CRLF, line breaks and quotes inside
fields, letters of many scripts, empty fields, every form of a timestamp. All of it is invented:
names end in .example, .test, .invalid or example.com (RFC 2606), addresses are the documentation
ranges (RFC 5737, RFC 3849), and hashes are of numbers.
"""

import gzip
import hashlib
import io
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

SEED = 20260105
FOLDER = Path(__file__).parent / "indicators"
COLUMNS = [
    "indicator",
    "indicator_type",
    "source",
    "confidence",
    "first_seen",
    "last_seen",
    "description",
]

# What str.strip() removes, as feeds have it: mostly blanks and tabs, now and then something exotic.
COMMON_BLANKS = [" ", "  ", "\t", "\u00a0"]
# fmt: off
ALL_BLANKS = [
    "\t", "\n", "\v", "\f", "\r", "\x1c", "\x1d", "\x1e", "\x1f", " ", "\x85", "\u00a0",
    "\u1680", "\u2000", "\u2001", "\u2002", "\u2003", "\u2004", "\u2005", "\u2006", "\u2007",
    "\u2008", "\u2009", "\u200a", "\u2028", "\u2029", "\u202f", "\u205f", "\u3000",
]
# fmt: on

ALIASES = {
    "hostname": ["fqdn", "host"],
    "ipv4": ["ip", "ip-dst", "ip-src", "ipv4-addr"],
    "ipv6": ["ipv6-addr"],
    "url": ["uri", "link"],
    "email": ["email-addr", "e-mail"],
    "sha1": ["sha-1"],
    "sha256": ["sha-256"],
}

WORDS = [
    "update",
    "login",
    "secure",
    "account",
    "cdn",
    "mail",
    "static",
    "portal",
    "invoice",
    "parcel",
    "bank",
]
ZONES = ["example", "test", "invalid", "example.com", "example.net", "example.org"]
SOURCES = [
    "Abuse Desk",
    "CERT Example",
    "honeypot-7",
    "Sinkhole",
    "Threat Exchange",
    "Überwachung GmbH",
    "観測所",
]
DESCRIPTIONS = [
    "Phishing page",
    "Command and control, beacon every 60 s",
    'Calls itself "Invoice Viewer"',
    '"quoted", with a comma',
    "Dropper\nsecond stage by HTTP",
    "Seen in a report\r\nof three lines,\r\nsee there",
    "Faux site de la société générale d'École",
    "Sparkasse: STRAẞE in the page, Straße in the mail",
    "ΟΔΟΣ ΑΣΦΑΛΕΙΑΣ, Greek lure",
    "İstanbul, Turkish lure",
    "ПРИМЕР, Cyrillic look-alike",
    "偽のログイン画面",
    "恶意软件 · 樣本",
    "Crypto drainer 💸🔓",
    "zero\u200bwidth inside",
    "two  blanks and\ta tab inside",
    "100% sure; see C:\\Temp\\a.exe | 'x'",
]

Record = dict[str, str]


def indicator(kind: str, number: int) -> str:
    """The observable of this type and number; the same number is the same observable."""
    word, zone = WORDS[number % len(WORDS)], ZONES[number % len(ZONES)]
    digits = hashlib.sha256(f"sample {number}".encode()).hexdigest()
    make: dict[str, Callable[[], str]] = {
        "domain": lambda: f"{word}-{number}.{zone}",
        "hostname": lambda: (
            f"{'bücher' if number % 9 == 0 else 'www'}{number % 4}.{word}-{number}.{zone}"
        ),
        "ipv4": lambda: f"{['192.0.2', '198.51.100', '203.0.113'][number % 3]}.{number % 256}",
        "ipv6": lambda: f"2001:db8:{number % 7:x}::{number:x}",
        "url": lambda: (
            f"https://{word}.{zone}/{number}?q={'Ünï' if number % 5 == 0 else 'a'},b"
            f'&c="{number % 3}"'
        ),
        "email": lambda: f"{word}.{number}@{zone}",
        "md5": lambda: digits[:32],
        "sha1": lambda: digits[:40],
        "sha256": lambda: digits,
    }
    return make[kind]()


def point_in_time(rng: random.Random, moment: datetime) -> str:
    """The moment in one of the accepted forms; those without time or seconds say less than it."""
    zone = rng.choice(
        ["", "", "Z", "z", "+00:00", "+02", "-05:00", "+0530", "+05:45", "-0330", "+14:00"]
    )
    wall = moment
    if zone not in ("", "Z", "z"):
        digits = zone[1:].replace(":", "").ljust(4, "0")
        offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
        wall = moment.astimezone(timezone(offset if zone[0] == "+" else -offset))
    form = rng.choice(["date", "minutes", "seconds", "seconds", "seconds", "fraction"])
    if form == "date":
        return f"{wall:%Y-%m-%d}"
    time = f"{wall:%H:%M}"
    if form != "minutes":
        time += f":{wall:%S}"
    if form == "fraction":
        time += "." + f"{wall:%f}"[: rng.randint(1, 6)]
    return f"{wall:%Y-%m-%d}{rng.choice('TTt ')}{time}{zone}"


def confidence(rng: random.Random) -> str:
    """A number from 0 to 100, plain, with leading noughts or a plus sign, or nothing."""
    number = rng.choice([0, 10, 25, 50, 50, 75, 75, 90, 100, rng.randint(0, 100)])
    return rng.choice(["{}", "{}", "{}", "{:03}", "+{}", "+{:04}", ""]).format(number)


def any_case(rng: random.Random, text: str) -> str:
    """The text in upper, lower or mixed case."""
    return rng.choice([text, text, text.upper(), text.title(), text.swapcase()])


def padded(rng: random.Random, text: str) -> str:
    """The text with blanks around it, which most fields have none of and few have odd ones."""
    kind = rng.random()
    blanks = [""] if kind < 0.7 else COMMON_BLANKS if kind < 0.93 else ALL_BLANKS

    def some() -> str:
        return "".join(rng.choices(blanks, k=rng.randint(0, 2)))

    return some() + text + some()


def record(rng: random.Random, numbers: range) -> Record:
    """A dirty record about one of the numbers' observables."""
    kind = rng.choice(
        [
            "domain",
            "domain",
            "hostname",
            "ipv4",
            "ipv4",
            "ipv6",
            "url",
            "email",
            "md5",
            "sha1",
            "sha256",
        ]
    )
    number = rng.choice(numbers)
    # Few moments, so that duplicates differ in last_seen, or only in what is asked after it.
    start = datetime(2026, 1, 1, 21, 30, 15, 250000, tzinfo=UTC) + timedelta(days=number % 20)
    first_seen = start - timedelta(days=rng.choice([0, 0, 1, 30, 682]))
    last_seen = start + timedelta(days=rng.choice([0, 0, 1, 2]), microseconds=rng.choice([0, 0, 1]))
    # Some capitals (of ß, of a dotted i) come back as other letters: such names stay as they are.
    value = indicator(kind, number)
    clean = {
        "indicator": any_case(rng, value) if value.isascii() else value,
        "indicator_type": any_case(rng, rng.choice([kind, kind, *ALIASES.get(kind, [])])),
        "source": any_case(rng, rng.choice(SOURCES[:5]))
        if rng.random() < 0.8
        else rng.choice(SOURCES),
        "confidence": confidence(rng),
        "first_seen": point_in_time(rng, first_seen),
        "last_seen": point_in_time(rng, last_seen) if rng.random() < 0.85 else "",
        "description": rng.choice(DESCRIPTIONS) if rng.random() < 0.8 else "",
    }
    return {name: padded(rng, text) for name, text in clean.items()}


def records(rng: random.Random, count: int, numbers: range) -> list[Record]:
    """So many records, of which some are there twice, to the letter."""
    made = [record(rng, numbers) for _ in range(count * 9 // 10)]
    made += [dict(rng.choice(made)) for _ in range(count - len(made))]
    rng.shuffle(made)
    return made


def to_csv(
    rng: random.Random, header: list[str], rows: list[Record], newline: str, quoted: float
) -> str:
    """RFC 4180 text; fields that need no quotes have them with this probability.

    The header's names count as columns once stripped and lowercased. By hand, since versions of the
    csv module differ in whether a lone CR needs quotes.
    """

    def field(text: str) -> str:
        if any(character in text for character in ',"\r\n') or rng.random() < quoted:
            return '"' + text.replace('"', '""') + '"'
        return text

    names = [name.strip().lower() for name in header]
    lines = [header, *([row[name] for name in names] for row in rows)]
    return "".join(",".join(map(field, line)) + newline for line in lines)


def write(name: str, text: str, encoding: str = "utf-8") -> None:
    """Write one file of the feed, packed if its name says so."""
    data = text.encode(encoding)
    if name.endswith(".gz"):
        # No name and no time in the header, so that the same text is the same bytes.
        packed = io.BytesIO()
        with gzip.GzipFile(filename="", mode="wb", fileobj=packed, mtime=0) as file:
            file.write(data)
        data = packed.getvalue()
    (FOLDER / name).write_bytes(data)


# What the contract refuses: a rule for each.
REFUSED = [
    "short.example,domain,CERT Example,50",
    'stray"quote.example,domain,CERT Example,50,2026-01-02,,',
    "comma.example,domain,CERT Example,50,2026-01-02,,seen once, then again",
    "unknown.example,domian,CERT Example,50,2026-01-02,,",
    "unsure.example,domain,CERT Example,high,2026-01-02,,",
    "nobody.example,domain, ,50,2026-01-02,,",
    "never.example,domain,CERT Example,50,2026-02-30,,",
]


def main() -> None:
    """Write the five files."""
    rng = random.Random(SEED)
    FOLDER.mkdir(exist_ok=True)
    shuffled = [
        "last_seen",
        "indicator_type",
        "description",
        "indicator",
        "confidence",
        "source",
        "first_seen",
    ]
    spelled = [
        " Indicator",
        "INDICATOR_TYPE ",
        "Source",
        "\tconfidence",
        "First_Seen",
        "Last_Seen\u00a0",
        "DESCRIPTION",
    ]

    # The plain one: quotes only where they have to be, and blank lines at its end.
    text = to_csv(rng, COLUMNS, records(rng, 1500, range(600)), "\n", quoted=0)
    write("2026-01-05_feed.csv", text + "\n\n")
    # From a spreadsheet: byte order mark, CRLF, every field in quotes, empty ones too.
    text = to_csv(rng, spelled, records(rng, 1200, range(300, 900)), "\r\n", quoted=1)
    write("2026-01-06_spreadsheet.csv", text, "utf-8-sig")
    # Columns in another order, packed.
    text = to_csv(rng, shuffled, records(rng, 2000, range(1200)), "\n", quoted=0)
    write("2026-01-07_reordered.csv.gz", text)
    # A late delivery of what is known: quotes here and there, no line break after the last record.
    text = to_csv(rng, COLUMNS, records(rng, 800, range(500, 700)), "\n", quoted=0.2)
    write("2026-01-08_late.csv", text.removesuffix("\n"))
    # Typed by hand, so some of it is wrong.
    parts = [to_csv(rng, COLUMNS, [row], "\n", 0) for row in records(rng, 900, range(800, 1300))]
    lines = [part.partition("\n")[2] for part in parts]
    for number, refused in enumerate(REFUSED, start=1):
        lines.insert(100 * number, refused + "\n")
    write("2026-01-09_typed.csv", ",".join(COLUMNS) + "\n" + "".join(lines))


if __name__ == "__main__":
    main()
