"""Whether a server without storage commitment has what it was sent: it is asked, and that is called "verified".

By its index (QIDO-RS, PS3.18 10.6), by reading it (WADO-RS metadata, 10.4), or by giving it back, compared byte by byte
with what was sent, in constant memory. None of them is a commitment: the server promises nothing for tomorrow.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from email.message import Message
from typing import Any

from gateway.model import InstanceRef
from gateway.transfer.calling.outcomes import Failed, Outcome
from gateway.transfer.calling.peers import Peer
from gateway.transfer.committing.event_report import OnReport, Report
from gateway.transfer.dicomweb import comparing, multipart, payload
from gateway.transfer.dicomweb.line import MOST, Answer
from gateway.transfer.dicomweb.server import Server, refused, web_of

BY = {"index": "QIDO-RS", "metadata": "WADO-RS metadata", "bytes": "WADO-RS, byte by byte"}
_CLASS, _INSTANCE, _STUDY, _SERIES = "00080016", "00080018", "0020000D", "0020000E"
_NO_SUCH_INSTANCE, _CONFLICT = 0x0112, 0x0119
_LATE = 120.0  # seconds: an index may be that far behind; what is not found then is sent again
_AGAIN = 0.25  # seconds between two looks
_WHOLE = 'multipart/related; type="application/dicom"; transfer-syntax=*'
_MOST_SOUGHT = 10_000

Beat = Callable[[], bool]


def verify(
    server: Server,
    peer: Peer,
    transaction_uid: str,
    instances: Sequence[InstanceRef],
    on_report: OnReport,
    linger: float,
    beat: Beat,
) -> Outcome:
    """Ask for each of ``instances``, for ``linger`` seconds more for those that are not found at once, and report.

    Raises Failed if the server cannot be asked at all; what was found until it broke off is reported.
    """
    by = web_of(peer).verified_by
    until, left = time.monotonic() + linger, {one.sop_instance_uid: one for one in instances}
    found: set[str] = set()
    because: dict[str, Outcome] = {}
    try:
        while True:
            for uid, one in list(left.items()):
                beat()
                outcome = _look(server, peer, one, by, beat)
                if outcome is not None:
                    del left[uid]
                    because |= {} if outcome.good else {uid: outcome}
                    found |= {uid} if outcome.good else set()
            if not left or time.monotonic() > until:
                break
            time.sleep(_AGAIN)
    except Failed as failed:
        if not found and not because:
            raise
        because |= dict.fromkeys(left, failed.outcome)
        left.clear()
    because |= {uid: _not_found(server, peer, uid) for uid in left}
    for uid in found:
        server.sought_since.pop(uid, None)
    failed_for = {uid: _reason(outcome) for uid, outcome in because.items()}
    on_report(Report(transaction_uid, frozenset(found), failed_for, BY[by], because))
    return Outcome("done", "", "done")


def _not_found(server: Server, peer: Peer, uid: str) -> Outcome:
    """Not there yet, or not there."""
    if len(server.sought_since) > _MOST_SOUGHT:
        server.sought_since.clear()
    now = time.monotonic()
    since = server.sought_since.setdefault(uid, now)
    if now - since < _LATE:
        return Outcome("retry", "not-found-yet", f"{peer} does not find it (yet); it is asked again")
    del server.sought_since[uid]
    return Outcome("retry", "not-found", f"{peer} does not find it; it is sent again")


def _reason(outcome: Outcome) -> int:
    """Failure Reason (PS3.3 C.14), by which the delivery goes on."""
    return {"not-found": _NO_SUCH_INSTANCE, "0119": _CONFLICT}.get(outcome.code, payload.PROCESSING_FAILURE)


def _look(server: Server, peer: Peer, one: InstanceRef, by: str, beat: Beat) -> Outcome | None:
    """ "done" if the server has the instance, "hold" if it has something else; None if it does not find it."""
    indexed = _indexed(server, peer, one)
    if indexed is None:
        return None
    if (wrong := _another_class(peer, one, indexed)) is not None:
        return wrong
    if by == "index":
        return Outcome("done", "", "done")
    try:
        place = "/studies/{}/series/{}/instances/{}".format(
            *(payload.uid(indexed, tag) for tag in (_STUDY, _SERIES, _INSTANCE))
        )
    except payload.Unintelligible as error:
        raise _protocol(peer, f"says of an instance no study and series ({error})") from error
    return _metadata(server, peer, one, place) if by == "metadata" else _bytes(server, peer, one, place, beat)


def _indexed(server: Server, peer: Peer, one: InstanceRef) -> dict[str, Any] | None:
    answer = server.ask(peer, "GET", f"/instances?SOPInstanceUID={one.sop_instance_uid}&limit=2", {})
    return _of_instance(peer, answer, one.sop_instance_uid, "QIDO-RS")


def _of_instance(peer: Peer, answer: Answer, uid: str, service: str) -> dict[str, Any] | None:
    """The data set of the instance in ``answer``; None if there is none."""
    if answer.status in (204, 404, 410) or (answer.status == 200 and not answer.body.strip()):
        return None
    if not 200 <= answer.status < 300:
        raise refused(peer, answer)
    try:
        found = payload.datasets(answer.media_type, answer.body)
        return next((f for f in found if payload.values(f, _INSTANCE) == [uid]), None)
    except payload.Unintelligible as error:
        raise _protocol(peer, f"answers {service} with {error}") from error


def _another_class(peer: Peer, one: InstanceRef, found: dict[str, Any]) -> Outcome | None:
    """SOP Class UID is there in every answer of PS3.18; if it is left out, nothing speaks against it."""
    try:
        given = payload.values(found, _CLASS)
    except payload.Unintelligible as error:
        raise _protocol(peer, f"answers QIDO-RS with {error}") from error
    if given in ([], [one.sop_class_uid]):
        return None
    return Outcome("hold", "0119", f"{peer} has another kind of object under this UID (class {str(given[0])[:64]})")


def _metadata(server: Server, peer: Peer, one: InstanceRef, place: str) -> Outcome | None:
    answer = server.ask(peer, "GET", f"{place}/metadata", {})
    found = _of_instance(peer, answer, one.sop_instance_uid, "WADO-RS metadata")
    if found is None:
        return None
    return _another_class(peer, one, found) or Outcome("done", "", "done")


def _bytes(server: Server, peer: Peer, one: InstanceRef, place: str, beat: Beat) -> Outcome | None:
    verdict: list[Outcome] = []

    def take(_status: int, headers: Message, read: Callable[[], bytes]) -> None:
        def next_bytes() -> bytes:
            beat()
            return read()

        single = headers.get_content_type() == "application/dicom"
        parts = iter(next_bytes, b"") if single else multipart.only_part(headers, next_bytes)
        try:
            differs = comparing.difference(parts, one)
        except comparing.Unreadable as error:
            verdict.append(Outcome("hold", "file-unreadable", f"{error}; check the disk, the file is kept as it is"))
        except ValueError as error:
            raise _protocol(peer, f"does not give back an instance ({error})") from error
        else:
            verdict.append(_compared(peer, differs))

    answer = server.ask(peer, "GET", place, {"Accept": _WHOLE}, take=take, most=one.size + MOST)
    if answer.status in (404, 410):
        return None
    if not verdict:
        raise refused(peer, answer)
    return verdict[0]


def _compared(peer: Peer, differs: str) -> Outcome:
    if not differs:
        return Outcome("done", "", "done")
    words = f'{peer} gives back {differs} than it was sent; compare them, or set verified_by = "metadata"'
    return Outcome("hold", "other-bytes", words)


def _protocol(peer: Peer, words: str) -> Failed:
    return Failed(Outcome("retry", "protocol", f"{peer} {words}; look into its log"))
