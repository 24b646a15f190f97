"""The commands that people run, on Redshift, from an empty warehouse on; and what they leave.

That they end well is seen to where they are run, in whole_run.py.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from urllib.parse import quote

import pytest

from redshift.site import ROOT, Site
from redshift.whole_run import WholeRun

pytestmark = pytest.mark.slow

_REWRITES = Path(__file__).with_name("rewrites.txt")
_DEFINITION = re.compile(r"\{%-?\s*macro\s+(\w+)\s*\(")


def test_every_test_of_the_project_passes(whole_run: WholeRun) -> None:
    # A test that Redshift skips or warns about guards nothing there. The unit tests have their own
    # test (e2e/test_samples.py), since a run leaves them out.
    run, build = (whole_run.outcomes[f"{step} on redshift"].text for step in ("run", "build"))
    found = re.search(r"(\d+) data tests", build)
    assert found
    assert int(found[1]) > 37
    passed = set(re.findall(r"\d+ of \d+ PASS (\S+)", run + build))
    # The samples have URLs whose spellings lowercasing makes one.
    warned = set(re.findall(r"\d+ of \d+ WARN \d+ (\S+)", run + build))
    assert warned == {"source_differs_in_case_alone_cti_indicators_indicator"}
    # The run has counted the other feeds' landing tables too, which the ledger is part of.
    assert len(passed | warned) == int(found[1])
    for text in (run, build):
        assert re.search(r"Done\. PASS=\d+ WARN=\d+ ERROR=0 SKIP=0", text)
        assert "Concurrency: 4 threads" in text


def test_freshness_reads_when_the_feed_was_loaded(whole_run: WholeRun) -> None:
    # The rig's clock and the loader's are UTC whatever the zone of the machine (TZ is Nepal's).
    outcome = whole_run.outcomes["freshness on redshift"]
    assert "PASS freshness of cti.indicators" in outcome.text
    sources = whole_run.site.project / "target" / "redshift" / "sources.json"
    (result,) = json.loads(sources.read_text())["results"]
    assert 0 <= result["max_loaded_at_time_ago_in_s"] < 1800


def test_docs_know_every_table_and_its_types(whole_run: WholeRun) -> None:
    catalog = json.loads(
        (whole_run.site.project / "target" / "redshift" / "catalog.json").read_text()
    )
    mart = catalog["nodes"]["model.cti.indicators"]
    assert mart["metadata"]["type"] == "BASE TABLE"
    assert mart["columns"]["confidence"]["type"] == "bigint"
    assert mart["metadata"]["comment"]
    view = catalog["nodes"]["model.cti.stg_cti__indicators"]
    assert list(view["columns"]) == [
        *("indicator", "indicator_type", "source", "description", "confidence"),
        *("first_seen", "last_seen", "_load_id", "_loaded_at", "_file", "_file_time", "_record"),
    ]
    assert {"source.cti.cti.indicators", "source.cti.loader._loaded_files"} <= set(
        catalog["sources"]
    )


def test_history_tells_what_was_loaded(whole_run: WholeRun) -> None:
    rows = whole_run.outcomes["history on redshift"].objects
    ledger = whole_run.second["redshift"]["ledger"]
    assert sorted((row["load_id"], row["feed"], row["uri"]) for row in rows) == sorted(
        row[:3] for row in ledger
    )


def test_every_macro_is_carried_out_on_redshift(whole_run: WholeRun) -> None:
    # A branch for Redshift that nothing runs is a branch that nobody knows to work.
    # GIVEN all macros, but those for DuckDB, and those that another takes the place of on Redshift
    defined = {
        name
        for path in (ROOT / "macros").rglob("*.sql")
        for name in _DEFINITION.findall(path.read_text(encoding="utf-8"))
    }
    assert len(defined) > 30
    expected = {
        name
        for name in defined
        if not name.startswith("duckdb__")
        and not (name.startswith("default__") and _own_branch(name) in defined)
    }
    # What stops a run with an error, and what another macro calls on Redshift nevertheless.
    expected -= {"refuse_argument"}
    # What a table that differs from its contract, or a renamed feed, asks for: each is carried out
    # in tests/e2e/test_landing_table.py.
    expected -= {"redshift__allow_null", "new_column", "earlier_names", "rename_feed"}
    # What a contract that changes asks for, in e2e/test_contract_changes.py.
    expected -= {"newest_values", "redshift__alter_column_type"}
    # What a change of a rule needs, in e2e/test_rules.py.
    expected -= {"why_rebuilt"}
    # What archiving asks for, in e2e/test_archive.py.
    expected -= {"archivable", "archivable_loads", "archive_loads", "refuse_unarchivable"}
    expected -= {"again", "restore_archived", "restored_before", "forgetful_readers"}
    # What an engine that reads files itself is asked for.
    expected -= {"land_screened"}
    # THEN each was carried out while the suite loaded and built on Redshift
    if whole_run.site.cluster.rig is None:
        expected -= {"copy_errors", "redshift__copy_errors"}
    assert expected - whole_run.macros("redshift") == set()


def _own_branch(default: str) -> str:
    return default.replace("default__", "redshift__", 1)


def test_no_wide_rows_are_sorted(whole_run: WholeRun) -> None:
    # Redshift may refuse to (error 8001): the quarantine's rows are 155 KB wide as declared.
    read = [sql.lower() for sql in whole_run.sent if "rejected.raw_text" in sql]
    assert read
    # Sums of them are narrow.
    assert not [sql for sql in read if "order by" in sql and "group by rejected." not in sql]


def test_no_secret_is_written_anywhere(whole_run: WholeRun) -> None:
    # GIVEN a run whose password and keys occur nowhere else
    site = whole_run.site
    secrets = [
        form.encode()
        for secret in site.cluster.secrets
        for form in {secret, quote(secret, safe=""), json.dumps(secret)[1:-1]}
    ]
    # WHEN everything is read that it wrote: artifacts, logs, output, the other warehouse
    files = [path for path in site.folder.rglob("*") if path.is_file()]
    written = {str(path.relative_to(site.folder)): path.read_bytes() for path in files}
    # and all SQL that it sent and every object it wrote for COPY
    written |= {f"statement {n}": sql.encode() for n, sql in enumerate(whole_run.sent)}
    for number, copy in enumerate(whole_run.copies):
        written[f"manifest {number}"] = json.dumps(copy.entries).encode()
    # THEN there is a lot of it
    names = " ".join(written)
    for part in ("manifest.json", "run_results.json", "dbt.log", "compiled", "loader-load/out"):
        assert part in names
    login = str(site.cluster.login["user"]).encode()
    assert site.cluster.rig is None or any(login in data for data in written.values())
    # and no secret in it
    found = [name for name, data in written.items() if any(s in data for s in secrets)]
    assert found == []


def test_a_refused_login_does_not_tell_the_password(whole_site: Site) -> None:
    outcome = whole_site.load(
        DBT_ENV_SECRET_REDSHIFT_PASSWORD="Marked-wrong-pass7",
        DBT_TARGET_PATH="target/refused",
    )
    outcome.refused(2, "password authentication failed")
    files = [path for path in whole_site.folder.rglob("*") if path.is_file()]
    assert [path for path in files if b"Marked-wrong-pass7" in path.read_bytes()] == []


def test_what_the_rig_changes_in_the_projects_sql_is_reviewed(whole_run: WholeRun) -> None:
    # What the rig rewrites is not tested as it stands. So whoever changes the project's SQL sees
    # here what became of it. To accept a change: UPDATE_REWRITES=1 python -m pytest tests/redshift
    whole_run.site.cluster.rig_only("a cluster takes the SQL as it is")
    found = sorted({_shown(r.rule, r.before, r.after) for r in whole_run.rewrites})
    if os.environ.get("UPDATE_REWRITES"):
        _REWRITES.write_text("".join(found), encoding="utf-8")
    assert "".join(found) == _REWRITES.read_text(encoding="utf-8")


def _shown(rule: str, before: str, after: str) -> str:
    before, after = (" ".join(text.split()) or "nothing" for text in (before, after))
    return f"{rule}: {before} -> {after}\n"
