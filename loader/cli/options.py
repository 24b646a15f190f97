"""The options that commands share, and what they mean: which project, which feeds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from loader.cli.exits import errors_explained
from loader.errors import ConfigError

if TYPE_CHECKING:
    from loader.contract.feed import Feed
    from loader.warehouse.project import Project

__all__ = [
    "LOAD_ID",
    "Settings",
    "common",
    "feeds_of",
    "one_feed",
    "rejects_to_option",
    "reload_option",
    "select_option",
]

# As many as a ledger can hold.
LOAD_ID = click.IntRange(min=1, max=2**63 - 1)


@dataclass(frozen=True)
class Settings:
    """The options that every command has."""

    project_dir: Path
    profiles_dir: Path | None
    target: str | None
    as_json: bool

    def project(self) -> Project:
        """The dbt project that the options point to."""
        from loader.warehouse.project import Project

        if not (self.project_dir / "dbt_project.yml").is_file():
            raise ConfigError(
                f"{self.project_dir}: no dbt_project.yml here; run in the project's folder or give"
                " --project-dir."
            )
        return Project(self.project_dir.resolve(), self.profiles_dir, self.target)


def common(command: Callable[..., None]) -> Callable[..., None]:
    """Adds the options of all commands, gathered into one argument `settings`."""
    options = [
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
    ]

    @wraps(command)
    def gathered(
        project_dir: Path,
        profiles_dir: Path | None,
        target: str | None,
        as_json: bool,
        debug: bool,
        **arguments: Any,
    ) -> None:
        with errors_explained(debug):
            command(Settings(project_dir, profiles_dir, target, as_json), **arguments)

    for option in reversed(options):
        option(gathered)
    return gathered


select_option = click.option(
    "--select", "-s", "selected", multiple=True, metavar="FEED", help="Only this feed; repeatable."
)


reload_option = click.option(
    "--reload",
    "reloads",
    multiple=True,
    metavar="FILE",
    help="Load this file though it was rolled back, named as in `history`; repeatable.",
)


rejects_to_option = click.option(
    "--rejects-to",
    envvar="CTI_REJECTS_LOCATION",
    metavar="FOLDER",
    help="Also write refused records as JSON lines, to a folder or s3://bucket/prefix/.",
)


def feeds_of(
    project: Project, selected: tuple[str, ...], reloads: tuple[str, ...] = ()
) -> list[Feed]:
    """The selected feeds, or all. Raises ConfigError."""
    feeds = [project.feed(name) for name in selected] or list(project.feeds.values())
    if not feeds:
        raise ConfigError("the project has no feed; give a source table config.meta.feed")
    if reloads and len(feeds) > 1:
        raise ConfigError("--reload names files of one feed; say which with --select FEED")
    return feeds


def one_feed(project: Project, name: str | None, option: str) -> Feed:
    """The feed that the option names, or the only one. Raises ConfigError."""
    if name:
        return project.feed(name)
    feeds = feeds_of(project, ())
    if len(feeds) > 1:
        raise ConfigError(f"several feeds: {', '.join(f.name for f in feeds)}. Give {option}.")
    return feeds[0]
