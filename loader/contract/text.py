"""What `strip`, `lower` and the types mean, in plain Python.

The macros in macros/clean/ say the same in SQL; the tests hold the two together.
"""

import re
from collections.abc import Collection, Iterable
from decimal import Decimal
from sys import float_info

# The 29 code points that str.strip() removes: White_Space of the Unicode Character Database plus
# U+001C to U+001F, which Python counts by their bidirectional class. The last is U+3000.
STRIP_CHARACTERS = "".join(filter(str.isspace, map(chr, range(0x3001))))

# Redshift: INT8, "Numeric types"; DuckDB: BIGINT.
BIGINT_MIN, BIGINT_MAX = -(2**63), 2**63 - 1

# Letters of Unicode 16 with a lower case, which Python knows from 3.14 on and no engine does.
_NEWEST = "\u1c89\ua7cb\ua7cc\ua7da\ua7dc" + "".join(map(chr, range(0x10D50, 0x10D66)))

TRUE_WORDS = ("true", "t", "yes", "y", "1")
FALSE_WORDS = ("false", "f", "no", "n", "0")

_INTEGER = re.compile(r"[+-]?[0-9]+")
_DECIMAL = re.compile(r"[+-]?(?:([0-9]+)(?:\.([0-9]*))?|\.([0-9]+))")
_FLOAT = re.compile(_DECIMAL.pattern + "(?:[eE][+-]?[0-9]{1,3})?")
# What parts the thousands of a number; also a curly apostrophe, and the blanks that do not break.
_GROUP_CHARS = (".", ",", "'", " ", "\u2019", "\u00a0", "\u202f")
# What may stand around a number that is not bare: a sign or a code of a currency, a percent sign.
CURRENCIES = (
    *("usd", "eur", "gbp", "jpy", "cny", "chf", "aud", "cad", "nzd", "hkd", "sgd", "sek", "nok"),
    *("dkk", "pln", "czk", "huf", "ron", "inr", "brl", "mxn", "zar", "krw", "try", "rub", "uah"),
)
UNITS = "$\u20ac\u00a3\u00a5\u20b9\u20a9\u20bd\u20ba\u20b4%"


def simple_lower(text: str) -> str:
    """Lower-case code point by code point, as both engines do, unlike str.lower().

    str.lower() maps U+0130 to two code points and knows a final sigma; the simple mapping of
    UnicodeData.txt does neither. The same on every version of Python.
    """
    if text.isascii():
        return text.lower()
    return "".join("i" if c == "\u0130" else c if c in _NEWEST else c.lower() for c in text)


def any_case(words: Iterable[str]) -> str:
    """A pattern of lowercase words in any ASCII case; (?i) would fold letters beyond ASCII too."""
    spelled = (
        "".join(f"[{c}{c.upper()}]" if "a" <= c <= "z" else re.escape(c) for c in word)
        for word in words
    )
    return f"(?:{'|'.join(spelled)})"


_CODES = re.compile(any_case(CURRENCIES))


def bare_number(text: str, group_char: str = "") -> str:
    """A number without currency, percent sign and blanks around it, with its sign in front.

    Parentheses around it and a minus behind it make it negative. Anything else stays as it is.
    """
    group, blanks = ("_", " _") if group_char.isspace() else (group_char, " ")
    plain = dict.fromkeys(map(ord, UNITS), "#")
    plain |= {
        ord("#"): "?",
        ord("_"): "?",
        0xA0: " ",
        0x202F: " ",
        ord(group_char or "_"): group or "?",
    }
    written = _CODES.sub("#", text.translate(plain))
    number = rf"[0-9.,](?:[0-9.,{group}]*[0-9.,])?(?:[eE][+-]?[0-9]+)?"
    pattern = (
        rf"(?:([+-]~)?(#~)?|#~[+-]~){number}(~#)?|(#~)?{number}((~#)?~-|~-~#)"
        rf"|(#~)?\(~(#~)?{number}(~#)?~\)(~#)?"
    )
    if not re.fullmatch(pattern.replace("~", f"[{blanks}]*"), written):
        return text
    negative = re.search(rf"^[^0-9.,]*[-(]|-[#{blanks}]*$", written)
    bare = written.strip(f"#()+-{blanks}")
    return ("-" if negative else "") + bare.replace(group or " ", group_char)


