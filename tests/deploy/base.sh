#!/usr/bin/env bash
# Makes the image that the Dockerfile starts from, on a machine that reaches no container registry:
# Debian's own packages and its Python 3.11, under the name given. Needs root, podman, debootstrap.
set -euo pipefail
name=${1:-docker.io/library/python:3.11-slim-bookworm}
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
debootstrap --variant=minbase --include=python3,python3-pip,python3-venv,ca-certificates,tzdata \
  bookworm "$root/base" ${DEBIAN_MIRROR:+"$DEBIAN_MIRROR"} >/dev/null
# The official image has `python` on the path, and lets pip install into it.
ln -s python3 "$root/base/usr/bin/python"
rm -f "$root/base"/usr/lib/python3*/EXTERNALLY-MANAGED
# The machine's own addresses are none of the image's business.
: > "$root/base/etc/apt/sources.list"
rm -rf "$root/base"/var/cache/apt/*.bin "$root/base"/var/cache/apt/archives/*.deb \
  "$root/base"/var/lib/apt/lists/* "$root/base"/usr/share/doc/* "$root/base"/etc/apt/apt.conf.d/*proxy*
tar -C "$root/base" -c . | podman import --change 'CMD ["python"]' - "$name"
