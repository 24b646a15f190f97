"""A certificate authority and a server certificate for localhost, made without other programs.

ECDSA on the curve P-256 with SHA-256, written in DER by hand: some hundred lines spare the tests a
dependency and a call of openssl. The keys live for one run and only on the loopback interface; the
arithmetic is not hardened against anybody who can measure it.
Sources: RFC 5280 (certificates), RFC 5915 (EC private keys), FIPS 186-4 (ECDSA).
"""

from __future__ import annotations

import base64
import datetime
import hashlib
import ipaddress
import secrets
import ssl
from dataclasses import dataclass
from pathlib import Path

_P = 0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF
_N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_G = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)
_Point = tuple[int, int] | None

_ECDSA_SHA256 = "1.2.840.10045.4.3.2"
_EC_PUBLIC_KEY = "1.2.840.10045.2.1"
_CURVE = "1.2.840.10045.3.1.7"
_COMMON_NAME = "2.5.4.3"


@dataclass(frozen=True)
class Certificates:
    """Paths of PEM files. `authority` is what a client has to trust (SSL_CERT_FILE)."""

    authority: Path
    certificate: Path
    key: Path

    def server_context(self) -> ssl.SSLContext:
        """A context for the server's side of a connection."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        return context


def make_certificates(folder: Path) -> Certificates:
    """Write a new authority and a certificate for localhost, 127.0.0.1 and ::1 into `folder`."""
    made = Certificates(folder / "ca.pem", folder / "server.pem", folder / "server.key")
    authority_key, server_key = _private_key(), _private_key()
    authority = _certificate("rig test authority", authority_key, authority_key, _ca_extensions())
    server = _certificate("localhost", server_key, authority_key, _server_extensions())
    made.authority.write_text(_pem("CERTIFICATE", authority))
    made.certificate.write_text(_pem("CERTIFICATE", server))
    made.key.write_text(_pem("EC PRIVATE KEY", _private_key_der(server_key)))
    made.key.chmod(0o600)
    return made


# The curve -------------------------------------------------------------------------------------


def _add(a: _Point, b: _Point) -> _Point:
    if a is None or b is None:
        return a or b
    if a[0] == b[0] and (a[1] + b[1]) % _P == 0:
        return None
    if a == b:
        slope = (3 * a[0] * a[0] - 3) * pow(2 * a[1], -1, _P)
    else:
        slope = (b[1] - a[1]) * pow(b[0] - a[0], -1, _P)
    x = (slope * slope - a[0] - b[0]) % _P
    return x, (slope * (a[0] - x) - a[1]) % _P


def _multiply(number: int, point: _Point) -> tuple[int, int]:
    total: _Point = None
    while number:
        if number & 1:
            total = _add(total, point)
        point = _add(point, point)
        number >>= 1
    assert total is not None
    return total


def _private_key() -> int:
    return secrets.randbelow(_N - 1) + 1


def _public_key(key: int) -> bytes:
    x, y = _multiply(key, _G)
    return b"\x04" + x.to_bytes(32, "big") + y.to_bytes(32, "big")


def _sign(key: int, data: bytes) -> bytes:
    digest = int.from_bytes(hashlib.sha256(data).digest(), "big")
    while True:
        nonce = _private_key()
        r = _multiply(nonce, _G)[0] % _N
        s = pow(nonce, -1, _N) * (digest + r * key) % _N
        if r and s:
            return _sequence(_integer(r), _integer(s))


# DER ----------------------------------------------------------------------------------------------


def _der(tag: int, body: bytes) -> bytes:
    size = len(body)
    if size < 128:
        return bytes([tag, size]) + body
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 128 | len(length)]) + length + body


def _sequence(*parts: bytes) -> bytes:
    return _der(0x30, b"".join(parts))


def _integer(value: int) -> bytes:
    return _der(0x02, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def _bits(body: bytes) -> bytes:
    return _der(0x03, b"\0" + body)


def _oid(dotted: str) -> bytes:
    first, second, *rest = (int(part) for part in dotted.split("."))
    body = bytes([first * 40 + second])
    for number in rest:
        groups = [number & 127]
        while number := number >> 7:
            groups.append(128 | (number & 127))
        body += bytes(reversed(groups))
    return _der(0x06, body)


def _name(common_name: str) -> bytes:
    attribute = _sequence(_oid(_COMMON_NAME), _der(0x0C, common_name.encode()))
    return _sequence(_der(0x31, attribute))


def _time(moment: datetime.datetime) -> bytes:
    return _der(0x17, moment.strftime("%y%m%d%H%M%SZ").encode())


def _extension(dotted: str, body: bytes, *, critical: bool = False) -> bytes:
    flag = _der(0x01, b"\xff") if critical else b""
    return _sequence(_oid(dotted), flag, _der(0x04, body))


def _ca_extensions() -> bytes:
    return _sequence(
        _extension("2.5.29.19", _sequence(_der(0x01, b"\xff")), critical=True),
        # keyCertSign
        _extension("2.5.29.15", _der(0x03, b"\x02\x04"), critical=True),
    )


def _server_extensions() -> bytes:
    addresses = [ipaddress.ip_address(text).packed for text in ("127.0.0.1", "::1")]
    names = _der(0x82, b"localhost") + b"".join(_der(0x87, packed) for packed in addresses)
    return _sequence(
        _extension("2.5.29.19", _sequence(), critical=True),
        _extension("2.5.29.15", _der(0x03, b"\x07\x80"), critical=True),
        # serverAuth
        _extension("2.5.29.37", _sequence(_oid("1.3.6.1.5.5.7.3.1"))),
        _extension("2.5.29.17", _der(0x30, names)),
    )


def _certificate(subject: str, key: int, issuer_key: int, extensions: bytes) -> bytes:
    now = datetime.datetime.now(datetime.UTC)
    key_info = _sequence(_sequence(_oid(_EC_PUBLIC_KEY), _oid(_CURVE)), _bits(_public_key(key)))
    algorithm = _sequence(_oid(_ECDSA_SHA256))
    unsigned = _sequence(
        _der(0xA0, _integer(2)),
        _integer(secrets.randbits(64) | 1),
        algorithm,
        _name("rig test authority"),
        _sequence(
            _time(now - datetime.timedelta(hours=1)), _time(now + datetime.timedelta(days=30))
        ),
        _name(subject),
        key_info,
        _der(0xA3, extensions),
    )
    return _sequence(unsigned, algorithm, _bits(_sign(issuer_key, unsigned)))


def _private_key_der(key: int) -> bytes:
    return _sequence(
        _integer(1),
        _der(0x04, key.to_bytes(32, "big")),
        _der(0xA0, _oid(_CURVE)),
        _der(0xA1, _bits(_public_key(key))),
    )


def _pem(label: str, body: bytes) -> str:
    text = base64.encodebytes(body).decode()
    return f"-----BEGIN {label}-----\n{text}-----END {label}-----\n"
