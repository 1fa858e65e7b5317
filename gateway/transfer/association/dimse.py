"""DIMSE messages (PS3.7): command sets in Implicit VR Little Endian, and their assembly from fragments."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

from gateway.transfer.association.pdu import Pdv, ProtocolError, data_header

LARGEST_COMMAND = 1 << 16  # bytes
LARGEST_DATA_SET = 1 << 24  # bytes: worklist items and commitment reports are far smaller

LONGEST_SHOWN = 64  # characters of what a peer says

NO_DATA_SET = 0x0101
PENDING = frozenset((0xFF00, 0xFF01))
RESPONSE = 0x8000


class Tag(IntEnum):
    """Command elements (PS3.7 annex E) that the gateway sends or reads; the group is 0000."""

    GROUP_LENGTH = 0x0000
    AFFECTED_SOP_CLASS_UID = 0x0002
    REQUESTED_SOP_CLASS_UID = 0x0003
    COMMAND_FIELD = 0x0100
    MESSAGE_ID = 0x0110
    MESSAGE_ID_BEING_RESPONDED_TO = 0x0120
    PRIORITY = 0x0700
    DATA_SET_TYPE = 0x0800
    STATUS = 0x0900
    ERROR_COMMENT = 0x0902
    ERROR_ID = 0x0903
    AFFECTED_SOP_INSTANCE_UID = 0x1000
    REQUESTED_SOP_INSTANCE_UID = 0x1001
    EVENT_TYPE_ID = 0x1002
    ACTION_TYPE_ID = 0x1008


class Field(IntEnum):
    """Command Field (0000,0100) of requests; a response adds 8000H."""

    C_STORE = 0x0001
    C_FIND = 0x0020
    C_ECHO = 0x0030
    N_EVENT_REPORT = 0x0100
    N_SET = 0x0120
    N_ACTION = 0x0130
    N_CREATE = 0x0140
    C_CANCEL = 0x0FFF


_UID = frozenset((0x0002, 0x0003, 0x1000, 0x1001))
_TEXT = frozenset((0x0902,))
_KNOWN = {tag.value: tag for tag in Tag if tag is not Tag.GROUP_LENGTH}  # an enumeration is slow to look things up in
_ELEMENT = struct.Struct("<HHI")  # group, element, length
_SHORT = struct.Struct("<HHIH")  # the same with a value of type US

Command = Mapping[Tag, int | str]

# The UID elements of a request: C and N-CREATE/N-EVENT-REPORT name what is affected, the others what is requested.
_REQUESTED = frozenset((Field.N_SET, Field.N_ACTION))


def request(
    field: Field, message_id: int, sop_class_uid: str, instance_uid: str = "", *, data: bool
) -> dict[Tag, int | str]:
    """A request; ``data`` says whether a data set follows. Action and event ids are added by the caller."""
    requested = field in _REQUESTED
    command: dict[Tag, int | str] = {
        Tag.REQUESTED_SOP_CLASS_UID if requested else Tag.AFFECTED_SOP_CLASS_UID: sop_class_uid,
        Tag.COMMAND_FIELD: field,
        Tag.MESSAGE_ID: message_id,
        Tag.DATA_SET_TYPE: 0x0001 if data else NO_DATA_SET,
    }
    if instance_uid:
        command[Tag.REQUESTED_SOP_INSTANCE_UID if requested else Tag.AFFECTED_SOP_INSTANCE_UID] = instance_uid
    if field in (Field.C_STORE, Field.C_FIND):
        command[Tag.PRIORITY] = 0  # medium
    return command


def cancel(message_id: int) -> Command:
    """C-CANCEL-RQ of the request ``message_id``; it has no answer of its own (PS3.7 9.3.2.3)."""
    return {
        Tag.COMMAND_FIELD: Field.C_CANCEL,
        Tag.MESSAGE_ID_BEING_RESPONDED_TO: message_id,
        Tag.DATA_SET_TYPE: NO_DATA_SET,
    }


def response(asked: Command, status: int) -> Command:
    """The response without a data set to the request ``asked`` (PS3.7 9.3 and 10.3)."""
    answer: dict[Tag, int | str] = {
        Tag.COMMAND_FIELD: number(asked, Tag.COMMAND_FIELD) | RESPONSE,
        Tag.MESSAGE_ID_BEING_RESPONDED_TO: number(asked, Tag.MESSAGE_ID),
        Tag.DATA_SET_TYPE: NO_DATA_SET,
        Tag.STATUS: status,
    }
    for tag in (Tag.AFFECTED_SOP_CLASS_UID, Tag.AFFECTED_SOP_INSTANCE_UID, Tag.EVENT_TYPE_ID):
        if tag in asked:
            answer[tag] = asked[tag]
    return answer


def number(command: Command, tag: Tag) -> int:
    """A numeric element. Raises ProtocolError if it is missing."""
    found = command.get(tag)
    if not isinstance(found, int):
        raise ProtocolError(f"a command without {tag.name.replace('_', ' ').title()}")
    return found


def encode(command: Command) -> bytes:
    """The command set with its group length, elements in ascending order."""
    parts = []
    for tag, value in sorted(command.items()):
        if isinstance(value, int):
            parts.append(_SHORT.pack(0, tag, 2, value))
        else:
            raw = value.encode("ascii")
            raw += (b"\0" if tag in _UID else b" ") * (len(raw) % 2)
            parts.append(_ELEMENT.pack(0, tag, len(raw)) + raw)
    body = b"".join(parts)
    return struct.pack("<HHII", 0, Tag.GROUP_LENGTH, 4, len(body)) + body


def fragments(
    context_id: int, command: bool, data: bytes | memoryview, size: int, last: bool = True
) -> list[bytes | memoryview]:
    """P-DATA-TF of at most ``size`` bytes of ``data`` each, header and slice by turns, nothing copied.

    ``last``: the command set or data set ends with ``data``.
    """
    view, parts = memoryview(data), list[bytes | memoryview]()
    total = len(view)
    full = data_header(context_id, command, False, size)  # of all but the last
    for at in range(0, total - size, size):
        parts += (full, view[at : at + size])
    if total:
        at = (total - 1) // size * size
        parts += (data_header(context_id, command, last, total - at), view[at:])
    return parts


def decode(data: bytes) -> dict[Tag, int | str]:
    """The elements of a command set that the gateway knows. Raises ProtocolError."""
    command: dict[Tag, int | str] = {}
    at, size = 0, len(data)
    while at < size:
        if at + 8 > size:
            raise ProtocolError("a command set ends within an element")
        group, element, length = _ELEMENT.unpack_from(data, at)
        at += 8
        if group != 0 or at + length > size:
            raise ProtocolError(f"element ({group:04X},{element:04X}) of {length} bytes in a command set")
        if (tag := _KNOWN.get(element)) is not None:
            command[tag] = _value(tag, data[at : at + length])
        at += length
    number(command, Tag.COMMAND_FIELD)
    number(command, Tag.DATA_SET_TYPE)
    return command


def printable(words: str) -> str:
    """What a peer says, as it may stand in a line of a log: a value of at most 64 characters (VR LO and UI)."""
    return "".join(c if c.isprintable() else "?" for c in words[:LONGEST_SHOWN])


def _value(tag: Tag, raw: bytes) -> int | str:
    if tag in _TEXT:
        return printable(raw.decode("ascii", "replace").strip(" \0"))
    if tag in _UID:
        try:
            return raw.decode("ascii").strip(" \0")
        except UnicodeDecodeError as error:
            raise ProtocolError(f"command element (0000,{tag:04X}) is no UID") from error
    if len(raw) != 2:
        raise ProtocolError(f"command element (0000,{tag:04X}) of {len(raw)} bytes instead of 2")
    return int.from_bytes(raw, "little")


@dataclass(frozen=True, slots=True)
class Message:
    """A whole message: the command, and the data set's bytes in the context's transfer syntax, if there is one."""

    context_id: int
    command: Command
    data: bytes | None = None

    @property
    def field(self) -> int:
        return number(self.command, Tag.COMMAND_FIELD)

    @property
    def status(self) -> int:
        return number(self.command, Tag.STATUS)

    @property
    def answers(self) -> int | None:
        """Message ID of the request this is a response to; None for a request."""
        return number(self.command, Tag.MESSAGE_ID_BEING_RESPONDED_TO) if self.field & RESPONSE else None

    @property
    def comment(self) -> str:
        return str(self.command.get(Tag.ERROR_COMMENT, ""))


class Assembler:
    """Puts fragments together; holds at most one message within the limits."""

    def __init__(self, largest: int = LARGEST_DATA_SET) -> None:
        """``largest``: bytes of a data set; more is a breach."""
        self._largest = largest
        self._context_id: int | None = None
        self._command: Command | None = None
        self._parts = bytearray()

    def feed(self, pdv: Pdv) -> Message | None:
        """The message that this fragment completes. Raises ProtocolError on disorder or excess."""
        if self._context_id not in (None, pdv.context_id):
            raise ProtocolError(f"a message on context {self._context_id} goes on on context {pdv.context_id}")
        if pdv.command != (self._command is None):
            raise ProtocolError(
                "a data set before its command" if self._command is None else "two commands in a message"
            )
        limit = LARGEST_COMMAND if pdv.command else self._largest
        if len(self._parts) + len(pdv.data) > limit:
            raise ProtocolError(f"a {'command' if pdv.command else 'data'} set of more than {limit} bytes")
        self._context_id = pdv.context_id
        self._parts += pdv.data
        if not pdv.last:
            return None
        whole = bytes(self._parts)
        self._parts.clear()
        if self._command is not None:
            return self._done(Message(pdv.context_id, self._command, whole))
        self._command = decode(whole)
        if number(self._command, Tag.DATA_SET_TYPE) != NO_DATA_SET:
            return None
        return self._done(Message(pdv.context_id, self._command))

    def _done(self, message: Message) -> Message:
        self._context_id = self._command = None
        return message
