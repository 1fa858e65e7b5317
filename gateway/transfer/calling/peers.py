"""The one place that makes peers of what is configured."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from pathlib import Path

from gateway import fields
from gateway.destination import Destination
from gateway.errors import Misuse
from gateway.repository import Repository
from gateway.settings import Box, Ris
from gateway.transfer.association.pdu import Identity
from gateway.transfer.calling.throttle import Throttle

_AE_TITLE = re.compile(r"[ -\[\]-~]{1,16}")


@dataclass(frozen=True, slots=True)
class Security:
    """How TLS with a peer is set up; paths of PEM files, "" = none. ``name`` is what its certificate must be for."""

    ca: str  # who signed the peer's certificate; "" = whom the system trusts
    certificate: str  # ours, with what chains it to the peer's CA
    key: str
    name: str  # "" = the host's, "*" = anybody whom the CA has signed


@dataclass(frozen=True, slots=True)
class Web:
    """A DICOMweb server: where its services begin, and what is asked of it."""

    url: str
    path: str  # of the url, without a slash at its end
    token: str  # path of the file with the bearer token; "" = none
    policy: str  # what frees the box: "commitment", "verified" or "stored"
    verified_by: str  # "index", "metadata" or "bytes"


@dataclass(frozen=True, slots=True)
class Peer:
    """Whom to call, as whom, and how many seconds without progress are too many. One with ``web`` has no AE title."""

    name: str
    ae_title: str
    host: str
    port: int
    own_ae_title: str
    timeout: float = 30.0
    associations: int = 1  # beside each other, to store
    operations: int = 1  # open at a time on each, where the peer grants it (asynchronous operations window)
    security: Security | None = None  # TLS
    identity: Identity | None = None  # user identity (PS3.7 D.3.3.7)
    decodes: bool = False  # it gets JPEG decoded where it refuses the transfer syntax
    scratch: str = ""  # folder for what is transcoded where it refuses a transfer syntax; "" = nothing is
    web: Web | None = None
    throttle: Throttle | None = None  # the bandwidth cap that everything sent to it shares

    def __post_init__(self) -> None:
        for title in (self.ae_title, self.own_ae_title) if self.web is None else ():
            if not _AE_TITLE.fullmatch(title):
                raise Misuse(f"{title!r} is no AE title", "use 1 to 16 printable ASCII characters, no backslash")

    @property
    def title(self) -> str:
        """What it is called: AE title or URL."""
        return self.ae_title if self.web is None else self.web.url

    def __str__(self) -> str:
        return self.web.url if self.web is not None else f"{self.ae_title} at {self.host}:{self.port}"


def ris(box: Box, ris: Ris) -> Peer:
    """The RIS for worklist and performed procedure steps."""
    return Peer(ris.name, ris.ae_title, ris.host, ris.port, box.ae_title, ris.timeout)


def destination(box: Box, to: Destination, throttle: Throttle | None = None) -> Peer:
    """The PACS that takes instances. Raises Misuse if a credential is missing that it needs."""
    return replace(_peer(box, to, to.ae_title, to.policy), throttle=throttle)


def commitment(box: Box, to: Destination, policy: str = "commitment") -> Peer:
    """Who is asked to answer for what ``to`` took: the same address, sometimes another AE title.

    ``policy`` is the one that the instances were wrapped under.
    """
    return _peer(box, to, to.commitment_ae_title or to.ae_title, policy)


def _peer(box: Box, to: Destination, title: str, policy: str) -> Peer:
    security = identity = None
    if to.tls or to.url.startswith("https:"):
        key = _file(to, "key", to.key) or _file(to, "certificate", to.certificate)
        files = _file(to, "ca", to.ca), _file(to, "certificate", to.certificate), key
        security = Security(*files, to.certificate_name)
    if to.user:
        identity = _identity(to)
    if to.url:
        return _web(box, to, policy, security)
    most = (to.associations, to.operations)
    scratch = str(box.data) if to.refused_syntax != "hold" else ""
    decodes = to.refused_syntax == "decode"
    return Peer(to.name, title, to.host, to.port, box.ae_title, to.timeout, *most, security, identity, decodes, scratch)


def _web(box: Box, to: Destination, policy: str, security: Security | None) -> Peer:
    found = fields.URL.fullmatch(to.url)
    if found is None:
        raise Misuse(f"{to.url!r} is no address of DICOMweb services", "write it as https://HOST:PORT/PATH")
    port = int(found["port"] or (443 if found["scheme"] == "https" else 80))
    web = Web(to.url, found["path"].rstrip("/"), _file(to, "token", to.token), policy, to.verified_by)
    return Peer(to.name, "", found["host"].strip("[]"), port, box.ae_title, to.timeout, security=security, web=web)


def _identity(to: Destination) -> Identity:
    user = to.user.encode()
    if not to.passcode:
        return Identity(1, user, confirm=True)
    path = _file(to, "passcode", to.passcode)
    try:
        return Identity(2, user, Path(path).read_bytes().rstrip(b"\r\n"), confirm=True)
    except OSError as error:
        raise Misuse(
            f"passcode of {to.name}: {path} cannot be read ({error.strerror})", "see who may read it"
        ) from error


def repository(box: Box, to: Repository) -> Peer:
    """The hospital's audit repository; always TLS."""
    key = _file(to, "key", to.key) or _file(to, "certificate", to.certificate)
    files = _file(to, "ca", to.ca), _file(to, "certificate", to.certificate), key
    return Peer(
        to.name, "AUDIT", to.host, to.port, box.ae_title, to.timeout, security=Security(*files, to.certificate_name)
    )


def _file(to: Destination | Repository, what: str, text: str) -> str:
    """The path that a setting names: itself, or one of the credentials that systemd has brought (systemd.exec(5))."""
    if not text or text.startswith("/"):
        return text
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    if folder is None:
        raise Misuse(
            f'{what} = "{text}" of {to.name} names a credential, and this process was given none',
            "add LoadCredential= to its unit, or write an absolute path",
        )
    return f"{folder}/{text}"
