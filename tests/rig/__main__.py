"""`python -m rig`: an S3 server and a Redshift stand-in on this machine, until Ctrl-C.

Prints what to export before `dbt build` or `python -m loader run`.
"""

from __future__ import annotations

import argparse
import shlex
import signal
import threading

from rig.s3 import S3Server
from rig.server import RedshiftRig

_BUCKET = "lake"


def environment(s3: S3Server, rig: RedshiftRig) -> dict[str, str]:
    """The variables that profiles.yml.example and the loader read."""
    return s3.env() | {
        "CTI_TARGET": "redshift",
        "REDSHIFT_HOST": rig.host,
        "REDSHIFT_PORT": str(rig.port),
        "REDSHIFT_DATABASE": rig.database,
        "REDSHIFT_USER": rig.user,
        "DBT_ENV_SECRET_REDSHIFT_PASSWORD": rig.password,
        "REDSHIFT_SSLMODE": "verify-full",
        "SSL_CERT_FILE": str(rig.certificate_authority),
        "CTI_COPY_ROLE": rig.role,
        "CTI_WORK_LOCATION": f"s3://{s3.buckets[0]}/work/",
    }


def main() -> None:
    """Run both servers until SIGINT or SIGTERM, then leave nothing behind."""
    parser = argparse.ArgumentParser(prog="python -m rig", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="port of the Redshift stand-in")
    arguments = parser.parse_args()
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    with S3Server(buckets=(_BUCKET,)) as s3, RedshiftRig(s3=s3, port=arguments.port) as rig:
        for name, value in environment(s3, rig).items():
            print(f"export {name}={shlex.quote(value)}")
        print(f"# Running on {rig.host}:{rig.port}. Stop with Ctrl-C.", flush=True)
        stopped.wait()


if __name__ == "__main__":
    main()
