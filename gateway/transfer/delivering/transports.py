"""How a destination is reached: by DICOM's own associations, or by DICOMweb. The courier sees the same of both."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from gateway.model import InstanceRef
from gateway.transfer.calling import echo
from gateway.transfer.calling.outcomes import Outcome
from gateway.transfer.calling.peers import Peer
from gateway.transfer.committing import commitment
from gateway.transfer.committing.event_report import OnReport
from gateway.transfer.storing import store
from gateway.transfer.storing.sending import Progress

Send = Callable[[Peer, Sequence[InstanceRef], Progress | None], Iterator[tuple[InstanceRef, Outcome]]]
Request = Callable[[Peer, str, Sequence[InstanceRef], OnReport, float, Callable[[], bool]], Outcome]
Probe = Callable[[Peer], Outcome]
Look = Callable[[Peer, str, OnReport], bool]


class Transport(NamedTuple):
    """``send`` stores, ``request`` asks for commitment, ``probe`` says whether the peer answers at all.

    ``look``: the peer does not call back, it is looked after; that says whether it still knows a request. None: it
    reports by itself, to the listener. ``compares``: what ``send`` reads it compares with the instance's SHA-256 by
    itself, where that is known, and gives away no whole file that is not as it was written.
    """

    send: Send
    request: Request
    probe: Probe
    look: Look | None = None
    compares: bool = False


DICOM = Transport(store.send, commitment.request, echo.probe, compares=True)


def transport(web: bool) -> Transport:
    """One of its own for each destination: a DICOMweb server's connection is kept between the turns of its thread."""
    if not web:
        return DICOM
    # Only who has such a destination pays for http.client, which loads ssl.
    from gateway.transfer.dicomweb import asking, storing  # noqa: PLC0415
    from gateway.transfer.dicomweb import commitment as requests  # noqa: PLC0415
    from gateway.transfer.dicomweb.server import Server  # noqa: PLC0415

    server, bound = Server(), functools.partial
    asked = bound(requests.request, server), asking.probe, bound(requests.look, server)
    return Transport(bound(storing.send, server), *asked)
