"""All that the loader takes from dbt's Python, and its errors in words that say what to do.

No other module of the loader imports dbt. The day dbt drops these names, this is the one to write
again:

    dbt.cli.main                            dbtRunner
    dbt.clients.yaml_helper                 load_yaml_text
    dbt.adapters.factory                    get_adapter_by_type
    dbt.adapters.duckdb.connections         DuckDBConnectionManager
    dbt.compilation                         Compiler
    dbt.context.providers                   generate_runtime_macro_context
    dbt_common.events.event_manager_client  cleanup_event_logger
    dbt_common.exceptions                   CompilationError, DbtBaseException
    logging                                 the logger "stdout_log", which prints for dbt

It hands on two of dbt's objects. From the manifest, project.py reads `sources`, `nodes`,
`child_map` and `parent_map`, and hands on nodes; this module reads `metadata`, `nodes` and `files`.
On the adapter, which dbt registers when it parses, connection.py calls `execute`, `execute_macro`,
`get_relation`, `Relation.create_from`, `config`, `cache` and `commit_if_has_connection`; this
module reads its `config`, clears its `cache`, and sets `connections.query_header`.

dbt takes seconds to import, so each function imports what it needs.
"""

import ast
import gc
import inspect
import logging
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from traceback import walk_stack
from typing import Any

import duckdb

from loader import interrupts
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

# What dbt and both engines say of a mistake in somebody's SQL or Jinja, which no retry cures.
_MISTAKE = re.compile(
    r"compilation error|(syntax|parser|binder|catalog|conversion) error|does not exist|ambiguous",
    re.IGNORECASE,
)

# What COPY says of its role, of what that may read, and of a bucket that is elsewhere or nowhere.
_COPY_REFUSED = re.compile(r"not authorized|Error (AccessDenied|PermanentRedirect|NoSuchBucket)")

# What the driver of Redshift says where it gets no connection at all.
_UNREACHED = re.compile(r"'communication error', \w+\((?:-?\d+, )?['\"](.+?)['\"]\)")

# What one of the project's macros refuses. The message says it all; which macro says it does not.
_REFUSED = re.compile(
    r"Error in \w+ [\w.-]+ \(.*?\)\n(.*?)\n\s*> in macro refuse_(?!arg)", re.DOTALL
)

# PostgreSQL: "Error and Notice Message Fields"; S is the severity.
_FIELDS = re.compile(r"\{'S': .*\}", re.DOTALL)


@dataclass(frozen=True)
class BuildResult:
    """What `dbt build` or `dbt test` did.

    passed, warned: ids of tests. failed: what each failed test says, by its id. errors: what could
    not be run, models and tests alike. mistaken: each of these is a mistake in SQL or Jinja.
    """

    passed: frozenset[str]
    warned: frozenset[str]
    failed: dict[str, str]
    errors: tuple[str, ...]
    mistaken: bool


def parse(options: Sequence[str]) -> Any:
    """The manifest of the project that dbt's options point to. Raises ConfigError."""
    # Its manifest.json is for others; `dbt build` writes it.
    command = ["--log-level", "none", "--no-write-json", "parse", *options]
    manifest = _invoke(command)
    if _is_stale(manifest):
        manifest = _invoke(["--no-partial-parse", *command])
    if not gc.isenabled():
        # What dbt has made is needed until the end; Python would go through it again on leaving.
        gc.freeze()
        gc.enable()
    return manifest


def _is_stale(manifest: Any) -> bool:
    """Whether dbt has overlooked that a file of the project changed since it kept what it parsed.

    It takes one for unchanged where only blanks or line ends are other ones, even inside quotes,
    or where the time at which it was written is as it was, though no program sets the time of the
    last change of a file (ctime) back. What a YAML file says is kept, so it can be compared.
    """
    from dbt.adapters.factory import get_adapter_by_type

    name = manifest.metadata.project_name
    config = get_adapter_by_type(manifest.metadata.adapter_type).config
    root, kept = config.project_root, Path(config.project_target_path, "partial_parse.msgpack")
    if not (kept := Path(root, kept)).exists():
        return False
    for known in (known for known in manifest.files.values() if known.project_name == name):
        # Not the path that dbt keeps, which is where the project was then.
        file = Path(root, known.path.searched_path, known.path.relative_path)
        set_back = file.stat().st_mtime_ns <= kept.stat().st_mtime_ns < file.stat().st_ctime_ns
        # An image keeps whole seconds.
        times = (known.path.modification_time, int(known.path.modification_time))
        if set_back or file.stat().st_mtime not in times:
            said = getattr(known, "dfy", None)
            if not said or said != _said(file):
                return True
    return False


