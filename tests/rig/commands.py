"""Statements that hold no query: transactions, settings, privileges, comments, maintenance.

Source: AWS, the page of each statement in "SQL commands".
"""

from __future__ import annotations

import re

from rig.errors import RedshiftError
from rig.sql_text import Statement, refuse, word_set
from rig.tokens import Kind
from rig.translation import Translation, finish

# AWS, "Modifying the server configuration" (Configuration reference), and what dbt sets.
_OWN_SETTINGS = word_set(
    "analyze_threshold_percent auto_analyze cast_super_null_on_error "
    "describe_field_name_in_uppercase downcase_delimited_identifier "
    "enable_case_sensitive_identifier enable_case_sensitive_super_attribute "
    "enable_numeric_rounding enable_result_cache_for_session error_on_nondeterministic_update "
    "json_serialization_enable max_concurrency_scaling_clusters max_cursor_result_set_size "
    "mv_enable_aqmv_for_session navigate_super_null_on_error query_group wlm_query_slot_count"
)
_SHARED_SETTINGS = word_set(
    "client_encoding datestyle extra_float_digits search_path statement_timeout timezone "
    "application_name"
)
# Of Redshift's own settings those whose other value would change what the rig answers.
_FIXED_SETTINGS = {
    "describe_field_name_in_uppercase": "off",
    "enable_case_sensitive_identifier": "off",
    "downcase_delimited_identifier": "off",
}


def transaction(statement: Statement) -> Translation:
    text = " ".join(token.word for token in statement.tokens)
    if not re.fullmatch(
        r"(begin|start|commit|end|rollback|abort)( work| transaction)?"
        r"( isolation level (snapshot|serializable|read (un)?committed|repeatable read))?"
        r"( read (only|write))?",
        text,
    ) or (text.startswith("start") and not text.startswith("start transaction")):
        raise statement.syntax_error(min(1, len(statement)))
    # All levels are the database's own: "BEGIN" says that the clause has no effect.
    level = text.find(" isolation")
    if level >= 0:
        index = next(i for i, token in enumerate(statement.tokens) if token.word == "isolation")
        end = index + (4 if statement.word(index + 2) in ("read", "repeatable") else 3)
        statement.replace("isolation level", index, end, "")
    return finish(statement)


def savepoint(statement: Statement) -> Translation:
    # "Unsupported PostgreSQL functions": ROLLBACK TO SAVEPOINT
    raise RedshiftError(
        f'SQL command "{statement.sql.strip()}" not supported on Redshift tables.', "0A000"
    )


def set_or_reset(statement: Statement) -> Translation:
    """SET and RESET of settings that Redshift has."""
    index = 2 if statement.word(1) in ("session", "local") else 1
    name = statement.word(index)
    if statement.words(0, "reset", "use"):
        raise refuse("USE")
    if statement.words(0, "set", "role") or statement.word(index) in ("authorization",):
        raise refuse("SET ROLE and SET SESSION AUTHORIZATION")
    if name in _OWN_SETTINGS:
        value = statement.tokens[-1].text.strip("'").lower()
        wanted = _FIXED_SETTINGS.get(name)
        if wanted is not None and statement.word(0) == "set" and value not in (wanted, "false"):
            raise refuse(f"{name} = {value}")
        statement.replace("setting", index, index + 1, f"redshift.{name}")
    elif name not in _SHARED_SETTINGS:
        raise RedshiftError(f'unrecognized configuration parameter "{name}"', "42704")
    return finish(statement)


def show(statement: Statement) -> Translation:
    name = statement.word(1)
    if len(statement) == 2 and name in _OWN_SETTINGS:
        statement.replace("setting", 1, 2, f"redshift.{name}")
        return finish(statement)
    if len(statement) == 2 and name in _SHARED_SETTINGS:
        return finish(statement)
    raise refuse(f"SHOW {statement.text(1).upper()}")


def grant(statement: Statement) -> Translation:
    """GRANT and REVOKE of privileges on tables and schemas."""
    words = [token.word for token in statement.tokens]
    if "on" not in words:
        raise refuse(f"{words[0].upper()} of roles and system privileges")
    kind = words[words.index("on") + 1]
    if kind in ("function", "procedure", "language", "database", "model", "datashare"):
        raise refuse(f"{words[0].upper()} ... ON {kind.upper()}")
    return finish(statement)


def comment(statement: Statement) -> Translation:
    """COMMENT ON a table, column, view, schema or database."""
    if statement.word(1) != "on" or statement.word(2) not in (
        "table",
        "column",
        "view",
        "schema",
        "database",
    ):
        raise refuse(statement.source(0, min(3, len(statement))).upper())
    index = statement.expect(statement.name_at(3)[1], "is")
    if statement.kind(index) is not Kind.STRING and statement.word(index) != "null":
        raise statement.syntax_error(index)
    return finish(statement)


def analyze(statement: Statement) -> Translation:
    """ANALYZE [VERBOSE] [t [(columns)]] [PREDICATE COLUMNS | ALL COLUMNS]."""
    end = len(statement)
    if statement.word(1) == "compression":
        raise refuse("ANALYZE COMPRESSION")
    if statement.word(end - 1) == "columns" and statement.word(end - 2) in ("predicate", "all"):
        statement.replace("analyze columns", end - 2, end, "")
    return finish(statement)


def vacuum(statement: Statement) -> Translation:
    """VACUUM [kind] [t [TO n PERCENT]] [BOOST], which PostgreSQL's own VACUUM stands for."""
    kinds = ("full", "sort", "delete", "only", "reindex", "recluster", "boost", "to", "percent")
    for index in range(1, len(statement)):
        word = statement.word(index)
        if word in kinds or statement.kind(index) is Kind.NUMBER:
            statement.replace("vacuum option", index, index + 1, "")
        elif not statement.is_name(index) and statement.text(index) != ".":
            raise statement.syntax_error(index)
    return finish(statement, outside_transaction=True)
