#!/usr/bin/env bash
# `make test-demo` where there is neither a Docker daemon nor a container registry: stand-ins for the
# foreign images, and podman as the Docker API. Needs root, podman, netavark, aardvark-dns, debootstrap.
set -euo pipefail
cd "$(dirname "$0")/../.."
make .venv/dev .venv-deploy/deploy
tests/deploy/podman.sh
tests/deploy/stand_ins.sh

socket=/var/run/docker.sock
if [[ -e $socket ]]; then echo "$socket is in use" >&2; exit 1; fi
BUILDAH_ISOLATION=chroot podman system service --time=0 "unix://$socket" &
service=$!
trap 'kill $service; rm -f $socket' EXIT
until [[ -S $socket ]]; do kill -0 $service; sleep 0.2; done
# As Docker's: for root and a group, here that of Airflow's user.
chmod 660 "$socket"

# Without systemd nothing makes podman look after a container's health.
while kill -0 $service; do podman healthcheck run cti-postgres-1 || true; sleep 3; done \
  >/dev/null 2>&1 &
# This project's own image is there; to build it, Compose would need a package index. Its newer builder
# would need an image of its own.
DOCKER_BUILDKIT=0 DEMO_BUILD=migrate make test-demo
