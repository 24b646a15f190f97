"""The command line: the group of all commands, and how the process ends."""

import sys

import click

from loader import __version__, interrupts
from loader.cli.exits import INTERRUPTED
from loader.cli.ledger import archive, check, history, rollback
from loader.cli.load import load, plan, run
from loader.cli.rejects import rejects, replay
from loader.cli.validate import validate

_EPILOG = """
Exit codes: 0 done; 1 the data was refused, or a test or check of the tables failed; 2 a mistake
in usage or configuration, which no retry cures; 3 a system failed, and a retry may help; 130
interrupted. A command for several feeds ends with the highest code of them.
"""


@click.group(
    commands=[plan, validate, load, run, history, rejects, replay, check, rollback, archive],
    epilog=_EPILOG,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name="loader")
def cli() -> None:
    """Validates raw CSV files against their contract and loads them, once, into the warehouse.

    A feed is a dbt source table with config.meta.feed; its YAML says where the files lie and what
    a record must satisfy.

    \b
    Example: python -m loader run
    """


def main() -> None:
    """Runs the command line; never shows a traceback unless asked."""
    interrupts.listen()
    try:
        cli(prog_name="python -m loader")
    except (KeyboardInterrupt, SystemExit) as ended:
        interrupts.leave_at_once()
        # A signal before or after the command's own work, which click would call an abort.
        if interrupts.requested() and getattr(ended, "code", None) != interrupts.EXIT_CODE:
            click.echo(f"error: {INTERRUPTED}", err=True)
            sys.exit(interrupts.EXIT_CODE)
        raise
