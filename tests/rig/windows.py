"""Rules for window functions: AWS, "Window functions" and "Window function syntax summary"."""

from __future__ import annotations

from rig.errors import RedshiftError
from rig.sql_text import Statement, refuse, word_set

# "If an ORDER BY clause is used for an aggregate function, an explicit frame clause is required."
_NEED_FRAME = word_set(
    "avg count first_value last_value max median min nth_value ratio_to_report stddev stddev_pop "
    "stddev_samp sum var_pop var_samp variance"
)
# "Ranking functions do not use a frame clause"; LAG and LEAD do not take one either.
_NO_FRAME = word_set("cume_dist dense_rank lag lead ntile percent_rank rank row_number listagg")


def check_windows(statement: Statement) -> None:
    """Refuse window clauses that PostgreSQL takes and Redshift does not."""
    for index in range(len(statement)):
        if statement.word(index) == "over" and statement.text(index - 1) in (")", "nulls"):
            _check_over(statement, index)
        elif statement.word(index) == "window" and statement.words(index + 2, "as"):
            raise statement.syntax_error(index)


def _check_over(statement: Statement, index: int) -> None:
    if statement.word(index - 1) == "nulls":
        raise refuse("IGNORE NULLS and RESPECT NULLS")
    if statement.text(index + 1) != "(":
        # OVER name: there is no WINDOW clause to name one in.
        raise statement.syntax_error(index + 1)
    function = statement.word(statement.opening(index - 1) - 1)
    closing = statement.closing(index + 1)
    inside = [statement.word(i) for i in statement.level(index + 2, closing)]
    frame = next((word for word in inside if word in ("rows", "range", "groups")), None)
    if frame in ("range", "groups"):
        raise RedshiftError(
            f"{frame.upper()} clause of window functions not yet implemented", "0A000"
        )
    if "exclude" in inside:
        raise RedshiftError('syntax error at or near "exclude"', "42601")
    if function in _NO_FRAME and frame:
        raise RedshiftError(f"Window function {function} does not take a frame clause", "0A000")
    if function in _NEED_FRAME and "order" in inside and not frame:
        raise RedshiftError(
            "Aggregate window functions with an ORDER BY clause require a frame clause", "0A000"
        )
