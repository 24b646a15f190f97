"""The exit code of whatever ends a command, and of a command for several feeds."""

from __future__ import annotations

import pytest

from loader.cli.exits import errors_explained, for_each
from loader.errors import (
    ConfigError,
    DataRefused,
    LoaderError,
    ReconciliationError,
    StorageError,
    WarehouseError,
)


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (DataRefused("2 records"), 1, "error: 2 records\n"),
        (ReconciliationError("3, not 4"), 1, "error: 3, not 4\n"),
        (ConfigError("no such feed"), 2, "error: no such feed\n"),
        (WarehouseError("no route"), 3, "error: no route\n"),
        (OSError(28, "No space left on device", "x"), 3, "error: x: No space left on device\n"),
        (MemoryError(), 3, "error: out of memory; give the process more\n"),
        (
            KeyError("x"),
            3,
            "error: unexpected: KeyError: 'x'. Run again with --debug, and report.\n",
        ),
        (
            KeyboardInterrupt(),
            130,
            "error: interrupted; a load that had not committed left nothing\n",
        ),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_every_error_ends_in_one_message_and_a_code(
    capsys: pytest.CaptureFixture[str], error: BaseException, code: int, told: str
) -> None:
    # A scheduler retries 3 alone, so a person must see 1 and 2 at once.
    with pytest.raises(SystemExit) as ended, errors_explained(debug=False):
        raise error
    assert ended.value.code == code
    assert capsys.readouterr() == ("", told)


@pytest.mark.parametrize(
    ("errors", "code"),
    [
        ([DataRefused("a"), ConfigError("b")], 2),
        ([StorageError("a"), DataRefused("b"), ConfigError("c")], 3),
        ([DataRefused("a"), None], 1),
    ],
)
def test_several_feeds_end_with_the_highest_code(
    errors: list[LoaderError | None], code: int
) -> None:
    def work(error: LoaderError | None) -> None:
        if error:
            raise error

    with pytest.raises(LoaderError, match=r"of \d feeds failed; see above") as failed:
        for_each(errors, work)
    assert failed.value.exit_code == code


def test_the_error_of_a_single_feed_is_its_own() -> None:
    refused = DataRefused("a")

    def work(_: str) -> None:
        raise refused

    with pytest.raises(DataRefused) as failed:
        for_each(["one"], work)
    assert failed.value is refused
