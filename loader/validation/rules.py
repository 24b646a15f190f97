"""The catalogue of rules by which a record is rejected: their names and messages.

The rules of a record's form are the strict reader's (records/faults.py). Those of a value are here,
in the order in which they are checked.
"""

from collections.abc import Sequence

from loader.records.faults import Rule

# How many names a message lists, each with so many characters at most.
_LISTED, _LISTED_CHARACTERS = 20, 100


def listed(names: Sequence[str]) -> str:
    """Names for a message: the first few, and how many more there are."""
    first = ", ".join(name[:_LISTED_CHARACTERS] for name in names[:_LISTED])
    return first + (f" and {len(names) - _LISTED:,} more" if len(names) > _LISTED else "")


MAX_BYTES = Rule("max_bytes", "{column.name} has {size:,} bytes; the limit is {column.max_bytes:,}")
REQUIRED = Rule("required", "{column.name} is {missing}, but required")
UNICODE = Rule("unicode", "{column.name} is not in Unicode's normal form C (unicode: nfc)")
# What a value of each type is, and so what is wrong with one that is none, says contract/text.py.
TYPES = {
    kind: Rule(kind, "{column.name} {error}")
    for kind in ("integer", "decimal", "float", "boolean", "date", "timestamp")
}
ACCEPTED_VALUES = Rule("accepted_values", "{column.name} is none of {words}")
PATTERN = Rule("pattern", "{column.name} does not match {column.pattern}")
MINIMUM = Rule("minimum", "{column.name} is below the minimum, {column.minimum}")
MAXIMUM = Rule("maximum", "{column.name} is above the maximum, {column.maximum}")

VALUE_RULES = (
    *(MAX_BYTES, REQUIRED, UNICODE, *TYPES.values()),
    *(ACCEPTED_VALUES, PATTERN, MINIMUM, MAXIMUM),
)

# The rule that a value breaks, by the type of Pydantic's error. Any other type of error is that of
# a text that cannot be parsed.
BY_ERROR = {
    # The judge's own errors are called what the rules are.
    **{rule.name: rule for rule in VALUE_RULES},
    # None is no value of a required column's type.
    **dict.fromkeys(("string_type", "int_type", "is_instance_of", "bool_type"), REQUIRED),
    **dict.fromkeys(("float_type", "date_type", "datetime_type"), REQUIRED),
    "greater_than_equal": MINIMUM,
    "less_than_equal": MAXIMUM,
}
