"""A client of S3 that gives up and tries again in time, and errors that say what to do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from loader.errors import ConfigError, LoaderError, StorageError
from loader.files.version import changed, file_errors

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

_MESSAGE_CHARACTERS = 300
_LOGIN = re.compile(r"//[^/\s]*@")
# Without a byte for so long, a request or a body is given up and tried again.
_CONNECT_SECONDS, _READ_SECONDS = 10.0, 30.0

# AWS: "Amazon S3 error responses". HEAD has no body, so its error is the number of the status.
_CHANGED = ("PreconditionFailed", "412", "NoSuchKey", "404")
_ADVICE = {
    "400": "S3 refuses the request (400) and does not say why. Credentials that have expired are"
    " one reason: renew them.",
    "NoSuchBucket": "there is no such bucket. Check the feed's location and CTI_WORK_LOCATION.",
    "RequestTimeTooSkewed": "this machine's clock is too far from S3's ({}). Set it right.",
    **dict.fromkeys(
        ("AccessDenied", "403"),
        "access denied. The role needs s3:ListBucket on the bucket and s3:GetObject on its objects,"
        " under CTI_WORK_LOCATION s3:PutObject and s3:DeleteObject too.",
    ),
    **dict.fromkeys(
        ("ExpiredToken", "InvalidAccessKeyId", "InvalidToken", "SignatureDoesNotMatch"),
        "S3 does not accept the credentials ({}). Renew them.",
    ),
    **dict.fromkeys(
        ("301", "307", "AuthorizationHeaderMalformed", "PermanentRedirect"),
        "the bucket is in another region ({}). Set AWS_DEFAULT_REGION to the bucket's.",
    ),
}


def bucket_and_key(uri: str) -> tuple[str, str]:
    """The parts of s3://bucket/key; either may be empty."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key


def s3_client() -> S3Client:
    """A client. Raises ConfigError for what AWS's settings have wrong."""
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
        problem = _LOGIN.sub("//", str(error))
        raise ConfigError(
            f"S3: {problem}. Check AWS_PROFILE, AWS_DEFAULT_REGION and ~/.aws."
        ) from None


@contextmanager
def s3_errors(where: str) -> Iterator[None]:
    """Turns what boto3 raises into errors that say what to do."""
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

    try:
        yield
    except NoCredentialsError:
        raise ConfigError(
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
    except OSError:
        # Last, since some of botocore's errors are OSErrors too.
        with file_errors():
            raise


def _client_error(where: str, code: str, message: str) -> LoaderError:
    if code in _CHANGED:
        return changed(where, "it was overwritten or deleted")
    if code in _ADVICE:
        # No retry cures the others; this one may be anything.
        kind = StorageError if code == "400" else ConfigError
        return kind(f"{where}: {_ADVICE[code].format(code)}")
    problem = message.rstrip(".")[:_MESSAGE_CHARACTERS]
    return StorageError(f"{where}: S3 answered {code}: {problem}. Try again later.")
