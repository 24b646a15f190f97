"""The objects that a COPY reads: by prefix or by manifest, plain or compressed.

Source: AWS, "COPY from Amazon S3", "Using a manifest to specify data files", "File compression
parameters".
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from loader.files.archives import zstd
from rig.copy_command import CopyCommand
from rig.errors import RedshiftError

if TYPE_CHECKING:
    from botocore.response import StreamingBody
    from types_boto3_s3 import S3Client

CHUNK = 1 << 20


@dataclass(frozen=True)
class Source:
    """An object to load."""

    bucket: str
    key: str
    size: int

    @property
    def url(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


def find_sources(client: S3Client, command: CopyCommand) -> list[Source]:
    """List what the COPY loads, in order; an object that a manifest names twice comes twice.

    Raises RedshiftError when there is nothing to load, something mandatory is missing, or S3
    refuses.
    """
    bucket, key = _split(command.source)
    if command.manifest:
        sources = _from_manifest(client, bucket, key)
    else:
        sources = _from_prefix(client, bucket, key)
    if not sources:
        raise _failure(f"The specified S3 prefix '{key}' does not exist", command.source)
    return sources


def _split(url: str) -> tuple[str, str]:
    bucket, _, key = url.removeprefix("s3://").partition("/")
    if not url.startswith("s3://") or not bucket:
        raise RedshiftError(f"The S3 address '{url}' is invalid", "XX000")
    return bucket, key


def _from_prefix(client: S3Client, bucket: str, prefix: str) -> list[Source]:
    """Every object whose key begins with the prefix: x.csv means x.csv.bak too."""
    try:
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        return [
            Source(bucket, entry["Key"], entry["Size"])
            for page in pages
            for entry in page.get("Contents", [])
        ]
    except (ClientError, BotoCoreError) as error:
        raise _s3_error(error, f"s3://{bucket}/{prefix}") from error


def _from_manifest(client: S3Client, bucket: str, key: str) -> list[Source]:
    try:
        text = client.get_object(Bucket=bucket, Key=key)["Body"].read()
    except (ClientError, BotoCoreError) as error:
        raise _s3_error(
            error, f"s3://{bucket}/{key}", "Problem reading manifest file - "
        ) from error
    sources = []
    for url, mandatory in _manifest_entries(text):
        entry_bucket, entry_key = _split(url)
        try:
            head = client.head_object(Bucket=entry_bucket, Key=entry_key)
        except ClientError as error:
            if _status(error) != 404:
                raise _s3_error(error, url) from error
            if mandatory:
                raise _failure(
                    "S3ServiceException:The specified key does not exist.,Status 404,"
                    "Error NoSuchKey,Rid 0,ExtRid 0,CanRetry 1",
                    url,
                ) from error
            continue
        sources.append(Source(entry_bucket, entry_key, head["ContentLength"]))
    return sources


def _manifest_entries(text: bytes) -> list[tuple[str, bool]]:
    """Addresses of a manifest, each with whether it is mandatory.

    Raises RedshiftError for anything but {"entries": [{"url": "s3://...", "mandatory": bool,
    "meta": {...}}]}; UNLOAD adds more, which COPY does not need.
    """
    try:
        manifest = json.loads(text)
        entries = [
            (entry["url"], entry.get("mandatory", False), set(entry) - {"url", "mandatory", "meta"})
            for entry in manifest["entries"]
        ]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RedshiftError("Manifest file is not in correct json format", "XX000") from error
    for url, mandatory, unknown in entries:
        if not isinstance(url, str) or not isinstance(mandatory, bool) or unknown:
            raise RedshiftError("Manifest file is not in correct json format", "XX000")
    return [(url, mandatory) for url, mandatory, _ in entries]


def read_source(client: S3Client, source: Source, compression: str | None) -> Iterator[bytes]:
    """Yield the bytes of an object, decompressed, in chunks.

    Raises RedshiftError when it cannot be read or is not what COPY was told it is.
    """
    try:
        body = client.get_object(Bucket=source.bucket, Key=source.key)["Body"]
        if compression == "gzip":
            yield from _gunzip(body)
        elif compression == "zstd":
            yield from _unzstd(body)
        else:
            yield from iter(lambda: body.read(CHUNK), b"")
    except (ClientError, BotoCoreError) as error:
        raise _s3_error(error, source.url) from error
    except (zlib.error, zstd.ZstdError, EOFError) as error:
        raise _failure(f"Failed to decompress file: {error}", source.url) from error


def _gunzip(body: StreamingBody) -> Iterator[bytes]:
    """Decompress gzip, of one member or more; a cut member raises EOFError."""
    stream = zlib.decompressobj(wbits=31)
    begun = False
    for chunk in iter(lambda: body.read(CHUNK), b""):
        data = chunk
        while data:
            begun = True
            plain = stream.decompress(data, CHUNK)
            if plain:
                yield plain
            if stream.eof:
                data, stream, begun = stream.unused_data, zlib.decompressobj(wbits=31), False
            else:
                data = stream.unconsumed_tail
    if begun:
        raise EOFError("the compressed data ends too soon")


def _unzstd(body: StreamingBody) -> Iterator[bytes]:
    """Decompress zstd, of one frame or more; a cut frame raises EOFError."""
    stream = zstd.ZstdDecompressor()
    begun = False
    for chunk in iter(lambda: body.read(CHUNK), b""):
        data = chunk
        while data:
            begun = True
            # A chunk that grows enormously still comes out at once; frames of COPY are modest.
            plain = stream.decompress(data)
            if plain:
                yield plain
            data = stream.unused_data if stream.eof else b""
            if stream.eof:
                stream, begun = zstd.ZstdDecompressor(), False
    if begun:
        raise EOFError("the compressed data ends too soon")


def check_region(command: CopyCommand, cluster: str, bucket: str) -> None:
    """Refuse a bucket in another Region than REGION, or else the cluster's own, says.

    Source: AWS, "COPY from Amazon S3", REGION.
    """
    if (command.region or cluster) != bucket:
        raise _failure(
            "S3ServiceException:The bucket you are attempting to access must be addressed using"
            " the specified endpoint. Please send all future requests to this endpoint.,"
            "Status 301,Error PermanentRedirect,Rid 0,ExtRid 0,CanRetry 1",
            command.source,
        )


def _status(error: ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _s3_error(error: ClientError | BotoCoreError, url: str, prefix: str = "") -> RedshiftError:
    """The error in the form that Redshift passes S3's own errors on in."""
    if isinstance(error, ClientError):
        details = error.response.get("Error", {})
        text = (
            f"{details.get('Message', '')},Status {_status(error)},Error {details.get('Code', '')},"
            f"Rid {error.response.get('ResponseMetadata', {}).get('RequestId', '0')},"
            "ExtRid 0,CanRetry 1"
        )
    else:
        text = f"{error},Status 0,Error Unknown,Rid 0,ExtRid 0,CanRetry 1"
    return _failure(f"{prefix}S3ServiceException:{text}", url)


def _failure(message: str, url: str) -> RedshiftError:
    line = "-" * 47
    return RedshiftError(
        message,
        "XX000",
        D=f"\n  {line}\n  error:  {message}\n  code:      8001\n"
        f"  context:   S3 key being read : {url}\n  {line}\n",
    )
