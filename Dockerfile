# The loader and the dbt project in one image: docker build -t cti_etl .
# hadolint ignore=DL3006
ARG PYTHON_IMAGE=python:3.11-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
WORKDIR /build
COPY requirements/runtime.txt ./
# A machine with an index of its own gives its pip.conf as the secret `pip`; a secret is no layer.
# --no-deps: the file lists everything, and pip 23 does not accept a hash-pinned extra.
RUN --mount=type=secret,id=pip,target=/run/secrets/pip.conf,mode=0444 \
    python -m venv --without-pip /venv \
 && PIP_CONFIG_FILE=/run/secrets/pip.conf PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 \
    python -m pip --python /venv/bin/python install --quiet --no-deps --require-hashes -r runtime.txt

# hadolint ignore=DL3006
FROM ${PYTHON_IMAGE}
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="cti_etl" \
      org.opencontainers.image.description="Validates dirty CSV files, loads them once into Redshift or DuckDB, and cleans and deduplicates them with dbt." \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"

COPY --from=build /venv /venv
WORKDIR /app
COPY . .

# Everything that is written goes to /scratch, but for the DuckDB file, which is to be kept.
ENV PATH=/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HOME=/scratch \
    TMPDIR=/scratch \
    DBT_PROJECT_DIR=/app \
    DBT_PROFILES_DIR=/app \
    DBT_TARGET_PATH=/scratch/target \
    DBT_LOG_PATH=/scratch/logs \
    CTI_DUCKDB_PATH=/data/cti.duckdb \
    CTI_REJECTS_LOCATION=/scratch/rejects

# A clone's files may be its owner's alone, and keep that here.
RUN chmod -R a+rX /app \
 && mkdir -m 1777 /scratch \
 && install -d -o 10001 -g 10001 /data \
 && mv profiles.yml.example profiles.yml \
 && dbt --quiet parse --target-path /app/target --log-path /app/target \
 && find target -mindepth 1 ! -name partial_parse.msgpack -delete \
 && chmod 0444 target/partial_parse.msgpack \
 && python -m compileall -q loader \
 && rm -rf /scratch/* /scratch/.[!.]* /root/.cache

# dbt takes from here what it parsed above; what it parses at run time goes to /scratch.
ENV DBT_PARTIAL_PARSE_FILE_PATH=/app/target/partial_parse.msgpack

USER 10001:10001
RUN ["python", "-m", "loader", "--version"]
ENTRYPOINT ["python", "-m", "loader"]
CMD ["--help"]
