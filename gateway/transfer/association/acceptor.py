"""The association as the side that was called sees it: a pure machine, bytes in, happenings and bytes out.

The table is the acceptor's part of PS3.8 table 9-10, row by row; what the standard lets a service user decide (to
accept, to reject, to answer a release) is the owner's. The socket and the time are the owner's, too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum
from itertools import takewhile

from gateway.transfer.association import pdu
from gateway.transfer.association.pdu import ProtocolError
from gateway.transfer.association.reader import LARGEST, Reader


class State(StrEnum):
    AWAITING = "waiting for A-ASSOCIATE-RQ"  # Sta2
    ASKED = "the association request waits for our answer"  # Sta3
    ESTABLISHED = "established"  # Sta6
    RELEASING = "the release request waits for our answer"  # Sta8
    ENDING = "waiting for the caller to close the connection"  # Sta13
    CLOSED = "closed"  # Sta1


class Event(StrEnum):
    """What arrives, and what we decide."""

    REQUEST = "A-ASSOCIATE-RQ"
    ACCEPT = "A-ASSOCIATE-AC"
    REJECT = "A-ASSOCIATE-RJ"
    DATA = "P-DATA-TF"
    RELEASE_RQ = "A-RELEASE-RQ"
    RELEASE_RP = "A-RELEASE-RP"
    ABORTED = "A-ABORT"
    INVALID = "unrecognized or invalid PDU"
    LOST = "transport connection closed"
    EXPIRED = "ARTIM timer expired"
    WE_ACCEPT = "A-ASSOCIATE response (accept)"
    WE_REJECT = "A-ASSOCIATE response (reject)"
    WE_RELEASE = "A-RELEASE response"
    WE_ABORT = "A-ABORT request"


class Action(Enum):
    TELL = "tell the owner"  # AE-6, DT-2, AR-2
    SAY = "send what the owner decided"  # AE-7, AE-8, AR-4
    ABORT_AS_USER = "send A-ABORT, source service user"  # AA-1
    ABORT_AS_PROVIDER = "send A-ABORT, source service provider"  # AA-7, AA-8
    IGNORE = "ignore"  # AA-6
    CLOSE = "close the transport connection"  # AA-2, AA-3, AA-4, AA-5, AR-5


_S, _E, _A = State, Event, Action

_ROWS: tuple[tuple[State, tuple[Event, ...], Action, State], ...] = (
    (_S.AWAITING, (_E.REQUEST,), _A.TELL, _S.ASKED),
    (
        _S.AWAITING,
        (_E.ACCEPT, _E.REJECT, _E.DATA, _E.RELEASE_RQ, _E.RELEASE_RP, _E.INVALID),
        _A.ABORT_AS_USER,
        _S.ENDING,
    ),
    (_S.ASKED, (_E.WE_ACCEPT,), _A.SAY, _S.ESTABLISHED),
    (_S.ASKED, (_E.WE_REJECT,), _A.SAY, _S.ENDING),
    (_S.ESTABLISHED, (_E.DATA,), _A.TELL, _S.ESTABLISHED),
    (_S.ESTABLISHED, (_E.RELEASE_RQ,), _A.TELL, _S.RELEASING),
    (_S.ESTABLISHED, (_E.REQUEST, _E.ACCEPT, _E.REJECT, _E.RELEASE_RP, _E.INVALID), _A.ABORT_AS_PROVIDER, _S.ENDING),
    (_S.RELEASING, (_E.WE_RELEASE,), _A.SAY, _S.ENDING),
    *(
        (
            state,
            (_E.REQUEST, _E.ACCEPT, _E.REJECT, _E.DATA, _E.RELEASE_RQ, _E.RELEASE_RP, _E.INVALID),
            _A.ABORT_AS_PROVIDER,
            _S.ENDING,
        )
        for state in (_S.ASKED, _S.RELEASING)
    ),
    *((state, (_E.WE_ABORT,), _A.ABORT_AS_USER, _S.ENDING) for state in (_S.ASKED, _S.ESTABLISHED, _S.RELEASING)),
    (_S.ENDING, (_E.ACCEPT, _E.REJECT, _E.DATA, _E.RELEASE_RQ, _E.RELEASE_RP), _A.IGNORE, _S.ENDING),
    (_S.ENDING, (_E.REQUEST, _E.INVALID), _A.ABORT_AS_PROVIDER, _S.ENDING),
    *((state, (_E.ABORTED, _E.LOST), _A.CLOSE, _S.CLOSED) for state in State if state is not _S.CLOSED),
    *((state, (_E.EXPIRED,), _A.CLOSE, _S.CLOSED) for state in (_S.AWAITING, _S.ENDING)),
)
TABLE: dict[tuple[State, Event], tuple[Action, State]] = {
    (state, event): (action, after) for state, events, action, after in _ROWS for event in events
}

ARRIVALS: dict[type, Event] = {
    pdu.AssociateRequest: Event.REQUEST,
    pdu.AssociateAccept: Event.ACCEPT,
    pdu.AssociateReject: Event.REJECT,
    pdu.Data: Event.DATA,
    pdu.ReleaseRequest: Event.RELEASE_RQ,
    pdu.ReleaseReply: Event.RELEASE_RP,
    pdu.Abort: Event.ABORTED,
}
NO_REASON, UNEXPECTED_PDU = 0, 2  # in A-ABORT


@dataclass(frozen=True, slots=True)
class Breach:
    """The caller does not keep to the protocol; it was told so with an A-ABORT."""

    words: str


Happening = pdu.AssociateRequest | pdu.Pdv | pdu.ReleaseRequest | pdu.Abort | Breach


class Acceptor:
    """One association. ``out`` holds the bytes that must be sent now; the owner empties it."""

    def __init__(self, largest: Mapping[int, int] = LARGEST) -> None:
        self.state = State.AWAITING
        self.out = bytearray()
        self._reader = Reader(largest)
        self._deaf = False  # after an invalid PDU nobody knows where the next one begins

    def receive(self, data: bytes) -> Iterator[Happening]:
        """What ``data`` completes, one by one: the owner answers a request before it takes the next happening."""
        if self._deaf:
            return
        try:
            for arrived in self._reader.feed(data):
                yield from self._arrived(arrived)
                if self.state is State.CLOSED:
                    return
        except ProtocolError as error:
            self._deaf = True
            ending = self.state is State.ENDING
            self._happen(Event.INVALID, pdu.Abort(2, error.reason))
            if not ending:
                yield Breach(error.message)

    def accept(self, answer: pdu.AssociateAccept) -> None:
        self._happen(Event.WE_ACCEPT, answer)

    def reject(self, answer: pdu.AssociateReject) -> None:
        self._happen(Event.WE_REJECT, answer)

    def release(self) -> None:
        """Answer the caller's release request."""
        self._happen(Event.WE_RELEASE, pdu.ReleaseReply())

    def abort(self, reason: int = NO_REASON) -> None:
        """Give up a breach that only the owner sees (source service provider), or for no ``reason`` of protocol."""
        if (self.state, Event.WE_ABORT) in TABLE:
            self._happen(Event.WE_ABORT, pdu.Abort(2 if reason else 0, reason))

    def lost(self) -> None:
        """The transport connection is gone."""
        self.state = State.CLOSED

    def expire(self) -> None:
        """The caller was waited for long enough: to ask, or to close the connection."""
        self._happen(Event.EXPIRED)

    def _arrived(self, arrived: pdu.Pdu) -> Iterator[Happening]:
        before, event = self.state, ARRIVALS[type(arrived)]
        match self._happen(event, pdu.Abort(2, UNEXPECTED_PDU)):
            case Action.TELL:
                if isinstance(arrived, pdu.Data):
                    yield from takewhile(lambda _: self.state is State.ESTABLISHED, arrived.pdvs)
                elif isinstance(arrived, (pdu.AssociateRequest, pdu.ReleaseRequest)):
                    yield arrived
            case Action.CLOSE:
                if isinstance(arrived, pdu.Abort):
                    yield arrived
            case Action.ABORT_AS_USER | Action.ABORT_AS_PROVIDER if before is not State.ENDING:
                yield Breach(f"the peer breaks the DICOM protocol: {event} while {before}")

    def _happen(self, event: Event, words: pdu.Pdu | None = None) -> Action:
        """One row of the table. Raises KeyError if the owner decides what is not to be decided now."""
        action, self.state = TABLE[self.state, event]
        if action is Action.ABORT_AS_USER and isinstance(words, pdu.Abort) and event is not Event.WE_ABORT:
            words = pdu.Abort(0, NO_REASON)
        if action in (Action.SAY, Action.ABORT_AS_USER, Action.ABORT_AS_PROVIDER) and words is not None:
            self.out += pdu.encode(words)
        return action
