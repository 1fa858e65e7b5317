"""C-STORE (PS3.4 annex B) of files, on one association, straight from the disk."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from gateway.errors import Misuse
from gateway.model import InstanceRef
from gateway.transfer import outcomes, part10
from gateway.transfer.association import dimse
from gateway.transfer.outcomes import Failed, Outcome
from gateway.transfer.peers import Peer
from gateway.transfer.requestor import MOST_CONTEXTS, Requestor

log = logging.getLogger(__name__)

Progress = Callable[[InstanceRef, int], None]  # instance, bytes of its data set sent so far
_Part = tuple[list[tuple[str, str]], list[InstanceRef]]


def send(
    peer: Peer, instances: Sequence[InstanceRef], progress: Progress | None = None
) -> Iterator[tuple[InstanceRef, Outcome]]:
    """Send ``instances`` and yield each one's outcome as soon as it is known; every instance gets one.

    One association serves all (a further one only beyond 128 kinds of class and transfer syntax). When it breaks,
    the instance on its way and all that follow are "retry" with the cause. Raises nothing.
    """
    for pairs, part in _parts(instances):
        yield from _send(peer, pairs, part, progress)


def _parts(instances: Sequence[InstanceRef]) -> Iterator[_Part]:
    """Instances in order, cut where one more presentation context would be too many."""
    pairs: dict[tuple[str, str], None] = {}
    part: list[InstanceRef] = []
    for instance in instances:
        pair = (instance.sop_class_uid, instance.transfer_syntax_uid)
        if pair not in pairs and len(pairs) == MOST_CONTEXTS:
            yield list(pairs), part
            pairs, part = {}, []
        pairs[pair] = None
        part.append(instance)
    if part:
        yield list(pairs), part


def _send(
    peer: Peer, pairs: list[tuple[str, str]], instances: list[InstanceRef], progress: Progress | None
) -> Iterator[tuple[InstanceRef, Outcome]]:
    began, reached, good = time.monotonic(), 0, 0
    try:
        with Requestor(peer, pairs) as requestor:
            for instance in instances:
                outcome = _store(requestor, instance, progress)
                reached += 1
                good += outcome.good
                yield instance, outcome
    except Failed as failed:
        log.warning("%s", failed.outcome.words)
        for instance in instances[reached:]:
            yield instance, failed.outcome
    seconds = time.monotonic() - began
    log.info("%s: %d of %d instances stored in %.1f s", peer, good, len(instances), seconds)


def _store(requestor: Requestor, instance: InstanceRef, progress: Progress | None) -> Outcome:
    """One instance. Raises Failed when the association breaks."""
    context_id = requestor.context(instance.sop_class_uid, instance.transfer_syntax_uid)
    if context_id is None:
        return requestor.refusal(instance.sop_class_uid, instance.transfer_syntax_uid)
    try:
        descriptor = os.open(instance.path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        return _unreadable(instance, error.strerror)
    try:
        header = part10.read(descriptor, instance.path)
        if (header.sop_class_uid, header.sop_instance_uid, header.transfer_syntax_uid) != (
            instance.sop_class_uid,
            instance.sop_instance_uid,
            instance.transfer_syntax_uid,
        ):
            return _unreadable(instance, "it holds another instance than it should")
        if header.offset >= os.fstat(descriptor).st_size:
            return _unreadable(instance, "it ends after its header")
        message_id = requestor.next_id()
        uids = (instance.sop_class_uid, instance.sop_instance_uid)
        command = dimse.request(dimse.Field.C_STORE, message_id, *uids, data=True)
        report = (lambda sent: progress(instance, sent)) if progress is not None else None
        requestor.send_file(context_id, command, descriptor, header.offset, report)
    except Misuse as error:
        return _unreadable(instance, error.message)
    except OSError as error:
        requestor.abort()
        return _unreadable(instance, error.strerror)
    finally:
        os.close(descriptor)
    answer = requestor.response(message_id)
    return outcomes.of_status(outcomes.STORE, answer.status, requestor.peer, answer.comment)


def _unreadable(instance: InstanceRef, why: str | None) -> Outcome:
    words = f"{Path(instance.path).name} cannot be sent: {why}; check the disk, the file is kept as it is"
    return Outcome("hold", "file-unreadable", words)
