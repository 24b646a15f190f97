"""The options that commands share, and what they mean: which project, which feeds."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import cached_property, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from loader.cli.exits import errors_explained
from loader.errors import ConfigError
from loader.files.choice import Choice, Shard

if TYPE_CHECKING:
    from loader.contract.feed import Feed
    from loader.warehouse.project import Project

# As many as a ledger can hold.
LOAD_ID = click.IntRange(min=1, max=2**63 - 1)


@dataclass(frozen=True)
class Settings:
    """The options that several commands have, as they were given to one.

    selected: names of feeds. reloads: uris of files that were rolled back or archived and are to be
    loaded again. max_files: how many files a load takes at most. shard: if given, only files of it.
    run_id: loads with the same one have one number. rejects_to: a folder or s3://bucket/prefix/.
    """

    project_dir: Path
    profiles_dir: Path | None
    target: str | None
    as_json: bool
    selected: tuple[str, ...] = ()
    reloads: tuple[str, ...] = ()
    max_files: int | None = None
    shard: Shard | None = None
    run_id: str | None = None
    rejects_to: str | None = None

    @property
    def choice(self) -> Choice:
        """Which files to load."""
        return Choice(frozenset(self.reloads), self.max_files, self.shard)

    @cached_property
    def project(self) -> Project:
        """The dbt project that the options point to. Raises ConfigError."""
        # Here, since help needs none of what it imports.
        from loader.warehouse.project import Project

        if not (self.project_dir / "dbt_project.yml").is_file():
            raise ConfigError(
                f"{self.project_dir}: no dbt_project.yml here; run in the project's folder or give"
                " --project-dir."
            )
        return Project(self.project_dir.resolve(), self.profiles_dir, self.target)

    def feeds(self) -> list[Feed]:
        """The selected feeds, or all. Raises ConfigError."""
        feeds: list[Feed] = []
        for feed in self.each():
            if isinstance(feed, ConfigError):
                raise feed
            feeds.append(feed)
        return feeds

    def each(self) -> list[Feed | ConfigError]:
        """The selected feeds, or all and what is wrong with the contracts of others."""
        project = self.project
        feeds: list[Feed | ConfigError] = [project.feed(name) for name in self.selected]
        if not self.selected:
            feeds += sorted(project.contracts.values(), key=lambda f: isinstance(f, ConfigError))
        if not feeds:
            raise ConfigError("the project has no feed; give a source table config.meta.feed")
        if self.reloads and len(feeds) > 1:
            raise ConfigError("--reload names files of one feed; say which with --select FEED")
        return feeds

    def feed(self, name: str | None, option: str) -> Feed:
        """The feed that the option names, or the only one. Raises ConfigError."""
        feeds = [self.project.feed(name)] if name else self.feeds()
        if len(feeds) > 1:
            raise ConfigError(f"several feeds: {', '.join(f.name for f in feeds)}. Give {option}.")
        return feeds[0]


_COMMON = (
    click.option("--target", "-t", envvar="CTI_TARGET", help="dbt target: duckdb or redshift."),
    click.option(
        "--profiles-dir",
        envvar="DBT_PROFILES_DIR",
        type=click.Path(path_type=Path),
        help="Folder of profiles.yml, as in dbt.",
    ),
    click.option(
        "--project-dir",
        envvar="DBT_PROJECT_DIR",
        default=Path("."),
        type=click.Path(path_type=Path),
        help="Folder of dbt_project.yml, as in dbt.",
    ),
    click.option("--json", "as_json", is_flag=True, help="Print JSON, an object a line."),
    click.option("--debug", is_flag=True, help="Show the traceback of an error."),
)


def command(*options: Callable[..., Any]) -> Callable[[Callable[..., None]], click.Command]:
    """Makes a function a command with these options and those that every command has.

    The first argument of the function is its Settings.
    """

    def decorate(function: Callable[..., None]) -> click.Command:
        @wraps(function)
        def gathered(debug: bool, **values: Any) -> None:
            with errors_explained(debug):
                names = [field.name for field in fields(Settings) if field.name in values]
                settings = Settings(**{name: values.pop(name) for name in names})
                function(settings, **values)

        for option in reversed((*options, *_COMMON)):
            option(gathered)
        return click.command()(gathered)

    return decorate


def _shard(text: str) -> Shard:
    """The shard I/N, or /N with the I that Kubernetes or AWS Batch has set."""
    number, _, of = text.partition("/")
    for name in ("JOB_COMPLETION_INDEX", "AWS_BATCH_JOB_ARRAY_INDEX"):
        number = number or os.environ.get(name, "")
    if not (number.isdecimal() and of.isdecimal() and int(number) < int(of)):
        raise click.BadParameter(
            f"{number}/{of} is not I/N with I from 0 to N - 1. Without I, as in /4, it takes"
            " JOB_COMPLETION_INDEX or AWS_BATCH_JOB_ARRAY_INDEX."
        )
    return Shard(int(number), int(of))


select_option = click.option(
    "--select", "-s", "selected", multiple=True, metavar="FEED", help="Only this feed; repeatable."
)
batch_option = click.option(
    "--load", "batch_id", type=LOAD_ID, help="Only what this load rejected."
)
_shard_option = click.option(
    "--shard", envvar="CTI_SHARD", type=_shard, metavar="[I]/N", help="Load part I, from 0, of N."
)
_rejects_option = click.option(
    "--rejects-to",
    envvar="CTI_REJECTS_LOCATION",
    metavar="FOLDER",
    help="Also write rejected records as JSON lines, to a folder or s3://bucket/prefix/.",
)
_run_id_option = click.option(
    "--run-id", envvar="CTI_RUN_ID", metavar="ID", help="Give loads with this ID one number."
)
_options = (
    select_option,
    click.option(
        "--reload",
        "reloads",
        multiple=True,
        metavar="FILE",
        help="Load this file though rolled back, archived or refused, as `history` names it;"
        " repeatable.",
    ),
    click.option(
        "--max-files", type=click.IntRange(1), metavar="N", help="Load the oldest N of each feed."
    ),
)
plan_options = (*_options, _shard_option)
run_options = (*_options, _rejects_option)
load_options = (*run_options, _shard_option, _run_id_option)
