#!/usr/bin/env bash
# Fetches the packages of a requirements file into a folder, from which a build that reaches no index
# installs them: wheels.sh requirements/runtime.txt FOLDER. With this machine's pip and its settings.
set -euo pipefail
list=$1 folder=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# The image's Python may have an older patch version than this one, which some packages depend on.
awk -v to="$work/part" '/^[a-z]/ { n = (/; python_full_version </) ? ++count : 0; sub(/ ; [^\\]*/, " ") }
  n { print > (to n ".txt") }' "$list"
for part in "$list" "$work"/part*.txt; do
  [[ -e $part ]] || continue
  "${PYTHON:-python3.11}" -m pip download --quiet --no-deps --require-hashes --only-binary :all: \
    --dest "$folder" -r "$part"
done
