"""How a destination is reached: by DICOM's own associations, or by DICOMweb. The courier sees the same of both."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from gateway.model import InstanceRef
from gateway.transfer import commitment, store
from gateway.transfer.event_report import OnReport
from gateway.transfer.outcomes import Outcome
from gateway.transfer.peers import Peer
from gateway.transfer.sending import Progress

Send = Callable[[Peer, Sequence[InstanceRef], Progress | None], Iterator[tuple[InstanceRef, Outcome]]]
Request = Callable[[Peer, str, Sequence[InstanceRef], OnReport, float, Callable[[], bool]], Outcome]
Look = Callable[[Peer, str, OnReport], bool]


class Transport(NamedTuple):
    """``send`` stores and ``request`` asks for commitment. ``look``: the peer does not call back, it is looked after.

    It says whether the peer still knows a request. None: the peer reports by itself, to the listener.
    """

    send: Send
    request: Request
    look: Look | None = None


DICOM = Transport(store.send, commitment.request)


def transport(web: bool) -> Transport:
    """One of its own for each destination: a DICOMweb server's connection is kept between the turns of its thread."""
    if not web:
        return DICOM
    # Only who has such a destination pays for http.client, which loads ssl.
    from gateway.transfer.dicomweb import commitment as requests  # noqa: PLC0415
    from gateway.transfer.dicomweb import storing  # noqa: PLC0415
    from gateway.transfer.dicomweb.server import Server  # noqa: PLC0415

    server, bound = Server(), functools.partial
    return Transport(bound(storing.send, server), bound(requests.request, server), bound(requests.look, server))
