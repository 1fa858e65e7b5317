"""Networking (PS3.2 A, section 4): implementation model, the application entities, interfaces, configuration."""

from __future__ import annotations

from collections.abc import Iterator

from gateway import fields
from gateway.destination import Destination
from gateway.implementation import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION
from gateway.settings import Box, Listener, Ris
from gateway.transfer.association import negotiation, pdu
from gateway.transfer.committing.reception.admission import Limits
from gateway.verbs.statement import behaviour, web
from gateway.verbs.statement.activities import ACCEPTED, COMMITMENT_INSTANCE, INITIATED, Activity, class_name, roles_of
from gateway.verbs.statement.document import Block, Bullets, Heading, Paragraph, bullets, table


def chapter() -> Iterator[Block]:
    yield Heading(1, "Networking")
    yield from _model()
    yield Heading(2, "AE specifications")
    yield from _entity()
    yield from web.entity(3)
    yield from _interfaces()
    yield from _configuration()


def _model() -> Iterator[Block]:
    yield Heading(2, "Implementation model")
    yield Heading(3, "Application data flow")
    yield Paragraph(
        "One application entity, the gateway AE, does everything over DICOM's upper layer, under one AE title. A "
        "device is recorded locally, with no DICOM; each recording becomes instances on the box's disk; from there "
        "they go to the destinations that are configured, by this AE, by DICOMweb, or on removable media."
    )
    flow = [("Local: " + what, becomes) for what, becomes in _LOCAL]
    flow += [(one.title, ", ".join(dict.fromkeys(class_name(uid) for uid, _ in one.contexts))) for one in _SMALL]
    yield table("Real-world activities", ("Activity", "What it does, or which SOP classes it uses"), flow)
    yield Heading(3, "Functional definition of the gateway AE")
    yield Bullets(tuple(f"{one.title} ({one.role}). {one.words}" for one in (*INITIATED, *ACCEPTED)))
    yield Heading(3, "Sequencing of real-world activities")
    yield bullets(_SEQUENCE)


_LOCAL = (
    ("A patient is chosen", "from the kept worklist, by a bar code, by hand, or as an emergency: an exam is opened"),
    ("The device records", "each recording in the exam is a raw file that is on the disk before anything else happens"),
    ("The recording is wrapped", "as an instance, checked against PS3.3; what does not conform is held, not sent"),
)
_SMALL = tuple(one for one in (*INITIATED, *ACCEPTED) if one.key != "store")
_SEQUENCE = (
    "The worklist is asked for beside everything else; an exam uses what is kept, also while the RIS is away.",
    "N-CREATE follows the opening of the exam, and does not wait for a recording; it waits for a patient.",
    "An instance is stored as soon as it is wrapped, whether or not the RIS has taken the N-CREATE.",
    "The commitment of an instance is asked for after its store; several instances go in one request.",
    "The final N-SET names every instance of the step: it waits until each recording is wrapped or held.",
    "Only after the commitment (or what the destination's policy asks for), the retention time and all destinations "
    "may an instance be deleted from the box.",
)


def _entity() -> Iterator[Block]:
    yield Heading(3, "Gateway AE")
    yield Heading(4, "SOP classes")
    rows = [(name, uid, *roles) for uid, (name, *roles) in roles_of().items()]
    yield table("SOP classes of the gateway AE", ("SOP class", "UID", "SCU", "SCP"), rows)
    yield Heading(4, "Association policies")
    yield from _policies()
    yield Heading(4, "Association initiation policy")
    yield behaviour.common()
    for one in INITIATED:
        yield from _activity(one, "Proposed presentation contexts")
    yield Heading(5, "Communication failures")
    yield from behaviour.communication()
    yield Heading(4, "Association acceptance policy")
    yield from _acceptance()


