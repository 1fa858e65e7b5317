"""The association as its requestor sees it: a pure machine, bytes in, happenings and bytes out.

The table is the requestor's part of PS3.8 table 9-10, with the states named by what they wait for. The socket
belongs to :mod:`gateway.transfer.calling.requestor`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from gateway.transfer.association import pdu
from gateway.transfer.association.pdu import ProtocolError
from gateway.transfer.association.reader import Reader


class State(StrEnum):
    IDLE = "idle"  # Sta1, Sta4
    REQUESTED = "waiting for the answer to A-ASSOCIATE-RQ"  # Sta5
    ESTABLISHED = "established"  # Sta6
    RELEASING = "waiting for A-RELEASE-RP"  # Sta7
    COLLIDED = "both sides asked for release"  # Sta11: the requestor answered, and waits for its own answer
    CLOSED = "closed"  # Sta13


class Event(StrEnum):
    """What happens: what we want, and what arrives."""

    REQUEST = "A-ASSOCIATE request"
    RELEASE = "A-RELEASE request"
    ABORT = "A-ABORT request"
    ACCEPT = "A-ASSOCIATE-AC"
    REJECT = "A-ASSOCIATE-RJ"
    DATA = "P-DATA-TF"
    RELEASE_RQ = "A-RELEASE-RQ"
    RELEASE_RP = "A-RELEASE-RP"
    ABORTED = "A-ABORT"
    LOST = "transport connection closed"


_S, _E = State, Event

# (state, event) -> next state. What is not here is a breach of protocol by the peer, or a bug of the caller.
TABLE: dict[tuple[State, Event], State] = {
    (_S.IDLE, _E.REQUEST): _S.REQUESTED,
    (_S.REQUESTED, _E.ACCEPT): _S.ESTABLISHED,
    (_S.REQUESTED, _E.REJECT): _S.CLOSED,
    (_S.REQUESTED, _E.ABORTED): _S.CLOSED,
    (_S.REQUESTED, _E.ABORT): _S.CLOSED,
    (_S.REQUESTED, _E.LOST): _S.CLOSED,
    (_S.ESTABLISHED, _E.DATA): _S.ESTABLISHED,
    (_S.ESTABLISHED, _E.RELEASE): _S.RELEASING,
    (_S.ESTABLISHED, _E.RELEASE_RQ): _S.CLOSED,
    (_S.ESTABLISHED, _E.ABORTED): _S.CLOSED,
    (_S.ESTABLISHED, _E.ABORT): _S.CLOSED,
    (_S.ESTABLISHED, _E.LOST): _S.CLOSED,
    (_S.RELEASING, _E.DATA): _S.RELEASING,
    (_S.RELEASING, _E.RELEASE_RP): _S.CLOSED,
    (_S.RELEASING, _E.RELEASE_RQ): _S.COLLIDED,
    (_S.RELEASING, _E.ABORTED): _S.CLOSED,
    (_S.RELEASING, _E.ABORT): _S.CLOSED,
    (_S.RELEASING, _E.LOST): _S.CLOSED,
    (_S.COLLIDED, _E.RELEASE_RP): _S.CLOSED,
    (_S.COLLIDED, _E.ABORTED): _S.CLOSED,
    (_S.COLLIDED, _E.ABORT): _S.CLOSED,
    (_S.COLLIDED, _E.LOST): _S.CLOSED,
    (_S.CLOSED, _E.LOST): _S.CLOSED,
    (_S.CLOSED, _E.ABORT): _S.CLOSED,
}

_ARRIVALS: dict[type, Event] = {
    pdu.AssociateAccept: Event.ACCEPT,
    pdu.AssociateReject: Event.REJECT,
    pdu.ReleaseRequest: Event.RELEASE_RQ,
    pdu.ReleaseReply: Event.RELEASE_RP,
    pdu.Abort: Event.ABORTED,
}


@dataclass(frozen=True, slots=True)
class Lost:
    """The transport connection is gone without a word."""


# What the machine tells its owner. ReleaseRequest and ReleaseReply both mean: over, in order.
Happening = (
    pdu.AssociateAccept | pdu.AssociateReject | pdu.Pdv | pdu.ReleaseRequest | pdu.ReleaseReply | pdu.Abort | Lost
)

NO_REASON = 0
UNEXPECTED_PDU = 2
INVALID_PARAMETER = 6


class Association:
    """One association. ``out`` holds the bytes that must be sent now; the owner empties it."""

    def __init__(self) -> None:
        self.state = State.IDLE
        self.out = bytearray()
        self._reader = Reader()

    @property
    def over(self) -> bool:
        return self.state is State.CLOSED

    def request(self, wanted: pdu.AssociateRequest) -> None:
        self._move(Event.REQUEST)
        self.out += pdu.encode(wanted)

    def release(self) -> None:
        self._move(Event.RELEASE)
        self.out += pdu.encode(pdu.ReleaseRequest())

    def abort(self) -> None:
        """Give up; does nothing when there is nothing to give up."""
        if self.state not in (State.IDLE, State.CLOSED):
            self.out += pdu.encode(pdu.Abort(0, NO_REASON))
        self.state = State.CLOSED

    def lost(self) -> list[Happening]:
        """The transport connection was closed by the peer."""
        before, self.state = self.state, State.CLOSED
        return [] if before is State.CLOSED else [Lost()]

    def receive(self, data: bytes) -> Iterator[Happening]:
        """What ``data`` completes, one by one: what came before a breach of protocol still counts.

        On a breach an A-ABORT lies in ``out`` and ProtocolError is raised.
        """
        try:
            for arrived in self._reader.feed(data):
                if self.state is State.CLOSED:
                    break
                yield from self._arrived(arrived)
        except ProtocolError:
            self.out += pdu.encode(pdu.Abort(2, INVALID_PARAMETER))
            self.state = State.CLOSED
            raise

    def _arrived(self, arrived: pdu.Pdu) -> Sequence[Happening]:
        if isinstance(arrived, pdu.Data):
            self._move(Event.DATA)
            return arrived.pdvs
        if isinstance(arrived, pdu.AssociateRequest):
            raise ProtocolError("A-ASSOCIATE-RQ from the side that was called")
        collided = self.state is State.RELEASING
        self._move(_ARRIVALS[type(arrived)])
        if isinstance(arrived, pdu.ReleaseRequest):
            self.out += pdu.encode(pdu.ReleaseReply())
            if collided:
                return []
        return [arrived]

    def _move(self, event: Event) -> None:
        after = TABLE.get((self.state, event))
        if after is None:
            raise ProtocolError(f"{event} while {self.state}")
        self.state = after
