"""PostgreSQL's errors in Redshift's words, where the two differ and Redshift's are known."""

from __future__ import annotations

from rig.faults import serialization_failure

# Fields of the protocol that describe PostgreSQL's inside, not the client's statement.
_INTERNAL = ("V", "W", "p", "q")


def client_fields(fields: dict[str, str]) -> dict[str, str]:
    """Fields of an error or notice as Redshift would send them."""
    code, text = fields.get("C", ""), fields.get("M", "")
    if code == "40001":
        # AWS, "Serializable isolation": error 1023.
        failure = serialization_failure()
        return {"S": "ERROR", "C": failure.code, "M": failure.message, **failure.fields}
    if code == "21000" and text.startswith("MERGE command cannot affect row a second time"):
        # AWS, "MERGE", usage notes.
        return {
            "S": "ERROR",
            "C": "XX000",
            "M": "Found multiple matches to update the same tuple.",
        }
    if code == "23502":
        # AWS knows the column, not PostgreSQL's "of relation".
        column = fields.get("c", "")
        return {
            "S": "ERROR",
            "C": "XX000",
            "M": f"Cannot insert a NULL value into column {column}",
        }
    return {name: value for name, value in fields.items() if name not in _INTERNAL}
