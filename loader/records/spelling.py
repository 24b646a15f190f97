"""Spells records as RFC 4180 does: without escapes, long delimiters or blanks before a field.

What gives a text its structure is told from what is escaped by a shadow: a text of the same length,
in which only structure is left. The strict reader cuts that, so it says where records are. Then the
records themselves are spelt anew. A malformed record stays one, of as many lines.
"""

import codecs
import re

import numpy as np

from loader.records.cut import cut_records
from loader.records.dialect import Dialect, Form

# These bytes are in no text that a codec has made, nor in a lone surrogate that stands for a byte.
_QUOTE, _FIRST, _ESCAPE, _FEED, _RETURN, _DELIMITER = (bytes([n]) for n in range(0xF8, 0xFE))
_FIELD = b"\xff"
# Signs that need quotes around them.
_SIGNS = _QUOTE + _FIRST + _FEED + _RETURN + _DELIMITER
# Behind a closing quote it keeps a field malformed that would not be, once it is spelt anew.
_MALFORMED = b"malformed"


class Spelling:
    """The spelling of one file.

    dialect: of the canonical text. twice: whether lines end in CR CR LF, as they do after Windows
    wrote CRLF to a file of text.
    """

    def __init__(self, form: Form, dialect: Dialect, twice: bool) -> None:
        self._form, self._dialect, self.twice = form, dialect, twice
        d, q = self._d, self._q = bytes([dialect.delimiter]), bytes([dialect.quote])
        self._long = (form.delimiter or "").encode()
        first = form.delimiter[0].encode() if form.delimiter else d
        e = escape = self._escape = (form.escape or "").encode()
        # Pairs first, so that the second of two escapes escapes nothing. MySQL escapes the line
        # feed alone of a CR LF within a text.
        signs = [(e + e, _ESCAPE), *([(e + b"\r\r\n", _RETURN * 2 + _FEED)] if twice else [])]
        signs += [(e + b"\r\n", _RETURN + _FEED), (e + b"\r", _RETURN)]
        signs += [(b"\r" + e + b"\n", _RETURN + _FEED), (e + b"\n", _FEED), (e + first, _FIRST)]
        signs += [(e + q, _QUOTE)] if form.quoted else []
        self._escaped = signs if escape else []
        self._values = [(_QUOTE, q * 2), (_FIRST, first), (_ESCAPE, escape), (_FEED, b"\n")]
        self._values += [(_RETURN, b"\r"), (_DELIMITER, d)]
        rare = [(form.escape, escape), (not form.quoted, q), (not form.double_quote, q * 2)]
        self._rare = [text for stated, text in rare if stated]
        self._always = bool(self._long or form.skip_initial_space or twice)
        self.changes = bool(self._always or self._rare)

        blanks, long = b" " if d == b"\t" else b" \t", re.escape(self._long or d)
        self._begins = [(begin, bytes([blank])) for begin in (d, b"\n") for blank in blanks]
        d, q = re.escape(d), re.escape(q)
        self._blanks = re.compile(b"(?<![^%b\n])[%b]+(?=%b)" % (d, blanks, q))
        self._initial = re.compile(b"([%b\n])[%b]+" % (d, blanks))
        # Up to a quote that is doubled it is as if a field ended there, and another one began.
        doubled = b"" if form.double_quote else b"(?:%b%b[^%b]*+)*+" % (q, q, q)
        self._quoted = re.compile(b"(%b[^%b]*+%b%b)" % (q, q, doubled, q))
        self._signed = re.compile(
            b"([%b\n])([^%b\n\xff%b]*+[%b][^%b\n\xff]*+)" % (d, d, _SIGNS, _SIGNS, d)
        )
        opened = b"%b[^%b]*+(?:%b%b[^%b]*+)*+(?:%b|\\Z)" % (q, q, q, q, q, q)
        end = b"\r{0,2}\n" if twice else b"\r?\n"
        self._sign = re.compile(b"[%b%b]" % (_SIGNS, d if self._long else b""))
        self._any_field = re.compile(
            b"(?:(?!%b)[%b])*+((%b)?((?:(?!%b|%b)[^\n])*+))(%b|%b|\\Z)"
            % (
                long,
                blanks if form.skip_initial_space else b"\xff",
                opened if form.quoted else b"(?!)",
                *(long, end, long, end),
            )
        )

    def escapes(self, data: bytes) -> bool:
        """Whether an escape is in a text."""
        return bool(self._escape) and self._escape in data

    def shadow(self, data: bytes) -> bytes:
        """A text with the same records in the same places, in the canonical dialect."""
        for written, _ in self._escaped if self.escapes(data) else ():
            data = data.replace(written, b"x" * len(written))
        if not self._form.quoted:
            data = data.replace(self._q, b"x")
        if self._long:
            data = data.replace(self._d, b"x").replace(self._long, self._d * len(self._long))
        if self.twice:
            data = data.replace(b"\r\r\n", self._d + b"\r\n")
        if self._form.skip_initial_space:
            for begin in (self._d, b"\n"):
                data = data.replace(begin + b" " + self._q, begin + self._d + self._q)
            if any(blank + self._q in data for _, blank in self._begins):
                data = self._blanks.sub(lambda match: self._d * len(match[0]), data)
        return data

    def canonical(self, text: bytes) -> bytes:
        """Whole records, spelt anew."""
        if not (self._always or any(mark in text for mark in self._rare)):
            return text
        shadow = self.shadow(text)
        ends_in_escape = bool(self._escape) and text.rstrip(b"\r\n").endswith(self._escape)
        if self._q not in shadow and not ends_in_escape:
            return self._sound(text)
        cut = cut_records(shadow, self._dialect, final=True)
        apart = {*cut.malformed_starts, *(cut.starts[-1:].tolist() if ends_in_escape else ())}
        spelt, place = list[bytes](), 0
        for start in sorted(apart):
            end = int(cut.nexts[cut.starts.searchsorted(start)])
            spelt += [self._sound(text[place:start]), self._by_fields(text[start:end])]
            place = end
        return b"".join([*spelt, self._sound(text[place:])])

    def _sound(self, text: bytes) -> bytes:
        """Well-formed records."""
        q, text = self._q, self._with_signs(text)
        if not self._always and self._form.quoted and self._form.double_quote:
            array = np.frombuffer(text, np.uint8)
            quotes, signs = np.flatnonzero(array == q[0]), np.flatnonzero(array >= _QUOTE[0])
            if (quotes.searchsorted(signs) & 1).all():
                # All escapes are within quotes.
                return self._with_values(text)
        parts = self._quoted.split(text) if self._form.quoted else [text]
        # What stands between quoted fields is dealt with as one text.
        bare = b"\n" + _FIELD.join(parts[::2])
        if not self._form.quoted:
            bare = bare.replace(q, _QUOTE)
        if self._long:
            bare = bare.replace(self._d, _DELIMITER).replace(self._long, self._d)
        if self.twice:
            # Three are one too many.
            odd = b"\r\r\r\n" in bare
            bare = re.sub(b"(?<!\r)\r\r\n", b"\n", bare) if odd else bare.replace(b"\r\r\n", b"\n")
        if self._form.skip_initial_space:
            # One blank, as there mostly is, in a tenth of the time.
            for begin, blank in self._begins:
                bare = bare.replace(begin + blank, begin)
            if any(begin + blank in bare for begin, blank in self._begins):
                bare = self._initial.sub(rb"\1", bare)
        bare = self._signed.sub(lambda match: match[1] + self._in_quotes(match[2]), bare)
        parts[::2] = bare[1:].split(_FIELD)
        if not self._form.double_quote:
            parts[1::2] = map(self._undoubled, parts[1::2])
        return self._with_values(b"".join(parts))

    def _by_fields(self, text: bytes) -> bytes:
        """One record, which may be malformed; so its sound fields alone are spelt anew."""
        spelt, q = list[bytes](), self._q
        for match in self._any_field.finditer(self._with_signs(text)):
            field, quoted, rest, end = match.groups()
            is_last = not end or end.endswith(b"\n")
            # Nothing comes behind an escape at the end of a file.
            broken = not end and rest.endswith((self._escape or _FIELD, _FEED, _RETURN))
            # The line end would take a carriage return before it.
            broken |= end == b"\r\r\n" and rest.endswith(b"\r")
            if broken or (quoted and rest) or (self._form.quoted and q in rest):
                if broken or self._sign.search(rest):
                    for written, sign in self._escaped:
                        field = field.replace(sign, written)
                    field = q + field.replace(q, q * 2) + q + _MALFORMED
            elif not quoted or quoted.count(q) % 2 == 0:
                # Not one that is never closed, which is malformed as it is.
                field = self._sound(field)
            spelt += [field, end.replace(b"\r\r\n", b"\n") if is_last else self._d]
            if is_last:
                break
        return self._with_values(b"".join(spelt))

    def _in_quotes(self, field: bytes) -> bytes:
        """A field that has structure in it. A bare carriage return or a byte order mark, which a
        quote would hide, makes it malformed.
        """
        text = field.removesuffix(b"\r")
        hides = b"\r" in text or text.startswith(codecs.BOM_UTF8)
        end = _MALFORMED if hides else field[len(text) :]
        return self._q + text + self._q + end

    def _undoubled(self, quoted: bytes) -> bytes:
        """A quoted field in which no quote may be doubled."""
        return quoted + _MALFORMED if self._q * 2 in quoted[1:-1] else quoted

    def _with_signs(self, text: bytes) -> bytes:
        for written, sign in self._escaped if self.escapes(text) else ():
            text = text.replace(written, sign)
        return text

    def _with_values(self, text: bytes) -> bytes:
        for sign, value in self._values:
            text = text.replace(sign, value)
        return text
