"""Where a PACS calls back: answers C-ECHO and takes storage commitment reports (PS3.4 annex J), nothing else.

One thread serves all calls: whoever calls :meth:`Listener.turn` over and over. A call needs microseconds of it, and the
ledger, which is all that takes time, has one writer anyway; a thread for each caller would only make what a stranger
can have of this box as large as the stranger likes. While the ledger commits, the callers' time stands still.
What is said and admitted is decided in :mod:`gateway.transfer.committing.reception`; here are the sockets.
"""

from __future__ import annotations

import contextlib
import logging
import selectors
import socket
import time
from collections.abc import Callable, Collection

from gateway.errors import Retry
from gateway.settings import Box
from gateway.settings import Listener as ListenerSettings
from gateway.transfer.committing.event_report import Answer, Report
from gateway.transfer.committing.reception.admission import Admission, Limits, network, who_makes_way
from gateway.transfer.committing.reception.call import Call, Desk, OnReport
from gateway.transfer.committing.reception.negotiation import House
from gateway.transfer.committing.reception.wording import Repetitions

log = logging.getLogger(__name__)

_AGAIN = 5.0  # seconds until the next try to listen; a box may be up before its network is
_LONGEST = 0.5  # seconds that one turn may wait for somebody
_AT_ONCE = 16  # connections taken in one turn, so that a storm does not keep those out who are in
_BACKLOG = 64  # connections that the kernel holds for us
_RECEIVED = 1 << 15  # bytes taken from one caller in one turn


