"""The requestor of one association: calls a peer, sends messages in constant memory, waits for answers.

A peer that aborts is noticed while we still send; an answer is matched by its Message ID; whatever goes wrong
comes as :class:`Failed` with an outcome in words.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from types import TracebackType

from gateway.transfer.association import dimse, machine, pdu
from gateway.transfer.association.connection import Buffer
from gateway.transfer.association.dimse import Command, Message
from gateway.transfer.association.inbox import Inbox
from gateway.transfer.association.machine import Association, Lost
from gateway.transfer.association.negotiation import Negotiation, Pair
from gateway.transfer.association.pdu import ProtocolError
from gateway.transfer.calling import outcomes
from gateway.transfer.calling.connecting import connect
from gateway.transfer.calling.outcomes import Failed, Outcome
from gateway.transfer.calling.peers import Peer

log = logging.getLogger(__name__)

UNSAID = 1 << 17  # bytes of answers that may wait until a message of ours is out
CLOSING = 2.0  # seconds to wait for the answer to a release
LOOK = 0.1  # seconds between two questions whether it is enough


class Requestor:
    """An established association. Use as a context manager: leaves with a release, or an abort on an error.

    ``on_request`` answers the peer's N-EVENT-REPORT, in the transfer syntax named beside it, with a status; it may come
    together with the acceptance already. Without ``on_request`` such a request is a breach.
    ``operations``: how many requests may be open at a time if the peer grants it (see :attr:`window`).
    """

    def __init__(
        self,
        peer: Peer,
        pairs: Sequence[Pair],
        roles: Sequence[pdu.Role] = (),
        on_request: Callable[[Message, str], int] | None = None,
        operations: int = 1,
    ) -> None:
        """Call ``peer``. Raises Failed (with the outcome) if no association comes about."""
        self.peer = peer
        self._on_request = on_request
        self._association = Association()
        self._negotiation = Negotiation(pairs, roles, operations, peer.identity)
        self._assembler = dimse.Assembler()
        self._inbox = Inbox()
        self._ended: Outcome | None = None
        self._message_id = 0
        self._writing = False
        self._when = "while connecting"
        try:
            self._connection = connect(peer)
        except OSError as error:
            raise Failed(outcomes.unreachable(peer, error, self._when)) from error
        try:
            self._establish()
        except BaseException:
            self.abort()
            raise

    def _establish(self) -> None:
        self._when = "after the association request"
        self._association.request(self._negotiation.request(self.peer.ae_title, self.peer.own_ae_title))
        self._flush()
        deadline = self._connection.deadline()
        while not self._negotiation.fragment:
            self._read(deadline)
        self._when = "during the association"
        if self.peer.identity is not None and not self._negotiation.confirmed:
            log.info("%s does not confirm the user; it may not look at it at all", self.peer)

    @property
    def window(self) -> int:
        """How many requests may be open at a time: what we asked for and the peer grants, else 1."""
        return self._negotiation.window

    def tls(self) -> str:
        """Which TLS, and until when the peer's certificate is valid, for a person; "" without TLS."""
        return self._connection.describe()

    @property
    def fragment(self) -> int:
        """The most bytes of data in one P-DATA-TF."""
        return self._negotiation.fragment

    def context(self, sop_class_uid: str, transfer_syntax_uid: str) -> int | None:
        """Id of the accepted context for the pair, or None."""
        return self._negotiation.context((sop_class_uid, transfer_syntax_uid))

    def accepted(self) -> list[Pair]:
        """The accepted pairs, in the order proposed."""
        return self._negotiation.granted()

    def refusal(self, sop_class_uid: str, transfer_syntax_uid: str) -> Outcome:
        """Why there is no context for a proposed pair; a context without an answer counts as not supported."""
        pair = (sop_class_uid, transfer_syntax_uid)
        return outcomes.refused(self.peer, *pair, self._negotiation.result(pair))

    def next_id(self) -> int:
        """A Message ID that no open request of this association has."""
        self._message_id = self._message_id % 0xFFFF + 1
        return self._message_id

    def send(self, context_id: int, command: Command, data: bytes | None = None) -> None:
        """Send a message whose data set is in memory. Raises Failed when the association breaks."""
        buffers = dimse.fragments(context_id, True, dimse.encode(command), self.fragment)
        self.write(buffers + dimse.fragments(context_id, False, data or b"", self.fragment))

    def send_streamed(self, blocks: Iterable[Sequence[Buffer]]) -> None:
        """Send one message, in blocks of whole P-DATA-TF; what making a block raises aborts and is passed on."""
        try:
            for buffers in blocks:
                self.write(buffers)
        except Failed:
            raise
        except BaseException:
            self.abort()
            raise

    def response(self, message_ids: int | Collection[int]) -> Message:
        """Wait for the next response to (one of) ``message_ids``. Raises Failed when none comes, or another's."""
        wanted = (message_ids,) if isinstance(message_ids, int) else message_ids
        deadline = self._connection.deadline()
        while not self._inbox:
            self._raise_if_over()
            self._read(deadline)
        message = self._inbox.take()
        if message.answers not in wanted:
            open_now = ", ".join(map(str, wanted))
            raise self._violated(f"it answers message {message.answers}, but open is {open_now}")
        return message

    def unread(self) -> Iterator[Message]:
        """The responses that came and nobody waited for."""
        yield from self._inbox.take_all()

    def linger(self, seconds: float, enough: Callable[[], bool]) -> None:
        """Serve the peer's own requests until ``enough()``, or the time is over. Raises Failed when it breaks.

        ``enough`` is asked again when something came, and a few times a second if nothing does.
        """
        deadline = time.monotonic() + seconds
        while not enough() and self._ended is None and (now := time.monotonic()) < deadline:
            if self._connection.readable(min(deadline, now + LOOK)):
                self._receive()

    def release(self) -> None:
        """End the association in order; a peer that does not answer is left alone. Never raises."""
        self._when = "after the release request"
        try:
            if not self._association.over:
                self._association.release()
                self._flush()
                deadline = time.monotonic() + min(self.peer.timeout, CLOSING)
                while not self._association.over and self._connection.readable(deadline):
                    self._receive()
        except Failed as failed:
            log.debug("%s", failed.outcome.words)
        self.abort()

    def abort(self) -> None:
        """End the association at once, or what is left of it. Never raises."""
        self._association.abort()
        self._ended = self._ended or Outcome("retry", "over", f"the association with {self.peer} is over")
        # Within a PDU that is half out, an A-ABORT would only be taken for a part of it.
        self._connection.close(b"" if self._writing else bytes(self._association.out))
        self._association.out.clear()

    def __enter__(self) -> Requestor:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if error is None:
            self.release()
        else:
            self.abort()

    def cut(self) -> None:
        """Make the association end at once, whatever its owner does with it. For another thread; never raises."""
        self._connection.cut()

    def write(self, buffers: Sequence[Buffer]) -> None:
        """Send ``buffers``, whole P-DATA-TF; what must be answered to the peer waits until they are out.

        Raises Failed when the association breaks; then a part may be out.
        """
        self._raise_if_over()
        self._writing = True
        try:
            self._connection.write(buffers, self._hear)
        except TimeoutError as error:
            raise self._fail(outcomes.silent(self.peer, self._when)) from error
        except OSError as error:
            with contextlib.suppress(Failed):  # it may have said why before it dropped the connection
                self._receive()
            raise self._fail(outcomes.unreachable(self.peer, error, self._when)) from error
        self._writing = False
        self._flush()

    def _hear(self) -> None:
        self._receive()
        self._raise_if_over()

    def _read(self, deadline: float) -> None:
        """Wait for more from the peer; Failed when it is silent, or has ended the association and said no more."""
        if not self._connection.readable(deadline):
            raise self._fail(outcomes.silent(self.peer, self._when))
        self._receive()
        if not self._inbox:
            self._raise_if_over()

    def _receive(self) -> None:
        """Take what is there and act on it."""
        try:
            data = self._connection.receive()
        except OSError as error:
            raise self._fail(outcomes.unreachable(self.peer, error, self._when)) from error
        if data is None:
            return
        try:
            for happening in self._association.receive(data) if data else self._association.lost():
                if isinstance(happening, pdu.Pdv):
                    self._arrived(happening)
                else:
                    self._act(happening)
        except ProtocolError as error:
            raise self._violated(error.message) from error
        self._flush()

    def _act(self, happening: machine.Happening) -> None:
        match happening:
            case pdu.AssociateAccept():
                self._negotiation.accepted(happening)
            case pdu.AssociateReject():
                self._ended = outcomes.rejected(self.peer, happening)
            case pdu.Abort():
                self._ended = outcomes.aborted(self.peer, happening, self._when)
            case pdu.ReleaseRequest() | pdu.ReleaseReply():
                self._ended = outcomes.released(self.peer, self._when)
            case Lost():
                self._ended = outcomes.lost(self.peer, self._when)

    def _arrived(self, fragment: pdu.Pdv) -> None:
        if not self._negotiation.is_open(fragment.context_id):
            raise ProtocolError(f"data on context {fragment.context_id}, which was not accepted")
        message = self._assembler.feed(fragment)
        if message is None:
            return
        if message.answers is None:
            self._requested(message)
        else:
            self._inbox.put(message)

    def _requested(self, message: Message) -> None:
        """The peer asks something of us: only N-EVENT-REPORT has a meaning here."""
        if message.field != dimse.Field.N_EVENT_REPORT or self._on_request is None:
            raise ProtocolError(f"a request {message.field:04X}H that nobody here serves")
        status = self._on_request(message, self._negotiation.syntax(message.context_id))
        answer = dimse.encode(dimse.response(message.command, status))
        for part in dimse.fragments(message.context_id, True, answer, self.fragment):
            self._association.out += part
        if len(self._association.out) > UNSAID:
            raise ProtocolError("it asks on and on, and takes no answer")

    def _flush(self) -> None:
        """Send what the association itself has to say, unless a message is half out."""
        if self._association.out and not self._writing:
            out = bytes(self._association.out)
            self._association.out.clear()
            if self._ended is None:
                self.write([out])
            else:
                self._connection.close(out)

    def _raise_if_over(self) -> None:
        if self._ended is not None:
            raise Failed(self._ended)

    def _violated(self, words: str) -> Failed:
        return self._fail(outcomes.violated(self.peer, words))

    def _fail(self, outcome: Outcome) -> Failed:
        """The association is broken for this reason; the first reason stays."""
        if self._ended is None:
            self._ended = outcome
        self._association.abort()
        return Failed(self._ended)
