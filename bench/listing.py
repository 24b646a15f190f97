"""A million objects listed, a hundred of them new: `python -m bench.listing` in .venv-bench.

Makes a ledger of all but the new ones, answers as S3 does on loopback, and says what `load` takes,
with the new ones and with none. Exits with 1 if it did not load just these, or took too much.
"""

from __future__ import annotations

import hashlib
import json
import sys
import tempfile
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import duckdb

from bench.__main__ import common_options, describe, say
from bench.measure import Measurement, measure
from bench.report import write_section
from bench.tools import Job, Loader, Wrong

__all__ = ["Objects", "serve"]

_PAGE = 1000
_WRITTEN = "2026-01-05T10:00:00.000Z", "Mon, 05 Jan 2026 10:00:00 GMT"
_HEADER = "indicator,indicator_type,source,confidence,first_seen\n"
# What it may take at most: bytes, and seconds of CPU.
_MOST_MEMORY, _MOST_CPU = 2**30, 120.0


@dataclass(frozen=True)
class Objects:
    """The objects of a bucket, by number; every so many-th is new."""

    count: int
    new: int

    def is_new(self, number: int) -> bool:
        """Whether the ledger does not have it."""
        return number % (self.count // self.new) == 0

    def key(self, number: int) -> str:
        """Its key, which grows with its number."""
        return f"raw/2026/{number // _PAGE:06}/{number:09}_indicators.csv"

    def body(self, number: int) -> bytes:
        """Its text; that of an object that is not new is not made up before it is asked for."""
        return f"{_HEADER}{number}.example,domain,bench,1,2026-01-05\n".encode()

    def etag(self, number: int) -> str:
        """Its ETag; one that is not new has the MD5 of its number, which SQL makes too."""
        text = self.body(number) if self.is_new(number) else str(number).encode()
        return hashlib.md5(text, usedforsecurity=False).hexdigest()

    def page(self, first: int) -> str:
        """The answer to ListObjectsV2 from an object on."""
        last = min(first + _PAGE, self.count)
        entries = "".join(
            f"<Contents><Key>{self.key(n)}</Key><LastModified>{_WRITTEN[0]}</LastModified>"
            f"<ETag>&quot;{self.etag(n)}&quot;</ETag><Size>{len(self.body(n))}</Size>"
            "<StorageClass>STANDARD</StorageClass></Contents>"
            for n in range(first, last)
        )
        more = f"<NextContinuationToken>{last}</NextContinuationToken>" * (last < self.count)
        return (
            '<?xml version="1.0" encoding="UTF-8"?>'
            '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>lake</Name>'
            f"<Prefix>raw/</Prefix><KeyCount>{last - first}</KeyCount><MaxKeys>{_PAGE}</MaxKeys>"
            f"<IsTruncated>{str(last < self.count).lower()}</IsTruncated>{more}{entries}"
            "</ListBucketResult>"
        )


def serve(objects: Objects) -> ThreadingHTTPServer:
    """A server of the objects on a free port of loopback, in a thread."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            url = urlsplit(self.path)
            asked = parse_qs(url.query)
            if "list-type" in asked:
                first = int(asked.get("continuation-token", ["0"])[0])
                self._answer(objects.page(first).encode(), "application/xml")
            else:
                number = int(Path(url.path).name.partition("_")[0])
                self._answer(objects.body(number), "text/csv", objects.etag(number))

        def do_HEAD(self) -> None:
            self.do_GET()

        def _answer(self, body: bytes, kind: str, etag: str | None = None) -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            if etag:
                self.send_header("ETag", f'"{etag}"')
                self.send_header("Last-Modified", _WRITTEN[1])
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def fill_ledger(database: Path, objects: Objects) -> None:
    """Adds the objects that are not new to a ledger, and a record of each to the landing table."""
    with duckdb.connect(database) as connection:
        connection.execute(
            "create temp table old as select number, number + 2 as id,"
            " printf('s3://lake/raw/2026/%06d/%09d_indicators.csv', number // ?, number) as uri"
            " from range(?) as numbers(number) where number % ? <> 0",
            [_PAGE, objects.count, objects.count // objects.new],
        )
        connection.execute(
            "insert into raw._loaded_files by name select id as load_id, 2 as batch_id,"
            " 'cti.indicators' as feed, uri, md5(number::varchar) as etag, 100 as bytes,"
            " 1 as records_read, 1 as records_loaded, 0 as records_rejected, 'loaded' as status,"
            " now()::timestamp as loaded_at, timestamp '2026-01-05 10:00:00' as file_time from old"
        )
        connection.execute(
            "insert into raw.indicators by name select number || '.example' as indicator,"
            " 'domain' as indicator_type, 'bench' as source, '1' as confidence,"
            " '2026-01-05' as first_seen, id as _load_id, now()::timestamp as _loaded_at from old"
        )


def measure_listing(work: Path, python: Path, objects: Objects) -> list[tuple[str, Measurement]]:
    """What `load` takes for a first file, with the new objects, and with none. Raises Wrong."""
    job = Job(work / "first.csv", 1, 0.0, work / "run", python)
    job.path.write_text(f"{_HEADER}first.example,domain,bench,1,2026-01-05\n")
    job.folder.mkdir()
    loader, log = Loader("loader: load", "", ("load",)), work / "run.log"
    loader.prepare(job)
    server = serve(objects)
    aws = {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_port}",
        **dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), "bench"),
        "AWS_DEFAULT_REGION": "us-east-1",
        "CTI_INDICATORS_LOCATION": "s3://lake/raw/*.csv",
    }
    steps: list[tuple[str, dict[str, str], int]] = [
        ("a first file", {}, 1),
        (f"{objects.count:,} objects, {objects.new:,} of them new", aws, objects.new),
        (f"{objects.count:,} objects, nothing new", aws, 0),
    ]
    rows = list[tuple[str, Measurement]]()
    for name, settings, due in steps:
        if len(rows) == 1:
            fill_ledger(job.folder / "cti.duckdb", objects)
        environment = {**loader.environment(job), **settings}
        done = measure(loader.command(job), environment, job.folder, log, 900)
        if done.exit_code or json.loads(done.output)["files"] != due:
            raise Wrong(f"{name}: {done.exit_code}: {done.output}{log.read_text()[-500:]}")
        rows.append((name, done))
    server.shutdown()
    return rows


def main() -> int:
    """Measures as the command line says."""
    parser = common_options("python -m bench.listing", __doc__)
    parser.add_argument("--objects", type=int, default=1_000_000)
    parser.add_argument("--new", type=int, default=100)
    arguments = parser.parse_args()
    objects = Objects(arguments.objects, arguments.new)
    python = Path(arguments.loader_python)
    machine = describe(python, "python -m bench.listing")
    with tempfile.TemporaryDirectory(prefix="bench-", dir=arguments.work) as work:
        try:
            rows = measure_listing(Path(work).resolve(), python, objects)
        except Wrong as error:
            say(f"error: {error}")
            return 1
    lines = ["| `load` | wall s | CPU s | peak MiB |", "| --- | --: | --: | --: |"]
    for name, took in rows:
        figures = f"{took.wall:.1f} | {took.cpu:.1f} | {took.peak / 2**20:,.0f}"
        lines.append(f"| {name} | {figures} |")
    text = "\n".join(lines)
    write_section(arguments.out / "results.md", "Many objects", text, machine)
    print(text)
    too_much = (took for _, took in rows if took.peak > _MOST_MEMORY or took.cpu > _MOST_CPU)
    return 1 if any(too_much) else 0


if __name__ == "__main__":
    sys.exit(main())
