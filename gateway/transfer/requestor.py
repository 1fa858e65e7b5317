"""The requestor of one association: calls a peer, sends messages in constant memory, waits for answers.

A peer that aborts is noticed while we still send; an answer is matched by its Message ID; whatever goes wrong
comes as :class:`Failed` with an outcome in words.
"""

from __future__ import annotations

import logging
import os
import time
from collections import deque
from collections.abc import Callable, Sequence
from types import TracebackType

from gateway.transfer import outcomes, part10
from gateway.transfer.association import dimse, machine, pdu
from gateway.transfer.association.connection import Buffer, Connection
from gateway.transfer.association.dimse import Command, Message
from gateway.transfer.association.machine import Association, Lost
from gateway.transfer.association.pdu import ProtocolError
from gateway.transfer.outcomes import Failed, Outcome
from gateway.transfer.peers import Peer

log = logging.getLogger(__name__)

MOST_CONTEXTS = 128  # ids are odd, 1 to 255
BLOCK = 1 << 18  # bytes read from a file at a time: the sender's memory
OUR_LARGEST = 1 << 17  # bytes of a P-DATA-TF we send, where the peer allows more
UNREAD = 256  # messages a peer may send ahead before it is cut off
CLOSING = 2.0  # seconds to wait for the answer to a release

Pair = tuple[str, str]  # (SOP class UID, transfer syntax UID), each proposed as a context of its own


