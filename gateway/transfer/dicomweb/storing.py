"""STOW-RS (PS3.18 10.5): instances straight from their files, many in one request, an outcome for each."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path

from gateway.model import InstanceRef
from gateway.transfer.calling.outcomes import Failed, Outcome
from gateway.transfer.calling.peers import Peer
from gateway.transfer.dicomweb import payload, statuses
from gateway.transfer.dicomweb.line import Answer
from gateway.transfer.dicomweb.multipart import BLOCK, Unreadable, Upload
from gateway.transfer.dicomweb.server import Server, refused, web_of
from gateway.transfer.storing.sending import Progress

log = logging.getLogger(__name__)
_IN_VAIN = 3  # instances in a row, each by itself: then it is the server's trouble, and the rest is not tried
_BROKE_OFF = ("lost", "silent", "protocol")  # the server may have stumbled over what it was just sent

Told = tuple[InstanceRef, Outcome]


def send(
    server: Server, peer: Peer, instances: Sequence[InstanceRef], progress: Progress | None = None
) -> Iterator[Told]:
    """Store ``instances`` and yield each one's outcome as soon as it is known; every instance gets one.

    What a refused request held is sent again in smaller ones, until it is known whom the refusal concerns. What
    concerns the whole server is one and the same "retry" for all that is left. Raises nothing.
    """
    began, good, in_vain = time.monotonic(), 0, 0
    work = _Work(server, instances)
    block = memoryview(bytearray(BLOCK if peer.throttle is None else peer.throttle.fragment(BLOCK)))
    while batch := work.next():
        try:
            found, unclear = _store(server, peer, batch, block, progress)
        except Unreadable as error:
            yield error.instance, _unreadable(error)
            work.again([one for one in batch if one is not error.instance])
            continue
        except Failed as failed:
            log.warning("%s", failed.outcome.words)
            if failed.outcome.code in _BROKE_OFF:
                server.broke_off()
            yield from ((one, failed.outcome) for one in work.rest(batch))
            break
        if unclear:
            work.halve(unclear)
        for one, outcome in found:
            good += outcome.good
            in_vain = in_vain + 1 if outcome.kind == "retry" else 0
            yield one, outcome
        if found and in_vain >= _IN_VAIN:
            yield from ((one, found[-1][1]) for one in work.rest([]))
            break
    else:
        server.went_well()
    seconds = time.monotonic() - began
    log.info("%s: %d of %d instances stored in %.1f s", peer, good, len(instances), seconds)


class _Work:
    """What is still to be sent: batches that were decided upon, then all that nobody has looked at."""

    def __init__(self, server: Server, instances: Sequence[InstanceRef]) -> None:
        self._server = server
        self._waiting = deque(instances)
        self._batches: deque[list[InstanceRef]] = deque()

    def next(self) -> list[InstanceRef]:
        """The next batch; empty at the end."""
        if self._batches:
            return self._batches.popleft()
        return self._server.batch(self._waiting) if self._waiting else []

    def again(self, batch: list[InstanceRef]) -> None:
        if batch:
            self._batches.appendleft(batch)

    def halve(self, batch: list[InstanceRef]) -> None:
        middle = (len(batch) + 1) // 2
        self.again(batch[middle:])
        self.again(batch[:middle])

    def rest(self, batch: list[InstanceRef]) -> list[InstanceRef]:
        """``batch``, and all behind it."""
        found = batch + [one for other in self._batches for one in other] + list(self._waiting)
        self._batches.clear()
        self._waiting.clear()
        return found


def _store(
    server: Server, peer: Peer, batch: list[InstanceRef], block: memoryview, progress: Progress | None
) -> tuple[list[Told], list[InstanceRef]]:
    """The outcomes of one request, and the instances that must be sent again in smaller ones.

    Raises Failed where it concerns the server, Unreadable where it is one of the files.
    """
    upload = Upload(batch, block, progress, peer.throttle)
    headers = {"Content-Type": upload.content_type, "Content-Length": str(upload.length)}
    answer = server.ask(peer, "POST", "/studies", headers, upload.length, upload.blocks)
    if 200 <= answer.status < 300:
        return _accepted(peer, batch, answer)
    meaning = statuses.meaning(answer.status, answer.headers)
    if meaning.about == "server":
        raise refused(peer, answer)
    if meaning.about == "size":
        server.too_large(sum(one.size for one in batch))
    failed = _told(answer).failed
    found = [(one, statuses.of_reason(peer, failed[uid])) for one in batch if (uid := one.sop_instance_uid) in failed]
    rest = [one for one in batch if one.sop_instance_uid not in failed]
    if len(batch) == 1 and rest:
        return [(rest[0], statuses.outcome(peer, answer.status, answer.headers))], []
    return found, rest


def _accepted(peer: Peer, batch: list[InstanceRef], answer: Answer) -> tuple[list[Told], list[InstanceRef]]:
    if answer.early:
        words = f"{peer} answered HTTP {answer.status} before it had got everything; look into its log"
        raise Failed(Outcome("retry", "protocol", words))
    told = payload.Told()
    if answer.body.strip():
        try:
            told = payload.read(answer.media_type, answer.body)
        except payload.Unintelligible as error:
            words = f"{peer} answered HTTP {answer.status} with {error}; is url where its DICOMweb services begin?"
            raise Failed(Outcome("retry", "no-dicomweb", words)) from error
    if not told.taken and not told.failed and not told.others:
        return [(one, _unconfirmed(peer, answer.status)) for one in batch], []
    found, unclear = [], []
    for one in batch:
        uid = one.sop_instance_uid
        if uid in told.failed:
            found.append((one, statuses.of_reason(peer, told.failed[uid])))
        elif uid in told.taken:
            warning = told.taken[uid]
            done = Outcome("done", f"http-{answer.status}", "done")
            found.append((one, done if warning is None else _warned(peer, warning)))
        else:
            unclear.append(one)
    if len(batch) == 1 and unclear:
        return [(unclear[0], _unmentioned(peer, answer.status, told))], []
    return found, unclear


def _told(answer: Answer) -> payload.Told:
    """What a refusal says of instances, if it does."""
    try:
        return payload.read(answer.media_type, answer.body)
    except payload.Unintelligible:
        return payload.Told()


def _warned(peer: Peer, reason: int) -> Outcome:
    """It was taken: whatever the reason, it is no more than a warning."""
    found = statuses.of_reason(peer, reason)
    if found.kind == "warned":
        return found
    return Outcome("warned", found.code, f"{peer} stored it with warning {found.code}H; look into its log")


def _unconfirmed(peer: Peer, status: int) -> Outcome:
    """It names no instance at all: enough where it is asked again afterwards, too little to delete anything."""
    words = f"{peer} answered HTTP {status}, and names nothing that it stored"
    if web_of(peer).policy == "stored":
        words += '; that frees nobody: set policy = "verified", or ask its administrator'
        return Outcome("hold", "unconfirmed", words)
    return Outcome("warned", "unconfirmed", f"{words}; it is asked")


def _unmentioned(peer: Peer, status: int, told: payload.Told) -> Outcome:
    if told.others:
        return statuses.of_reason(peer, told.others[0])
    words = f"{peer} answered HTTP {status} for other instances than it was sent; look into its log"
    return Outcome("retry", "unmentioned", words)


def _unreadable(error: Unreadable) -> Outcome:
    name = Path(error.instance.path).name
    words = f"{name} cannot be sent: {error.why}; check the disk, the file is kept as it is"
    return Outcome("hold", "file-unreadable", words)