def _said(file: Path) -> Any:
    """What a YAML file says now; None if it is none, which dbt has words for."""
    from dbt.clients.yaml_helper import load_yaml_text
    from dbt_common.exceptions import DbtBaseException

    with suppress(DbtBaseException, ValueError):
        return load_yaml_text(file.read_text(encoding="utf-8"))
    return None


def yaml_folders(manifest: Any) -> list[str]:
    """Where dbt looks for YAML: folders of the project, and whole packages."""
    from dbt.adapters.factory import get_adapter_by_type

    config = get_adapter_by_type(manifest.metadata.adapter_type).config
    packages = (str(p.project_root) for p in config.load_dependencies().values() if p is not config)
    return [*(str(Path(config.project_root, p)) for p in config.all_source_paths), *packages]


def build(manifest: Any, options: Sequence[str], quiet: bool, verb: str = "build") -> BuildResult:
    """Runs `dbt build`, or `dbt test`, with dbt's options. Raises WarehouseError if it fails."""
    from dbt_common.events.event_manager_client import cleanup_event_logger

    # When a closed pipe stops what dbt prints, Python's logging would print a traceback.
    logging.raiseExceptions = False
    # After an interruption dbt would print one, too.
    logging.getLogger("stdout_log").addFilter(lambda _: not interrupts.requested())
    printed = ["--log-level", "none"] if quiet else []
    printed += [] if sys.stdout.isatty() else ["--no-use-colors"]
    try:
        return _summary(list(_invoke([*printed, verb, *options], manifest)))
    finally:
        # dbt would go on printing events after the build.
        cleanup_event_logger()


def _invoke(arguments: list[str], manifest: Any = None) -> Any:
    from dbt.cli.main import dbtRunner
    from dbt_common.exceptions import CompilationError

    with bare_stacks():
        outcome = dbtRunner(manifest=manifest).invoke(arguments)
    if outcome.result is None:
        # What was parsed and compiles is no mistake of configuration; the warehouse has failed.
        mistaken = manifest is None or isinstance(outcome.exception, CompilationError)
        kind = ConfigError if mistaken else WarehouseError
        raise kind(_advised(_paragraph(str(outcome.exception))))
    return outcome.result


@contextmanager
def bare_stacks() -> Iterator[None]:
    """Gives dbt and the driver of Redshift frames alone, of which they want the module.

    The driver looks for the module that calls it at each connection, one for a model or a test, and
    dbt at each of 45 flags. Python would read the source of every frame: an eighth of the CPU of a
    run that finds nothing new.
    """

    def frames(_: int = 1) -> list[Any]:
        this: Any = inspect.currentframe()
        return [(frame,) for frame, _ in walk_stack(this.f_back)]

    module: Any = inspect
    whole, module.stack = module.stack, frames
    try:
        yield
    finally:
        module.stack = whole


def _summary(results: list[Any]) -> BuildResult:
    def of(*statuses: str) -> list[Any]:
        return [result for result in results if str(result.status) in statuses]

    def message(result: Any) -> str:
        return f"{result.node.name}: {_paragraph(result.message or '')}"

    errors = of("error", "runtime error")
    return BuildResult(
        passed=frozenset(result.node.unique_id for result in of("pass")),
        warned=frozenset(result.node.unique_id for result in of("warn")),
        failed={result.node.unique_id: message(result) for result in of("fail")},
        errors=tuple(map(message, errors)),
        mistaken=all(_MISTAKE.search(result.message or "") for result in errors),
    )


def compiled(manifest: Any, test: str) -> str:
    """The SQL of a test, by its id, while an adapter is connected. Raises WarehouseError."""
    from dbt.adapters.factory import get_adapter_by_type
    from dbt.compilation import Compiler

    with database_errors():
        compiler = Compiler(get_adapter_by_type(manifest.metadata.adapter_type).config)
        return str(compiler.compile_node(manifest.nodes[test], manifest, write=False).compiled_code)


