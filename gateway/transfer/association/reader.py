"""Reading protocol data units (PS3.8 section 9.3) from a stream of bytes.

Nothing is believed: every length is checked against what is there, and a hostile or broken peer gives a
ProtocolError, never another exception and never an unbounded buffer.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from typing import Any

from gateway.transfer.association.pdu import (
    LARGEST_DATA,
    NAMES,
    Abort,
    AssociateAccept,
    AssociateReject,
    AssociateRequest,
    CommonExtended,
    Context,
    ContextResult,
    Data,
    Extended,
    Identity,
    Pdu,
    Pdv,
    ProtocolError,
    ReleaseReply,
    ReleaseRequest,
    Role,
    UserInformation,
)

TLS_RECORDS = range(0x14, 0x18)  # what a TLS server answers to a plain request begins so
HEADER = 6  # type, reserved, 32-bit length
LARGEST_ASSOCIATE = 1 << 18  # bytes: 128 contexts with many syntaxes need less than 64 KiB
UNRECOGNIZED_PDU = 1  # reason in A-ABORT
LARGEST = {1: LARGEST_ASSOCIATE, 2: LARGEST_ASSOCIATE, 3: 4, 4: LARGEST_DATA, 5: 4, 6: 4, 7: 4}


def decode(kind: int, body: bytes) -> Pdu:
    """The PDU of type ``kind`` with the bytes after its header. Raises ProtocolError."""
    match kind:
        case 1:
            return _associate_request(body)
        case 2:
            return _associate_accept(body)
        case 4:
            return Data(tuple(_pdvs(body)))
    if kind not in NAMES:
        raise ProtocolError(f"unknown PDU type {kind:02X}H")
    if len(body) != 4:
        raise ProtocolError(f"{NAMES[kind]} of {len(body)} bytes instead of 4")
    match kind:
        case 3:
            return AssociateReject(body[1], body[2], body[3])
        case 5:
            return ReleaseRequest()
        case 6:
            return ReleaseReply()
    return Abort(body[2], body[3])


class Reader:
    """Cuts a stream of bytes into PDUs; holds at most one PDU of the size its type may have."""

    def __init__(self, largest: Mapping[int, int] = LARGEST) -> None:
        """``largest``: bytes that a PDU may have after its header, by type."""
        self._buffer = bytearray()
        self._largest = largest

    @property
    def waiting(self) -> int:
        """Bytes of a PDU that is not whole yet."""
        return len(self._buffer)

    def feed(self, data: bytes) -> Iterator[Pdu]:
        """The PDUs that ``data`` completes. Raises ProtocolError at the first that cannot be one."""
        self._buffer += data
        while len(self._buffer) >= HEADER:
            kind, _, length = struct.unpack_from(">BBI", self._buffer)
            if kind not in self._largest:
                raise ProtocolError(f"unknown PDU type {kind:02X}H{_guess(self._buffer)}", UNRECOGNIZED_PDU)
            if length > self._largest[kind]:
                raise ProtocolError(f"{NAMES[kind]} of {length} bytes, more than {self._largest[kind]}")
            if len(self._buffer) < HEADER + length:
                return
            body = bytes(memoryview(self._buffer)[HEADER : HEADER + length])
            del self._buffer[: HEADER + length]
            yield decode(kind, body)


def _guess(data: bytearray) -> str:
    """What it may be that is no PDU, for a person."""
    if data[0] in TLS_RECORDS:
        return " (of a TLS record: set tls = true for it, or use its port without TLS)"
    if data.startswith(b"HTTP/"):
        return " (it answers in HTTP: is this the port of a web server?)"
    return ""


def _items(body: bytes, where: str) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(body):
        if at + 4 > len(body):
            raise ProtocolError(f"{where} ends within an item header")
        kind, _, length = struct.unpack_from(">BBH", body, at)
        at += 4
        if at + length > len(body):
            raise ProtocolError(f"an item {kind:02X}H in {where} says {length} bytes, {len(body) - at} are there")
        yield kind, body[at : at + length]
        at += length


def _text(data: bytes, where: str) -> str:
    try:
        return data.decode("ascii").strip(" \0")
    except UnicodeDecodeError as error:
        raise ProtocolError(f"{where} is not ASCII") from error


def _unpack(form: str, data: bytes, where: str) -> tuple[int, ...]:
    if len(data) != struct.calcsize(form):
        raise ProtocolError(f"{where} of {len(data)} bytes instead of {struct.calcsize(form)}")
    return struct.unpack(form, data)


def _loose(data: bytes) -> str:
    """Text on which nothing depends."""
    return data.decode("ascii", "replace").strip(" \0")


def _associate_request(body: bytes) -> AssociateRequest:
    if len(body) < 68:
        raise ProtocolError(f"{NAMES[1]} of only {len(body)} bytes")
    called, calling = _text(body[4:20], "the called AE title"), _text(body[20:36], "the calling AE title")
    contexts, user, application = [], UserInformation(0, "", ""), ""
    for kind, item in _items(body[68:], NAMES[1]):
        if kind == 0x10:
            application = _text(item, "the application context")
        elif kind == 0x20:
            if len(item) < 4:
                raise ProtocolError("a presentation context item is cut short")
            inner = [(k, _text(v, "a UID")) for k, v in _items(item[4:], "a presentation context")]
            abstract = next((v for k, v in inner if k == 0x30), "")
            contexts.append(Context(item[0], abstract, tuple(v for k, v in inner if k == 0x40)))
        elif kind == 0x50:
            user = _user_information(item)
    version = int.from_bytes(body[:2], "big")
    return AssociateRequest(called, calling, tuple(contexts), user, version, application)


def _associate_accept(body: bytes) -> AssociateAccept:
    if len(body) < 68:
        raise ProtocolError(f"{NAMES[2]} of only {len(body)} bytes")
    called, calling = _loose(body[4:20]), _loose(body[20:36])  # not significant, "shall not be tested" (PS3.8 9.3.3)
    results, user = [], UserInformation(0, "", "")
    for kind, item in _items(body[68:], NAMES[2]):
        if kind == 0x21:
            if len(item) < 4:
                raise ProtocolError("a presentation context item is cut short")
            syntax = next((v for k, v in _items(item[4:], "a presentation context") if k == 0x40), b"")
            # The syntax of a refused context is not significant (PS3.8 9.3.3.2): whatever stands there is not read.
            results.append(ContextResult(item[0], item[2], "" if item[2] else _text(syntax, "a transfer syntax")))
        elif kind == 0x50:
            user = _user_information(item)
    return AssociateAccept(called, calling, tuple(results), user)


def _user_information(body: bytes) -> UserInformation:
    found: dict[str, Any] = {"max_length": 0, "implementation_uid": "", "implementation_version": ""}
    roles, extended, common = [], [], []
    for kind, item in _items(body, "the user information"):
        match kind:
            case 0x51:
                (found["max_length"],) = _unpack(">I", item, "the maximum length")
            case 0x52:
                found["implementation_uid"] = _text(item, "the implementation class UID")
            case 0x53:
                found["window"] = _unpack(">HH", item, "the asynchronous operations window")
            case 0x54:
                uid, rest = _counted(item, "a role selection")
                if len(rest) != 2:
                    raise ProtocolError("a role selection item is cut short")
                roles.append(Role(_text(uid, "a SOP class UID"), bool(rest[0]), bool(rest[1])))
            case 0x55:
                found["implementation_version"] = _loose(item)
            case 0x56:
                uid, rest = _counted(item, "an extended negotiation")
                extended.append(Extended(_text(uid, "a SOP class UID"), rest))
            case 0x57:
                common.append(_common(item))
            case 0x58:
                found["identity"] = _identity(item)
            case 0x59:
                found["confirmed"] = _counted(item, "the answer to the user identity")[0]
    return UserInformation(roles=tuple(roles), extended=tuple(extended), common=tuple(common), **found)


def _counted(body: bytes, where: str) -> tuple[bytes, bytes]:
    """A field with a 16-bit length before it, and what follows."""
    length = int.from_bytes(body[:2], "big")
    if len(body) < 2 + length:
        raise ProtocolError(f"{where} is cut short")
    return body[2 : 2 + length], body[2 + length :]


def _common(body: bytes) -> CommonExtended:
    where = "a common extended negotiation"
    uid, rest = _counted(body, where)
    service, rest = _counted(rest, where)
    listed, _ = _counted(rest, where)
    related, at = [], 0
    while at < len(listed):  # by its place: to cut off what was read would copy the rest each time
        behind = at + 2 + int.from_bytes(listed[at : at + 2], "big")
        if behind > len(listed):
            raise ProtocolError(f"{where} is cut short")
        related.append(_text(listed[at + 2 : behind], "a UID"))
        at = behind
    return CommonExtended(_text(uid, "a UID"), _text(service, "a UID"), tuple(related))


def _identity(body: bytes) -> Identity:
    if len(body) < 2:
        raise ProtocolError("a user identity is cut short")
    primary, rest = _counted(body[2:], "a user identity")
    secondary, _ = _counted(rest, "a user identity")
    return Identity(body[0], primary, secondary, bool(body[1]))


def _pdvs(body: bytes) -> Iterator[Pdv]:
    at = 0
    while at < len(body):
        if at + 6 > len(body):
            raise ProtocolError("P-DATA-TF ends within the header of a fragment")
        length, context_id, control = struct.unpack_from(">IBB", body, at)
        if length < 2 or at + 4 + length > len(body):
            raise ProtocolError(f"a fragment in P-DATA-TF says {length} bytes, {len(body) - at - 4} are there")
        yield Pdv(context_id, bool(control & 1), bool(control & 2), body[at + 6 : at + 4 + length])
        at += 4 + length