def _policies() -> Iterator[Block]:
    most = {key: (allowed, default) for key, allowed, default, _ in fields.documentation(Destination)}
    limits = Limits()
    rows = (
        ("Application context name", pdu.APPLICATION_CONTEXT),
        ("Implementation class UID", IMPLEMENTATION_CLASS_UID),
        ("Implementation version name", IMPLEMENTATION_VERSION),
        ("Maximum length of a PDU that is announced to a peer that is called", f"{pdu.LARGEST_DATA} bytes"),
        ("Maximum length of a PDU that is announced to a caller", f"{limits.largest_data} bytes"),
        ("Longest P-DATA-TF that is sent", f"{negotiation.OUR_LARGEST} bytes, or what the peer announces"),
        (
            "Presentation contexts in one association",
            f"at most {negotiation.MOST_CONTEXTS}, each with one transfer syntax",
        ),
        ("Associations that are initiated at a time, to store at one destination", _setting(most["associations"])),
        ("Associations that are initiated at a time, otherwise", "one for each peer and activity"),
        (
            "Associations that are accepted at a time",
            f"{limits.associations} unless configured, half of them of one address",
        ),
        ("Operations that are invoked at a time (asynchronous), to store", _setting(most["operations"])),
        ("Operations that are performed at a time", "1"),
        ("SOP class extended negotiation", "none"),
        ("SCP/SCU role selection", "not proposed; of storage commitment accepted, as above"),
        (
            "User identity negotiation",
            "user, or user and passcode (over TLS), to a destination that it is configured for",
        ),
    )
    yield table("Associations", ("What", "Value"), rows)


def _setting(found: tuple[str, str]) -> str:
    allowed, default = found
    return f"{allowed} (configured; {default} unless said otherwise)"


def _activity(one: Activity, title: str) -> Iterator[Block]:
    yield Heading(5, one.title)
    yield Paragraph(one.words)
    rows = [(class_name(uid), uid, class_name(syntax), syntax, one.role, "none") for uid, syntax in one.contexts]
    head = ("Abstract syntax", "UID", "Transfer syntax", "UID", "Role", "Extended negotiation")
    yield table(f"{title}: {one.title.lower()}", head, rows)
    yield from behaviour.statuses_of(one)
    if one.key == "commit":
        yield Paragraph(
            f"SOP Instance UID of the push model: {COMMITMENT_INSTANCE}. "
            "A refused N-ACTION uses up its Transaction UID."
        )
        yield behaviour.failure_reasons()


def _acceptance() -> Iterator[Block]:
    for one in ACCEPTED:
        yield from _activity(one, "Accepted presentation contexts")
    yield behaviour.report_answers()
    limits = Limits()
    yield bullets(
        (
            "Associations are accepted only for the AE title of the box, of AE titles that are configured: those of "
            "the destinations, and peers under [listener]; and, if it is configured, of their addresses only.",
            f"A caller has {limits.request:g} s for its association request, and {limits.patience:g} s from one "
            f"message to the next. One address may open {limits.rate:g} connections in a second in the long run, "
            f"{limits.burst} at once.",
            f"A message may have {limits.largest_message} bytes: a report on some 2500 instances.",
        )
    )


def _interfaces() -> Iterator[Block]:
    yield Heading(2, "Network interfaces")
    yield Paragraph(
        "TCP/IP, IPv4 and IPv6, over whatever interface the operating system has; host names are resolved by it."
    )
    yield Heading(3, "Additional protocols")
    yield Paragraph("None of its own: time and host names are the operating system's (NTP, DNS, DHCP).")


def _configuration() -> Iterator[Block]:
    yield Heading(2, "Configuration")
    yield Heading(3, "AE title/presentation address mapping")
    yield Paragraph(
        "Local AE title and port, and AE title, host and port of each peer, stand in one configuration file (TOML), "
        "which is checked whole before anything runs by it. None is changed while the box runs."
    )
    yield Heading(3, "Parameters")
    for title, kind in (
        ("[gateway]", Box),
        ("[listener]", Listener),
        ("[[ris]]", Ris),
        ("[[destination]]", Destination),
    ):
        rows = [(key, allowed, default, words) for key, allowed, default, words in fields.documentation(kind)]
        yield table(f"Settings under {title}", ("Key", "Allowed", "Default", "Meaning"), rows)
