"""Values written in the many ways that a contract can name, each with what it means.

What a value means is known from how it was drawn; no code of the loader has a part in it.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

__all__ = ["COLUMNS", "Drawn", "draw"]

_MONTHS = "January February March April May June July August September October November December"
_UNITS = [
    "$",
    "€",
    "£",
    "¥",
    "₹",
    "₩",
    "₽",
    "₺",
    "₴",
    "%",
    "$",
    "%",
    "USD",
    "EUR",
    "GBP",
    "JPY",
    "CNY",
    "CHF",
    "AUD",
    "CAD",
    "NZD",
    "HKD",
    "SGD",
    "SEK",
    "NOK",
    "DKK",
    "PLN",
    "CZK",
    "HUF",
    "RON",
    "INR",
    "BRL",
    "MXN",
    "ZAR",
    "KRW",
    "TRY",
    "RUB",
    "UAH",
]
BLANKS = ("", "", "", " ", "\t", "\u3000", "\u00a0 ")
# Each column's rules, as the YAML has them.
COLUMNS: Mapping[str, Mapping[str, Any]] = {
    "d_us": {"type": "date", "format": "M/D/YYYY"},
    "d_two": {"type": "date", "format": "D/M/YY"},
    "d_pivot": {"type": "date", "format": "DD.MM.YY", "pivot_year": 1950},
    "d_short": {"type": "date", "format": "D-MON-YY", "pivot_year": 2000},
    "d_joined": {"type": "date", "format": "DDMONYYYY"},
    "d_long": {"type": "date", "format": "MONTH D, YYYY"},
    "d_swapped": {"type": "date", "format": "YYYY-D-M"},
    "d_excel": {"type": "date", "format": "excel"},
    "d_any": {
        "type": "date",
        "format": ["excel", "D/M/YYYY", "YYYYMMDD", "D MON YYYY", "D MONTH YYYY", "D.M.YY"],
    },
    "t_us": {"type": "timestamp", "format": "M/D/YYYY H24:MI"},
    "t_half": {"type": "timestamp", "format": "MM/DD/YYYY HH12:MI:SS AM"},
    "t_tight": {"type": "timestamp", "format": "D.M.YY H12.MIAM"},
    "t_log": {"type": "timestamp", "format": "DD/MON/YYYY:HH24:MI:SS TZ"},
    "t_cut": {
        "type": "timestamp",
        "format": "YYYY-MM-DD HH24:MI:SS.FF",
        "excess_fraction": "cut",
    },
    "t_fine": {"type": "timestamp", "format": "YYYYMMDDTHH24MISS.FFTZ"},
    "t_epoch": {"type": "timestamp", "format": "epoch"},
    "t_epoch_cut": {"type": "timestamp", "format": "epoch", "excess_fraction": "cut"},
    "t_ms": {"type": "timestamp", "format": "epoch_ms"},
    "t_iso": {"type": "timestamp"},
    "t_iso_cut": {"type": "timestamp", "excess_fraction": "cut"},
    "t_any": {
        "type": "timestamp",
        "format": ["epoch", "YYYY-MM-DD HH24:MI:SS", "D/M/YYYY H12:MI AM", "D-MON-YY HH24:MI TZ"],
    },
    "n_dollars": {"type": "decimal(12,2)", "group_char": ",", "bare_number": False},
    "n_euros": {
        "type": "decimal(12,2)",
        "decimal_char": ",",
        "group_char": ".",
        "bare_number": False,
    },
    "n_crowns": {
        "type": "decimal(12,2)",
        "decimal_char": ",",
        "group_char": "\u00a0",
        "bare_number": False,
    },
    "n_share": {"type": "float", "bare_number": False},
    "n_count": {"type": "integer", "group_char": " ", "bare_number": False},
    "n_plain": {"type": "integer", "bare_number": False},
    "b_ja": {"type": "boolean", "true_values": ["JA", "x", "1"], "false_values": ["Nein", "-"]},
    "b_on": {"type": "boolean", "true_values": ["on", "ŽÓ"]},
}


@dataclass(frozen=True)
class Drawn:
    """A text of a column and what it means; `refused` if the contract must not take it."""

    column: str
    text: str
    means: Any = None
    refused: bool = False


def draw(rng: random.Random, column: str) -> Drawn:
    """One value of a column, with blanks around it that mean nothing."""
    rules = COLUMNS[column]
    drawn = _DRAWS[column[0]](rng, column, rules)
    before, after = rng.choice(BLANKS), rng.choice(BLANKS)
    return Drawn(column, before + drawn.text + after, drawn.means, drawn.refused)


def _date(rng: random.Random, column: str, rules: Mapping[str, Any]) -> Drawn:
    form = _one(rng, rules["format"])
    day = _day(rng, form, rules)
    if form == "excel":
        serial = (day - date(1899, 12, 30)).days
        return Drawn(column, f"{serial}{rng.choice(('', '', '.0', '.'))}", day, serial < 61)
    return Drawn(column, _written(rng, form, datetime(day.year, day.month, day.day), ""), day)


def _timestamp(rng: random.Random, column: str, rules: Mapping[str, Any]) -> Drawn:
    form = _one(rng, rules.get("format", "YYYY-MM-DD HH24:MI:SS.FFTZ"))
    cut = rules.get("excess_fraction") == "cut"
    day = _day(rng, form, rules)
    moment = datetime(day.year, day.month, day.day) + timedelta(seconds=rng.randrange(86400))
    if "SS" not in form and "epoch" not in form:
        moment = moment.replace(second=0)
    digits = "".join(rng.choices("0123456789", k=rng.randrange(1, 10)))
    if rng.random() < 0.6:
        digits = digits[:6] + "0" * len(digits[6:])
    fraction = timedelta(microseconds=int(digits[:6].ljust(6, "0")))
    refused = bool(digits[6:].strip("0")) and not cut
    if form == "epoch_ms":
        millis = (moment - datetime(1970, 1, 1)) // timedelta(milliseconds=1)
        return Drawn(column, str(millis), moment, millis < -9_999_999_999_999)
    if form == "epoch":
        return _epoch(rng, column, moment, digits, refused)
    offset, zone = _zone(rng)
    text = _written(rng, form, moment, digits)
    if "FF" not in form:
        fraction, refused = timedelta(0), False
    if "TZ" not in form:
        offset = 0
    elif "format" not in rules:
        # ISO 8601, with its own freedoms.
        text = text.replace(" ", rng.choice(" Tt"), 1)
        if rng.random() < 0.3:
            text, fraction, refused = text.partition(".")[0], timedelta(0), False
        zone = "" if not offset and rng.random() < 0.5 else zone
        refused = refused or "gmt" in zone.lower()
        text = (
            text.removesuffix("TZ") + rng.choice(("", " " if "utc" in zone.lower() else "")) + zone
        )
    text = text.replace("TZ", zone)
    return Drawn(column, text, moment + fraction - timedelta(minutes=offset), refused)


def _epoch(rng: random.Random, column: str, moment: datetime, digits: str, refused: bool) -> Drawn:
    seconds = (moment - datetime(1970, 1, 1)) // timedelta(seconds=1)
    if rng.random() < 0.4:
        return Drawn(column, str(seconds), moment, seconds < -9_999_999_999)
    micros = int(str(seconds) + digits[:6].ljust(6, "0"))
    means = datetime(1970, 1, 1) + timedelta(microseconds=micros)
    return Drawn(column, f"{seconds}.{digits}", means, refused or seconds < -9_999_999_999)


def _number(rng: random.Random, column: str, rules: Mapping[str, Any]) -> Drawn:
    kind, group = rules["type"], rules.get("group_char", "")
    point = rules.get("decimal_char", ".")
    places = {"integer": 0, "float": 3}.get(kind, 2)
    number = Decimal(rng.randrange(10 ** rng.randrange(1, 11))).scaleb(-places)
    text = f"{number:,.{places}f}" if rng.random() < 0.6 else f"{number:.{places}f}"
    text = text.replace(",", "_").replace(".", point).replace("_", group)
    if kind == "float" and rng.random() < 0.3:
        exponent = rng.randrange(-30, 30)
        number, text = number.scaleb(exponent), f"{text}{rng.choice('eE')}{exponent:+}"
    unit, blank = rng.choice(_UNITS), rng.choice(("", " "))
    unit = rng.choice((unit, unit.lower(), unit.title()))
    negative = rng.random() < 0.5
    frames = {
        True: ["-N", "- N", "U-N", "-U_N", "(N)", "(U_N)", "( N )", "(N_U)", "U_(N)", "N-", "N_U-",
               "N -", "-N_U", "N- U", "(N)_U"],
        False: ["N", "+N", "U_N", "N_U", "U+N", "+U_N", "U_N_U"],
    }  # fmt: skip
    text = rng.choice(frames[negative]).replace("N", text).replace("_", blank).replace("U", unit)
    means = -number if negative else number
    return Drawn(column, text, float(means) if kind == "float" else means)


def _boolean(rng: random.Random, column: str, rules: Mapping[str, Any]) -> Drawn:
    means = rng.random() < 0.5
    words = rules.get(f"{means}_values".lower(), ["false", "f", "no", "n", "0"])
    word = rng.choice(words)
    return Drawn(column, rng.choice((word, word.upper(), word.lower())), means)


_DRAWS: dict[str, Callable[[random.Random, str, Mapping[str, Any]], Drawn]] = {
    "d": _date,
    "t": _timestamp,
    "n": _number,
    "b": _boolean,
}


def _one(rng: random.Random, forms: Any) -> str:
    return forms if isinstance(forms, str) else str(rng.choice(forms))


def _day(rng: random.Random, form: str, rules: Mapping[str, Any]) -> date:
    first, last = date(2, 1, 1), date(9998, 12, 31)
    if form == "excel":
        first = date(1900, 1, 15)
    elif form == "epoch_ms" or form == "epoch":
        first = date(1640, 1, 1)
    elif "YYYY" not in form:
        pivot = rules.get("pivot_year", 1969)
        first, last = date(pivot, 1, 1), date(pivot + 99, 12, 31)
    near = date(2024, 2, 20) if form != "excel" else date(1900, 2, 20)
    if first <= near <= last and rng.random() < 0.2:
        return near + timedelta(days=rng.randrange(20))
    return first + timedelta(days=rng.randrange((last - first).days + 1))


def _zone(rng: random.Random) -> tuple[int, str]:
    if rng.random() < 0.4:
        return 0, rng.choice(("Z", "z", "UTC", "utc", "GMT", "Gmt", "+00:00", "-00"))
    hours, minutes, sign = rng.randrange(14), rng.choice((0, 30, 45, 59)), rng.choice((1, -1))
    written = rng.choice((f"{hours:02}{minutes:02}", f"{hours:02}:{minutes:02}"))
    if not minutes and rng.random() < 0.5:
        written = f"{hours:02}"
    return sign * (60 * hours + minutes), ("+" if sign > 0 else "-") + written


def _written(rng: random.Random, form: str, moment: datetime, digits: str) -> str:
    """A moment in a form. TZ stays."""
    month = _MONTHS.split()[moment.month - 1]
    month = rng.choice((month, month.upper(), month.lower()))

    def loose(number: int) -> str:
        return rng.choice((f"{number}", f"{number:02}"))

    hour12 = (moment.hour + 11) % 12 + 1
    texts = {
        "YYYY": f"{moment.year:04}", "YY": f"{moment.year % 100:02}", "MONTH": month,
        "MON": month[:3], "MM": f"{moment.month:02}", "M": loose(moment.month),
        "DD": f"{moment.day:02}", "D": loose(moment.day), "HH24": f"{moment.hour:02}",
        "H24": loose(moment.hour), "HH12": f"{hour12:02}", "H12": loose(hour12),
        "AM": rng.choice(("am", "AM")) if moment.hour < 12 else rng.choice(("pm", "PM", "Pm")),
        "MI": f"{moment.minute:02}", "SS": f"{moment.second:02}", "FF": digits, "TZ": "TZ",
    }  # fmt: skip
    tokens = "YYYY|MONTH|HH24|HH12|MON|H24|H12|YY|MM|DD|MI|SS|FF|AM|TZ|D|M"
    return re.sub(tokens, lambda found: texts[found[0]], form)
