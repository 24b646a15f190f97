"""What a database says becomes a sentence that says what to do, and whether a retry may help."""

from types import SimpleNamespace

import pytest

from loader.errors import WarehouseError, WarehouseTransient
from loader.warehouse import dbt_api
from loader.warehouse.dbt_api import warehouse_error


@pytest.mark.parametrize(
    "text",
    [
        "1023: Serializable isolation violation on table - 100, transactions forming the cycle",
        "ERROR: could not serialize access due to concurrent update",
        "TransactionContext Error: Conflict with concurrent transaction",
        "[Errno 104] Connection reset by peer",
        "server socket closed. Please check that client side networking configurations",
        'relation "_loaded_files" already exists',
        'duplicate key value violates unique constraint "pg_class_relname_nsp_index"',
    ],
)
def test_what_may_be_gone_in_a_moment_is_tried_again(text: str) -> None:
    assert type(warehouse_error(text)) is WarehouseTransient


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Database Error\n  syntax error at or near x\n", "syntax error at or near x"),
        ("code 41023 is no conflict", "code 41023 is no conflict"),
        (
            "{'S': 'ERROR', 'C': '42501', 'M': 'permission denied', 'H': 'Ask its owner.'}",
            "permission denied. Ask its owner.",
        ),
        ("{'S': 'ERROR', unreadable}", "{'S': 'ERROR', unreadable}"),
        (
            "Could not find profile named 'cti'",
            "Could not find profile named 'cti'. Copy profiles.yml.example to profiles.yml, or give"
            " --profiles-dir.",
        ),
    ],
)
def test_any_other_error_is_said_in_words(text: str, message: str) -> None:
    error = warehouse_error(text)
    assert type(error) is WarehouseError
    assert str(error) == message


def test_a_database_that_is_open_elsewhere_is_not_waited_for() -> None:
    error = warehouse_error("IO Error: Could not set lock on file cti.duckdb: timed out")
    assert type(error) is WarehouseError
    assert "Another process has the database open" in str(error)


@pytest.mark.parametrize(
    ("messages", "mistaken"),
    [
        (["Database Error in model a\n  syntax error at or near"], True),
        (["Compilation Error in model a\n  'x' is undefined", "Binder Error: no column"], True),
        (["Binder Error: no column", "Database Error in model b\n  connection reset"], False),
    ],
)
def test_a_build_that_a_retry_may_help_is_no_mistake(messages: list[str], mistaken: bool) -> None:
    node = SimpleNamespace(unique_id="model.cti.a", name="a", resource_type="model")
    results = [SimpleNamespace(status="error", node=node, message=text) for text in messages]
    assert dbt_api._summary(results).mistaken is mistaken
