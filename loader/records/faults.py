"""What can be wrong with the form of a record: rules, and the faults that break them."""

import re
from typing import NamedTuple

from loader.records.dialect import Dialect


class Rule(NamedTuple):
    """Something that a record must satisfy.

    name: as the quarantine has it. message: what a person reads, a template for str.format().
    """

    name: str
    message: str

    def broken(
        self, column: int | None = None, value: str | None = None, /, **facts: object
    ) -> "Fault":
        """A fault by this rule. facts: what the message's template names."""
        return Fault(self, self.message.format(**facts), column, value)


class Fault(NamedTuple):
    """Why a record is rejected.

    column: the position of the field at fault, None if the record as a whole is. value: its text.
    """

    rule: Rule
    message: str
    column: int | None = None
    value: str | None = None


# In the order in which they are looked for; a record has at most one fault of form.
STRAY_QUOTE = Rule("stray_quote", "a quote stands inside a field that is not quoted")
TEXT_AFTER_QUOTE = Rule("text_after_quote", "text follows the closing quote of a field")
UNTERMINATED_QUOTE = Rule("unterminated_quote", "a quote is opened and never closed")
# A file's header is not the only one in it where several files were put together.
REPEATED_HEADER = Rule("repeated_header", "the record is the header once more")
BYTE_ORDER_MARK = Rule(
    "byte_order_mark",
    "the record begins with a byte order mark (U+FEFF), as where files were put together",
)
NUL_BYTE = Rule("nul_byte", "the record holds a NUL byte")
NOT_UTF8 = Rule("not_utf8", "the record holds bytes that are not UTF-8")
RECORD_TOO_LARGE = Rule("record_too_large", "the record has {size:,} bytes; the limit is 4 MB")
BARE_CARRIAGE_RETURN = Rule(
    "bare_carriage_return", "the record holds a carriage return outside quotes that ends no line"
)
TOO_FEW_FIELDS = Rule("too_few_fields", "the record has {fields} fields; the header has {width}")
TOO_MANY_FIELDS = Rule("too_many_fields", TOO_FEW_FIELDS.message)
# What may be as it should in another dialect.
MISPLACED = {STRAY_QUOTE, TEXT_AFTER_QUOTE, UNTERMINATED_QUOTE, TOO_MANY_FIELDS}
# What is wrong with a record by its header alone.
OTHER_WIDTH = {TOO_FEW_FIELDS, TOO_MANY_FIELDS}


def words_for(raw: bytes, dialect: Dialect) -> str:
    """The words of a contract by which malformed text may be read; empty if none is known."""
    quote, delimiter = (re.escape(bytes([sign])) for sign in (dialect.quote, dialect.delimiter))
    if re.search(rb"\\(%b|%b)" % (quote, delimiter), raw):
        return "; if a backslash escapes what follows it, say `escape: '\\'`"
    if re.search(b"(^|%b)[ \t]+%b" % (delimiter, quote), raw):
        return "; if blanks before a field are no part of it, say `skip_initial_space: true`"
    return ""
