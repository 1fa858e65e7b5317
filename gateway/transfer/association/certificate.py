"""Until when an X.509 certificate is valid (RFC 5280 4.1.2.5): the only thing asked of one that is not verified."""

from __future__ import annotations

import calendar
import re
import ssl
import time
from pathlib import Path

_PEM = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_FORMS = {0x17: "%y%m%d%H%M%SZ", 0x18: "%Y%m%d%H%M%SZ"}  # UTCTime, GeneralizedTime


def first(path: str) -> bytes:
    """The first certificate in a PEM file, in DER: the file's owner; what follows is the chain. Raises ValueError."""
    found = _PEM.search(Path(path).read_text(encoding="ascii", errors="replace"))
    if found is None:
        raise ValueError("it holds none")
    return ssl.PEM_cert_to_DER_cert(found[0])


def ends(der: bytes) -> float:
    """notAfter in seconds since the epoch. Raises ValueError if ``der`` is no certificate."""
    _, certificate, _ = _element(der)
    _, at, _ = _element(certificate)
    fields: list[bytes] = []
    while at and len(fields) < 5:
        tag, value, at = _element(at)
        if tag != 0xA0:  # the version, which may be left out
            fields.append(value)
    if len(fields) < 4:
        raise ValueError("a certificate that is cut short")
    _, _, rest = _element(fields[3])  # serial number, signature algorithm, issuer, validity
    tag, text, _ = _element(rest)
    if tag not in _FORMS:
        raise ValueError("a certificate without a time")
    return float(calendar.timegm(time.strptime(text.decode("ascii"), _FORMS[tag])))


def day(wall: float) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(wall))


def _element(der: bytes) -> tuple[int, bytes, bytes]:
    """(tag, value, what follows) of the first element of DER (X.690)."""
    if len(der) < 2:
        raise ValueError("a certificate that is cut short")
    tag, length, at = der[0], der[1], 2
    if length & 0x80:
        size = length & 0x7F
        length, at = int.from_bytes(der[2 : 2 + size], "big"), 2 + size
    if len(der) < at + length:
        raise ValueError("a certificate that is cut short")
    return tag, der[at : at + length], der[at + length :]
