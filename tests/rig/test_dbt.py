"""dbt-redshift, unmodified, against the rig: every kind of node this project may come to use.

One project, built twice in one process; the slowest file of the rig's tests (some 20 seconds).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from dbt.cli.main import dbtRunner

from rig.fixtures import RedshiftDatabase

_FILES = {
    "dbt_project.yml": """
        name: mini
        profile: mini
        version: "1.0"
        models: {mini: {+persist_docs: {relation: true, columns: true}}}
        flags: {send_anonymous_usage_stats: false}
    """,
    "seeds/aliases.csv": """
        alias,kind
        ip,ipv4
        host,dömäin
    """,
    "models/schema.yml": """
        sources:
          - name: raw
            schema: raw
            tables:
              - name: events
                loaded_at_field: loaded_at
                freshness: {error_after: {count: 1, period: day}}
        models:
          - name: clean
            description: One row per raw event. It's "quoted", ünd mit Umlaut.
            columns:
              - name: id
                description: The key.
                data_tests: [not_null]
          - name: latest
            columns:
              - name: id
                data_tests: [unique, not_null]
              - name: kind
                data_tests:
                  - relationships: {arguments: {to: ref('aliases'), field: alias}}
                  - accepted_values: {arguments: {values: [ip, host]}}
          - name: contracted
            config: {contract: {enforced: true}}
            columns:
              - name: id
                data_type: bigint
                constraints: [{type: not_null}, {type: primary_key}]
              - name: name
                data_type: varchar(20)
        unit_tests:
          - name: blanks_go
            model: clean
            given:
              - input: source('raw', 'events')
                format: sql
                rows: select 1 as id, ' IP '::varchar(20) as kind, 'x'::varchar(20) as name,
                  '2024-01-01'::timestamp as seen_at, getdate() as loaded_at
            expect: {rows: [{id: 1, kind: ip}]}
        snapshots:
          - name: history
            relation: ref('clean')
            config: {unique_key: id, strategy: check, check_cols: [name]}
    """,
    "models/clean.sql": """
        {{ config(materialized='view', bind=false) }}
        with source as (select * from {{ source('raw', 'events') }})
        select id, lower(btrim(kind, ' ')) as kind, nullif(name, '') as name, seen_at
        from source
    """,
    "models/latest.sql": """
        {{ config(materialized='table', dist='id', sort=['kind', 'id']) }}
        with rows as (select * from {{ ref('clean') }})
        select * from rows as r
        qualify row_number() over (partition by id order by seen_at desc, name) = 1
    """,
    "models/contracted.sql": """
        select id::bigint as id, name::varchar(20) as name from {{ ref('latest') }}
    """,
    "models/appended.sql": """
        {{ config(materialized='incremental', incremental_strategy='append') }}
        select id, kind, '{{ var("run", "1") }}'::integer as run from {{ ref('clean') }}
        {% if is_incremental() %}
        where id > (select coalesce(max(id), 0) from {{ this }})
        {% endif %}
    """,
    "models/replaced.sql": """
        {{ config(materialized='incremental', incremental_strategy='delete+insert',
                  unique_key=['id', 'kind']) }}
        select id, kind, max(seen_at) as seen_at from {{ ref('clean') }} group by 1, 2
    """,
    "models/merged.sql": """
        {{ config(materialized='incremental', incremental_strategy='merge', unique_key='id') }}
        select id, kind, listagg(name, '; ') within group (order by name) as names, count(*) as n
        from {{ ref('clean') }}
        group by 1, 2
    """,
}
_EVENTS = [
    "create schema raw",
    "create table raw.events (id integer not null, kind varchar(20), name varchar(20),"
    " seen_at timestamp, loaded_at timestamp default getdate()) diststyle even sortkey (loaded_at)",
    "insert into raw.events (id, kind, name, seen_at) values"
    " (1, ' IP', 'old', '2024-01-01'), (1, 'ip ', 'new', '2024-01-02'), (2, 'Host', '',"
    " '2024-01-01')",
]


@pytest.fixture
def project(redshift_database: RedshiftDatabase, tmp_path: Path) -> Path:
    for name, text in _FILES.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        lines = text.strip("\n").splitlines()
        indent = len(lines[0]) - len(lines[0].lstrip())
        path.write_text("\n".join(line[indent:] for line in lines).rstrip() + "\n")
    rig = redshift_database.rig
    output = {
        "type": "redshift",
        "host": rig.host,
        "port": rig.port,
        "user": rig.user,
        "password": rig.password,
        "dbname": redshift_database.name,
        "schema": "analytics",
        "threads": 4,
        "sslmode": "verify-full",
    }
    profiles = {"mini": {"target": "rig", "outputs": {"rig": output}}}
    profiles["mini"]["outputs"]["plain"] = output | {"autocommit": False, "schema": "second"}  # type: ignore[index]
    (tmp_path / "profiles.yml").write_text(yaml.safe_dump(profiles))
    for sql in _EVENTS:
        redshift_database.query(sql)
    return tmp_path


def _dbt(project: Path, *arguments: str) -> Any:
    options = ["--project-dir", str(project), "--profiles-dir", str(project), "--log-level", "none"]
    result = dbtRunner().invoke([*arguments, *options])
    if not result.success:
        results = getattr(result.result, "results", [])
        failed = [r for r in results if r.status not in ("success", "pass")]
        pytest.fail(f"{result.exception or [(r.node.name, r.message) for r in failed]}")
    return result.result


def test_dbt_builds_everything_twice(project: Path, redshift_database: RedshiftDatabase) -> None:
    # A user of this project runs exactly these commands; each must work on the rig as it is.
    _dbt(project, "debug")
    _dbt(project, "build")
    query = redshift_database.query
    assert query("select id, kind, name from analytics.latest order by id") == [
        [1, "ip", "new"],
        [2, "host", None],
    ]
    assert query("select kind from analytics.aliases where alias = 'host'") == [["dömäin"]]
    assert query("select names, n from analytics.merged order by id") == [
        ["new; old", 2],
        [None, 1],
    ]

    query("insert into raw.events (id, kind, name, seen_at) values (2, 'host', 'b', '2024-02-01')")
    query("insert into raw.events (id, kind, name, seen_at) values (3, 'ip', 'c', '2024-02-01')")
    query("delete from raw.events where name = 'old'")
    _dbt(project, "build", "--vars", "{run: 2}")
    assert query("select id, run from analytics.appended order by id, run") == [
        [1, 1], [1, 1], [2, 1], [3, 2],
    ]  # fmt: skip
    assert query("select count(*), max(n) from analytics.merged") == [[3, 2]]
    assert query("select id, seen_at::date::varchar from analytics.replaced order by id")[1] == [
        2, "2024-02-01",
    ]  # fmt: skip

    _dbt(project, "source", "freshness")
    _dbt(project, "docs", "generate", "--no-compile")
    catalog = json.loads((project / "target" / "catalog.json").read_text())
    clean = catalog["nodes"]["model.mini.latest"]
    assert clean["columns"]["id"]["type"] == "integer"
    assert clean["metadata"]["type"] == "BASE TABLE"


def test_dbt_builds_without_autocommit(project: Path, redshift_database: RedshiftDatabase) -> None:
    # With autocommit off dbt holds transactions over several statements, rename and drop included.
    for _ in range(2):
        _dbt(project, "run", "--target", "plain", "--select", "clean", "latest", "merged")
    assert redshift_database.query("select count(*) from second.latest") == [[2]]


def test_a_model_that_redshift_would_refuse_fails(project: Path) -> None:
    # If the rig let PostgreSQL's dialect through, a green build would mean nothing.
    (project / "models" / "wrong.sql").write_text(
        "select string_agg(kind, ',') as k from raw.events"
    )
    options = ["--project-dir", str(project), "--profiles-dir", str(project), "--log-level", "none"]
    result = dbtRunner().invoke(["run", "--select", "wrong", *options])
    assert not result.success
    (model,) = result.result.results
    assert "function string_agg(character varying, unknown) does not exist" in str(model.message)
