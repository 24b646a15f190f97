"""Files of a feed, local or in S3: found, pinned to a version, brought to disk as plain text."""

from __future__ import annotations

import glob
import gzip
import hashlib
import io
import os
import re
import shutil
import time
import uuid
import weakref
import zlib
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal

from backports import zstd

from loader import owner
from loader.download import download, first_bytes
from loader.errors import ConfigError, DataRefused, FileChanged, StorageError

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

__all__ = [
    "Compression",
    "FileVersion",
    "LocalStore",
    "S3Store",
    "Store",
    "WorkFolder",
    "check_folder",
    "compression_of",
    "keep",
    "open_store",
    "plain_head",
    "plain_text",
]

Compression = Literal["none", "gzip", "zstd"]

_CHUNK = 1024 * 1024
_HEAD = 256 * 1024
# A header is no longer than a record may be (records.py).
_HEAD_TEXT = 4 * 1024 * 1024
_MAX_TEXT = 10 * 1024**3
_MESSAGE_CHARACTERS = 300
_ABANDONED_SECONDS = 24 * 60 * 60
_WILDCARDS = "*?["
_LOGIN = re.compile(r"//[^/\s]*@")
_DAMAGED = (gzip.BadGzipFile, zlib.error, zstd.ZstdError)
# Without a byte for so long, a request or a body is given up and tried again.
_CONNECT_SECONDS, _READ_SECONDS = 10.0, 30.0
_SUFFIXES: dict[str, Compression] = {".gz": "gzip", ".zst": "zstd"}


@dataclass(frozen=True)
class FileVersion:
    """One version of one file.

    etag: S3's, without quotes; for a local file the SHA-256 of its bytes, or None until it was
    read. version: S3's version id, if the bucket keeps versions; for a local file its size and
    time of modification. bytes: as stored. stamp: of a local file, what no writer can set back.
    """

    uri: str
    bytes: int
    etag: str | None = None
    version: str | None = None
    stamp: tuple[int, int] | None = field(default=None, compare=False, repr=False)

    @property
    def key(self) -> tuple[str, str]:
        """What a load takes once; only known of a file that was fetched or lies in S3."""
        return self.uri, self.etag or ""


class Store:
    """Where files lie."""

    def find(self) -> list[FileVersion]:
        """Every file of the location, by name. Raises StorageError."""
        raise NotImplementedError

    def fetch(self, file: FileVersion, spool: Path) -> tuple[FileVersion, Path]:
        """The very version that was found, on disk, with its ETag known.

        Raises FileChanged, StorageError.
        """
        raise NotImplementedError

    def check_unchanged(self, file: FileVersion) -> None:
        """Raises FileChanged if the file is no longer the version that was fetched."""
        raise NotImplementedError

    def head(self, file: FileVersion) -> bytes:
        """Its first bytes, enough for a header. Raises StorageError."""
        raise NotImplementedError

    def path(self, file: FileVersion) -> str:
        """Where an engine would read it."""
        return file.uri


def open_store(location: str, base: Path) -> Store:
    """The store of a feed's location. base: what relative local paths start from."""
    if location.startswith("s3://"):
        return S3Store(location)
    if "://" in location:
        scheme = location.partition("://")[0]
        raise ConfigError(f"location {location!r}: {scheme}:// is not known; use s3:// or a path")
    return LocalStore(location, base)


