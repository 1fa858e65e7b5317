"""One DICOMweb server as one thread meets it: the connection that is kept, its token, how much it takes at a time."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import replace

from gateway import __version__
from gateway.model import InstanceRef
from gateway.transfer.association.connection import Buffer
from gateway.transfer.calling.outcomes import Failed
from gateway.transfer.calling.peers import Peer, Web
from gateway.transfer.dicomweb import credentials, statuses
from gateway.transfer.dicomweb.line import MOST, Answer, Line, Request, Take

log = logging.getLogger(__name__)

JSON = "application/dicom+json"
_INSTANCES = 32  # in one request
_BYTES = 64 << 20  # in one request; a larger instance goes alone


class Server:
    """Remembers from one request to the next; what it remembers is only good for speed."""

    def __init__(self) -> None:
        self._line: Line | None = None
        self._instances = _INSTANCES
        self._bytes = _BYTES
        self.sought_since: dict[str, float] = {}  # SOP Instance UIDs that were not found yet: since when (monotonic)

    def ask(
        self,
        peer: Peer,
        method: str,
        path: str,
        headers: dict[str, str],
        length: int = 0,
        blocks: Callable[[], Iterable[Buffer]] = tuple,
        take: Take | None = None,
        most: int = MOST,
    ) -> Answer:
        """The answer of ``peer`` to a request below its url, whatever its status. Raises Failed.

        A token that was renewed since the request went out is tried at once, and only then.
        """
        web, line = web_of(peer), self._to(peer)
        token = credentials.token(peer, web.token)
        request = Request(method, web.path + path, _headers(peer, token) | headers, length, blocks)
        answer = line.exchange(request, take, most)
        if answer.status == 401 and (renewed := credentials.token(peer, web.token)) != token:
            again = Request(method, web.path + path, _headers(peer, renewed) | headers, length, blocks)
            answer = line.exchange(again, take, most)
        log.debug("%s %s%s: %d, %d bytes", method, peer, path, answer.status, len(answer.body))
        return answer

    def tls(self) -> str:
        return self._line.tls() if self._line is not None else ""

    def close(self) -> None:
        if self._line is not None:
            self._line.close()
        self._line = None

    def batch(self, waiting: deque[InstanceRef]) -> list[InstanceRef]:
        """Take from ``waiting`` what one request may hold: at least one."""
        batch = [waiting.popleft()]
        size = batch[0].size
        while waiting and len(batch) < self._instances and size + waiting[0].size <= self._bytes:
            size += waiting[0].size
            batch.append(waiting.popleft())
        return batch

    def went_well(self) -> None:
        """Nothing broke off from the first instance to the last."""
        self._instances = _INSTANCES

    def broke_off(self) -> None:
        """One of those in the request may be why: each goes by itself, until it is known which."""
        self._instances = 1

    def too_large(self, size: int) -> None:
        """A request with ``size`` bytes in it was more than it takes."""
        self._bytes = min(self._bytes, max(1, size // 2))

    def _to(self, peer: Peer) -> Line:
        if self._line is None or _address(self._line.peer) != _address(peer):
            self.close()
            self._line = Line(peer)
        return self._line


def web_of(peer: Peer) -> Web:
    assert peer.web is not None
    return peer.web


def refused(peer: Peer, answer: Answer) -> Failed:
    """The failure that a status other than 2xx is, where it is not about one instance."""
    found = statuses.outcome(peer, answer.status, answer.headers)
    return Failed(replace(found, kind="retry"))


def _address(peer: Peer) -> tuple[object, ...]:
    return peer.host, peer.port, peer.timeout, peer.security


def _headers(peer: Peer, token: str) -> dict[str, str]:
    host = f"[{peer.host}]" if ":" in peer.host else peer.host
    usual = 80 if peer.security is None else 443
    found = {
        "Host": host if peer.port == usual else f"{host}:{peer.port}",
        "User-Agent": f"gateway/{__version__}",
        "Accept": JSON,
        "Accept-Encoding": "identity",
    }
    return found | ({"Authorization": f"Bearer {token}"} if token else {})
