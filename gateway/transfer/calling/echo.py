"""C-ECHO (PS3.4 annex A), and which kinds of exchange a peer accepts from this box."""

from __future__ import annotations

import time
from dataclasses import dataclass

from gateway.transfer.association import dimse
from gateway.transfer.association.dimse import Field
from gateway.transfer.calling import outcomes
from gateway.transfer.calling.outcomes import Failed, Outcome
from gateway.transfer.calling.peers import Peer
from gateway.transfer.calling.requestor import Requestor
from gateway.transfer.names import CLASSES, SYNTAXES, VERIFICATION


@dataclass(frozen=True, slots=True)
class Echo:
    """What the peer answered; ``str()`` is for a person. ``accepted``: transfer syntaxes by class, empty = refused.

    ``seconds``: from the call to the answer, TLS and association included; ``round_trip``: of the C-ECHO alone.
    """

    peer: Peer
    seconds: float
    accepted: dict[str, tuple[str, ...]]
    tls: str = ""  # which, and until when the peer's certificate is valid; "" = plain
    round_trip: float = 0.0

    def __str__(self) -> str:
        echo = f" (C-ECHO {self.round_trip * 1000:.1f} ms)" if self.round_trip else ""
        lines = [f"{self.peer} answers in {self.seconds * 1000:.0f} ms{echo}"]
        lines += [f"  {self.tls}"] if self.tls else []
        for uid, syntaxes in self.accepted.items():
            words = ", ".join(SYNTAXES[s] for s in syntaxes) or "refused"
            lines.append(f"  {CLASSES[uid]:<34} {words}")
        return "\n".join(lines)


def probe(peer: Peer) -> Outcome:
    """Whether the peer takes an association at all; one that has no C-ECHO answers too."""
    try:
        with Requestor(peer, [(VERIFICATION, syntax) for syntax in SYNTAXES]) as requestor:
            for uid, syntax in requestor.accepted()[:1]:
                message_id, context_id = requestor.next_id(), requestor.context(uid, syntax)
                assert context_id is not None
                requestor.send(context_id, dimse.request(Field.C_ECHO, message_id, uid, data=False))
                requestor.response(message_id)
    except Failed as failed:
        return failed.outcome
    return Outcome("done", "0000", "answers")


def echo(peer: Peer) -> Echo:
    """Propose all that the box can do, and C-ECHO; DICOMweb services are searched (QIDO-RS).

    Raises Failed (Retry) or Held with the reason in words.
    """
    began = time.monotonic()
    if peer.web is not None:
        from gateway.transfer.dicomweb import asking  # noqa: PLC0415  as in transports: few have such a peer

        tls = asking.ask(peer)
        return Echo(peer, time.monotonic() - began, {}, tls)
    with Requestor(peer, [(uid, syntax) for uid in CLASSES for syntax in SYNTAXES]) as requestor:
        granted = requestor.accepted()
        accepted = {uid: tuple(s for u, s in granted if u == uid) for uid in CLASSES}
        if not accepted[VERIFICATION]:
            raise outcomes.error(requestor.refusal(VERIFICATION, next(iter(SYNTAXES))))
        message_id = requestor.next_id()
        context_id = requestor.context(VERIFICATION, accepted[VERIFICATION][0])
        assert context_id is not None
        asked = time.monotonic()
        requestor.send(context_id, dimse.request(Field.C_ECHO, message_id, VERIFICATION, data=False))
        response = requestor.response(message_id)
        outcome = outcomes.of_status(outcomes.COMMON, response.status, peer, response.comment)
        if not outcome.good:
            raise outcomes.error(outcome)
        now = time.monotonic()
        return Echo(peer, now - began, accepted, requestor.tls(), now - asked)