class LocalStore(Store):
    """Files that a glob matches, such as data/*.csv; ** matches folders of any depth."""

    def __init__(self, location: str, base: Path) -> None:
        self._base = base.resolve()
        # Only what the location itself has of * ? [ is a pattern, not what its folder is called.
        self._pattern = str(Path(glob.escape(str(self._base))) / Path(location).expanduser())
        if os.path.isdir(self._base / Path(location).expanduser()):
            raise ConfigError(
                f"location {location!r} is a folder; say which files in it, such as"
                f" {location.rstrip('/')}/*.csv"
            )

    def find(self) -> list[FileVersion]:
        """Every file of the location, by name. Raises StorageError."""
        # Once: where ** stands twice in a pattern, a path matches in several ways.
        paths = sorted(set(glob.glob(self._pattern, recursive=True)))
        try:
            return [self.describe(Path(path)) for path in paths if not os.path.isdir(path)]
        except OSError as error:
            raise _unreadable(error) from None

    def describe(self, path: Path) -> FileVersion:
        """A file without its ETag. Raises StorageError for what is not a regular file."""
        status = path.stat()
        if not path.is_file():
            raise StorageError(f"{path}: not a regular file; narrow the location so it is left out")
        inside = path.is_relative_to(self._base)
        # A path within the project stays the same file when the project is moved.
        uri = path.relative_to(self._base).as_posix() if inside else path.as_posix()
        try:
            uri.encode()
        except UnicodeEncodeError:
            raise StorageError(f"{path}: the file's name is not UTF-8; rename it") from None
        version = f"{status.st_size}-{status.st_mtime_ns}"
        stamp = (status.st_ino, status.st_ctime_ns)
        return FileVersion(uri, status.st_size, version=version, stamp=stamp)

    def fetch(self, file: FileVersion, spool: Path) -> tuple[FileVersion, Path]:
        """The file where it lies, its bytes hashed. Raises FileChanged, StorageError."""
        path = self._base / file.uri
        try:
            with path.open("rb") as stream:
                etag = hashlib.file_digest(stream, "sha256").hexdigest()
        except OSError as error:
            raise StorageError(f"{path}: {error.strerror or error}") from None
        self.check_unchanged(file)
        return replace(file, etag=etag), path

    def head(self, file: FileVersion) -> bytes:
        """Its first bytes, enough for a header. Raises StorageError."""
        path = self._base / file.uri
        try:
            with path.open("rb") as stream:
                return stream.read(_HEAD)
        except OSError as error:
            raise StorageError(f"{path}: {error.strerror or error}") from None

    def path(self, file: FileVersion) -> str:
        """Where an engine would read it."""
        return str(self._base / file.uri)

    def check_unchanged(self, file: FileVersion) -> None:
        """Raises FileChanged if the file was written to, moved, or touched, or is gone."""
        try:
            now = self.describe(self._base / file.uri)
        except OSError:
            raise FileChanged(_changed(file.uri, "it is gone")) from None
        if (now.version, now.stamp) != (file.version, file.stamp):
            raise FileChanged(_changed(file.uri, "it was written to"))


class S3Store(Store):
    """Objects under a prefix, or those that a pattern such as s3://bucket/raw/*.csv matches.

    In a pattern * stands for any characters, slashes too, as it does elsewhere in S3. Credentials,
    region and endpoint are boto3's usual configuration.
    """

    def __init__(self, location: str) -> None:
        bucket, _, key = location.removeprefix("s3://").partition("/")
        if not bucket or any(c in bucket for c in _WILDCARDS):
            raise ConfigError(f"location {location!r}: name the bucket, as in s3://bucket/prefix*")
        self._bucket, self._pattern = bucket, key
        self._prefix = key[: min((key.find(c) for c in _WILDCARDS if c in key), default=len(key))]
        self._client = _s3_client(self)

    def find(self) -> list[FileVersion]:
        """Every object of the location, by key. Raises StorageError."""
        plain = self._prefix == self._pattern
        where = f"s3://{self._bucket}/{self._pattern}"
        # By key: one that is written to while pages are listed may be on two of them.
        found: dict[str, FileVersion] = {}
        with _s3_errors(where):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=self._prefix
            )
            more = False
            for page in pages:
                more = page.get("IsTruncated", False)
                for entry in page.get("Contents", []):
                    key = entry["Key"]
                    # A key that ends in a slash is how consoles make an empty folder.
                    if key.endswith("/") or not (plain or fnmatchcase(key, self._pattern)):
                        continue
                    uri = f"s3://{self._bucket}/{key}"
                    found[key] = FileVersion(uri, entry["Size"], entry["ETag"].strip('"'))
        if more:
            raise StorageError(f"{where}: the listing ends before its last page; run again.")
        return sorted(found.values(), key=lambda file: file.uri)

    def fetch(self, file: FileVersion, spool: Path) -> tuple[FileVersion, Path]:
        """Downloads the object if it still has the ETag. Raises FileChanged, StorageError."""
        target = spool / hashlib.sha256(file.uri.encode()).hexdigest()[:24]
        with _s3_errors(file.uri):
            version = download(
                self._client, self._bucket, self._key(file), file.etag or "", file.bytes, target
            )
        return replace(file, version=version), target

    def head(self, file: FileVersion) -> bytes:
        """Its first bytes, enough for a header. Raises StorageError."""
        if not file.bytes:
            return b""
        count = min(_HEAD, file.bytes)
        with _s3_errors(file.uri):
            return first_bytes(self._client, self._bucket, self._key(file), file.etag or "", count)

    def check_unchanged(self, file: FileVersion) -> None:
        """Raises FileChanged if the object has another ETag, or is gone."""
        with _s3_errors(file.uri):
            now = self._client.head_object(Bucket=self._bucket, Key=self._key(file))
        if now.get("ETag", "").strip('"') != file.etag or now.get("VersionId") != file.version:
            raise FileChanged(_changed(file.uri, "it was overwritten"))

    def _key(self, file: FileVersion) -> str:
        return file.uri.removeprefix(f"s3://{self._bucket}/")


