"""What a file is instead of delimited text: named, so that nobody looks for a header in it."""

from __future__ import annotations

import pytest

from loader.files.kinds import named_compression, no_text


@pytest.mark.parametrize(
    ("head", "what"),
    [
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\x00", "an Excel workbook"),
        (b"PAR1\x15\x04", "a Parquet file"),
        (b"ORC\x08", "an ORC file"),
        (b"Obj\x01\x04\x14avro.codec", "an Avro file"),
        (b"%PDF-1.7\n", "a PDF"),
        (b"a.csv".ljust(257, b"\0") + b"ustar\x0000", "a tar archive"),
        (b"a\nb\n".ljust(257, b"\n") + b"ustar  \0", "a tar archive"),
        (b"7z\xbc\xaf\x27\x1c\x00", "a 7z archive"),
        (b"\x1f\x8b\x08", "a gzip archive"),
        (b"PK\x03\x04", "a zip archive"),
        (b'{"id": 1}\n', "JSON"),
        (b"\xef\xbb\xbf\r\n [\n {", "JSON"),
        (b"[[1, 2]]", "JSON"),
        (b"{}", "JSON"),
        (b"\n\n<!DOCTYPE html><html>", "HTML"),
        (b"<HTML lang='en'>", "HTML"),
        (b"<table border=1>", "HTML"),
        (b"<?xml version='1.0'?><Error><Code>AccessDenied</Code>", "HTML or XML"),
    ],
)
def test_what_is_no_text_is_named(head: bytes, what: str) -> None:
    message = no_text(head) or ""
    assert message.startswith(f"this is {what}")
    assert message.endswith(", not delimited text; export it as CSV")


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"id,amount\n1,2\n",
        b"[order id],[amount]\n",
        b"{id},{amount}\n",
        b"ORCID,name\n",
        b"PAR1,PAR2\n",
        b"<TICKER>,<PER>,<DATE>\n",
        b"\xff\xfei\x00d\x00",
        b"BZh9,b\n",
    ],
)
def test_a_header_of_another_feed_is_not_taken_for_something_else(head: bytes) -> None:
    # Names in brackets are SQL Server's, names in angle brackets those of stock exchanges' exports.
    assert no_text(head) is None


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        *(("a.csv.gz", "gzip"), ("a.ZST", "zstd"), ("a.csv.bz2", "bzip2"), ("a.xz", "xz")),
        *(("s3://b/x.zip", "zip"), ("a.csv", "none"), ("gz", "none"), ("a.gz.csv", "none")),
    ],
)
def test_a_plan_goes_by_the_name(name: str, kind: str) -> None:
    assert named_compression(name) == kind
