"""`python -m rig` is a developer's warehouse: it must say how to reach it and leave nothing."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import redshift_connector

from rig.ports import accepts_connections, free_ports


def test_runs_until_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    (port,) = free_ports(1)
    path = [str(Path(__file__).parent.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    process = subprocess.Popen(
        [sys.executable, "-m", "rig", "--port", str(port)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(path)},
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        variables = {}
        for line in iter(process.stdout.readline, ""):
            if line.startswith("#"):
                break
            name, _, value = shlex.split(line)[1].partition("=")
            variables[name] = value
        monkeypatch.setenv("SSL_CERT_FILE", variables["SSL_CERT_FILE"])
        connection = redshift_connector.connect(
            host=variables["REDSHIFT_HOST"],
            port=int(variables["REDSHIFT_PORT"]),
            database=variables["REDSHIFT_DATABASE"],
            user=variables["REDSHIFT_USER"],
            password=variables["DBT_ENV_SECRET_REDSHIFT_PASSWORD"],
            sslmode=variables["REDSHIFT_SSLMODE"],
        )
        connection.close()
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
    assert variables["CTI_WORK_LOCATION"].startswith("s3://")
    assert not Path(variables["SSL_CERT_FILE"]).parent.parent.exists()
    assert not accepts_connections(port)
    assert not accepts_connections(int(variables["AWS_ENDPOINT_URL_S3"].rpartition(":")[2]))