def check_folder(location: str) -> None:
    """Raises ConfigError if the text is neither a local folder nor s3://bucket/prefix/."""
    scheme, found, rest = location.partition("://")
    if found and (scheme != "s3" or not rest.partition("/")[0]):
        raise ConfigError(f"{location}: neither a folder nor s3://bucket/prefix/")


def keep(source: Path, location: str, name: str) -> str:
    """Copies a file into a folder, local or s3://bucket/prefix/; returns where it is.

    Raises StorageError.
    """
    if not location.startswith("s3://"):
        target = Path(location).expanduser() / name
        try:
            target.parent.mkdir(mode=0o770, parents=True, exist_ok=True)
            # Raw records: for whom the umask lets in of owner and group, and for nobody else.
            mode = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
            with source.open("rb") as data, open(os.open(target, mode, 0o660), "wb") as out:
                shutil.copyfileobj(data, out)
        except OSError as error:
            raise _unreadable(error) from None
        return str(target)
    bucket, _, prefix = location.removeprefix("s3://").partition("/")
    key = f"{prefix.rstrip('/')}/{name}".lstrip("/")
    uri = f"s3://{bucket}/{key}"
    with closing(_new_client()) as client, _s3_errors(uri):
        client.upload_file(str(source), bucket, key)
    return uri


def plain_text(name: str, path: Path, spool: Path, compression: Compression | None = None) -> Path:
    """The file itself if it is not compressed, else its text in the spool.

    name: its suffix, .gz or .zst, says how it is compressed unless compression does. Raises
    DataRefused for an archive that is cut off or damaged, or holds more than is allowed.
    """
    kind = compression_of(name, compression)
    if kind == "none":
        return path
    target = spool / f"{hashlib.sha256(name.encode()).hexdigest()[:24]}.txt"
    left = limit = _max_text()
    with path.open("rb") as raw, target.open("wb") as out:
        try:
            for chunk in _decompressed(raw, kind):
                left -= len(chunk)
                if left < 0:
                    target.unlink()
                    raise DataRefused(
                        f"the {kind} archive of {path.stat().st_size:,} bytes holds more than"
                        f" {limit:,} bytes of text; split it, or if it is sound, set"
                        " CTI_MAX_DECOMPRESSED_BYTES to more"
                    )
                out.write(chunk)
        except EOFError:
            raise DataRefused(
                f"the {kind} archive ends before its end: the file is cut off; get it again"
            ) from None
        except _DAMAGED as error:
            raise DataRefused(f"this is no sound {kind} archive ({error}); get it again") from None
    return target