def plain_number(text: str, decimal_char: str, group_char: str) -> str:
    """A number with a decimal point and without groups; what is no such number stays none.

    decimal_char: empty for a whole number. Groups have three digits, but for the first.
    """
    if group_char:
        fraction = f"(?:[{decimal_char}][0-9]*)?" if decimal_char else ""
        groups = f"[0-9]{{1,3}}(?:[{group_char}][0-9]{{3}})+"
        if re.fullmatch(f"[+-]?{groups}{fraction}", text):
            text = text.replace(group_char, "")
    return text.translate({ord(","): ".", ord("."): ","}) if decimal_char == "," else text


def _unlike(pattern: re.Pattern[str], text: str, decimal_char: str, group_char: str) -> str | None:
    """By which words of the contract a text would be a number; None if by none."""
    for is_bare in (True, False):
        for decimal, name in ((decimal_char, ""), (".", "point"), (",", "comma")):
            for group in (group_char, "", *_GROUP_CHARS):
                bare = text if is_bare else bare_number(text, group)
                if decimal == group or not pattern.fullmatch(plain_number(bare, decimal, group)):
                    continue
                said = [] if is_bare else ["signs around the number: bare_number false"]
                said += [f"a decimal {name}: decimal_char {decimal!r}"] if name else []
                if group not in ("", group_char):
                    said.append(f"groups of digits: group_char {group!r}")
                return f"has {' and '.join(said)} in the contract reads it"
    return None


def parse_integer(text: str, group_char: str = "") -> int:
    """A 64-bit whole number in ASCII digits with an optional sign. Raises ValueError."""
    plain = plain_number(text, "", group_char)
    if not _INTEGER.fullmatch(plain):
        unlike = _unlike(_INTEGER, text, "", group_char)
        raise ValueError(unlike or "is not a whole number in digits 0 to 9")
    # int() refuses more than 4,300 digits in words of its own.
    number = Decimal(plain)
    if not BIGINT_MIN <= number <= BIGINT_MAX:
        raise ValueError("does not fit a 64-bit integer")
    return int(number)


def parse_decimal(
    text: str, precision: int, scale: int, decimal_char: str = ".", group_char: str = ""
) -> Decimal:
    """A number that decimal(precision, scale) holds without rounding. Raises ValueError."""
    match = _DECIMAL.fullmatch(plain_number(text, decimal_char, group_char))
    if not match:
        unlike = _unlike(_DECIMAL, text, decimal_char, group_char)
        raise ValueError(unlike or "is not a decimal number in digits 0 to 9")
    whole = (match[1] or "").lstrip("0")
    fraction = (match[2] or match[3] or "").rstrip("0")
    if len(whole) > precision - scale or len(fraction) > scale:
        raise ValueError(f"does not fit decimal({precision},{scale}) without rounding")
    return Decimal(f"{'-' if text.startswith('-') else ''}{whole or '0'}.{fraction or '0'}")


def parse_float(text: str, decimal_char: str = ".") -> float:
    """A number of double precision, with an exponent of up to three digits or without one.

    Raises ValueError, also for what would be infinite, or has fewer digits than others because it
    is next to nought: engines differ in what they make of that.
    """
    plain = plain_number(text, decimal_char, "")
    if not _FLOAT.fullmatch(plain):
        unlike = _unlike(_FLOAT, text, decimal_char, "")
        raise ValueError(unlike or "is not a number in digits 0 to 9, with or without an exponent")
    number = float(plain)
    if not (float_info.min <= abs(number) <= float_info.max or not Decimal(plain)):
        raise ValueError("does not fit a double precision number")
    return number


def parse_boolean(
    text: str, true: Collection[str] = TRUE_WORDS, false: Collection[str] = FALSE_WORDS
) -> bool:
    """One of the words, which are in lower case, in any case. Raises ValueError."""
    word = simple_lower(text)
    if word not in true and word not in false:
        raise ValueError(f"is not a boolean ({', '.join((*true, *false))})")
    return word in true
