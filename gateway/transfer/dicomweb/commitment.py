"""Storage commitment over HTTP (PS3.18 13): asked with POST, and, where the server is not done yet, looked after."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace

from gateway.model import InstanceRef
from gateway.transfer.calling.outcomes import Failed, Outcome
from gateway.transfer.calling.peers import Peer
from gateway.transfer.committing.event_report import OnReport, Report
from gateway.transfer.dicomweb import payload, statuses, verifying
from gateway.transfer.dicomweb.line import Answer
from gateway.transfer.dicomweb.server import JSON, Server, refused, web_of

log = logging.getLogger(__name__)
_DONE, _WORKING, _IN_USE = 200, 202, 409
_NO_SERVICE = (404, 405, 501)


def request(
    server: Server,
    peer: Peer,
    transaction_uid: str,
    instances: Sequence[InstanceRef],
    on_report: OnReport,
    linger: float,
    elsewhere: Callable[[], bool],
) -> Outcome:
    """Ask ``peer`` to commit ``instances``, or, by its policy, whether it has them; what it says goes to ``on_report``.

    The outcome is that of the request; what takes longer is asked for by :func:`look`. ``elsewhere`` is called now and
    then, so that nobody takes a long check for a hang. Raises what ``on_report`` does.
    """
    try:
        if web_of(peer).policy == "verified":
            return verifying.verify(server, peer, transaction_uid, instances, on_report, linger, elsewhere)
        body = _body(instances)
        headers = {"Content-Type": JSON, "Content-Length": str(len(body))}
        answer = server.ask(peer, "POST", _path(transaction_uid), headers, len(body), lambda: (body,))
        if answer.status == _DONE:
            on_report(_report(peer, transaction_uid, answer))
        if answer.status in (_DONE, _WORKING):
            return Outcome("done", f"http-{answer.status}", "done")
        return _refusal(peer, answer)
    except Failed as failed:
        return failed.outcome


def look(server: Server, peer: Peer, transaction_uid: str, on_report: OnReport) -> bool:
    """Whether ``peer`` (still) knows the request; if it is done with it, ``on_report`` hears what came of it.

    Raises Failed if nobody can say now, and what ``on_report`` raises.
    """
    if web_of(peer).policy == "verified":
        return False  # it was asked within the request; nothing is remembered there
    answer = server.ask(peer, "GET", _path(transaction_uid), {})
    if answer.status == _DONE:
        on_report(_report(peer, transaction_uid, answer))
    if answer.status in (_DONE, _WORKING):
        return True
    if answer.status in (400, 404, 410):
        return False
    raise refused(peer, answer)


def _path(transaction_uid: str) -> str:
    return f"/commitment-requests/{transaction_uid}"


def _body(instances: Sequence[InstanceRef]) -> bytes:
    """The Storage Commitment Request Module (PS3.18 J.1), each instance once."""
    asked = {i.sop_instance_uid: i.sop_class_uid for i in instances}
    items = [
        {
            payload.SOP_CLASS_UID: {"vr": "UI", "Value": [sop_class_uid]},
            payload.SOP_INSTANCE_UID: {"vr": "UI", "Value": [uid]},
        }
        for uid, sop_class_uid in asked.items()
    ]
    return json.dumps({payload.REFERENCED_SOP_SEQUENCE: {"vr": "SQ", "Value": items}}).encode("ascii")


def _report(peer: Peer, transaction_uid: str, answer: Answer) -> Report:
    try:
        told = payload.read(answer.media_type, answer.body)
    except payload.Unintelligible as error:
        words = f"{peer} answered the commitment request with {error}; look into its log"
        raise Failed(Outcome("retry", "protocol", words)) from error
    return Report(transaction_uid, frozenset(told.taken), told.failed)


def _refusal(peer: Peer, answer: Answer) -> Outcome:
    found = statuses.outcome(peer, answer.status, answer.headers)
    if answer.status in _NO_SERVICE:
        words = 'it has no storage commitment over HTTP; policy = "verified" asks it in another way'
        return replace(found, kind="retry", words=f"{peer} answered HTTP {answer.status}: {words}")
    if answer.status == _IN_USE:
        words = "it had a request of the same transaction UID; it is asked again under a new one"
        return replace(found, kind="retry", words=f"{peer} answered HTTP {answer.status}: {words}")
    return found
