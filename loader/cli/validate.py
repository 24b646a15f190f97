"""The command validate: judges local files. Imports in it spare `--help` numpy and DuckDB."""

from __future__ import annotations

import sys
from collections import Counter
from itertools import chain
from pathlib import Path

import click

from loader.cli.options import Settings, command
from loader.cli.output import ProgressReport, print_json, print_records, print_rejects
from loader.errors import ConfigError, StorageError
from loader.files.version import file_errors
from loader.validation.rejects import Verdict

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@command(
    click.argument("paths", nargs=-1, required=True, type=_FILE),
    click.option(
        "--feed", "feed_name", metavar="FEED", help="Whose contract; not needed for one feed."
    ),
    click.option(
        "--out",
        type=click.Path(path_type=Path, file_okay=False),
        help="Folder for NAME.accepted.csv and NAME.rejects.jsonl of each file.",
    ),
)
def validate(
    settings: Settings, paths: tuple[Path, ...], feed_name: str | None, out: Path | None
) -> None:
    """Judge local files against a feed's contract. Needs no warehouse and loads nothing.

    \b
    Example: python -m loader validate --feed indicators --out checked data/*.csv
    """
    from loader.files.spool import spool_folder
    from loader.jobs.load import judge_file
    from loader.validation.validator import Validator

    settings.project.recall()
    feed = settings.feed(feed_name, "--feed")
    results = _results(paths, out) if out else {}
    observer = ProgressReport(quiet=settings.as_json)
    total = sum(path.stat().st_size for path in paths)
    step = observer.step(f"{feed.name}: validating {len(paths)} files", total)
    verdicts: list[Verdict] = []
    code = 0
    with spool_folder() as spool, Validator(feed, spool) as validator, step:
        for path in paths:
            try:
                if not path.is_file():
                    raise ConfigError(f"{path} is not a regular file")
                verdict = judge_file(validator, str(path), path, observer)
                code = max(code, 1 if verdict.refused or verdict.rejected else 0)
            except (ConfigError, StorageError) as error:
                verdict = Verdict(str(path), refused=str(error))
                code = max(code, error.exit_code)
            if path in results:
                accepted, rejects = results[path]
                with file_errors(accepted), rejects.open("w", encoding="ascii") as lines:
                    lines.writelines(verdict.rejects.json_lines())
                    accepted.unlink(missing_ok=True)
                    if not verdict.refused:
                        validator.write_accepted(verdict, accepted)
            verdicts.append(verdict)
            if settings.as_json:
                print_json(verdict.to_json())
    if not settings.as_json:
        shown = ["file", "read", "accepted", "rejected", "refused"]
        if any(verdict.skipped for verdict in verdicts):
            shown.insert(-1, "skipped")
        rows = (
            {
                **verdict.to_json(),
                "skipped": verdict.skipped.total(),
                "refused": "whole file" if verdict.refused else "",
            }
            for verdict in verdicts
        )
        print_records(feed.name, shown, rows)
        print_rejects(verdicts)
    sys.exit(code)


def _results(paths: tuple[Path, ...], out: Path) -> dict[Path, tuple[Path, Path]]:
    """Where each file's accepted and rejected records go. Raises ConfigError and OSError."""
    name, count = Counter(path.name for path in paths).most_common(1)[0]
    if count > 1:
        raise ConfigError(
            f"two files are called {name}, so their results would overwrite each other in {out};"
            " validate them into different folders"
        )
    out.mkdir(parents=True, exist_ok=True)
    inputs = {path.resolve() for path in paths}
    results = {
        path: (out / f"{path.name}.accepted.csv", out / f"{path.name}.rejects.jsonl")
        for path in paths
    }
    for result in chain(*results.values()):
        if result.resolve() in inputs:
            raise ConfigError(
                f"{result} is to be validated and would be written over; give another --out"
            )
    return results
