#!/usr/bin/env bash
# Builds the image where there is neither a Docker daemon nor a container registry. Needs root,
# podman, debootstrap and a Python 3.11 with pip. IMAGE and PYTHON_IMAGE name what is built and what
# it starts from. This machine's pip fetches the packages, with whatever settings it has; the build
# sees a folder of them, mounted, and none of the settings.
set -euo pipefail
cd "$(dirname "$0")/../.."
image=${IMAGE:-cti_etl}
base=${PYTHON_IMAGE:-docker.io/library/python:3.11-slim-bookworm}

podman image exists "$base" || tests/deploy/base.sh "$base"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tests/deploy/wheels.sh requirements/runtime.txt "$work/wheels"
printf '[global]\nno-index = true\nfind-links = /wheels\n' > "$work/pip.conf"

podman build --isolation chroot --network host \
  --volume "$work/wheels:/wheels:ro" --secret "id=pip,src=$work/pip.conf" \
  --build-arg "PYTHON_IMAGE=$base" --build-arg "REVISION=$(git rev-parse --short HEAD)" \
  --tag "$image" .
