"""C-STORE (PS3.4 annex B) of files, straight from the disk, on one association or on a few beside each other."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence

from gateway.model import InstanceRef
from gateway.transfer.association.negotiation import MOST_CONTEXTS, Pair
from gateway.transfer.calling.outcomes import Failed, Outcome
from gateway.transfer.calling.peers import Peer
from gateway.transfer.storing import fallback
from gateway.transfer.storing.sending import Progress, Waiting, send_all

log = logging.getLogger(__name__)

Told = tuple[InstanceRef, Outcome]


def send(peer: Peer, instances: Sequence[InstanceRef], progress: Progress | None = None) -> Iterator[Told]:
    """Send ``instances`` and yield each one's outcome as soon as it is known; every instance gets one.

    ``peer.associations`` serve them all (further ones only beyond 128 kinds of class and transfer syntax). What was on
    its way when one breaks is "retry" with the cause; when the last one has broken, so are all that were not tried.
    On a single association with no window, outcomes come in the order of ``instances``; behind them those of what the
    peer takes in another transfer syntax only (:mod:`.fallback`). Raises nothing.
    """
    for pairs, part in _parts(instances):
        refused = []
        for instance, outcome in _send(
            peer, fallback.proposed(pairs, peer.decodes) if peer.scratch else pairs, part, progress
        ):
            if outcome.instead and peer.scratch:
                refused.append((instance, outcome))
            else:
                yield instance, outcome
        if refused:
            yield from fallback.send(peer, refused, progress, _send)


def _parts(instances: Sequence[InstanceRef]) -> Iterator[tuple[list[Pair], list[InstanceRef]]]:
    """Instances in order, cut where one more presentation context would be too many."""
    pairs: dict[Pair, None] = {}
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


def _send(peer: Peer, pairs: list[Pair], instances: list[InstanceRef], progress: Progress | None) -> Iterator[Told]:
    waiting = Waiting(instances)
    try:
        while len(waiting):
            yield from _sending(peer, pairs, waiting, progress)
    except Failed as failed:
        log.info("%s", failed.outcome.words)
        while (rest := waiting.take()) is not None:
            yield rest, failed.outcome


def _sending(peer: Peer, pairs: list[Pair], waiting: Waiting, progress: Progress | None) -> Iterator[Told]:
    several = min(peer.associations, len(waiting))
    if several == 1:
        return send_all(peer, pairs, waiting, progress)
    from gateway.transfer.storing import associations  # noqa: PLC0415  whoever needs one only does not pay for threads

    return associations.send(peer, pairs, waiting, several, progress)
