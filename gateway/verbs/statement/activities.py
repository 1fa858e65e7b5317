"""TABLE of the associations: what each real-world activity proposes or takes, and which answers it knows how to take.

The presentation contexts are not written down here; they are asked of the functions that the associations themselves
are made with.
"""

from __future__ import annotations

from dataclasses import dataclass

from pydicom.uid import UID

from gateway.dicom import iods, rejection
from gateway.dicom.definition import Iod
from gateway.dicom.frames import syntaxes as h264
from gateway.sop_classes import WRITTEN
from gateway.transfer import names
from gateway.transfer.association.negotiation import Pair
from gateway.transfer.calling import outcomes, syntaxes
from gateway.transfer.calling.outcomes import Row
from gateway.transfer.committing import commitment
from gateway.transfer.committing.reception import negotiation
from gateway.transfer.ris import procedure_step, worklist
from gateway.transfer.storing import fallback


@dataclass(frozen=True, slots=True)
class Answers:
    """A DIMSE service, and its table of statuses. ``failed``: what follows from every failure, if always the same."""

    service: str
    rows: tuple[Row, ...]
    failed: str = ""


@dataclass(frozen=True, slots=True)
class Activity:
    """``contexts``: as proposed or taken, (SOP class, transfer syntax). ``role`` is ours."""

    key: str
    title: str
    role: str
    contexts: tuple[Pair, ...]
    words: str
    answers: tuple[Answers, ...] = ()


def class_name(uid: str) -> str:
    """As PS3.6 annex A has it; what is not there goes by its number."""
    return str(UID(uid).name)


_JPEG = "1.2.840.10008.1.2.4."
# In which transfer syntaxes frames are written: as stills; and what a clip may be coded as besides.
_STILL = (names.EXPLICIT, *(f"{_JPEG}{n}" for n in (50, 51, 80)))
_IN_CLIPS = "YBR_PARTIAL_420"  # what H.264 is always: no clip without colour is coded so
_CLIP = tuple(uid for row in h264.ROWS for uid in (row.whole, row.fragmentable))


def written_iods() -> tuple[Iod, ...]:
    """The classes that recordings become."""
    return tuple(iods.BY_KEY[key] for key in WRITTEN)


def written_classes() -> dict[str, tuple[str, ...]]:
    """Transfer syntax UIDs in which the box makes instances, by SOP Class UID."""
    found = {row.sop_class_uid: _syntaxes(row) for row in written_iods()}
    return found | {rejection.SOP_CLASS: (names.EXPLICIT,)}


def _syntaxes(iod: Iod) -> tuple[str, ...]:
    if iod.pictures is None:
        return (names.EXPLICIT,)
    allowed = iod.pictures.photometric
    return (*_STILL, *(_CLIP if iod.pictures.frames and (not allowed or _IN_CLIPS in allowed) else ()))


def _stored() -> tuple[Pair, ...]:
    made = [(uid, syntax) for uid, syntaxes_ in written_classes().items() for syntax in syntaxes_]
    return tuple(fallback.proposed(made))


INITIATED: tuple[Activity, ...] = (
    Activity(
        "worklist",
        "Query the worklist",
        "SCU",
        tuple(syntaxes.pairs(worklist.FIND)),
        "At the interval that is configured (each box scattered by a tenth of it), and when a person asks for one "
        "patient, an association is opened to each RIS and one C-FIND sent. The answer replaces the one that is kept "
        "on the disk only when it is whole; until then, and while the RIS does not answer, the kept one is shown with "
        "its age. When more items come than are wanted, C-CANCEL is sent; an answer that takes longer than is "
        "configured is cancelled too, and the last whole one stays.",
        (Answers("C-FIND", outcomes.WORKLIST, "The worklist that is kept stays; the RIS is asked again later."),),
    ),
    Activity(
        "step",
        "Report the performed procedure step",
        "SCU",
        tuple(syntaxes.pairs(procedure_step.MPPS)),
        "N-CREATE (IN PROGRESS) goes as soon as the exam is open and has a patient; one N-SET (COMPLETED or "
        "DISCONTINUED) when it is closed and each of its recordings is wrapped, or held and so left out. Both wait on "
        "the disk through outages and restarts, and the N-SET is never sent before the N-CREATE was taken. After the "
        "final N-SET nothing more is sent about the step; what is attributed later is a step of its own.",
        (Answers("N-CREATE", outcomes.CREATE_STEP), Answers("N-SET", outcomes.SET_STEP)),
    ),
    Activity(
        "store",
        "Store instances",
        "SCU",
        _stored(),
        "What a recording was wrapped as is sent to each destination whose rules take it, as soon as it is there. The "
        "association has one context for each pair of SOP class and transfer syntax of the instances on it, and one "
        "for each other transfer syntax into which they can be brought without loss; an instance whose own is refused "
        "goes in one of those, under the same SOP Instance UID. The table is of what the box makes itself; of files "
        "that were brought in from media or named on the command line, the pairs are those of the files.",
        (Answers("C-STORE", outcomes.STORE),),
    ),
    Activity(
        "commit",
        "Ask for storage commitment",
        "SCU",
        tuple(syntaxes.pairs(names.PUSH_MODEL)),
        "After the store, N-ACTION names the instances under a Transaction UID that is on the disk before it is sent "
        "and never used again. The association is kept open for a moment, since some peers report on it; most report "
        "on one of their own, below. When no report comes in the time that is configured, a new request is made.",
        (Answers("N-ACTION", outcomes.COMMON),),
    ),
    Activity(
        "verify",
        "Verify a peer",
        "SCU",
        ((names.VERIFICATION, names.EXPLICIT), (names.VERIFICATION, names.IMPLICIT)),
        "C-ECHO, when a destination that failed is looked after, and by hand (gateway echo). By hand every class that "
        "the box speaks of is proposed too, to tell what the peer takes. Whoever answers at all is there.",
        (Answers("C-ECHO", outcomes.COMMON, "It is said to whoever asked."),),
    ),
)

ACCEPTED: tuple[Activity, ...] = (
    Activity(
        "report",
        "Take the commitment report, and answer a verification",
        "SCU of storage commitment, SCP of verification",
        tuple((uid, syntax) for uid in negotiation.TAKEN for syntax in names.PROPOSED),
        "A PACS that calls to report proposes itself as SCP of storage commitment (SCP/SCU role selection); one that "
        "proposes no role is taken all the same. An N-EVENT-REPORT is answered with success only after what it says "
        "is on the disk. Where both transfer syntaxes are proposed in one context, Explicit VR is taken.",
    ),
)


def roles_of() -> dict[str, tuple[str, str, str]]:
    """Name, and whether the box is its user (SCU) and its provider (SCP), of each SOP class by UID."""
    users = {uid for one in INITIATED for uid, _ in one.contexts}
    every = dict.fromkeys(uid for one in (*INITIATED, *ACCEPTED) for uid, _ in one.contexts)
    provided = {names.VERIFICATION}
    return {u: (class_name(u), "yes" if u in users else "no", "yes" if u in provided else "no") for u in every}


COMMITMENT_INSTANCE = commitment.PUSH_MODEL_INSTANCE