def plain_head(name: str, head: bytes, compression: Compression | None = None) -> bytes:
    """The text of a file's first bytes, as far as they go. Raises DataRefused as plain_text."""
    kind = compression_of(name, compression)
    if kind == "none":
        return head
    text = b""
    try:
        for chunk in _decompressed(io.BytesIO(head), kind, chunk=4096):
            text += chunk
            if len(text) >= _HEAD_TEXT:
                break
    except EOFError:
        pass  # only the head of the archive is here
    except _DAMAGED as error:
        raise DataRefused(f"{name}: this is no sound {kind} archive ({error})") from None
    return text


def compression_of(name: str, compression: Compression | None = None) -> Compression:
    """How a file is compressed: as the contract says, else by its suffix."""
    return compression or _SUFFIXES.get(Path(name).suffix.lower(), "none")


def _max_text() -> int:
    """How many bytes an archive may hold. Raises ConfigError."""
    text = os.environ.get("CTI_MAX_DECOMPRESSED_BYTES", "")
    if not text:
        return _MAX_TEXT
    if not re.fullmatch(r"[0-9]{1,18}", text) or not int(text):
        raise ConfigError(
            f"CTI_MAX_DECOMPRESSED_BYTES={text[:30]!r}: must be a whole number above 0, of up to 18"
            " digits"
        )
    return int(text)


def _decompressed(raw: BinaryIO, kind: Compression, chunk: int = _CHUNK) -> Iterator[bytes]:
    stream = gzip.GzipFile(fileobj=raw) if kind == "gzip" else zstd.ZstdFile(raw)
    while data := stream.read(chunk):
        yield data


class WorkFolder:
    """A folder in S3 of one load's own, for what COPY reads besides the raw files."""

    def __init__(self, work_location: str, feed: str) -> None:
        bucket, _, prefix = work_location.removeprefix("s3://").partition("/")
        if not work_location.startswith("s3://") or not bucket:
            raise ConfigError(f"work location {work_location!r}: must be s3://bucket/prefix/")
        self._bucket, host = bucket, owner.host()
        self._feed = f"{prefix.rstrip('/')}/{owner.slug(feed)}/".lstrip("/")
        started = f"{time.time():.0f}"
        self._folder = f"{self._feed}{started}_{host}_{os.getpid()}_{uuid.uuid4().hex[:8]}/"
        self._client = _s3_client(self)

    def put(self, name: str, text: str) -> str:
        """Writes a small object; returns its URI. Raises StorageError."""
        uri = f"s3://{self._bucket}/{self._folder}{name}"
        with _s3_errors(uri):
            self._client.put_object(
                Bucket=self._bucket, Key=f"{self._folder}{name}", Body=text.encode()
            )
        return uri

    def upload(self, path: Path) -> str:
        """Writes a file of up to 5 GB; returns its URI. Raises StorageError.

        As one request: an upload in parts that a kill leaves half done is in no listing.
        """
        uri = f"s3://{self._bucket}/{self._folder}{path.name}"
        with _s3_errors(uri), path.open("rb") as body:
            self._client.put_object(
                Bucket=self._bucket, Key=f"{self._folder}{path.name}", Body=body
            )
        return uri

    def remove(self) -> None:
        """Deletes what this load wrote. What cannot be deleted now, a later load deletes."""
        with suppress(StorageError):
            self._delete(self._keys(self._folder))

    def remove_abandoned(self) -> None:
        """Deletes what dead loads left: of this host, or a day old. Raises StorageError."""
        dead = []
        for key in self._keys(self._feed):
            started, host, pid, _ = (
                *key.removeprefix(self._feed).split("/")[0].split("_"),
                *"___",
            )[:4]
            if not started.isdecimal() or not pid.isdecimal():
                continue  # not the loader's
            old = time.time() - int(started) > _ABANDONED_SECONDS
            if old or owner.is_dead(host, pid):
                dead.append(key)
        self._delete(dead)

    def _keys(self, prefix: str) -> list[str]:
        with _s3_errors(f"s3://{self._bucket}/{prefix}"):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=prefix
            )
            return [entry["Key"] for page in pages for entry in page.get("Contents", [])]

    def _delete(self, keys: list[str]) -> None:
        for key in keys:
            with _s3_errors(f"s3://{self._bucket}/{key}"):
                self._client.delete_object(Bucket=self._bucket, Key=key)


