"""Protocol data units of the DICOM upper layer (PS3.8 section 9.3), as bytes and as plain values.

Values and how they are written; :mod:`gateway.transfer.association.reader` reads them.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import NamedTuple

from gateway.errors import Retry
from gateway.implementation import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION

APPLICATION_CONTEXT = "1.2.840.10008.3.1.1.1"

_DATA_HEADER = struct.Struct(">BBIIBB")

LARGEST_DATA = 1 << 17  # bytes of a P-DATA-TF we announce to receive


class ProtocolError(Retry):
    """The peer does not speak the upper layer protocol as PS3.8 says."""

    def __init__(self, message: str, reason: int = 6) -> None:
        """``reason``: what an A-ABORT says of it (PS3.8 table 9-26); 6 = invalid PDU parameter value."""
        super().__init__(f"the peer breaks the DICOM protocol: {message}", "is this port a DICOM port?")
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Context:
    """A presentation context as proposed: odd ``id`` from 1 to 255, one class, its transfer syntaxes."""

    id: int
    abstract_syntax: str
    transfer_syntaxes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ContextResult:
    """The answer to one context: ``result`` 0 = accepted with ``transfer_syntax`` (PS3.8 table 9-18)."""

    id: int
    result: int
    transfer_syntax: str = ""


@dataclass(frozen=True, slots=True)
class Role:
    """SCP/SCU role selection (PS3.7 D.3.3.4)."""

    sop_class_uid: str
    scu: bool
    scp: bool


@dataclass(frozen=True, slots=True)
class Extended:
    """SOP Class Extended Negotiation (PS3.7 D.3.3.5); the service class says what ``information`` means."""

    sop_class_uid: str
    information: bytes


@dataclass(frozen=True, slots=True)
class CommonExtended:
    """SOP Class Common Extended Negotiation (PS3.7 D.3.3.6): what a peer may take an unknown class for."""

    sop_class_uid: str
    service_class_uid: str
    related: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Identity:
    """User Identity (PS3.7 D.3.3.7): ``kind`` 1 = user name, 2 = with passcode, 3 = Kerberos, 4 = SAML, 5 = JWT."""

    kind: int
    primary: bytes = field(repr=False)
    secondary: bytes = field(default=b"", repr=False)  # the passcode of kind 2
    confirm: bool = False  # a positive response is asked for


@dataclass(frozen=True, slots=True)
class UserInformation:
    """Maximum length 0 = no limit; ``window`` = operations (invoked, performed) at a time, 0 = no limit.

    ``identity`` stands in a request, ``confirmed`` (the server's response, may be empty) in an acceptance.
    """

    max_length: int = LARGEST_DATA
    implementation_uid: str = IMPLEMENTATION_CLASS_UID
    implementation_version: str = IMPLEMENTATION_VERSION
    roles: tuple[Role, ...] = ()
    window: tuple[int, int] | None = None
    extended: tuple[Extended, ...] = ()
    common: tuple[CommonExtended, ...] = ()
    identity: Identity | None = None
    confirmed: bytes | None = None


@dataclass(frozen=True, slots=True)
class AssociateRequest:
    called: str
    calling: str
    contexts: tuple[Context, ...]
    user: UserInformation = UserInformation()
    version: int = 1  # bit 0 = version 1, the only one there is
    application_context: str = APPLICATION_CONTEXT


@dataclass(frozen=True, slots=True)
class AssociateAccept:
    called: str
    calling: str
    results: tuple[ContextResult, ...]
    user: UserInformation = UserInformation()


@dataclass(frozen=True, slots=True)
class AssociateReject:
    """Result 1 = permanent, 2 = transient; source and reason by PS3.8 table 9-21."""

    result: int
    source: int
    reason: int


class Pdv(NamedTuple):  # of each answer: made in a third of a dataclass's time
    """A presentation data value: one fragment of a command set or data set."""

    context_id: int
    command: bool
    last: bool
    data: bytes


class Data(NamedTuple):
    pdvs: tuple[Pdv, ...]


@dataclass(frozen=True, slots=True)
class ReleaseRequest:
    pass


@dataclass(frozen=True, slots=True)
class ReleaseReply:
    pass


@dataclass(frozen=True, slots=True)
class Abort:
    """Source 0 = service user, 2 = service provider; reason by PS3.8 table 9-26."""

    source: int
    reason: int


Pdu = AssociateRequest | AssociateAccept | AssociateReject | Data | ReleaseRequest | ReleaseReply | Abort

NAMES = {
    1: "A-ASSOCIATE-RQ",
    2: "A-ASSOCIATE-AC",
    3: "A-ASSOCIATE-RJ",
    4: "P-DATA-TF",
    5: "A-RELEASE-RQ",
    6: "A-RELEASE-RP",
    7: "A-ABORT",
}


def encode(pdu: Pdu) -> bytes:
    """The PDU as bytes, header included."""
    match pdu:
        case AssociateRequest():
            proposed = b"".join(_proposed(c) for c in pdu.contexts)
            return _pdu(
                1, _associate(pdu.called, pdu.calling, proposed, pdu.user, pdu.version, pdu.application_context)
            )
        case AssociateAccept():
            answered = b"".join(_answered(r) for r in pdu.results)
            return _pdu(2, _associate(pdu.called, pdu.calling, answered, pdu.user))
        case AssociateReject():
            return _pdu(3, bytes((0, pdu.result, pdu.source, pdu.reason)))
        case Data():
            return _pdu(4, b"".join(pdv_header(p, len(p.data)) + p.data for p in pdu.pdvs))
        case ReleaseRequest():
            return _pdu(5, bytes(4))
        case ReleaseReply():
            return _pdu(6, bytes(4))
        case Abort():
            return _pdu(7, bytes((0, 0, pdu.source, pdu.reason)))


def pdv_header(pdv: Pdv, length: int) -> bytes:
    """The six bytes before a fragment of ``length`` bytes (PS3.8 table 9-23 and E.2)."""
    return struct.pack(">IBB", length + 2, pdv.context_id, pdv.command | pdv.last << 1)


def data_header(context_id: int, command: bool, last: bool, length: int) -> bytes:
    """The twelve bytes before a P-DATA-TF that carries one fragment of ``length`` bytes."""
    return _DATA_HEADER.pack(4, 0, length + 6, length + 2, context_id, command | last << 1)


def _pdu(kind: int, body: bytes) -> bytes:
    return struct.pack(">BBI", kind, 0, len(body)) + body


def _item(kind: int, body: bytes) -> bytes:
    return struct.pack(">BBH", kind, 0, len(body)) + body


def _proposed(context: Context) -> bytes:
    syntaxes = b"".join(_item(0x40, s.encode("ascii")) for s in context.transfer_syntaxes)
    return _item(0x20, bytes((context.id, 0, 0, 0)) + _item(0x30, context.abstract_syntax.encode("ascii")) + syntaxes)


def _answered(result: ContextResult) -> bytes:
    syntax = _item(0x40, result.transfer_syntax.encode("ascii"))
    return _item(0x21, bytes((result.id, 0, result.result, 0)) + syntax)


def _associate(
    called: str,
    calling: str,
    contexts: bytes,
    user: UserInformation,
    version: int = 1,
    application: str = APPLICATION_CONTEXT,
) -> bytes:
    titles = called.encode("ascii").ljust(16)[:16] + calling.encode("ascii").ljust(16)[:16]
    fixed = struct.pack(">HH", version, 0) + titles + bytes(32)
    return fixed + _item(0x10, application.encode("ascii")) + contexts + _item(0x50, _user(user))


def _counted(*fields: bytes) -> bytes:
    """Fields with a 16-bit length before each."""
    return b"".join(struct.pack(">H", len(f)) + f for f in fields)


def _user(user: UserInformation) -> bytes:
    """User information, the sub-items in ascending order of their type."""
    items = [_item(0x51, struct.pack(">I", user.max_length)), _item(0x52, user.implementation_uid.encode("ascii"))]
    if user.window is not None:
        items.append(_item(0x53, struct.pack(">HH", *user.window)))
    items += [_item(0x54, _counted(r.sop_class_uid.encode("ascii")) + bytes((r.scu, r.scp))) for r in user.roles]
    if user.implementation_version:
        items.append(_item(0x55, user.implementation_version.encode("ascii")))
    items += [_item(0x56, _counted(e.sop_class_uid.encode("ascii")) + e.information) for e in user.extended]
    for c in user.common:
        related = _counted(*(uid.encode("ascii") for uid in c.related))
        body = _counted(c.sop_class_uid.encode("ascii"), c.service_class_uid.encode("ascii"), related)
        items.append(_item(0x57, body))
    if (who := user.identity) is not None:
        items.append(_item(0x58, bytes((who.kind, who.confirm)) + _counted(who.primary, who.secondary)))
    if user.confirmed is not None:
        items.append(_item(0x59, _counted(user.confirmed)))
    return b"".join(items)
