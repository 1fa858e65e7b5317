"""What a peer that refuses an instance's transfer syntax is offered instead, and how it gets it.

Beside each pair of SOP class and transfer syntax that the instances have, Explicit and Implicit VR Little Endian are
proposed wherever an instance can be brought into them without loss. At most 128 contexts fit into an association: what
the instances have themselves is always in (store cuts them into parts so that it is); of the others Explicit VR is left
out first, since whoever takes a class must take Implicit VR, then Implicit VR, the classes that come last first.

Transcoding is done while no association is open: of a large instance it takes longer than peers wait. So what was
refused is made anew, some at a time, and goes on a further association.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.errors import Held, Retry
from gateway.model import InstanceRef
from gateway.transfer import names
from gateway.transfer.association.negotiation import MOST_CONTEXTS, Pair
from gateway.transfer.calling.outcomes import Outcome
from gateway.transfer.calling.peers import Peer
from gateway.transfer.calling.requestor import Requestor
from gateway.transfer.lossless import LOSSY_FRAMES, instead
from gateway.transfer.names import EXPLICIT, IMPLICIT
from gateway.transfer.storing import instance_file

if TYPE_CHECKING:
    from gateway.transfer.transcoding.scratch import Transcoded

log = logging.getLogger(__name__)
_AT_A_TIME = 64 << 20  # bytes of instances that are made anew before they are sent; a larger one goes alone
_MOST_AT_A_TIME = 64  # of them: each is an open file

Told = tuple[InstanceRef, Outcome]
Progress = Callable[[InstanceRef, int], None]
Send = Callable[[Peer, list[Pair], list[InstanceRef], Progress | None], Iterator[Told]]


def proposed(own: Sequence[Pair], decoded: bool = False) -> list[Pair]:
    """``own`` pairs and what may go in their stead, at most 128; ``decoded``: also of what is coded with loss."""
    found = dict.fromkeys(own)
    for dropped_last in (IMPLICIT, EXPLICIT):
        for sop_class_uid, syntax in own:
            if len(found) < MOST_CONTEXTS and dropped_last in instead(syntax, decoded):
                found.setdefault((sop_class_uid, dropped_last))
    return list(found)


def refusal(requestor: Requestor, instance: InstanceRef) -> Outcome:
    """Why there is no context for ``instance``; ``instead`` in it says how the peer would take it."""
    sop_class_uid, syntax = instance.sop_class_uid, instance.transfer_syntax_uid
    outcome = requestor.refusal(sop_class_uid, syntax)
    for other in instead(syntax, requestor.peer.decodes):
        if requestor.context(sop_class_uid, other) is not None:
            # Some peers say of a class that they do not know it when it is the transfer syntax that they do not take.
            return dataclasses.replace(outcome, code="syntax-refused", instead=other)
    return outcome


def send(peer: Peer, refused: Sequence[Told], progress: Progress | None, send_some: Send) -> Iterator[Told]:
    """Transcode each of the ``refused`` instances as their outcomes say, send them, and yield what came of each.

    On the disk lie at most 64 of them at a time, and 64 MiB, or a single larger one.
    """
    from gateway.transfer.transcoding.scratch import transcoded  # noqa: PLC0415 - pydicom, only where it is needed

    for some in _some(refused):
        with contextlib.ExitStack() as scratch:
            made: dict[str, tuple[InstanceRef, Transcoded]] = {}
            for instance, outcome in some:
                beat = _beat(progress, instance)
                try:
                    instance_file.compare(instance, beat)
                    block = transcoded(instance, outcome.instead, Path(peer.scratch), beat)
                    one = scratch.enter_context(block)
                except Held as error:
                    yield instance, dataclasses.replace(outcome, words=f"{outcome.words}; {error}", instead="")
                except Retry as error:
                    yield instance, Outcome("retry", "not-transcoded", str(error))
                except instance_file.Damaged:
                    yield instance, instance_file.damaged(instance)
                except OSError as error:
                    yield instance, instance_file.unreadable(instance, error.strerror)
                else:
                    made[one.instance.path] = instance, one
            if made:
                yield from _send(peer, made, progress, send_some)


def _some(refused: Sequence[Told]) -> Iterator[list[Told]]:
    some: list[Told] = []
    size = 0
    for told in refused:
        size += told[0].size
        if some and (size > _AT_A_TIME or len(some) == _MOST_AT_A_TIME):
            yield some
            some, size = [], told[0].size
        some.append(told)
    yield some


def _send(
    peer: Peer, made: dict[str, tuple[InstanceRef, Transcoded]], progress: Progress | None, send_some: Send
) -> Iterator[Told]:
    def report(sent: InstanceRef, count: int) -> None:
        if progress is not None:
            progress(made[sent.path][0], count)

    references = [one.instance for _, one in made.values()]
    pairs = list(dict.fromkeys((r.sop_class_uid, r.transfer_syntax_uid) for r in references))
    for sent, outcome in send_some(peer, pairs, references, report):
        instance, one = made[sent.path]
        yield instance, _told(peer, instance, one, outcome) if outcome.good else outcome


def _told(peer: Peer, instance: InstanceRef, one: Transcoded, outcome: Outcome) -> Outcome:
    """The outcome with what was really sent; the log names the instance."""
    syntax = one.instance.transfer_syntax_uid
    now, before = names.syntax(syntax), names.syntax(instance.transfer_syntax_uid)
    log.info("%s has instance %s as %s, not as %s", peer, instance.sop_instance_uid, now, before)
    how = "decoded; what its coding lost stays lost" if instance.transfer_syntax_uid in LOSSY_FRAMES else "without loss"
    words = f"{outcome.words}; sent as {now}, {how}"
    return dataclasses.replace(outcome, words=words, sent_syntax=syntax, sent_sha256=one.sha256)


def _beat(progress: Progress | None, instance: InstanceRef) -> Callable[[], None]:
    return (lambda: progress(instance, 0)) if progress is not None else (lambda: None)
