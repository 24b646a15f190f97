#!/usr/bin/env bash
# `make test-demo` where there is neither a Docker daemon nor a container registry: stand-ins for the
# images, and podman as the Docker API. Needs root, podman, netavark, aardvark-dns and debootstrap.
set -euo pipefail
cd "$(dirname "$0")/../.."
make .venv/dev .venv-deploy/deploy
podman image exists cti_etl || tests/deploy/podman.sh
podman image exists cti_airflow || tests/deploy/stand_ins.sh

socket=/var/run/docker.sock
if [[ -e $socket ]]; then echo "$socket is in use" >&2; exit 1; fi
podman system service --time=0 "unix://$socket" &
service=$!
trap 'kill $service; rm -f $socket' EXIT
until [[ -S $socket ]]; do sleep 0.2; done
# As Docker's: for root and a group, here that of Airflow's user.
chmod 660 "$socket"

# Without systemd nothing makes podman look after a container's health.
while kill -0 $service; do podman healthcheck run cti-postgres-1 || true; sleep 3; done \
  >/dev/null 2>&1 &
make test-demo
