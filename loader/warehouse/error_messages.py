"""What dbt, DuckDB and Redshift say when something fails, in words that say what to do."""

import ast
import re
from typing import Any

from loader.errors import ConfigError, WarehouseError, WarehouseTransient

# Redshift: "Serializable isolation" (1023); the rest is what the server, its driver and Python say
# of a lost connection, and of two first loads that create the same table.
_TRANSIENT = re.compile(
    r"(?<!\d)1023(?!\d)|serializable isolation violation|could not serialize"
    r"|conflict with concurrent transaction|connection reset|connection is closed|connection time"
    r"|broken ?pipe|server socket closed|communication error|timed out|eof occurred"
    r"|terminating connection|already exists|duplicate key value violates unique constraint .pg_",
    re.IGNORECASE,
)

# What the driver of Redshift says where it gets no connection at all.
_UNREACHED = re.compile(r"'communication error', \w+\((?:-?\d+, )?['\"](.+?)['\"]\)")

# PostgreSQL: "Error and Notice Message Fields"; S is the severity.
_FIELDS = re.compile(r"\{'S': .*\}", re.DOTALL)


def warehouse_error(text: str) -> WarehouseError | ConfigError:
    """The loader's own error for the text of a database's; transient if a retry may cure it."""
    message = paragraph(text)
    if "authentication failed" in message:
        return ConfigError(f"{message} Set the profile's user and password right.")
    if "lock on file" in message:
        return WarehouseError(
            f"{message} Another process has the database open; end it or wait, then run again."
        )
    if _TRANSIENT.search(message):
        return WarehouseTransient(message)
    return WarehouseError(advised(message))


def unreached(error: WarehouseTransient, credentials: Any) -> WarehouseTransient | None:
    """The error of a warehouse to which no connection can be made; None for any other."""
    if not (found := _UNREACHED.search(str(error))):
        return None
    return WarehouseTransient(
        f"cannot reach the warehouse at {credentials.host}:{credentials.port}: {found[1]}. Check"
        " host and port, and that this machine may connect to it."
    )


def paragraph(text: str) -> str:
    """A message of several lines as one paragraph, without dbt's heading."""
    lines = [line.strip() for line in _without_fields(text).splitlines()]
    if lines and lines[0].endswith("Error") and len(lines) > 1:
        lines = lines[1:]
    return " ".join(line for line in lines if line)


def _without_fields(text: str) -> str:
    """The text in words where Redshift's driver shows a dict of protocol fields."""
    found = _FIELDS.search(text)
    if not found:
        return text
    try:
        fields = ast.literal_eval(found[0])
    except (SyntaxError, ValueError):
        return text
    words = ". ".join(str(fields[key]).strip().rstrip(".") for key in "MDH" if fields.get(key))
    return f"{text[: found.start()]}{words}.{text[found.end() :]}"


def advised(message: str) -> str:
    """A message of dbt's, with what to do where the profile is what it lacks."""
    if "/.dbt' does not exist" in message:
        # Where dbt looks last, which is not where anybody should put it.
        message = "There is no profiles.yml in the project"
    if re.search(r"profiles.yml|Could not find profile", message):
        advice = "Copy profiles.yml.example to profiles.yml, or give --profiles-dir."
        return f"{message.rstrip('.')}. {advice}"
    return message
