"""C-STORE on one association, with as many requests open as the peer grants.

While the peer works on one instance the next is opened, checked and read, so that nothing but the wire lies between
an answer and the next request.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator

from gateway.errors import Misuse
from gateway.model import InstanceRef
from gateway.transfer.association.dimse import RESPONSE, Field, Message, Tag
from gateway.transfer.association.negotiation import Pair
from gateway.transfer.calling import outcomes
from gateway.transfer.calling.outcomes import Failed, Outcome
from gateway.transfer.calling.peers import Peer
from gateway.transfer.calling.requestor import Requestor
from gateway.transfer.storing import fallback
from gateway.transfer.storing.hashing import Hashing
from gateway.transfer.storing.instance_file import BLOCK, Damaged, InstanceFile, damaged, unreadable
from gateway.transfer.storing.journal import Entry

Progress = Callable[[InstanceRef, int], None]  # instance, bytes of its data set sent so far
Told = tuple[InstanceRef, Outcome]
_STORED = Field.C_STORE | RESPONSE


class Waiting:
    """Instances that nobody has begun to send. Several threads may take and give back."""

    def __init__(self, instances: Iterable[InstanceRef]) -> None:
        self._instances = deque(instances)

    def __len__(self) -> int:
        return len(self._instances)

    def take(self) -> InstanceRef | None:
        try:
            return self._instances.popleft()
        except IndexError:
            return None

    def give_back(self, instance: InstanceRef) -> None:
        """It is the next again: it was taken, and not one byte of it was sent."""
        self._instances.appendleft(instance)


def send_all(
    peer: Peer,
    pairs: list[Pair],
    waiting: Waiting,
    progress: Progress | None,
    established: Callable[[Requestor], None] = lambda _: None,
) -> Iterator[Told]:
    """Send what is ``waiting`` and yield each one's outcome; ``established`` hears when the peer has accepted.

    Raises Failed when the association breaks, after the outcomes of what was on its way; the rest is still waiting.
    A file that is damaged, or cannot be read to its end, takes the association with it if a part of it is out: then it
    returns with a rest waiting.
    """
    with Requestor(peer, pairs, operations=peer.operations) as requestor:
        established(requestor)
        sender, entry, broken = Sender(requestor, waiting, progress), Entry(requestor), None
        try:
            for told in sender.run():
                entry.told(*told)
                yield told
        except Failed as failed:
            broken = failed
            for told in [*sender.answered_yet(), *((one, failed.outcome) for one in sender.unanswered())]:
                entry.told(*told)
                yield told
            raise
        finally:
            sender.close()
            entry.ended(broken)


class Sender:
    """Sends on an established association; owned by one thread."""

    def __init__(self, requestor: Requestor, waiting: Waiting, progress: Progress | None) -> None:
        self._requestor = requestor
        self._waiting = waiting
        self._progress = progress
        self._block = memoryview(bytearray(BLOCK))
        self._hashing = Hashing()
        self._open: dict[int, InstanceRef] = {}  # by Message ID, in the order sent
        self._next: InstanceFile | None = None
        self._refused: Told | None = None  # the next one, if it cannot be sent

    def run(self) -> Iterator[Told]:
        """Raises Failed when the association breaks; :meth:`unanswered` then says what was on its way."""
        self._prepare()
        while self._open or self._next or self._refused:
            if self._next and len(self._open) < self._requestor.window:
                yield from self._send(self._next)
            elif self._refused and not self._open:  # in its turn: outcomes come in the order of the instances
                told = self._refused
                self._prepare()
                yield told
            else:
                told, further = self._answered(self._requestor.response(self._open)), list[Told]()
                try:  # the peer works on the next while the caller takes note of this answer
                    if self._next and self._next.is_small:
                        further = self._send(self._next)
                finally:
                    yield told
                yield from further

    def answered_yet(self) -> list[Told]:
        """What the peer answered before the association broke."""
        return [self._answered(m) for m in self._requestor.unread() if m.answers in self._open and m.field == _STORED]

    def unanswered(self) -> list[InstanceRef]:
        """What the peer may have got and did not answer, in the order sent."""
        found = list(self._open.values())
        self._open.clear()
        return found

    def close(self) -> None:
        """What was prepared and not begun waits again."""
        if self._next is not None:
            self._next.close()
            self._waiting.give_back(self._next.instance)
        elif self._refused is not None:
            self._waiting.give_back(self._refused[0])
        self._next = self._refused = None
        self._hashing.close()

    def _prepare(self) -> None:
        """Open the next instance, or find out why it cannot be sent here."""
        self._next = self._refused = None
        instance = self._waiting.take()
        if instance is None:
            return
        requestor, pair = self._requestor, (instance.sop_class_uid, instance.transfer_syntax_uid)
        context_id = requestor.context(*pair)
        if context_id is None:
            self._refused = instance, fallback.refusal(requestor, instance)
            return
        try:
            self._next = InstanceFile(instance, self._block, self._hashing)
        except Misuse as error:
            self._refused = instance, unreadable(instance, error.message)
        except OSError as error:
            self._refused = instance, unreadable(instance, error.strerror)
        else:
            throttle, fragment = requestor.peer.throttle, requestor.fragment
            fragment = throttle.fragment(fragment) if throttle is not None else fragment
            self._next.address(context_id, requestor.next_id(), fragment)

    def _send(self, file: InstanceFile) -> list[Told]:
        """Send the prepared file, and prepare the next; an outcome only if the file proves to be no good."""
        instance, progress, throttle = file.instance, self._progress, self._requestor.peer.throttle
        report = (lambda sent: progress(instance, sent)) if progress is not None else None
        blocks = file.blocks(report) if throttle is None else throttle.paced(file.blocks, report)
        self._next = None
        if file.is_small:
            try:
                file.compare()
            except Damaged:
                file.close()
                self._prepare()
                return [(instance, damaged(instance))]
        self._open[file.message_id] = instance
        try:
            self._requestor.send_streamed(blocks)
        except OSError as error:
            del self._open[file.message_id]
            return [(instance, unreadable(instance, error.strerror))]
        except Damaged:
            del self._open[file.message_id]
            return [(instance, damaged(instance))]
        finally:
            file.close()
        self._prepare()
        return []

    def _answered(self, message: Message) -> Told:
        assert message.answers is not None
        peer = self._requestor.peer
        if message.field != _STORED:
            raise Failed(
                outcomes.violated(peer, f"it breaks the DICOM protocol: {message.field:04X}H answers a C-STORE")
            )
        instance = self._open.pop(message.answers)
        outcome = outcomes.of_status(outcomes.STORE, message.status, peer, message.comment)
        named = message.command.get(Tag.AFFECTED_SOP_INSTANCE_UID)
        if outcome.good and named and named != instance.sop_instance_uid:
            return instance, outcomes.misnamed(peer, outcome, str(named))
        return instance, outcome
