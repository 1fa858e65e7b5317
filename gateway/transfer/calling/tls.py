"""TLS towards a peer by BCP 195 (RFC 8996, RFC 9325; PS3.15 B.12): 1.2 or 1.3, and never a way back to plain.

What is wrong with our own files, and what the peer thinks of them, comes as Failed in words, like all that keeps an
association from coming about. Certificates that end soon are said before they do.
"""

from __future__ import annotations

import functools
import logging
import ssl
import time
from pathlib import Path

from gateway.transfer.association import certificate
from gateway.transfer.association.secure import SecureConnection
from gateway.transfer.calling.outcomes import Failed, Outcome
from gateway.transfer.calling.peers import Peer, Security

log = logging.getLogger(__name__)

# RFC 9325 4.2: forward secrecy and authenticated encryption. TLS 1.3 has no other suites than such.
SUITES = ":".join(f"ECDHE-{a}-AES{n}-GCM-SHA{h}" for n, h in ((128, 256), (256, 384)) for a in ("ECDSA", "RSA"))
OLDEST = ssl.TLSVersion.TLSv1_2
ANY = "*"  # as the name in the peer's certificate
SOON = 30  # days
_said: set[tuple[str, str]] = set()  # what ends soon is said once a day and certificate


def connect(peer: Peer, security: Security) -> SecureConnection:
    """Call ``peer`` and shake hands. Raises OSError as the network says it; Failed for what only TLS can say."""
    context = _own(peer, security)
    name = security.name if security.name not in ("", ANY) else peer.host
    try:
        connection = SecureConnection(peer.host, peer.port, peer.timeout, context, name)
    except (ConnectionResetError, BrokenPipeError, ssl.SSLEOFError) as error:
        words = "does it speak TLS at that port, and does it know this box's certificate?"
        raise Failed(Outcome("retry", "tls-broken-off", f"{peer} breaks off the TLS handshake; {words}")) from error
    _warn(f"the certificate of {peer}", connection.certificate())
    return connection


def _own(peer: Peer, security: Security) -> ssl.SSLContext:
    """Our side, made anew when one of the files is replaced."""
    files = [Path(file) for file in (security.ca, security.certificate, security.key) if file]
    for file in files:
        try:
            file.read_bytes()  # OpenSSL would not say which file it cannot read
        except OSError as error:
            raise _unusable(peer, f"{file} cannot be read ({error.strerror})") from error
    if security.certificate:
        try:
            der = certificate.first(security.certificate)
            left = certificate.ends(der) - time.time()
        except ValueError as error:
            raise _unusable(peer, f"{security.certificate} is no certificate in PEM form ({error})") from error
        if left < 0:
            raise _unusable(
                peer, f"this box's certificate {security.certificate} ended {certificate.day(certificate.ends(der))}"
            )
        _warn(f"this box's certificate {security.certificate}", der)
    try:
        return _context(security, tuple(file.stat().st_mtime_ns for file in files))
    except (OSError, ValueError) as error:
        why = getattr(error, "reason", None) or str(error)
        if why == "KEY_VALUES_MISMATCH":
            why = f"the key {security.key} does not belong to the certificate {security.certificate}"
        raise _unusable(peer, f"{security.certificate or security.ca}: {why}") from error


@functools.lru_cache(maxsize=16)
def _context(security: Security, _changed: tuple[int, ...]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # verifies by default
    context.minimum_version = OLDEST
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    context.set_ciphers(SUITES)
    context.check_hostname = security.name != ANY
    if security.ca:
        context.load_verify_locations(security.ca)
    else:
        context.load_default_certs()
    if security.certificate:
        context.load_cert_chain(security.certificate, security.key or None, _no_pass_phrase)
    return context


def _no_pass_phrase() -> str:
    raise ValueError("the key is protected by a pass phrase; nobody is here to type it, store it without one")


def _unusable(peer: Peer, words: str) -> Failed:
    return Failed(
        Outcome("retry", "tls-own-files", f"{peer} is not called: {words}; correct what the configuration names")
    )


def _warn(what: str, der: bytes) -> None:
    """Say once a day that a certificate ends soon."""
    try:
        ends = certificate.ends(der)
    except ValueError:
        return
    left, mark = (ends - time.time()) / 86400, (what, time.strftime("%Y%m%d"))
    if left < SOON and mark not in _said:
        _said.add(mark)
        log.warning("%s ends in %.0f days, on %s: have a new one made", what, max(0.0, left), certificate.day(ends))
