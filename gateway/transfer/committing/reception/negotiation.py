"""What the box answers to an association request (PS3.8 9.3.3, 9.3.4, PS3.7 D.3.3.4). Pure.

It takes Verification, and Storage Commitment Push Model as its SCU: a PACS that calls to report proposes itself as
SCP. One that forgets role selection is taken all the same; there is nothing else it could mean.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from gateway.transfer.association import pdu
from gateway.transfer.association.dimse import printable
from gateway.transfer.association.pdu import (
    AssociateReject,
    AssociateRequest,
    Context,
    ContextResult,
    ProtocolError,
    Role,
    UserInformation,
)
from gateway.transfer.committing.reception.admission import PERMANENT, Refusal
from gateway.transfer.names import PROPOSED, PUSH_MODEL, VERIFICATION

TAKEN = (VERIFICATION, PUSH_MODEL)
ACCEPTED, NO_SUCH_CLASS, NO_SUCH_SYNTAX = 0, 3, 4  # PS3.8 table 9-18
MOST_CONTEXTS = 128
SMALLEST_PDU = 64  # bytes: less than any of our answers would take dozens


@dataclass(frozen=True, slots=True)
class House:
    """Under which AE title the box is called, and by whom; nobody is refused by title where ``callers`` is empty."""

    ae_title: str
    callers: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class Agreed:
    """``accepted``: (SOP class, transfer syntax) by context id."""

    results: tuple[ContextResult, ...]
    user: UserInformation
    accepted: dict[int, tuple[str, str]]


def refusal(house: House, asked: AssociateRequest) -> Refusal | None:
    """Why ``asked`` gets no association, if it gets none."""
    if not asked.version & 1:
        return _refusal(2, 2, "version", f"it speaks versions {asked.version:04X}H of the protocol, not version 1")
    if asked.application_context != pdu.APPLICATION_CONTEXT:
        return _refusal(1, 2, "application", "it asks for an application that is not DICOM")
    if asked.called != house.ae_title:
        words = f"it calls {shown(asked.called)}, but this box is {house.ae_title}; correct it there, or ae_title here"
        return _refusal(1, 7, "called", words)
    if house.callers and asked.calling not in house.callers:
        words = "its AE title is not known here; if it is a PACS of yours, add it to 'peers' under [listener]"
        return _refusal(1, 3, "calling", words)
    return None


def agree(asked: AssociateRequest, largest: int) -> Agreed:
    """What is accepted of ``asked``; ``largest`` P-DATA-TF we take, in bytes. Raises ProtocolError if it is a mess."""
    ids = [c.id for c in asked.contexts]
    if not 0 < len(ids) <= MOST_CONTEXTS or len(set(ids)) < len(ids) or any(i % 2 == 0 for i in ids):
        raise ProtocolError(f"an association request with {len(ids)} presentation contexts, or wrong ids of them")
    if 0 < asked.user.max_length < SMALLEST_PDU:
        raise ProtocolError(f"a maximum PDU length of {asked.user.max_length} bytes")
    results = tuple(_result(context) for context in asked.contexts)
    accepted = {
        r.id: (c.abstract_syntax, r.transfer_syntax)
        for c, r in zip(asked.contexts, results, strict=True)
        if r.result == ACCEPTED
    }
    roles = {role.sop_class_uid: _role(role) for role in asked.user.roles if role.sop_class_uid in TAKEN}
    return Agreed(results, UserInformation(largest, roles=tuple(roles.values())), accepted)


def shown(title: str) -> str:
    """An AE title as it may stand in a log: it is a stranger's."""
    return printable(title) or "(no AE title)"


def _refusal(source: int, reason: int, code: str, words: str) -> Refusal:
    return Refusal(AssociateReject(PERMANENT, source, reason), code, words)


def _result(context: Context) -> ContextResult:
    if context.abstract_syntax not in TAKEN:
        return ContextResult(context.id, NO_SUCH_CLASS)
    syntax = next((s for s in PROPOSED if s in context.transfer_syntaxes), None)
    return ContextResult(context.id, NO_SUCH_SYNTAX) if syntax is None else ContextResult(context.id, ACCEPTED, syntax)


def _role(proposed: Role) -> Role:
    """The caller may be SCU of Verification and SCP of storage commitment, if it proposed so, and nothing else."""
    reports = proposed.sop_class_uid == PUSH_MODEL
    return Role(proposed.sop_class_uid, proposed.scu and not reports, proposed.scp and reports)
