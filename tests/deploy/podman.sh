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
# The image's Python may have an older patch version than this one, which some packages depend on.
awk -v to="$work/part" '/^[a-z]/ { n = (/; python_full_version </) ? ++count : 0; sub(/ ; [^\\]*/, " ") }
  n { print > (to n ".txt") }' requirements/runtime.txt
for list in requirements/runtime.txt "$work"/part*.txt; do
  "${PYTHON:-python3.11}" -m pip download --quiet --no-deps --require-hashes --only-binary :all: \
    --dest "$work/wheels" -r "$list"
done
printf '[global]\nno-index = true\nfind-links = /wheels\n' > "$work/pip.conf"

podman build --isolation chroot --network host \
  --volume "$work/wheels:/wheels:ro" --secret "id=pip,src=$work/pip.conf" \
  --build-arg "PYTHON_IMAGE=$base" --build-arg "REVISION=$(git rev-parse --short HEAD)" \
  --tag "$image" .