class Listener:
    """Owned by one thread, which calls :meth:`turn` over and over; :meth:`close` when it does no more.

    ``allowed``: AE titles that may call; nobody is refused by AE title when it is empty. A report is answered only
    after ``on_report`` returned, so what the peer may forget is already kept here.
    """

    def __init__(
        self,
        box: Box,
        settings: ListenerSettings,
        allowed: Collection[str],
        on_report: OnReport,
        limits: Limits | None = None,
    ) -> None:
        self._address = (settings.host, settings.port)
        self._on_report = on_report
        self._limits = limits or Limits(associations=settings.associations)
        callers = {*allowed, *settings.peers} if allowed or settings.peers else ()
        admission = Admission(self._limits, tuple(network(a) for a in settings.addresses))
        self._desk = Desk(House(box.ae_title, callers), self._limits, admission, self._take, self._make_way)
        self._repetitions = Repetitions()
        self._server: socket.socket | None = None
        self._selector = selectors.DefaultSelector()
        self._calls: dict[socket.socket, Call] = {}  # the oldest first
        self._told: set[Call] = set()
        self._stood_still = 0.0  # seconds that the ledger took, which no caller answers for
        self._beat: Callable[[], None] = lambda: None
        self.words = "not tried yet"
        self.answers: bool | None = None

    @property
    def port(self) -> int:
        """The port in use: of interest when the settings say 0 in a test."""
        assert self._server is not None
        return int(self._server.getsockname()[1])

    def start(self) -> None:
        """Raises Retry if the address cannot be listened on (yet)."""
        host, port = self._address
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            self._server = socket.create_server(self._address, family=family, backlog=_BACKLOG)
        except OSError as error:
            raise Retry(
                f"the listener cannot use {host}:{port} ({error.strerror}): no commitment report can come in",
                "see that this box has the address and nobody else the port, or choose others under [listener]",
            ) from error
        self._server.setblocking(False)
        self._selector.register(self._server, selectors.EVENT_READ)
        log.info("listening on %s:%d for commitment reports and C-ECHO", host, self.port)

    def turn(self, beat: Callable[[], None] = lambda: None) -> float:
        """Serve whoever calls, for half a second at most; returns the seconds after which to look again."""
        self._beat = beat
        if self._server is not None:
            self._serve()
            return 0.0
        try:
            self.start()
        except Retry as error:
            if self.words != str(error):
                log.error("%s; tried again every %.0f s", error, _AGAIN)
            self.answers, self.words = False, str(error)
            return _AGAIN
        self.answers, self.words = True, "listens"
        return 0.0

    def close(self) -> None:
        """Stop listening; calls in progress are aborted."""
        for connection, call in list(self._calls.items()):
            call.abort("aborted: the box stops", self._now())
            self._settle(connection, call)
            self._hang_up(connection, call)
        self._selector.close()
        if self._server is not None:
            self._server.close()
            self._server = None

    def _now(self) -> float:
        return time.monotonic() - self._stood_still

    def _take(self, report: Report, caller: str) -> Answer | None:
        began = time.monotonic()
        self._beat()
        try:
            return self._on_report(report, caller)
        finally:
            self._beat()
            self._stood_still += time.monotonic() - began

    def _serve(self) -> None:
        """One round: take what came, one thing of each caller, then look whose time is over."""
        for key, _ in self._selector.select(self._wait()):
            if key.fileobj is self._server:
                self._admit()
            elif isinstance(key.fileobj, socket.socket) and key.fileobj in self._calls:
                self._receive(key.fileobj, self._calls[key.fileobj])
        self._beat()
        for connection, call in list(self._calls.items()):
            if call.ready:
                self._guarded(call, call.step)
            if call.deadline <= self._now() and not call.over:  # who talks without end has no more time than the silent
                self._guarded(call, call.expire)
            self._settle(connection, call)
        for words in self._repetitions.unsaid(self._now()):
            log.warning("%s", words)

    def _wait(self) -> float:
        if any(call.ready for call in self._calls.values()):
            return 0.0
        nearest = min((call.deadline for call in self._calls.values()), default=self._now() + _LONGEST)
        return max(0.0, min(_LONGEST, nearest - self._now()))

    def _admit(self) -> None:
        """Take new connections; they sit in the waiting room, where the crowd makes way."""
        assert self._server is not None
        for _ in range(_AT_ONCE):
            try:
                connection, address = self._server.accept()
            except BlockingIOError:
                return
            except OSError as error:  # it was gone again, or there are no descriptors left: both pass
                if self._repetitions.say(("", "accept"), self._now()):
                    log.warning("the listener cannot take a call: %s", error.strerror)
                return
            connection.setblocking(False)
            with contextlib.suppress(OSError):
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            call = Call(_plain(address[0]), self._desk, self._now())
            self._calls[connection] = call
            self._selector.register(connection, selectors.EVENT_READ)
            waiting = [(s, c) for s, c in self._calls.items() if c.waits]
            if len(waiting) > self._limits.waiting:
                crowded, going = waiting[who_makes_way([c.address for _, c in waiting])]
                going.evict(self._now())
                self._settle(crowded, going)

    def _make_way(self, address: str) -> None:
        """All associations are taken: of those of ``address`` the one goes that said nothing whole for longest."""
        inside = [call for call in self._calls.values() if call.address == address and not call.waits]
        min(inside, key=lambda call: call.deadline).abort("aborted: others need its place", self._now())

    def _receive(self, connection: socket.socket, call: Call) -> None:
        if call.busy or call.out:
            return
        try:
            data = connection.recv(_RECEIVED)
        except BlockingIOError:
            return
        except OSError as error:
            call.lost(f"the connection broke: {error.strerror}", self._now())
            return
        if data:
            call.receive(data)
        else:
            call.lost("the caller hung up without a word", self._now())

    def _guarded(self, call: Call, act: Callable[[float], None]) -> None:
        """A defect of ours costs one call, not the listener."""
        try:
            act(self._now())
        except Exception:
            log.exception("a defect of this program in a call from %s; it is ended, report this", call.address)
            call.lost("ended by a defect of this program", self._now(), "defect")

    def _settle(self, connection: socket.socket, call: Call) -> None:
        """Send what is to be sent, say what is to be said, and let go whoever is through."""
        if call.out and connection in self._calls:
            try:
                del call.out[: connection.send(call.out)]
            except BlockingIOError:
                pass
            except OSError as error:
                call.out.clear()
                call.lost(f"the connection broke: {error.strerror}", self._now())
        if call.told and call not in self._told:
            self._told.add(call)
            self._tell(call)
        if call.over:
            self._hang_up(connection, call)
        elif connection in self._calls:
            wanted = selectors.EVENT_WRITE if call.out else selectors.EVENT_READ
            if self._selector.get_key(connection).events != wanted:
                self._selector.modify(connection, wanted)

    def _hang_up(self, connection: socket.socket, call: Call) -> None:
        self._told.discard(call)
        if self._calls.pop(connection, None) is not None:
            self._selector.unregister(connection)
            connection.close()

    def _tell(self, call: Call) -> None:
        story, now = call.story, self._now()
        if story.reports or self._repetitions.say(story.kind, now):
            level = logging.INFO if story.well or story.code == "left" else logging.WARNING
            log.log(level, "%s", story.line(now - call.began))


def _plain(address: str) -> str:
    """An IPv4 address that came through an IPv6 socket is one all the same."""
    return str(address).removeprefix("::ffff:").partition("%")[0]
