#!/usr/bin/env bash
# Draws the demo's passwords, once, into .env and .passwords.json beside this file.
set -euo pipefail
cd "$(dirname "$0")"
if [[ -e .env ]]; then
  echo "airflow/.env is there; remove it and the demo's volumes to draw new passwords" >&2
  exit 1
fi
draw() { head -c 24 /dev/urandom | base64 | tr '+/' '-_'; }
umask 077
cat > .env <<ENV
POSTGRES_PASSWORD=$(draw)
S3_ACCESS_KEY=demo$(draw | tr -d '_-' | head -c 12)
S3_SECRET_KEY=$(draw)
JWT_SECRET=$(draw)$(draw)
API_SECRET_KEY=$(draw)
FERNET_KEY=$(head -c 32 /dev/urandom | base64 | tr '+/' '-_')
DOCKER_GROUP=$(stat -c %g /var/run/docker.sock 2>/dev/null || echo 0)
ENV
printf '{"admin": "%s"}\n' "$(draw)" > .passwords.json
# Airflow's user in its container is not the owner of this file.
chmod 644 .passwords.json
echo "the password of admin is in airflow/.passwords.json"
