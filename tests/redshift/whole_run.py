"""One run of the whole project on both engines, by the same files, as its users would do it.

It takes the better part of a minute, so it is done once, and what it leaves is kept for the tests:
every table as rows in one form, every command's outcome, every macro that was carried out.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from rig.sql_text import Rewrite

from redshift.cluster import SentCopy
from redshift.commands import Outcome, Running
from redshift.generated import (
    hard_indicators,
    measurements,
    random_indicators,
    sparse_indicators,
)
from redshift.site import ROOT, Site, indicators, packed, plain_rows

__all__ = ["TABLES", "WholeRun", "run_everything"]

TARGETS = ("redshift", "duckdb")
_FEED_COLUMNS = "indicator, indicator_type, source, confidence, first_seen, last_seen, description"
_MEASURES = (
    "quantity, amount, wide, rain, price, visits, ratio, flag, day, day_dmy, day_any, seen_at,"
    " logged_at, billed, done, polled_at, sent_at, born"
)
# What is compared. All but the times of loading; load ids are the same, since the order is.
TABLES = {
    "landing": f"select {_FEED_COLUMNS}, _load_id from raw.indicators",
    "staging": f"select {_FEED_COLUMNS}, _file, _file_time, _load_id"
    " from analytics.stg_cti__indicators",
    "mart": f"select {_FEED_COLUMNS}, _file, _file_time, occurrences, last_load_id"
    " from analytics.indicators",
    "ledger": "select load_id, feed, uri, etag, bytes, records_read, records_loaded,"
    " records_rejected, status, batch_id, file_time from raw._loaded_files",
    "quarantine": "select load_id, feed, uri, etag, record, part, line, column_name, rule, value,"
    " message, header, raw_encoding, raw_text, contract, replayed_by from raw._rejected_records",
    "load quality": "select feed, load_id, outcome, rule, records, records_replayed"
    " from analytics.load_quality",
    "lab landing": f'select "group", note, {_MEASURES}, _load_id from raw.measurements',
    "lab staging": f"select label, note, {_MEASURES}, _file, _file_time, _load_id"
    " from analytics.stg_lab__measurements",
    "prices landing": "select article, price, _load_id from raw.prices",
    "prices staging": "select article, price, _file, _file_time, _load_id"
    " from analytics.stg_lab__prices",
    "seed": "select alias, indicator_type from analytics.indicator_type_aliases",
}

# So that some objects are copied as they are, and some travel in parts.
_AS_IS_BYTES = "30000"
_LAB = ("--select", "measurements", "--select", "prices")
_UNTESTED = ("--exclude-resource-type", "test", "unit_test")

Rows = list[tuple[Any, ...]]
Tables = dict[str, dict[str, Rows]]


@dataclass
class WholeRun:
    """What a run left. Tables are by target and name."""

    site: Site
    measurements: bytes = b""
    first: Tables = field(default_factory=dict)
    second: Tables = field(default_factory=dict)
    rebuilt: Tables = field(default_factory=dict)
    rolled_back: Tables = field(default_factory=dict)
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    rewrites: list[Rewrite] = field(default_factory=list)
    sent: list[str] = field(default_factory=list)
    copies: list[SentCopy] = field(default_factory=list)

    def macros(self, target: str) -> set[str]:
        """The project's macros that were carried out on an engine."""
        return {
            macro
            for outcome in self.outcomes.values()
            if target in outcome.command.arguments
            for macro in outcome.macros
        }


def run_everything(site: Site) -> WholeRun:
    """Load, build, load and build again, rebuild, and what else people do; on both engines."""
    run = WholeRun(site)
    if rig := site.cluster.rig:
        rig.forget()
    _put_first_files(run)
    _on_both(run, "plan", [["loader", "plan"]], ("redshift",))
    _on_both(run, "load", [["loader", "load", *_LAB], ["loader", "load", "--select", "indicators"]])
    # What depends on the indicators is built by the loader, with every test of it; on DuckDB others
    # see to the tests.
    started = [
        _start(run, "run", "redshift", "loader", "run", "--select", "indicators"),
        _start(run, "build", "duckdb", "dbt", "build", *_UNTESTED),
    ]
    _wait(run, started)
    rest = ["path:models/staging/lab", "path:tests/dbt/clean"]
    _on_both(run, "build", [["dbt", "build", "--select", *rest]], ("redshift",))
    run.first = _tables(site)

    _put_second_files(run)
    _on_both(
        run,
        "second",
        [
            ["loader", "load", "--json"],
            ["loader", "rejects"],
            ["loader", "replay", "--json", "--select", "indicators", "--from", _corrected(run)],
            ["dbt", "run"],
        ],
    )
    run.second = _tables(site)

    _on_both(run, "full refresh", [["dbt", "run", "--full-refresh", "--select", "indicators"]])
    run.rebuilt = _tables(site, only=("mart",))
    _on_both(run, "freshness", [["dbt", "source", "freshness"]], ("redshift",))
    _on_both(run, "docs", [["dbt", "docs", "generate"]], ("redshift",))
    _on_both(run, "history", [["loader", "history", "--json"]], ("redshift",))
    _on_both(run, "check", [["loader", "check", "--rules", "--json"]])
    _refused_by_copy(run)
    _on_both(
        run,
        "rollback",
        [
            ["loader", "rollback", str(_replay(run)), "--yes", "--json"],
            ["loader", "rollback", str(_first_load(run)), "--yes", "--json"],
            ["loader", "check", "--json"],
        ],
    )
    run.rolled_back = _tables(site)
    if rig:
        run.rewrites, run.sent, run.copies = rig.needed_rewrites(), rig.sent(), rig.copies
    return run


