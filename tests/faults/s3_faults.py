"""What S3, or the way to it, may do to one answer."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from faults.s3_proxy import Answer, Deed, Forward, Request

__all__ = [
    "after",
    "before",
    "flipped",
    "garbled",
    "longer",
    "mischecked",
    "misnumbered",
    "mistagged",
    "paged",
    "redirect",
    "refuse",
    "reset",
    "shorter",
    "silent",
    "spoilt_upload",
    "stalled",
]


def refuse(status: int, code: str, message: str = "so it is") -> Deed:
    """An error in S3's form (AWS, "Error responses"); one to HEAD has no body."""

    def deed(request: Request, forward: Forward) -> Answer:
        text = (
            f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{message}</Message></Error>"
        )
        body = b"" if request.method == "HEAD" else text.encode()
        # Announced, or the client might send its next request on a connection that is closing.
        headers = (("Content-Type", "application/xml"), ("Connection", "close"))
        return Answer(status, headers, body, then="close")

    return deed


def redirect(status: int, code: str, region: str) -> Deed:
    """The answer of a region where the bucket is not."""
    refused = refuse(status, code, f"look there</Message><Region>{region}</Region><Message>")

    def deed(request: Request, forward: Forward) -> Answer:
        return refused(request, forward).with_header("x-amz-bucket-region", region)

    return deed


def reset(part: float = 0.5) -> Deed:
    """The connection is reset after a part of the body; before the head if part is negative."""
    return _broken("reset", part)


def stalled(part: float = 0.5) -> Deed:
    """Nothing more comes after a part of the body."""
    return _broken("stall", part)


def silent(request: Request, forward: Forward) -> Answer:
    """No answer at all, and the connection stays."""
    return replace(forward(request), sent=-1, then="stall")


def shorter(request: Request, forward: Forward) -> Answer:
    """The body ends early and in order, under the length of the whole."""
    return _with_body(forward(request), lambda body: body[: len(body) // 2], keep_length=True)


def longer(request: Request, forward: Forward) -> Answer:
    """More bytes than there are, under a length that fits them."""
    return _with_body(forward(request), lambda body: body + b"more,domain,x\n", keep_length=False)


def misnumbered(request: Request, forward: Forward) -> Answer:
    """A Content-Length of half of the body, which then ends there for whoever believes it."""
    return _with_body(forward(request), lambda body: body[: len(body) // 2], keep_length=False)


def flipped(request: Request, forward: Forward) -> Answer:
    """As many bytes, one of them another: still a valid file, and no checksum beside it."""
    answer = _with_body(forward(request), _flip, keep_length=True)
    for name, _ in answer.headers:
        if name.lower().startswith("x-amz-checksum-"):
            answer = answer.with_header(name, None)
    return answer


def _flip(body: bytes) -> bytes:
    """The last letter before the last line's end is another letter."""
    return body[:-2] + bytes([body[-2] ^ 1]) + body[-1:]


def garbled(request: Request, forward: Forward) -> Answer:
    """A listing that is cut in the middle, under a length that fits."""
    return misnumbered(request, forward)


def mistagged(request: Request, forward: Forward) -> Answer:
    """The ETag of another version."""
    return forward(request).with_header("ETag", '"0123456789abcdef0123456789abcdef"')


def mischecked(request: Request, forward: Forward) -> Answer:
    """A checksum, as S3 has one beside newer objects, that is not of the body."""
    return forward(request).with_header("x-amz-checksum-crc32", "AAAAAA==")


def spoilt_upload(request: Request, forward: Forward) -> Answer:
    """One byte of what is sent is another when it comes to S3."""
    return forward(replace(request, body=_flip(request.body)))


def before(act: Callable[[], object]) -> Deed:
    """Somebody does something just before S3 gets the request."""

    def deed(request: Request, forward: Forward) -> Answer:
        act()
        return forward(request)

    return deed


def after(act: Callable[[], object]) -> Deed:
    """Somebody does something just after S3 has answered."""

    def deed(request: Request, forward: Forward) -> Answer:
        answer = forward(request)
        act()
        return answer

    return deed


def paged(
    between: Callable[[], object] = lambda: None, repeat: bool = False, cut: bool = False
) -> Deed:
    """A listing in two pages. For all requests of a listing.

    between: what happens after the first page. repeat: the second begins with the key that the
    first ended with. cut: the first promises a second, but does not say how to get it.
    """
    state: dict[str, tuple[Request, str]] = {}

    def deed(request: Request, forward: Forward) -> Answer:
        token = request.query("continuation-token")
        if not token:
            answer = forward(request)
            entries = _entries(answer.body)
            first = entries[: (len(entries) + 1) // 2]
            state["first"] = (request, _key(first[-1]))
            return _page(answer, first, more=True, token="" if cut else "second")
        between()
        original, last = state["first"]
        # The signature is of the first request, which asks for everything.
        answer = forward(original)
        rest = [e for e in _entries(answer.body) if _key(e) > last or (repeat and _key(e) == last)]
        return _page(answer, rest, more=False, token="")

    return deed


_ENTRY = re.compile(rb"<Contents>.*?</Contents>", re.DOTALL)


def _entries(listing: bytes) -> list[bytes]:
    return _ENTRY.findall(listing)


def _key(entry: bytes) -> str:
    found = re.search(rb"<Key>(.*?)</Key>", entry)
    assert found
    return found[1].decode()


def _page(answer: Answer, entries: list[bytes], more: bool, token: str) -> Answer:
    head, _, _ = answer.body.partition(b"<Contents>")
    head = re.sub(rb"<IsTruncated>.*?</IsTruncated>", b"", head)
    truncated = b"<IsTruncated>%s</IsTruncated>" % (b"true" if more else b"false")
    if token:
        truncated += b"<NextContinuationToken>%s</NextContinuationToken>" % token.encode()
    body = head + truncated + b"".join(entries) + b"</ListBucketResult>"
    return replace(answer, body=body).with_header("Content-Length", str(len(body)))


def _broken(then: str, part: float) -> Deed:
    def deed(request: Request, forward: Forward) -> Answer:
        answer = forward(request)
        sent = -1 if part < 0 else int(len(answer.body) * part)
        return replace(answer, sent=sent, then="reset" if then == "reset" else "stall")

    return deed


def _with_body(answer: Answer, change: Callable[[bytes], bytes], keep_length: bool) -> Answer:
    length = len(answer.body)
    body = change(answer.body)
    changed = replace(answer, body=body, then="close")
    return changed.with_header("Content-Length", str(length if keep_length else len(body)))
