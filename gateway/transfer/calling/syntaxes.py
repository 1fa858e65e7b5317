"""Which transfer syntax an association has for everything but storage."""

from __future__ import annotations

from gateway.transfer.association.negotiation import Pair
from gateway.transfer.calling.requestor import Requestor
from gateway.transfer.names import PROPOSED


def pairs(*sop_class_uids: str) -> list[Pair]:
    """Each class in each of our syntaxes."""
    return [(uid, syntax) for uid in sop_class_uids for syntax in PROPOSED]


def context(requestor: Requestor, sop_class_uid: str) -> tuple[int, str] | None:
    """(id, transfer syntax UID) of the best accepted context of the class, or None."""
    for syntax in PROPOSED:
        if (found := requestor.context(sop_class_uid, syntax)) is not None:
            return found, syntax
    return None