def _put_first_files(run: WholeRun) -> None:
    site = run.site
    for path in sorted((ROOT / "samples" / "indicators").iterdir()):
        site.put(f"in/{path.name}", path.read_bytes())
    site.put("in/2026-02-01_hard.csv", hard_indicators())
    site.put("in/2026-02-02_sparse.csv", sparse_indicators(20))
    site.put("in/2026-02-03_random.csv.gz", packed(random_indicators(1, 1500)))
    site.put("in/2026-02-04 o'Brien\\new;--{{ x }}.csv", indicators("hostile name"))
    run.measurements = _accepted(run, measurements(2, 1600))
    site.put("lab/a.csv", run.measurements)
    site.put("prices/a.csv", b"article;price\nNut;1.50\nBolt;2\n")


def _put_second_files(run: WholeRun) -> None:
    site = run.site
    site.put("in/2026-02-04_random.csv", random_indicators(3, 700))
    # An object that comes again with other bytes is another version: it is loaded as well.
    site.put("in/2026-02-02_sparse.csv", sparse_indicators(30))
    site.put("prices/a.csv", b"article;price\nNut;1.75\n")
    site.put("prices/b.csv", b"price;article\n3;Screw\n")


def _corrected(run: WholeRun) -> str:
    """Two of the samples' rejected records, put right; in a file named as they are."""
    uri = run.site.uri("in/2026-01-09_typed.csv")
    batch_id = _first_load(run)
    path = run.site.folder / "corrected.csv"
    path.write_text(
        "load,file,record,raw\n"
        f'{batch_id},{uri},101,"short.example,domain,CERT Example,50,2026-01-02,,"\n'
        f'{batch_id},{uri},501,"unsure.example,domain,CERT Example,51,2026-01-02,,"\n'
    )
    return str(path)


def _first_load(run: WholeRun) -> int:
    """The load that took the samples."""
    uri = run.site.uri("in/2026-01-09_typed.csv")
    query = f"select min(batch_id) from raw._loaded_files where uri = '{uri}'"
    return int(run.site.duckdb(query)[0][0])


def _replay(run: WholeRun) -> int:
    """The load that took records out of quarantine."""
    query = "select batch_id from raw._loaded_files where status = 'replayed'"
    return int(run.site.duckdb(query)[0][0])


def _accepted(run: WholeRun, data: bytes) -> bytes:
    """What the validator lets pass of a file of measurements."""
    folder = run.site.folder / "validated"
    folder.mkdir()
    path = folder / "generated.csv"
    path.write_bytes(data)
    outcome = run.site.loader(
        *("validate", "--json", "--feed", "measurements", "--out", str(folder), str(path))
    )
    assert outcome.code == 1, outcome.text
    return (folder / "generated.csv.accepted.csv").read_bytes()


def _refused_by_copy(run: WholeRun) -> None:
    """A load whose file is spoilt between validation and COPY; only the rig lets it happen."""
    site, rig = run.site, run.site.cluster.rig
    if rig is None:
        return
    site.put("lab/b.csv", b"group,note\nx,y\n")
    rig.before("^copy ", lambda: site.put("lab/b.csv", b"group,note\nx,\xff\xfe\n"))
    _on_both(run, "refused", [["loader", "load", "--select", "measurements"]], ("redshift",))
    site.delete("lab/b.csv")


def _on_both(
    run: WholeRun,
    name: str,
    commands: Iterable[list[str]],
    targets: Iterable[str] = TARGETS,
) -> None:
    """Run commands one after the other, on both engines at once."""
    for number, command in enumerate(commands, start=1):
        step = name if number == 1 else f"{name} {number}"
        _wait(run, [_start(run, step, target, *command) for target in targets])


def _start(run: WholeRun, name: str, target: str, *command: str) -> tuple[str, Running]:
    # What COPY is to refuse it has to read itself.
    more = {"CTI_COPY_AS_IS_BYTES": "1" if name == "refused" else _AS_IS_BYTES}
    return f"{name} on {target}", run.site.start(*command, "--target", target, more=more)


def _wait(run: WholeRun, started: Iterable[tuple[str, Running]]) -> None:
    for name, running in started:
        run.outcomes[name] = running.wait()
        if not name.startswith("refused"):
            run.outcomes[name].done()


def _tables(site: Site, only: Iterable[str] = TABLES) -> Tables:
    asked = {"redshift": site.query, "duckdb": site.duckdb}
    return {
        target: {name: plain_rows(ask(TABLES[name])) for name in only}
        for target, ask in asked.items()
    }
