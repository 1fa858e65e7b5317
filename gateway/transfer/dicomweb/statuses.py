"""TABLE of what follows from each HTTP status of a DICOMweb server (PS3.18 8.5, tables 10.5.3-1, 13.4.3-1), in words.

The kinds are the sender's own (:mod:`gateway.transfer.calling.outcomes`): what is wrong at either end is tried again
and bars the whole server; what is wrong with one instance is held for a person, after it was sent by itself.
"""

from __future__ import annotations

import email.utils
import time
from dataclasses import dataclass, replace
from email.message import Message
from typing import Literal

from gateway.transfer.calling import outcomes
from gateway.transfer.calling.outcomes import Kind, Outcome, Row
from gateway.transfer.calling.peers import Peer

# Whom a refusal is about: "server" bars it for a while; "instance" is held, or tried again, alone, and what came in
# one request with others is sent in smaller ones until it is known which; "size" is an instance, or too many at once.
About = Literal["server", "instance", "size"]


@dataclass(frozen=True, slots=True)
class Meaning:
    kind: Kind
    about: About
    words: str


_ITS_LOG = "look into its log"
_URL = "correct url, or ask its administrator"
STATUSES: dict[int, Meaning] = {
    400: Meaning("hold", "instance", f"it calls the request malformed; run 'gateway check' on the file, {_ITS_LOG}"),
    401: Meaning("retry", "server", "it does not accept this box's token or certificate (not authenticated); renew it"),
    403: Meaning("retry", "server", "it does not allow this box to do that (forbidden); ask its administrator"),
    404: Meaning("retry", "server", f"there is no such service at that address; {_URL}"),
    405: Meaning("retry", "server", f"it does not do that at that address; {_URL}"),
    406: Meaning("retry", "server", f"it does not answer in a form that this box reads (DICOM JSON); {_ITS_LOG}"),
    407: Meaning("retry", "server", "a proxy in between wants to know who calls; ask the network's administrator"),
    408: Meaning("retry", "server", "it waited too long for the request; is the network slow or lossy?"),
    409: Meaning("hold", "instance", "it does not store the instance (conflict), without a reason in DICOM's words"),
    410: Meaning("retry", "server", f"the service is gone from that address; {_URL}"),
    411: Meaning("retry", "server", f"it does not see the request's length; is a proxy in between? {_ITS_LOG}"),
    413: Meaning("hold", "size", "the instance is larger than it takes; ask its administrator to raise the limit"),
    415: Meaning("hold", "instance", "it does not take this kind of object or transfer syntax; ask its administrator"),
    417: Meaning("retry", "server", f"it expects something else of the request; {_ITS_LOG}"),
    421: Meaning("retry", "server", f"it does not serve that host name; {_URL}"),
    422: Meaning("hold", "instance", f"it cannot process the instance; run 'gateway check' on the file, {_ITS_LOG}"),
    423: Meaning("retry", "instance", "it has locked the study for now; it is tried again"),
    429: Meaning("retry", "server", "it is asked too often (too many requests); it is tried again later"),
    431: Meaning("retry", "server", "it calls the request's headers too large; is the token longer than it may be?"),
    500: Meaning("retry", "instance", f"it has failed inside (internal error); {_ITS_LOG}"),
    501: Meaning("retry", "server", f"it does not have this service (not implemented); {_URL}"),
    502: Meaning("retry", "server", "the gateway before it does not reach it; tell its administrator"),
    503: Meaning("retry", "server", "it is busy or being serviced; it is tried again later"),
    504: Meaning("retry", "server", "the gateway before it waits for it in vain; tell its administrator"),
    507: Meaning("retry", "server", "it has no room left; tell its administrator"),
    511: Meaning("retry", "server", "the network wants a log-in before it lets anything through"),
}
# A page for people: not the archive says so but what stands before it, and mostly of all requests alike.
_PROXY_400 = Meaning(
    "retry",
    "instance",
    "a proxy in between calls the request malformed; does it want https, or this box's certificate?",
)
_REDIRECTS = (300, 301, 302, 303, 305, 307, 308)
_LONGEST_WAIT = 86400.0  # seconds that a server may ask for; the destination's retry_most is the limit

# Failure and Warning Reasons in the answer to a store (PS3.18 I.2.2); what DIMSE knows already, it says.
STORE: tuple[Row, ...] = (
    (0xC122, 0xC122, "hold", "it takes this kind of object, but not its transfer syntax; ask its administrator"),
    *outcomes.STORE,
)
_CLASS_NOT_SUPPORTED = 0x0122


def meaning(status: int, headers: Message) -> Meaning:
    """What a status means that is not 2xx; by its hundred, if it is not in the table."""
    if status == 400 and headers.get_content_type() == "text/html":
        return _PROXY_400
    if status in STATUSES:
        return STATUSES[status]
    if status in _REDIRECTS:
        return Meaning("retry", "server", "it redirects, and this box follows no redirect")
    if 400 <= status < 500:
        return Meaning("retry", "server", f"it refuses the request; {_URL}")
    return Meaning("retry", "server", f"an answer that this box does not know; {_ITS_LOG}")


def outcome(peer: Peer, status: int, headers: Message) -> Outcome:
    """The outcome of a status that is not 2xx. What the server says itself is not quoted: it may name a patient."""
    found = meaning(status, headers)
    words = found.words
    if status in _REDIRECTS:
        words += f"; set url to where the service is ({_where(headers)})"
    text = f"{peer} answered HTTP {status}: {words}"
    return Outcome(found.kind, f"http-{status}", text, wait=_retry_after(headers))


def of_reason(peer: Peer, reason: int) -> Outcome:
    """The outcome of a Failure or Warning Reason; a refused class has the code by which it may be wrapped anew."""
    found = outcomes.of_status(STORE, reason, peer)
    return replace(found, code="class-refused") if reason == _CLASS_NOT_SUPPORTED else found


def _where(headers: Message) -> str:
    place = "".join(c for c in str(headers.get("Location", "")).partition("?")[0] if " " < c < "\x7f")
    return place[:200] or "it does not say where"


def _retry_after(headers: Message) -> float:
    """Seconds to wait (RFC 9110 10.2.3: a number or a date); 0 = it does not say."""
    text = str(headers.get("Retry-After", "")).strip()
    if text.isascii() and text.isdigit() and len(text) < 12:
        return min(float(text), _LONGEST_WAIT)
    try:
        left = email.utils.parsedate_to_datetime(text).timestamp() - time.time()
    except (ValueError, TypeError, IndexError, OverflowError):
        return 0.0
    return min(max(left, 0.0), _LONGEST_WAIT)
