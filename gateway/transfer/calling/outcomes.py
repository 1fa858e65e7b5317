"""What follows from each answer of a peer: done, done with a warning, try again, or hold for a person.

One table for all: DIMSE statuses (PS3.4 B.2.3, K.4.1.1.4, PS3.7 annex C), failure reasons of storage commitment
(PS3.3 C.14), A-ASSOCIATE-RJ (PS3.8 table 9-21), refused presentation contexts (table 9-18), A-ABORT (table 9-26),
and what the network itself does. The words are for a biomedical engineer: what happened; what to do.
"""

from __future__ import annotations

import errno
from dataclasses import dataclass
from typing import Literal

from gateway.errors import GatewayError, Held, Retry
from gateway.transfer import names
from gateway.transfer.association.pdu import Abort, AssociateReject
from gateway.transfer.calling import tls_failures
from gateway.transfer.calling.peers import Peer

Kind = Literal["done", "warned", "retry", "hold"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """``code`` is a status in four hexadecimal digits, or a short word; ``words`` is one line for a person."""

    kind: Kind
    code: str
    words: str
    instead: str = ""  # refused: the transfer syntax in which the peer takes it, and into which it can be brought
    sent_syntax: str = ""  # taken: the transfer syntax it was sent in, if another than its own
    sent_sha256: str = ""  # taken: of the file that was sent, if another than its own
    wait: float = 0.0  # not taken now: seconds for which the peer asks to be left alone

    @property
    def good(self) -> bool:
        return self.kind in ("done", "warned")

    @property
    def is_status(self) -> bool:
        """Whether the peer answered so; else there was no answer, or no association."""
        return len(self.code) == 4 and self.code == self.code.upper()


class Failed(Retry):
    """The association broke or never came about; the same attempt may succeed later."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.words)
        self.outcome = outcome


def error(outcome: Outcome) -> GatewayError:
    """The exception for an outcome that is not good."""
    return Held(outcome.words) if outcome.kind == "hold" else Failed(outcome)


# (first status, last status, what follows, words); the first row that fits counts.
Row = tuple[int, int, Kind, str]

COMMON: tuple[Row, ...] = (
    (0x0000, 0x0000, "done", "done"),
    (0x0105, 0x0105, "hold", "no such attribute: the peer does not know an attribute that was sent"),
    (0x0106, 0x0106, "hold", "invalid attribute value: the peer objects to a value in the data set"),
    (0x0107, 0x0107, "warned", "done, but the peer ignored attributes it does not know"),
    (0x0110, 0x0110, "retry", "processing failure in the peer; look into the peer's log"),
    (0x0111, 0x0111, "hold", "duplicate: the peer has an instance with this UID already"),
    (0x0112, 0x0112, "hold", "no such instance in the peer"),
    (0x0115, 0x0115, "hold", "invalid argument value: the peer objects to the request"),
    (0x0116, 0x0116, "warned", "done, but a value was out of range and the peer changed or ignored it"),
    (0x0117, 0x0117, "hold", "invalid instance UID; run 'gateway check' on the file"),
    (0x0118, 0x0118, "hold", "no such class in the peer"),
    (0x0119, 0x0119, "hold", "class and instance conflict: the peer has another kind of object under this UID"),
    (0x0120, 0x0120, "hold", "missing attribute: the peer needs an attribute that was not sent"),
    (0x0121, 0x0121, "hold", "missing attribute value: the peer needs a value that was sent empty"),
    (
        0x0122,
        0x0122,
        "hold",
        "SOP class not supported: the peer does not take this kind of object; ask its administrator",
    ),
    (0x0123, 0x0123, "hold", "no such action in the peer"),
    (0x0124, 0x0124, "hold", "not authorized: ask the peer's administrator to allow this box"),
    (0x0210, 0x0210, "retry", "duplicate invocation: the peer is confused about message numbers"),
    (0x0211, 0x0211, "hold", "unrecognized operation: the peer does not do this"),
    (0x0212, 0x0212, "hold", "mistyped argument: the peer objects to the request"),
    (0x0213, 0x0213, "retry", "resource limitation: the peer is short of resources"),
)

STORE: tuple[Row, ...] = (
    (0x0001, 0x0001, "warned", "stored, with a warning"),
    (0xB000, 0xB000, "warned", "stored, but the peer changed values in it (coercion of data elements)"),
    (0xB006, 0xB006, "warned", "stored, but the peer discarded elements"),
    (0xB007, 0xB007, "warned", "stored, but the peer says the data set does not match its SOP class"),
    (0xB001, 0xBFFF, "warned", "stored, with a warning of the peer's own"),
    (0xA700, 0xA7FF, "retry", "out of resources: the peer's disk is probably full; tell its administrator"),
    (
        0xA900,
        0xA9FF,
        "hold",
        "the peer says the data set does not match its SOP class; run 'gateway check' on the file",
    ),
    (0xC000, 0xCFFF, "hold", "the peer cannot understand the instance; run 'gateway check' on the file"),
    (0x0111, 0x0111, "warned", "the peer has this instance already, and kept its own copy"),
    (0xFE00, 0xFE00, "retry", "the peer says that it was cancelled, but nobody cancelled it; it is sent again"),
    (0xFF00, 0xFF01, "retry", "the peer says that it is not stored yet; it is sent again"),
    *COMMON,
)

# What a refusal says of the peer as it is set up, whichever instances are concerned.
PEERS_OWN = frozenset(("class-refused", "syntax-refused", "0112", "0118", "0122", "0123", "0124", "0211"))

WORKLIST: tuple[Row, ...] = (
    (0xFE00, 0xFE00, "done", "stopped at our request"),
    (0xA700, 0xA7FF, "retry", "out of resources: the RIS cannot search now"),
    (0xA900, 0xA9FF, "hold", "the RIS says the query does not match the worklist class"),
    (0xC000, 0xCFFF, "retry", "the RIS cannot process the query; look into its log"),
    *COMMON,
)

CREATE_STEP: tuple[Row, ...] = (
    (0x0111, 0x0111, "done", "the RIS has this performed procedure step already"),
    *COMMON,
)

# Error ID (0000,0903) that makes a processing failure say more (PS3.4 F.7.2.2.2); it is looked up as a status.
STEP_IS_FINAL = 0xA710
SET_STEP: tuple[Row, ...] = (
    (STEP_IS_FINAL, STEP_IS_FINAL, "hold", "the performed procedure step is final there and may no longer be changed"),
    *COMMON,
)

# Failure Reason (0008,1197): "retry" = send the instance again, "hold" = a person must look.
COMMITMENT: tuple[Row, ...] = (
    (0x0112, 0x0112, "retry", "the peer does not have the instance; it is sent again"),
    (0x0110, 0x0110, "retry", "processing failure: the peer could not commit; it is asked again"),
    (0x0213, 0x0213, "retry", "resource limitation: the peer could not commit; it is asked again"),
    (0x0131, 0x0131, "retry", "duplicate transaction UID; it is asked again under a new one"),
    (0x0122, 0x0122, "hold", "the peer does not commit this class of objects; ask its administrator"),
    (0x0119, 0x0119, "hold", "class and instance conflict: the peer has another kind of object under this UID"),
    (0x0000, 0xFFFF, "hold", "the peer does not commit the instance, for a reason of its own"),
)


def of_status(rows: tuple[Row, ...], status: int, peer: Peer, comment: str = "") -> Outcome:
    """The outcome of a status; ``comment`` is the peer's Error Comment (0000,0902). An unknown one is held."""
    kind, words = next(((k, w) for low, high, k, w in rows if low <= status <= high), (None, ""))
    code = f"{status:04X}"
    if kind is None:
        kind, words = "hold", "an answer the standard does not know; look into the peer's log"
    if kind == "done":
        return Outcome(kind, code, words)
    said = f" ('{comment}')" if comment else ""
    return Outcome(kind, code, f"{peer} answered {code}H{said}: {words}")


def misnamed(peer: Peer, outcome: Outcome, uid: str) -> Outcome:
    """It answers our message and is content, but names another instance; its commitment will tell."""
    words = (
        f"{peer} answered {outcome.code}H, but for instance {uid}: is it stored under another UID? Look into its log"
    )
    return Outcome("warned", outcome.code, words)


# (source, reason) -> words with {peer} and {own}. Result 1 = permanent, 2 = transient: both are tried again, since
# what is wrong here is set right at either end, not in the instance.
REJECTS: dict[tuple[int, int], str] = {
    (1, 1): "rejects the association without a reason; is this box ({own}) entered there?",
    (1, 2): "does not support the DICOM application context; is this the right port?",
    (1, 3): "does not know the calling AE title {own}; have it entered there, or correct ae_title of this box",
    (1, 7): "does not know the AE title {called}; ask its administrator, or correct its ae_title here",
    (2, 1): "rejects the association without a reason (protocol layer)",
    (2, 2): "does not support the protocol version; is this the right port?",
    (3, 1): "is busy (temporary congestion); it is tried again",
    (3, 2): "has all its associations in use (local limit exceeded); it is tried again",
}


def rejected(peer: Peer, pdu: AssociateReject) -> Outcome:
    words = REJECTS.get((pdu.source, pdu.reason), f"rejects the association (source {pdu.source}, reason {pdu.reason})")
    how = "for now" if pdu.result == 2 else "for good"
    text = f"{peer} {words.format(own=peer.own_ae_title, called=peer.ae_title)}"
    return Outcome("retry", f"rejected-{pdu.source}-{pdu.reason}", f"{text} [association rejected {how}]")


REFUSALS: dict[int, tuple[str, str]] = {
    1: ("class-refused", "refuses {what} here (user rejection)"),
    2: ("class-refused", "refuses {what}, without a reason"),
    3: ("class-refused", "does not take {what}"),
    4: ("syntax-refused", "takes the class, but not the transfer syntax, of {what}"),
}


def refused(peer: Peer, sop_class_uid: str, transfer_syntax_uid: str, result: int) -> Outcome:
    """A presentation context was not accepted (``result`` by PS3.8 table 9-18)."""
    code, words = REFUSALS.get(result, ("class-refused", f"refuses {{what}} (result {result})"))
    what = names.kind(sop_class_uid, transfer_syntax_uid)
    return Outcome("hold", code, f"{peer} {words.format(what=what)}; ask its administrator to allow it")


ABORTS: dict[tuple[int, int], str] = {
    (2, 0): "no reason given",
    (2, 1): "unrecognized PDU",
    (2, 2): "unexpected PDU",
    (2, 4): "unrecognized PDU parameter",
    (2, 5): "unexpected PDU parameter",
    (2, 6): "invalid PDU parameter value",
}


def aborted(peer: Peer, pdu: Abort, when: str) -> Outcome:
    who = "its application" if pdu.source == 0 else ABORTS.get((pdu.source, pdu.reason), f"reason {pdu.reason}")
    words = f"{peer} aborted the association ({who}) {when}; look into its log"
    return Outcome("retry", f"aborted-{pdu.source}-{pdu.reason}", words)


def released(peer: Peer, when: str) -> Outcome:
    return Outcome("retry", "released", f"{peer} released the association {when}, before it was finished")


def silent(peer: Peer, when: str) -> Outcome:
    words = f"{peer} says nothing for {peer.timeout:g} s {when}; is it a DICOM port, and is the peer well?"
    return Outcome("retry", "silent", words)


def lost(peer: Peer, when: str) -> Outcome:
    """It closed the connection: whether that comes as an end, a reset or a broken pipe is chance.

    Its system sends a reset if anything of ours was not read yet, or comes later.
    """
    return Outcome("retry", "lost", f"{peer} closed the connection without a word {when}; {_hint(peer, when)}")


def _hint(peer: Peer, when: str) -> str:
    """What to do about a connection that is dropped; a peer that wants TLS does so at the first plain PDU."""
    tls = peer.security is None and when.endswith("association request")
    return "does that port want TLS (tls = true)? Look into its log" if tls else "look into its log"


def violated(peer: Peer, words: str) -> Outcome:
    hint = "" if words.endswith(")") else "; look into its log"  # a guess of ours stands in parentheses
    return Outcome("retry", "protocol", f"{peer}: {words}{hint}")


NETWORK: dict[int, tuple[str, str]] = {
    errno.ECONNREFUSED: ("closed", "nothing listens at that port; is the peer running, and is the port right?"),
    errno.EHOSTUNREACH: ("unreachable", "no route to the host; is the network plugged in, and is the address right?"),
    errno.ENETUNREACH: ("unreachable", "the network is not reachable; is the cable plugged in?"),
    errno.ETIMEDOUT: ("silent", "the host does not answer; is it switched on, and does a firewall let DICOM through?"),
}


def unreachable(peer: Peer, error: OSError, when: str) -> Outcome:
    """What the operating system says of a connection."""
    if isinstance(error, ConnectionResetError | BrokenPipeError):
        return lost(peer, when)
    reason = getattr(error, "reason", None)
    if reason is not None and hasattr(error, "library"):  # an ssl.SSLError; ssl is not loaded for its name only
        code, words = tls_failures.told(
            str(reason), getattr(error, "verify_code", None), getattr(error, "verify_message", "")
        )
        return Outcome("retry", code, f"{peer}, {when}: {words}")
    if isinstance(error, TimeoutError):
        code, words = NETWORK[errno.ETIMEDOUT]
    elif error.errno in NETWORK:
        code, words = NETWORK[error.errno]
    elif type(error).__name__ == "gaierror":
        code, words = "no-such-host", f"the name {peer.host} is not known; check it, and the name server"
    else:
        code, words = "network", error.strerror or str(error)
    return Outcome("retry", code, f"{peer} cannot be reached {when}: {words}")
