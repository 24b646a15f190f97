"""Loads while S3, or the way to it, fails. Promises 3 and 4.

Whoever loses trust here has a table with records that no file ever had, or twice, or not at all.
Each load is right after retries, or refused in words with nothing loaded; one more, with nothing in
its way, makes the table what it would have been.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from faults import extent
from faults import s3_faults as faults
from faults.s3_feed import FIRST, S3Feed
from faults.s3_proxy import Deed
from rig.ports import free_ports

ALL = tuple(FIRST.values())
SLOW_DOWN = faults.refuse(503, "SlowDown", "Please reduce your request rate.")
INTERNAL = faults.refuse(500, "InternalError", "We encountered an internal error.")
DENIED = faults.refuse(403, "AccessDenied", "Access Denied")
EXPIRED = faults.refuse(400, "ExpiredToken", "The provided token has expired.")
SKEWED = faults.refuse(403, "RequestTimeTooSkewed", "The difference is too large.")
GONE_REGION = faults.redirect(301, "PermanentRedirect", "eu-west-1")
MALFORMED = faults.redirect(400, "AuthorizationHeaderMalformed", "eu-west-1")


@dataclass(frozen=True)
class Case:
    """A fault. kind: its row of figures. says: what the message has, if the load is refused.

    at: the kind of request that it strikes, so many times; always those for the same object.
    """

    kind: str
    at: str
    deed: Deed
    times: int | None = None
    says: str = ""
    fast: bool = False

    @property
    def code(self) -> int:
        """The exit code: 2 where no retry cures it. A HEAD does not say what is wrong (400)."""
        untold = (self.kind, self.at) == ("expired credentials", "head")
        mistaken = self.says in ("access denied", "enew", "clock", "AWS_DEFAULT_REGION")
        return (2 if mistaken and not untold else 3) if self.says else 0

    def __str__(self) -> str:
        often = "always" if self.times is None else f"{self.times} times"
        return f"{self.kind}, {self.at}, {often}"


CASES = [
    # Errors of S3's own: a few of them are made up for, without end they are told.
    *[Case("500 InternalError", at, INTERNAL, 3) for at in ("list", "get", "head")],
    *[Case("500 InternalError", at, INTERNAL, None, "Try again") for at in ("list", "get", "head")],
    *[Case("503 SlowDown", at, SLOW_DOWN, 4, fast=at == "list") for at in ("list", "get", "head")],
    *[Case("503 SlowDown", at, SLOW_DOWN, None, "SlowDown") for at in ("list", "get")],
    Case("503 SlowDown", "head", SLOW_DOWN, None, "503"),
    *[Case("403 AccessDenied", at, DENIED, None, "access denied", fast=at == "head")
      for at in ("list", "get", "head")],
    *[Case("expired credentials", at, EXPIRED, None, "enew") for at in ("list", "get", "head")],
    *[Case("clock skew", at, SKEWED, None, "clock") for at in ("list", "get")],
    Case("clock skew", "head", SKEWED, None, "access denied"),
    *[Case("redirect to a region", at, GONE_REGION, 1) for at in ("list", "get", "head")],
    *[Case("signed for another region", at, MALFORMED, 1) for at in ("list", "get")],
    *[Case("redirect to a region", at, GONE_REGION, None, "AWS_DEFAULT_REGION")
      for at in ("list", "get", "head")],
    Case("signed for another region", "list", MALFORMED, None, "AWS_DEFAULT_REGION"),
    # The way to it.
    *[Case("reset before the answer", at, faults.reset(-1), 3) for at in ("list", "get", "head")],
    *[Case("reset before the answer", at, faults.reset(-1), None, "closed")
      for at in ("list", "get", "head")],
    *[Case("reset in the body", at, faults.reset(), 3, fast=at == "get") for at in ("list", "get")],
    Case("reset in the body", "get", faults.reset(), None, "never came whole"),
    Case("reset in the body", "list", faults.reset(), None, "closed"),
    *[Case("silence", at, faults.silent, 1) for at in ("list", "get", "head")],
    *[Case("silence", at, faults.silent, None, "timeout") for at in ("list", "get", "head")],
    *[Case("stalled body", at, faults.stalled(), 1, fast=at == "get") for at in ("list", "get")],
    Case("stalled body", "get", faults.stalled(), None, "never came whole"),
    Case("stalled body", "list", faults.stalled(), None, "timeout"),
    # What comes is not what was asked for.
    Case("body cut short", "get", faults.shorter, 3),
    Case("body cut short", "get", faults.shorter, None, "never came whole"),
    Case("body cut short", "list", faults.shorter, 3),
    Case("body cut short", "list", faults.shorter, None, "Try again later"),
    Case("wrong Content-Length", "get", faults.misnumbered, 3),
    Case("wrong Content-Length", "get", faults.misnumbered, None, "never came whole"),
    Case("wrong Content-Length", "list", faults.garbled, None, "Try again later"),
    Case("body too long", "get", faults.longer, 3),
    Case("body too long", "get", faults.longer, None, "never came whole"),
    Case("wrong bytes, right length", "get", faults.flipped, 3),
    Case("wrong bytes, right length", "get", faults.flipped, None, "MD5", fast=True),
    Case("wrong checksum", "get", faults.mischecked, 3),
    Case("wrong checksum", "get", faults.mischecked, None, "never came whole"),
    Case("wrong ETag", "get", faults.mistagged, None, "another version than was listed"),
    Case("wrong ETag", "head", faults.mistagged, None, "overwritten"),
    Case("listing without its end", "list", faults.paged(cut=True), None, "before its last page"),
]  # fmt: skip


def cases() -> list[object]:
    """Every case, or the fast ones."""
    return [pytest.param(case, id=str(case)) for case in CASES if case.fast or extent.ALL]


@pytest.mark.parametrize("case", cases())
def test_a_fault_is_made_up_for_or_told(feed: S3Feed, case: Case) -> None:
    # One object, so that retries of it alone are counted; not the first, so that one is there.
    key = "raw/$|raw/.*" if case.at == "list" else r"f\.csv\.gz$"
    if case.deed is faults.flipped:
        key = r"b\.csv$"  # a wrong byte in an archive is no archive
    strike = feed.proxy.strike(case.at, case.deed, case.times, key)
    feed.struck(case.kind, strike, case.code, case.says, ALL)
    feed.again(case.kind, ALL)


@dataclass(frozen=True)
class Meddling:
    """Somebody who writes to the feed's folder during a load.

    when, at: just before or after S3 answers a request of this kind for this object. first: whose
    records the load takes; none if it is refused with `says`. then: whose the next one takes.
    """

    what: str
    when: Callable[[Callable[[], object]], Deed]
    at: str
    act: Callable[[S3Feed], object]
    first: tuple[str, ...] = ()
    then: tuple[str, ...] = ()
    key: str = ""
    says: str = ""
    fast: bool = False


def overwrite(feed: S3Feed) -> None:
    feed.put("f.csv.gz", "new")


def rewrite(feed: S3Feed) -> None:
    feed.put("f.csv.gz", "eff")


def delete(feed: S3Feed) -> None:
    feed.delete("f.csv.gz")


def overwrite_first(feed: S3Feed) -> None:
    feed.put("b.csv", "new")


def delete_first(feed: S3Feed) -> None:
    feed.delete("b.csv")


def delete_last(feed: S3Feed) -> None:
    feed.delete("k.csv")


def add_early(feed: S3Feed) -> None:
    feed.put("a.csv", "new")


def add_late(feed: S3Feed) -> None:
    feed.put("z.csv", "new")


def pages(act: Callable[[], object]) -> Deed:
    return faults.paged(act)


def repeating(act: Callable[[], object]) -> Deed:
    return faults.paged(act, repeat=True)


def nothing(feed: S3Feed) -> None:
    """The listing itself is what is odd."""


OVERWRITTEN, DELETED = ("bee", "kay", "new"), ("bee", "kay")
CHANGED = r"it was overwritten or deleted since it was listed. Nothing was loaded"
F = r"f\.csv\.gz$"

MEDDLINGS = [
    Meddling("overwritten after the listing", faults.after, "list", overwrite,
             then=OVERWRITTEN, says=CHANGED),
    Meddling("deleted after the listing", faults.after, "list", delete, then=DELETED, says=CHANGED),
    Meddling("added after the listing", faults.after, "list", add_late, first=ALL, then=("new",)),
    Meddling("overwritten after the fetch", faults.after, "get", overwrite, key=F,
             then=OVERWRITTEN, says="overwritten", fast=True),
    Meddling("deleted after the fetch", faults.after, "get", delete, key=F,
             then=DELETED, says=CHANGED),
    Meddling("written anew, the same bytes", faults.after, "get", rewrite, key=F, first=ALL),
    Meddling("overwritten before the commit", faults.before, "head", overwrite, key=F,
             then=OVERWRITTEN, says="overwritten"),
    Meddling("deleted before the commit", faults.before, "head", delete, key=F,
             then=DELETED, says=CHANGED),
    Meddling("overwritten at the commit", faults.after, "head", overwrite, key=F,
             first=ALL, then=("new",)),
    Meddling("deleted at the commit", faults.after, "head", delete, key=F, first=ALL),
    Meddling("pages", pages, "list", nothing, first=ALL),
    Meddling("a key on two pages", repeating, "list", nothing, first=ALL, fast=True),
    Meddling("a key on two pages, another version", repeating, "list", overwrite,
             first=OVERWRITTEN),
    Meddling("added before the next page", pages, "list", add_early, first=ALL, then=("new",)),
    Meddling("added to the next page", pages, "list", add_late, first=(*ALL, "new")),
    Meddling("deleted from the next page", pages, "list", delete_last, first=("bee", "eff")),
    Meddling("deleted from the page before", pages, "list", delete_first,
             then=("eff", "kay"), says=CHANGED),
    Meddling("overwritten on the page before", pages, "list", overwrite_first,
             then=("eff", "kay", "new"), says=CHANGED),
]  # fmt: skip


def meddlings() -> list[object]:
    """Every meddling, or the fast ones."""
    return [pytest.param(m, id=m.what) for m in MEDDLINGS if m.fast or extent.ALL]


@pytest.mark.parametrize("meddling", meddlings())
def test_a_file_that_changes_meanwhile_is_loaded_as_validated_or_not(
    feed: S3Feed, meddling: Meddling
) -> None:
    kind = "object written to" if meddling.at != "list" else "listing changes"
    deed = meddling.when(lambda: meddling.act(feed))
    times = None if meddling.when in (pages, repeating) else 1
    strike = feed.proxy.strike(meddling.at, deed, times, meddling.key)
    feed.struck(kind, strike, 3 if meddling.says else 0, meddling.says, meddling.first)
    loads = [sources for sources in (meddling.first, meddling.then) if sources]
    feed.again(kind, *loads)


def test_no_credentials_and_no_server_are_told(
    feed: S3Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN nobody who listens, then nobody to sign as
    (port,) = free_ports(1)
    for kind, variable, value, says in (
        ("connection refused", "AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{port}", "connect"),
        ("no credentials", "AWS_ACCESS_KEY_ID", None, "no AWS credentials found"),
        ("wrong credentials", "AWS_SECRET_ACCESS_KEY", "nobody's", "does not accept"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr("boto3.DEFAULT_SESSION", None)
            if value is None:
                patch.delenv(variable)
                patch.delenv("AWS_SECRET_ACCESS_KEY")
            else:
                patch.setenv(variable, value)
            # THEN each is told, and nothing is loaded
            feed.refused(kind, says, code=3 if kind == "connection refused" else 2)
    # AND with everything in its place the load is the undisturbed one
    monkeypatch.setattr("boto3.DEFAULT_SESSION", None)
    feed.again("no credentials", ALL)