class Requestor:
    """An established association. Use as a context manager: leaves with a release, or an abort on an error.

    ``on_request`` answers the peer's N-EVENT-REPORT with a status; without it such a request is a breach.
    """

    def __init__(
        self,
        peer: Peer,
        pairs: Sequence[Pair],
        roles: Sequence[pdu.Role] = (),
        on_request: Callable[[Message], int] | None = None,
    ) -> None:
        """Call ``peer``. Raises Failed (with the outcome) if no association comes about."""
        if not 0 < len(pairs) <= MOST_CONTEXTS:
            raise ValueError(f"{len(pairs)} presentation contexts")
        self.peer = peer
        self._on_request = on_request
        self._association = Association()
        self._assembler = dimse.Assembler()
        self._inbox: deque[Message] = deque()
        self._ended: Outcome | None = None
        self._proposed = {2 * i + 1: pair for i, pair in enumerate(pairs)}
        self._results: dict[int, int] = {}
        self._ids: dict[Pair, int] = {}
        self._fragment = 0  # bytes of data in a P-DATA-TF; known when accepted
        self._message_id = 0
        self._writing = False
        self._when = "while connecting"
        try:
            self._connection = Connection(peer.host, peer.port, peer.timeout)
        except OSError as error:
            raise Failed(outcomes.unreachable(peer, error, self._when)) from error
        try:
            self._establish(roles)
        except BaseException:
            self.abort()
            raise

    def _establish(self, roles: Sequence[pdu.Role]) -> None:
        self._when = "after the association request"
        proposed = tuple(pdu.Context(i, pair[0], (pair[1],)) for i, pair in self._proposed.items())
        user = pdu.UserInformation(roles=tuple(roles))
        self._association.request(pdu.AssociateRequest(self.peer.ae_title, self.peer.own_ae_title, proposed, user))
        self._flush()
        deadline = self._connection.deadline()
        while not self._fragment:
            self._read(deadline)
        self._when = "during the association"

    def _accepted(self, answer: pdu.AssociateAccept) -> None:
        for result in answer.results:
            if result.id not in self._proposed:
                raise ProtocolError(f"it answers context {result.id}, which was not proposed")
            self._results[result.id] = result.result
            pair = self._proposed[result.id]
            if result.result == 0 and result.transfer_syntax != pair[1]:
                raise ProtocolError(f"it accepts transfer syntax {result.transfer_syntax!r}, which was not proposed")
            if result.result == 0:
                self._ids[pair] = result.id
        announced = answer.user.max_length
        if 0 < announced < 16:
            raise ProtocolError(f"a maximum PDU length of {announced} bytes")
        # Fragments are even (PS3.8 annex D); six bytes of a P-DATA-TF are the fragment's own header.
        self._fragment = (min(announced or OUR_LARGEST, OUR_LARGEST) - 6) & ~1

    def context(self, sop_class_uid: str, transfer_syntax_uid: str) -> int | None:
        """Id of the accepted context for the pair, or None."""
        return self._ids.get((sop_class_uid, transfer_syntax_uid))

    def accepted(self) -> list[Pair]:
        """The accepted pairs, in the order proposed."""
        return [pair for pair in self._proposed.values() if pair in self._ids]

    def refusal(self, sop_class_uid: str, transfer_syntax_uid: str) -> Outcome:
        """Why there is no context for a proposed pair; a context without an answer counts as not supported."""
        pair = (sop_class_uid, transfer_syntax_uid)
        context_id = next(i for i, p in self._proposed.items() if p == pair)
        return outcomes.refused(self.peer, *pair, self._results.get(context_id, 3))

    def next_id(self) -> int:
        """A Message ID that no open request of this association has."""
        self._message_id = self._message_id % 0xFFFF + 1
        return self._message_id

    def send(self, context_id: int, command: Command, data: bytes | None = None) -> None:
        """Send a message whose data set is in memory. Raises Failed when the association breaks."""
        buffers = dimse.fragments(context_id, True, dimse.encode(command), self._fragment)
        self._write(buffers + dimse.fragments(context_id, False, data or b"", self._fragment))

    def send_file(
        self, context_id: int, command: Command, descriptor: int, offset: int, progress: Callable[[int], None] | None
    ) -> None:
        """Send a message whose data set is the rest of an open file, from ``offset`` (there must be some).

        ``progress`` hears of bytes sent after each block. Raises Failed when the association breaks, OSError
        when the file cannot be read (the association is aborted then: half a data set was sent).
        """
        size = os.fstat(descriptor).st_size - offset
        whole = max(1, BLOCK // self._fragment) * self._fragment
        block = memoryview(bytearray(min(whole, size)))
        buffers, sent = dimse.fragments(context_id, True, dimse.encode(command), self._fragment), 0
        while sent < size:
            count = min(size - sent, len(block))
            try:
                part10.fill(descriptor, block[:count], offset + sent)
            except OSError:
                self.abort()
                raise
            sent += count
            self._write(buffers + dimse.fragments(context_id, False, block[:count], self._fragment, sent == size))
            buffers = []
            if progress is not None:
                progress(sent)

    def response(self, message_id: int) -> Message:
        """Wait for the next response to ``message_id``. Raises Failed when none comes, or another's."""
        deadline = self._connection.deadline()
        while not self._inbox:
            self._raise_if_over()
            self._read(deadline)
        message = self._inbox.popleft()
        if message.answers != message_id:
            raise self._violated(f"it answers message {message.answers}, but the open one is {message_id}")
        return message

    def linger(self, seconds: float, enough: Callable[[], bool]) -> None:
        """Serve the peer's own requests until ``enough()``, or the time is over. Raises Failed when it breaks."""
        deadline = time.monotonic() + seconds
        while not enough() and self._ended is None and self._connection.readable(deadline):
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
        self._connection.close(bytes(self._association.out))
        self._association.out.clear()

    def __enter__(self) -> Requestor:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if error is None:
            self.release()
        else:
            self.abort()

    def _write(self, buffers: Sequence[Buffer]) -> None:
        """Send all of ``buffers``; what must be answered to the peer waits until they are out whole."""
        self._raise_if_over()
        self._writing = True
        try:
            self._connection.write(buffers, self._hear)
        except TimeoutError as error:
            raise self._fail(outcomes.silent(self.peer, self._when)) from error
        except OSError as error:
            raise self._fail(outcomes.unreachable(self.peer, error, self._when)) from error
        finally:
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
                self._act(happening)
        except ProtocolError as error:
            raise self._violated(error.message) from error
        self._flush()

    def _act(self, happening: machine.Happening) -> None:
        match happening:
            case pdu.AssociateAccept():
                self._accepted(happening)
            case pdu.AssociateReject():
                self._ended = outcomes.rejected(self.peer, happening)
            case pdu.Abort():
                self._ended = outcomes.aborted(self.peer, happening, self._when)
            case pdu.ReleaseRequest() | pdu.ReleaseReply():
                self._ended = outcomes.released(self.peer, self._when)
            case Lost():
                self._ended = outcomes.lost(self.peer, self._when)
            case pdu.Pdv():
                self._arrived(happening)

    def _arrived(self, fragment: pdu.Pdv) -> None:
        if fragment.context_id not in self._ids.values():
            raise ProtocolError(f"data on context {fragment.context_id}, which was not accepted")
        message = self._assembler.feed(fragment)
        if message is None:
            return
        if message.answers is None:
            self._requested(message)
        elif len(self._inbox) >= UNREAD:
            raise ProtocolError(f"more than {UNREAD} answers that nobody asked for")
        else:
            self._inbox.append(message)

    def _requested(self, message: Message) -> None:
        """The peer asks something of us: only N-EVENT-REPORT has a meaning here."""
        if message.field != dimse.Field.N_EVENT_REPORT or self._on_request is None:
            raise ProtocolError(f"a request {message.field:04X}H that nobody here serves")
        answer = dimse.encode(dimse.response(message.command, self._on_request(message)))
        for part in dimse.fragments(message.context_id, True, answer, self._fragment):
            self._association.out += part

    def _flush(self) -> None:
        """Send what the association itself has to say, unless a message is half out."""
        if self._association.out and not self._writing:
            out = bytes(self._association.out)
            self._association.out.clear()
            if self._ended is None:
                self._write([out])
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