@contextmanager
def connected_adapter(manifest: Any, create: bool) -> Iterator[Any]:
    """dbt's adapter, connected to the target of the last parse().

    create: whether a DuckDB file may stay that connecting to it has created. Raises ConfigError,
    WarehouseError.
    """
    from dbt.adapters.factory import get_adapter_by_type
    from dbt.context.providers import generate_runtime_macro_context

    adapter = get_adapter_by_type(manifest.metadata.adapter_type)
    config, credentials = adapter.config, adapter.config.credentials
    if credentials.type == "redshift":
        if not credentials.host:
            raise ConfigError(
                f"target {config.target_name} of the profile has no host. Set REDSHIFT_HOST,"
                " REDSHIFT_USER and DBT_ENV_SECRET_REDSHIFT_PASSWORD, or use --target duckdb."
            )
        # dbt would retry a statement on a new connection, outside the transaction that it is part
        # of. The loader tries whole loads again instead.
        credentials.retries = 0
        # Without it the first statement would begin a transaction; in that of a load the lock has
        # to come first.
        credentials.autocommit = True
    path = Path(getattr(credentials, "path", "") or ":memory:")
    remove = credentials.type == "duckdb" and not create and not path.exists()
    # The loader's statements are sent as `plan` shows them, without dbt's comment before each.
    adapter.connections.query_header = None
    # Tables that were there on an earlier connection may be gone.
    adapter.cache.clear()
    adapter.set_macro_resolver(manifest)
    adapter.set_macro_context_generator(generate_runtime_macro_context)
    try:
        with database_errors(), adapter.connection_named("loader"):
            yield adapter
    except WarehouseTransient as error:
        if not (found := _UNREACHED.search(str(error))):
            raise
        raise WarehouseTransient(
            f"cannot reach the warehouse at {credentials.host}:{credentials.port}: {found[1]}."
            " Check host and port, and that this machine may connect to it."
        ) from None
    finally:
        adapter.cleanup_connections()
        if credentials.type == "duckdb":
            # dbt-duckdb would hold the file, and so its lock, until the process ends.
            from dbt.adapters.duckdb.connections import DuckDBConnectionManager

            DuckDBConnectionManager.close_all_connections()
        if remove:
            path.unlink(missing_ok=True)


@contextmanager
def database_errors() -> Iterator[None]:
    """Turns what dbt and its adapters raise into WarehouseError or ConfigError."""
    from dbt_common.exceptions import CompilationError, DbtBaseException

    try:
        yield
    except CompilationError as error:
        raise ConfigError(_advised(_paragraph(str(error)))) from None
    except (DbtBaseException, duckdb.Error) as error:
        raise warehouse_error(str(error)) from None


def warehouse_error(text: str) -> WarehouseError | ConfigError:
    """The loader's own error for the text of a database's; transient if a retry may cure it."""
    message = _paragraph(text)
    if "authentication failed" in message:
        return ConfigError(f"{message} Set the profile's user and password right.")
    if _COPY_REFUSED.search(message):
        return ConfigError(message)
    if "lock on file" in message:
        return WarehouseError(
            f"{message} Another process has the database open; end it or wait, then run again."
        )
    if _TRANSIENT.search(message):
        return WarehouseTransient(message)
    return WarehouseError(_advised(message))


def _paragraph(text: str) -> str:
    """A message of several lines as one paragraph, without dbt's heading."""
    refused = _REFUSED.search(text)
    lines = [line.strip() for line in (refused or [text, _without_fields(text)])[1].splitlines()]
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


def _advised(message: str) -> str:
    """A message of dbt's, with what to do where the profile is what it lacks."""
    if "/.dbt' does not exist" in message:
        # Where dbt looks last, which is not where anybody should put it.
        message = "There is no profiles.yml in the project"
    if re.search(r"profiles.yml|Could not find profile", message):
        advice = "Copy profiles.yml.example to profiles.yml, or give --profiles-dir."
        return f"{message.rstrip('.')}. {advice}"
    return message
