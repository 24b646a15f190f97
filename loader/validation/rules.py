"""The catalogue of rules by which a record is rejected: their names and messages.

The rules of a record's form are the strict reader's (records/faults.py). Those of a value are here,
in the order in which they are checked; their messages follow the column's name.
"""

from loader.records.faults import FORM_RULES, Rule

MAX_BYTES = Rule("max_bytes", "has {size:,} bytes; the limit is {limit:,}")
REQUIRED = Rule("required", "is empty, but required")
# What a value of each type is, and so what is wrong with one that is none, says contract/text.py.
TYPES = {
    kind: Rule(kind, "{problem}") for kind in ("integer", "decimal", "boolean", "date", "timestamp")
}
ACCEPTED_VALUES = Rule("accepted_values", "is none of {accepted}")
PATTERN = Rule("pattern", "does not match {pattern}")
MINIMUM = Rule("minimum", "is below the minimum, {bound}")
MAXIMUM = Rule("maximum", "is above the maximum, {bound}")

VALUE_RULES = (
    *(MAX_BYTES, REQUIRED, *TYPES.values()),
    *(ACCEPTED_VALUES, PATTERN, MINIMUM, MAXIMUM),
)

RULES = {rule.name: rule for rule in (*FORM_RULES, *VALUE_RULES)}
