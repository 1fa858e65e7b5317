"""What an association's other side may say: valid PDUs of every kind, and what damage, lies and the wire make of them.

Nothing here is the product's but the writing of valid PDUs. All is drawn from a :class:`random.Random`; the same seed
says the same.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gateway.transfer.association import dimse, pdu
from gateway.transfer.association.dimse import Field, Tag
from gateway.transfer.names import EXPLICIT, IMPLICIT, PUSH_MODEL, VERIFICATION

Place = tuple[int, int, str]  # of a length field: offset, bytes, byte order
INSTANCE = "1.2.840.10008.1.20.1.1"
CLASS = "1.2.840.10008.5.1.4.1.1.9.1.1"
EDGES = (0, 1, 2, 3, 4, 5, 6, 7, 8, 0x7F, 0x80, 0xFE, 0xFF, 0x100, 0x7FFF, 0x8000, 0xFFFE, 0xFFFF)
EDGES_32 = (*EDGES, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF)
UNDEFINED = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Sample:
    """A valid PDU, or a few, and where in them a length stands."""

    raw: bytes
    lengths: tuple[Place, ...]


def sample(*pdus: pdu.Pdu) -> Sample:
    raw, found = b"", list[Place]()
    for each in pdus:
        one = pdu.encode(each)
        found += [(at + len(raw), size, order) for at, size, order in lengths(one)]
        raw += one
    return Sample(raw, tuple(found))


def lengths(one: bytes) -> Iterator[Place]:
    """Where a length stands in one valid PDU, in its items, fragments, command set and data set."""
    yield 2, 4, "big"
    if one[0] in (1, 2):
        yield from _items(one, 74, len(one))
    elif one[0] == 4:
        at = 6
        while at < len(one):
            yield at, 4, "big"
            after = at + 4 + int.from_bytes(one[at : at + 4], "big")
            yield from _elements(one, at + 6, after)
            at = after


def _items(one: bytes, at: int, end: int) -> Iterator[Place]:
    while at + 4 <= end:
        yield at + 2, 2, "big"
        kind, length = one[at], int.from_bytes(one[at + 2 : at + 4], "big")
        at += 4
        if kind in (0x20, 0x21):
            yield from _items(one, at + 4, at + length)
        elif kind == 0x50:
            yield from _items(one, at, at + length)
        elif kind in (0x54, 0x56, 0x57, 0x58, 0x59):
            yield at + 2 * (kind == 0x58), 2, "big"
        at += length


def _elements(one: bytes, at: int, end: int) -> Iterator[Place]:
    """Of a part of a data set too: it may end anywhere."""
    while at + 8 <= end:
        vr = one[at + 4 : at + 6]
        tag, length, size, place = struct.unpack_from("<HH", one, at), 0, 8, (at + 4, 4, "little")
        if tag[0] != 0xFFFE and vr.isalpha() and vr.isupper():
            place = (at + 6, 2, "little")
            if vr in (b"SQ", b"UN"):
                place, size = (at + 8, 4, "little"), 12
        yield place
        length = int.from_bytes(one[place[0] : place[0] + place[1]], "little")
        goes_in = tag in ((0xFFFE, 0xE000), (0x0008, 0x1198), (0x0008, 0x1199)) or length == UNDEFINED
        at += size if goes_in else size + length


def element(tag: int, vr: bytes, value: bytes, explicit: bool, undefined: bool = False) -> bytes:
    """One data element or, without a VR, one item; ``undefined``: it ends with a delimiter."""
    head, length = struct.pack("<HH", tag >> 16, tag & 0xFFFF), UNDEFINED if undefined else len(value)
    if explicit and vr in (b"SQ", b"UN"):
        head += vr + struct.pack("<HI", 0, length)
    else:
        head += vr + struct.pack("<H", len(value)) if explicit and vr else struct.pack("<I", length)
    end = (0xFFFE_E0DD if vr else 0xFFFE_E00D) if undefined else 0
    return head + value + (struct.pack("<HHI", end >> 16, end & 0xFFFF, 0) if end else b"")


def information(
    transaction_uid: str, committed: int, failed: int, explicit: bool, undefined: bool = False, more: bytes = b""
) -> bytes:
    """Event Information (PS3.4 table J.3-2) on so many instances."""

    def uid(tag: int, text: str) -> bytes:
        return element(tag, b"UI", (text + "\0" * (len(text) % 2)).encode(), explicit)

    def item(number: int, reason: bytes) -> bytes:
        value = uid(0x0008_1150, CLASS) + uid(0x0008_1155, f"1.2.{number}") + reason
        return element(0xFFFE_E000, b"", value, explicit, undefined)

    reason = element(0x0008_1197, b"US", b"\x12\x01", explicit)
    found = uid(0x0008_1195, transaction_uid)
    if failed:
        items = b"".join(item(n, reason) for n in range(failed))
        found += element(0x0008_1198, b"SQ", items, explicit, undefined)
    if committed:
        items = b"".join(item(failed + n, b"") for n in range(committed))
        found += element(0x0008_1199, b"SQ", items, explicit, undefined)
    return found + more


def message(context_id: int, command: dimse.Command, data: bytes | None = None, size: int = 1 << 14) -> list[pdu.Data]:
    """A message in P-DATA-TF with one fragment each."""
    parts = [(True, dimse.encode(command))] + ([(False, data)] if data is not None else [])
    return [
        pdu.Data((pdu.Pdv(context_id, is_command, at + size >= len(raw), raw[at : at + size]),))
        for is_command, raw in parts
        for at in range(0, max(1, len(raw)), size)
    ]


def event_report(context_id: int, event_type: int, data: bytes, size: int = 1 << 14) -> list[pdu.Data]:
    command = dimse.request(Field.N_EVENT_REPORT, 7, PUSH_MODEL, INSTANCE, data=True)
    return message(context_id, command | {Tag.EVENT_TYPE_ID: event_type}, data, size)


def in_one(pdus: Sequence[pdu.Data]) -> pdu.Data:
    """The same fragments in one P-DATA-TF."""
    return pdu.Data(tuple(fragment for each in pdus for fragment in each.pdvs))


USERS = (
    pdu.UserInformation(0, "1.2.3", ""),
    pdu.UserInformation(16384, "1.2.3", "PACS_1", (pdu.Role(PUSH_MODEL, False, True),)),
    pdu.UserInformation(
        64,
        "1.2.3",
        "PACS_1",
        (pdu.Role(PUSH_MODEL, False, True), pdu.Role(VERIFICATION, True, False)),
        (4, 1),
        (pdu.Extended(CLASS, b"\1\0\1"),),
        (pdu.CommonExtended(CLASS, "1.2.840.10008.4.2", (CLASS, "1.2.3")),),
        pdu.Identity(2, b"user", b"passcode", True),
        b"ticket",
    ),
)
# Reports as PACS send them: explicit or implicit, with lengths or delimiters, with what nobody asked for.
REPORTS = tuple(
    (context_id, 1 + bool(failed), information(uid, committed, failed, explicit, undefined, more))
    for context_id, explicit in ((3, False), (5, True))
    for uid, committed, failed, undefined, more in (
        ("1.2.3.4", 1, 0, False, b""),
        ("1.2.3.5", 3, 2, True, b""),
        ("1.2.3.6", 0, 1, False, element(0x0009_0010, b"LO", b"AC", explicit)),
        ("1.2.3.7", 2, 0, False, element(0x0009_1010, b"UN", element(0xFFFE_E000, b"", b"", False), explicit, True)),
        ("1.2.3.8", 60, 40, False, b""),
    )
)
WRONG = (
    sample(pdu.AssociateReject(1, 1, 7)),
    sample(pdu.ReleaseRequest()),
    sample(pdu.ReleaseReply()),
    sample(pdu.Abort(2, 1)),
    Sample(b"GET / HTTP/1.1\r\nHost: gateway\r\n\r\n", ()),
    Sample(b"\x16\x03\x01\0\xa5\x01\0\0\xa1\x03\x03" + bytes(range(60)), ()),  # how TLS begins
)
SYNTAX = {1: IMPLICIT, 3: IMPLICIT, 5: EXPLICIT}


def damaged(chance: random.Random, one: Sample, others: Sequence[Sample]) -> bytes:
    """Bytes changed, cut, doubled, lengths that lie, a part of another."""
    raw = bytearray(one.raw)
    for _ in range(chance.choice((1, 1, 1, 2, 5))):
        at = chance.randrange(len(raw) + 1)
        match chance.randrange(10):
            case 0 | 1 | 2 if one.lengths:
                at, size, order = chance.choice(one.lengths)
                true = int.from_bytes(raw[at : at + size], "big" if order == "big" else "little")
                edges = EDGES if size == 2 else EDGES_32
                lie = chance.choice((true + 1, true - 1, true + 2, true * 2, chance.choice(edges)))
                lie %= 1 << 8 * size
                raw[at : at + size] = lie.to_bytes(size, "big" if order == "big" else "little")
            case 3 | 4 if at < len(raw):
                raw[at] = chance.choice((0, 1, 0xFF, raw[at] ^ 1 << chance.randrange(8), chance.randrange(256)))
            case 5:
                del raw[at : at + chance.randrange(1, 40)]
            case 6:
                raw[at:at] = raw[at : at + chance.randrange(1, 200)]
            case 7:
                raw[at : at + 2] = chance.choice((b"\0\0", b"\xff\xff", b"\x7f\xff", b"\0\1", b"\r\n"))
            case 8:
                raw[at:at] = chance.randbytes(chance.randrange(1, 20))
            case _:
                other = chance.choice(others).raw
                begin = chance.randrange(len(other))
                raw[at : at + chance.choice((0, 20))] = other[begin : begin + chance.randrange(1, 100)]
    return bytes(raw)


def stream(chance: random.Random, openings: Sequence[Sample], messages: Sequence[Sample]) -> bytes:
    """Mostly a conversation in order with some damage; sometimes without any order; sometimes noise."""
    everything = (*openings, *messages, *WRONG)
    match chance.randrange(20):
        case 0:
            return chance.randbytes(chance.randrange(1, 300))
        case 1:
            return chance.choice(openings).raw + chance.randbytes(chance.randrange(1, 300))
        case 2 | 3 | 4:
            said = [chance.choice(everything) for _ in range(chance.randrange(1, 6))]
        case _:
            said = [chance.choice(openings), *(chance.choice(messages) for _ in range(chance.randrange(5)))]
            said += [chance.choice(WRONG)] * (chance.random() < 0.4)
    harm = chance.choice((0.1, 0.3, 0.6))
    first = harm / 3  # most of what follows a refused opening is not even read
    whole = b"".join(
        damaged(chance, one, everything) if chance.random() < (harm if number else first) else one.raw
        for number, one in enumerate(said)
    )
    if chance.random() < 0.01:  # more than any PDU may have, announced and delivered
        whole += pdu.data_header(1, chance.random() < 0.5, False, chance.randrange(1 << 18)) + chance.randbytes(3 << 17)
    return whole


def cut(chance: random.Random, whole: bytes) -> Iterator[bytes]:
    """As the wire cuts it: whole, byte by byte, or anyhow."""
    most = chance.choice((1, 3, 60, 1000, 1 << 15, 1 << 15))
    most = max(most, len(whole) // 200)
    at = 0
    while at < len(whole):
        size = chance.randint(1, most) if most < 1 << 15 else most
        yield whole[at : at + size]
        at += size
