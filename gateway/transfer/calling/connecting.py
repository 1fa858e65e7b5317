"""A connection to a peer, plain or under TLS, whichever is configured."""

from __future__ import annotations

from gateway.transfer.association.connection import Connection
from gateway.transfer.calling.peers import Peer


def connect(peer: Peer) -> Connection:
    """The connection to ``peer``. Raises OSError, or Failed in words of its own where TLS is the matter."""
    if peer.security is None:
        return Connection(peer.host, peer.port, peer.timeout)
    from gateway.transfer.calling import tls  # noqa: PLC0415  ssl costs more to load than all the rest, and few peers need it

    return tls.connect(peer, peer.security)