def _s3_client(holder: object) -> S3Client:
    """A client whose connections are closed when its holder is gone."""
    client = _new_client()
    weakref.finalize(holder, client.close)
    return client


def _new_client() -> S3Client:
    # Imported here: it takes a third of a second that local files need not wait for.
    import boto3
    from botocore.config import Config

    try:
        return boto3.client(
            "s3",
            config=Config(
                connect_timeout=_CONNECT_SECONDS,
                read_timeout=_READ_SECONDS,
                retries={"mode": "standard", "max_attempts": 5},
            ),
        )
    except Exception as error:  # botocore has no common root for what a bad profile raises
        raise ConfigError(
            f"S3: {error}. Check AWS_PROFILE, AWS_DEFAULT_REGION and ~/.aws."
        ) from None


@contextmanager
def _s3_errors(where: str) -> Iterator[None]:
    """Turns what boto3 raises into errors that say what to do."""
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

    try:
        yield
    except NoCredentialsError:
        raise StorageError(
            f"{where}: no AWS credentials found. Set AWS_PROFILE, or AWS_ACCESS_KEY_ID and"
            " AWS_SECRET_ACCESS_KEY, or run where a role is attached."
        ) from None
    except ClientError as error:
        detail = error.response["Error"]
        raise _client_error(where, detail.get("Code", ""), detail.get("Message", "")) from None
    except (Boto3Error, BotoCoreError) as error:
        # The address that it names may be long, or hold a password; what failed is said before it.
        problem = _LOGIN.sub("//", str(error)).rstrip(".")[:_MESSAGE_CHARACTERS]
        raise StorageError(
            f"{where}: {problem}. Check the network and the endpoint, then try again."
        ) from None
    except OSError as error:
        raise _unreadable(error) from None


def _client_error(where: str, code: str, message: str) -> StorageError:
    match code:
        case "PreconditionFailed" | "412" | "NoSuchKey" | "404":
            return FileChanged(_changed(where, "it was overwritten or deleted"))
        case "NoSuchBucket":
            return StorageError(
                f"{where}: there is no such bucket. Check the feed's location and"
                " CTI_WORK_LOCATION."
            )
        case "400":  # to HEAD, which has no body to say more
            return StorageError(
                f"{where}: S3 refuses the request (400) and does not say why. Credentials that have"
                " expired are one reason: renew them."
            )
        case "InvalidAccessKeyId" | "SignatureDoesNotMatch" | "InvalidToken" | "ExpiredToken":
            return StorageError(
                f"{where}: S3 does not accept the credentials ({code}). Renew them."
            )
        case "AccessDenied" | "403":
            return StorageError(
                f"{where}: access denied. The role needs s3:ListBucket on the bucket and"
                " s3:GetObject on its objects, under CTI_WORK_LOCATION s3:PutObject and"
                " s3:DeleteObject too."
            )
        case "RequestTimeTooSkewed":
            return StorageError(
                f"{where}: this machine's clock is too far from S3's ({code}). Set it right."
            )
        case "PermanentRedirect" | "301" | "307" | "AuthorizationHeaderMalformed":
            return StorageError(
                f"{where}: the bucket is in another region ({code}). Set AWS_DEFAULT_REGION to the"
                " bucket's."
            )
        case _:
            problem = message.rstrip(".")[:_MESSAGE_CHARACTERS]
            return StorageError(f"{where}: S3 answered {code}: {problem}. Try again later.")


def _changed(uri: str, what: str) -> str:
    return f"{uri}: {what} since it was listed. Nothing was loaded; run again to take it as it is."


def _unreadable(error: OSError) -> StorageError:
    reason = error.strerror or str(error)
    return StorageError(f"{error.filename or 'the spool folder'}: {reason}")
